"""What garbage collection is decided by: everything in the metadata that refers to blobs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flowkit.model.manifest import ArtifactRef

PHASES = 3
"""Each collection moves the store's counter on three times: announced, deleting, done."""


@dataclass(frozen=True, slots=True)
class RunRoot:
    """What one run refers to.

    Attributes:
        key: The run's row.
        flow: Name of the flow.
        run_id: Id of the run.
        manifests: Digests of its root manifest and of those of its attempts.
    """

    key: int
    flow: str
    run_id: str
    manifests: Sequence[str]

    @property
    def pathspec(self) -> str:
        """``Flow/run``."""
        return f"{self.flow}/{self.run_id}"


@dataclass(frozen=True, slots=True)
class VersionRoot:
    """What one version of an artifact refers to."""

    label: str
    ref: ArtifactRef


@dataclass(frozen=True, slots=True)
class Roots:
    """Everything that keeps blobs alive, in one snapshot.

    Attributes:
        runs: The runs, deleted ones left out.
        versions: The versions of artifacts, deleted ones left out.
        pinned: Digests that drivers of running runs are about to commit.
        running_since: When the oldest run began that is still driven; None when there is none.
        now: The time by the database's clock. All times are UTC microseconds.
    """

    runs: Sequence[RunRoot]
    versions: Sequence[VersionRoot]
    pinned: Collection[str]
    running_since: int | None
    now: int


@dataclass(frozen=True, slots=True)
class Buried:
    """Which of some blobs are about to be deleted, and whether anybody is at it."""

    digests: Collection[str]
    is_abandoned: bool


def announcement(now: int) -> int:
    """Return what the store's counter becomes when a collection is announced.

    One that died before it began to delete has announced the next one as well.
    """
    announced, deleting = 1, 2
    return now - now % PHASES + announced + (PHASES if now % PHASES == deleting else 0)


def is_calm(before: int, after: int) -> bool:
    """Whether no collection can have deleted anything between two looks at the store's counter.

    Provided that the one who looked acknowledged both: a collection deletes nothing before every
    driver has seen its announcement.
    """
    return before == after and after % PHASES == 0


def was_left_out(seen: int, now: int) -> bool:
    """Whether a collection has deleted blobs without waiting for one who last saw ``seen``."""
    return (now + 1) // PHASES > (seen + 2) // PHASES
