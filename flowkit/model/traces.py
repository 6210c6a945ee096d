"""Traces: what a task read and what came of it, as the metadata store keeps them for caching."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Hazard:
    """A look at something that no trace can record, which makes a result unfit for reuse.

    Attributes:
        kind: What was looked at: "artifacts" (by the client), "clock", "environment", "files",
            "network", "processes", "run".
        what: The name, path or address.
        where: File and line in the user's code, "" when unknown.
    """

    kind: str
    what: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.kind}){f' at {self.where}' if self.where else ''}"


@dataclass(frozen=True, slots=True)
class Change:
    """What a task did to the artifacts it was given, beside assigning: to be done again on reuse.

    Attributes:
        names: What was deleted; for a merge, what the task had assigned before.
        is_merge: Whether this is ``merge_artifacts``.
        exclude: As in ``merge_artifacts``.
        include: As in ``merge_artifacts``.
    """

    names: tuple[str, ...]
    is_merge: bool = False
    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()

    def takes(self, name: str) -> bool:
        """Whether a merge takes an attribute, unless it is there already."""
        if name in self.names or name in self.exclude:
            return False
        return not self.include or name in self.include


@dataclass(frozen=True, slots=True)
class Observation:
    """What one attempt did beside reading and writing artifacts.

    Attributes:
        changes: Deletions and merges, in order.
        hazards: What it looked at that no trace can record.
    """

    changes: tuple[Change, ...] = ()
    hazards: tuple[Hazard, ...] = ()


@dataclass(frozen=True, slots=True)
class TraceBase:
    """What a step's results depend on beside what they read.

    Attributes:
        digest: Of all the rest.
        flow: Name of the flow.
        step: Name of the step.
        parts: Name of each part, such as ``function helpers.clean``, to a digest.
    """

    digest: str
    flow: str
    step: str
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Trace:
    """One result that may be reused.

    Attributes:
        key: Digest of the base and all reads.
        base: The code and all else that is declared.
        reads: Token to the identity of what was there; None where there was nothing.
        changes: Deletions and merges, in order.
        manifest: Digest of the task's output manifest.
        origin: Pathspec of the task.
        hazards: Why it can't be reused; empty when it can.
        created_at: UTC microseconds; 0 before it is stored.
    """

    key: str
    base: TraceBase
    reads: Mapping[str, str | None]
    changes: tuple[Change, ...]
    manifest: str
    origin: str
    hazards: tuple[str, ...] = ()
    created_at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class FoundElsewhere:
    """What is at a token of the client's now: its digest as reads have it, and its identity."""

    digest: str
    identity: str
