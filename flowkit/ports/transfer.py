"""The metadata's side of copying runs between stores: reading one, and taking one in."""

from collections.abc import Sequence
from typing import Protocol

from flowkit.model.records import RunLease
from flowkit.model.transfer import Clash, Place, RunName, RunRows
from flowkit.ports.sweeping import SweepGuard


class RunSource(Protocol):
    """Reads runs that are to be copied to another store."""

    def rows(self, flow: str, run_id: str) -> RunRows:
        """Return everything that is known of a run, in one snapshot.

        A run whose driver is dead is "crashed" there. Versions of artifacts are those that the
        run made, took over or pinned.

        Raises:
            NotFoundError: There is no such run.
            ConflictError: It is running.
        """

    def close(self) -> None:
        """Close the connection. May be repeated."""


class RunSink(Protocol):
    """Takes runs in: each is hidden, under a lease as that of a driver, until it is whole.

    A sink goes ``begin``, then pins the run's blobs by ``sweeping`` and stores those that are
    missing, then ``land``; or ``give_up``. Killed in between, it leaves a hidden run, which the
    next ``begin`` of the same run takes over.
    """

    sweeping: SweepGuard
    """Keeps blobs from garbage collection, over the same connection."""

    def find(self, names: Sequence[RunName]) -> Sequence[Place]:
        """Return for each run what is known of it; a run is the same when its token is."""

    def begin(self, name: RunName) -> RunLease | None:
        """Hide a run in the store and return the lease on it; None when the run is there, whole.

        Raises:
            ConflictError: Another process, which is alive, is copying the same run; or the run
                was deleted here, and what names it as its source was not.
        """

    def heartbeat(self, lease: RunLease) -> int:
        """Say that the copying goes on, and acknowledge what a collection has announced.

        Returns:
            The store's counter of garbage collections.

        Raises:
            FencedError: Somebody else has taken the run over, or blobs were deleted without it.
        """

    def land(self, lease: RunLease, rows: RunRows, clash: Clash) -> str:
        """Let the run appear, whole, in one transaction; return its pathspec.

        Numbers given later are higher than those that came along, of runs and of versions. What
        the run took over from other runs is said to come from them under the ids that they have
        here. A version that is there already, or an equal one of its name and number, stands for
        the one that came along; its tags, metadata and aliases stay as they are. An alias that is
        in use here stays where it is.

        Args:
            lease: From `begin`.
            rows: What the run has; all blobs that it needs are durable and pinned.
            clash: What to do with a number that is taken.

        Raises:
            ConflictError: Another run has its id, and is not to be given another one.
            VersionExistsError: A version of the same name and number has other content, and there
                is no other number for it.
            FencedError: As `heartbeat`.
        """

    def give_up(self, lease: RunLease) -> None:
        """Take the hidden run away. May be repeated, also after `land`."""

    def close(self) -> None:
        """Give back what is held and close the connection. May be repeated."""
