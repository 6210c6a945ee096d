"""The output of one task as one small value: refs to its artifacts, what it read, where it went."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ArtifactRef:
    """A reference to one stored value.

    Attributes:
        digest: SHA-256 (64 hex characters) of the value's root record.
        materializer: Stored name of what wrote the value and can load it, e.g. "pickle".
        type: Qualified name of the value's type, e.g. "numpy.ndarray".
        size: Bytes of the serialized value: root record and buffers.
        inline: The root record itself when it is small; None when it is a blob of its own.
        content: SHA-256 of the value in a canonical form: values with the same content are equal,
            also where their digests differ. None when the digest is all there is to compare.
        preview: Digest of the blob that describes and shows the value; None when there is none.
    """

    digest: str
    materializer: str
    type: str
    size: int
    inline: bytes | None = None
    content: str | None = None
    preview: str | None = None

    @property
    def identity(self) -> str:
        """What to compare values by: the content where it is known, else the digest."""
        return self.content or self.digest


@dataclass(frozen=True, slots=True)
class Frame:
    """One level of foreach around a task.

    ``item`` refers to the foreach item itself, so a task never loads the whole collection.
    """

    step: str
    variable: str | None
    index: int
    num_splits: int
    item: ArtifactRef


@dataclass(frozen=True, slots=True)
class Read:
    """One observed read: a token such as ``attr:x``, and the digest that was seen.

    ``digest`` is None when the read found nothing (``hasattr``). Tokens: ``attr:NAME``,
    ``inputs:POSITION:NAME`` in a join, ``input`` (the foreach item), ``index``, ``names``.
    """

    token: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class Transition:
    """Where a task went: the argument of its ``self.next``.

    Attributes:
        targets: Names of the steps that follow.
        variable: Name of the foreach variable; None when it is no foreach.
        items: One ref per foreach item; None when it is no foreach, or in a stored manifest.
        num_parallel: Size of the gang; None when it is none.
        items_blob: Digest of the blob that lists the items of a stored foreach: a manifest is
            read by every child, and must not grow with their number.
    """

    targets: tuple[str, ...]
    variable: str | None = None
    items: tuple[ArtifactRef, ...] | None = None
    num_parallel: int | None = None
    items_blob: str | None = None

    @property
    def is_foreach(self) -> bool:
        """Whether it fans out into one task per item."""
        return self.items is not None or self.items_blob is not None


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that a finished attempt hands on; one content-addressed blob.

    Attributes:
        artifacts: Every artifact visible after the task: inherited and written.
        written: Names that this task assigned or changed, in that order.
        reads: What it read of its inputs.
        next: The transition; None for the end step, failed attempts and the root manifest.
        step: The step whose output this is; "" for the root manifest.
        frames: The foreach frames around the task, outermost first.
    """

    artifacts: Mapping[str, ArtifactRef] = field(default_factory=dict)
    written: tuple[str, ...] = ()
    reads: tuple[Read, ...] = ()
    next: Transition | None = None
    step: str = ""
    frames: tuple[Frame, ...] = ()
