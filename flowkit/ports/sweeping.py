"""The metadata's side of garbage collection: who deletes blobs, and who must not lose any."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from flowkit.model.garbage import Buried, Roots
from flowkit.model.records import RunLease


class SweepGuard(Protocol):
    """What writers do so that no blob they are about to refer to is deleted."""

    def pin(self, lease: RunLease, digests: Collection[str]) -> None:
        """Keep blobs alive until the run ends; whatever is buried already stays buried."""

    def sweeps(self) -> int:
        """Return the store's counter of collections; see `flowkit.model.garbage`."""

    def buried(self, digests: Collection[str]) -> Buried:
        """Return which of them a collection is deleting now."""

    def adopt(self, erase: Callable[[Collection[str]], None]) -> None:
        """Finish what a collector had begun that died, unless somebody is at that already.

        Args:
            erase: Deletes blobs. They are dug up when it returns.
        """


class Inventory(Protocol):
    """Everything that refers to blobs, for those who only look."""

    def roots(self) -> Roots:
        """Return all of it, in one snapshot."""

    def users_of(self, flow: str, run_id: str) -> Sequence[str]:
        """Return what refers to a run, as people read it: it can only be deleted by force.

        Raises:
            NotFoundError: There is no such run.
            ConflictError: It is running, or a running run resumes it: it can't be deleted at all.
        """

    def close(self) -> None:
        """Close the connection. May be repeated."""


class Collector(Protocol):
    """The right to delete blobs; one at a time has it, and it ends with the process.

    A collection goes ``begin``, ``announce``, ``unacknowledged`` until nobody is left, ``open``,
    then for each batch ``bury``, the deletion itself, ``dig_up``; and ``finish``.
    """

    def begin(self) -> None:
        """Take the right.

        Raises:
            ConflictError: Another process has it; the message says which.
        """

    def abandoned(self) -> Sequence[str]:
        """Return what a collector that died had buried: to be deleted, then dug up."""

    def announce(self) -> None:
        """Tell the drivers of runs, with their next write, that blobs will be deleted."""

    def unacknowledged(self) -> Sequence[str]:
        """Return the running runs whose drivers have not seen the announcement yet."""

    def open(self) -> Roots:
        """Begin to delete; a driver that has not acknowledged is fenced from now on.

        Returns:
            Everything that refers to blobs; `bury` checks what came after it.
        """

    def bury(
        self, digests: Collection[str], reached: Callable[[Roots], Collection[str]]
    ) -> set[str]:
        """Mark blobs as being deleted, in one transaction that checks again that they are garbage.

        Args:
            digests: Blobs that nothing referred to.
            reached: Given what has been added since `open`, returns the blobs that it needs.

        Returns:
            Those that are garbage still, now marked.
        """

    def dig_up(self, digests: Collection[str]) -> None:
        """Remove the marks of blobs that are deleted."""

    def finish(self) -> None:
        """Tell drivers that all is calm again, and give the right back."""

    def close(self) -> None:
        """Give back what is held and close the connection. May be repeated."""


class RunRemover(Protocol):
    """Deletes runs from the metadata; their blobs are garbage then."""

    def remove(self, flow: str, run_id: str, user: str, *, force: bool = False) -> str:
        """Delete a run and return its token, the name of its log; its id is not used again.

        By force, the rows stay, without values, that versions of artifacts name as their source.

        Raises:
            NotFoundError: There is no such run.
            ConflictError: It is running, or a running run resumes it.
            RunInUseError: Something refers to it, and it is not to be deleted by force.
        """

    def close(self) -> None:
        """Close the connection. May be repeated."""
