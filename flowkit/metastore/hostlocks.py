"""Locks of runs whose metadata is elsewhere: other directories and hosts drive runs there too."""

import os

from flowkit.metastore.lease import HEARTBEAT_LIMIT, Holder, LockDirectory, RunLock, this_process


class HostLocks(LockDirectory):
    """The lock files of the runs that are driven with one ``.flowkit`` directory.

    A lock file counts only when the holder of the lease has signed it: then it tells at once
    whether that process lives. A run driven with another directory, by another person, in another
    container or on another host has none here (or one of an earlier driver): for these the
    heartbeat decides.
    """

    def take(self, token: str) -> RunLock | None:
        """Take the lock of a run and sign it; None when another process holds it."""
        lock = super().take(token)
        if lock is not None:
            lock.sign(_signature(this_process()))
        return lock

    def is_alive(self, token: str, holder: Holder, silence: int) -> bool:
        """Whether the driver of a run lives."""
        if self._signature_on(token) == _signature(holder):
            is_held = self.is_held(token)
            if is_held is not None:
                return is_held
        return silence <= HEARTBEAT_LIMIT

    def _signature_on(self, token: str) -> bytes:
        try:
            return (self._path / token).read_bytes()
        except OSError:
            return b""


def _signature(holder: Holder) -> bytes:
    identity = (holder.host, holder.boot_id, str(holder.pid), holder.pid_start)
    return os.fsencode("\n".join(identity))
