"""Where the branches of an open split or foreach gather until their join can run."""

from typing import NamedTuple

from flowkit.model.manifest import Frame


class Inputs(NamedTuple):
    """The preceding tasks of a task, in the order of ``inputs``: their ids and manifests."""

    ids: tuple[int, ...] = ()
    digests: tuple[str, ...] = ()


class Branch(NamedTuple):
    """The innermost open split around a task, and which of its branches the task is on."""

    barrier: "Barrier"
    number: int


class Barrier:
    """Collects the last task of each branch of one split, whatever order they finish in.

    It lives as long as a task of one of its branches refers to it.

    Args:
        size: Number of branches.
        frames: The foreach frames around the split, which its join gets back.
        outer: The branch that the split itself is on; None outside any split.
    """

    __slots__ = ("_digests", "_ids", "_missing", "frames", "outer")

    def __init__(self, size: int, frames: tuple[Frame, ...], outer: Branch | None) -> None:
        self.frames = frames
        self.outer = outer
        self._ids = [0] * size
        self._digests = [""] * size
        self._missing = size

    @property
    def is_complete(self) -> bool:
        """Whether every branch has arrived."""
        return self._missing == 0

    def arrive(self, number: int, task_id: int, digest: str) -> None:
        """Take note of the last task of a branch; each branch has one."""
        self._ids[number] = task_id
        self._digests[number] = digest
        self._missing -= 1

    def inputs(self) -> Inputs:
        """Return what the join receives, in the order of the branches."""
        return Inputs(tuple(self._ids), tuple(self._digests))
