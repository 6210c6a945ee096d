"""Who drives a run and whether that process is alive: lock files, and the identity of processes.

The lock of a run is an open-file-description lock: the kernel gives it back when its holder
dies, however it dies; it can be queried without being taken; and, other than ``fcntl`` record
locks, it does not vanish when the holder opens and closes the file once more.
"""

import errno
import fcntl
import os
import struct
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flowkit.access import make_directories, open_file
from flowkit.exceptions import MetadataError

HEARTBEAT_LIMIT = 60_000_000
"""Microseconds without a heartbeat after which a driver on another host counts as dead."""

_HAS_OFD_LOCKS = sys.platform == "linux" and hasattr(fcntl, "F_OFD_SETLK")
_FLOCK = struct.Struct("hhqqi4x")


@dataclass(frozen=True, slots=True)
class Holder:
    """The identity of a process among all processes of all hosts, now and later."""

    host: str
    boot_id: str
    pid: int
    pid_start: str

    def __str__(self) -> str:
        return f"{self.host}, process {self.pid}"


def this_process() -> Holder:
    """Return the identity of the running process."""
    pid = os.getpid()
    return Holder(os.uname().nodename, boot_id(), pid, process_start(pid))


@cache
def boot_id() -> str:
    """Return what names the running kernel since it booted; the host's name where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return os.uname().nodename


def process_start(pid: int) -> str:
    """Return when a process started, "" when there is none; tells reused process ids apart."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _process_start_by_ps(pid)
    return stat.rpartition(b")")[2].split()[19].decode()


def _process_start_by_ps(pid: int) -> str:
    import subprocess  # noqa: PLC0415 - only where there is no /proc

    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - our own words


class RunLock:
    """The lock file of one run, held by this process."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd

    def sign(self, signature: bytes) -> None:
        """Write into the file who holds it."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, signature, 0)

    def give_back(self) -> None:
        """Release the lock; the file stays, as that of a run whose driver is gone."""
        os.close(self._fd)

    def remove(self) -> None:
        """Release the lock for good: remove its file."""
        self._path.unlink(missing_ok=True)
        os.close(self._fd)


class LockDirectory:
    """The lock files of all runs of one store, named by the runs' tokens."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self, token: str) -> RunLock | None:
        """Take the lock of a run; None when another process holds it.

        Raises:
            MetadataError: The lock file can't be created.
        """
        path = self._path / token
        try:
            make_directories(str(self._path))
            fd = open_file(str(path))
        except OSError as error:
            raise MetadataError(f"can't create the lock file {path}: {error.strerror}") from error
        if _lock(fd):
            return RunLock(path, fd)
        os.close(fd)
        return None

    def is_held(self, token: str) -> bool | None:
        """Whether a process holds the lock of a run, found out without taking it.

        None when the lock can't tell: the file is unreadable, or the system has no such locks.
        """
        try:
            fd = os.open(self._path / token, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError:
            return None
        try:
            return _is_locked(fd)
        finally:
            os.close(fd)

    def is_alive(self, token: str, holder: Holder, silence: int) -> bool:
        """Whether the driver of a run lives; see the function of this name."""
        return is_alive(holder, self.is_held(token), silence)


def is_alive(holder: Holder, is_held: bool | None, silence: int) -> bool:
    """Whether the driver of a run lives.

    Args:
        holder: The process that holds the lease.
        is_held: What the lock file says; it counts on the holder's own kernel only.
        silence: Microseconds since the last heartbeat, by the database's clock.
    """
    if holder.boot_id != boot_id():
        return holder.host != os.uname().nodename and silence <= HEARTBEAT_LIMIT
    if is_held is not None:
        return is_held
    started = process_start(holder.pid)
    return started != "" and started == holder.pid_start


def _lock(fd: int) -> bool:
    """Take the lock of an open file; False when it is taken."""
    if not _HAS_OFD_LOCKS:
        return True
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def _is_locked(fd: int) -> bool | None:
    """Whether somebody holds the lock of an open file; None when that can't be found out."""
    if not _HAS_OFD_LOCKS:
        return None
    query = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, query)
    kind: int = _FLOCK.unpack(answer)[0]
    return kind != fcntl.F_UNLCK
