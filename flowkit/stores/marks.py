"""Verified-marks: which large files were hashed on this machine and have not changed since."""

import contextlib
import os
import time

from flowkit.access import make_directory
from flowkit.stores.durable import TemporaryFile, write_all

_TICK = 20_000_000  # nanoseconds; two changes within a tick of the kernel's clock look the same


class VerifiedMarks:
    """Remembers files by inode, size and times; any damage of a mark means "not verified".

    A mark is advice: it is not synced, and failing to write one is no error.

    Args:
        directory: Where the marks lie; made on first use.
        temporary: An existing directory on the same file system.
    """

    def __init__(self, directory: str, temporary: str) -> None:
        self._directory = directory
        self._temporary = temporary

    def covers(self, digest: str, stat: os.stat_result) -> bool:
        """Tell whether the file with this stat was verified as it is now."""
        try:
            with open(self._path(digest), "rb") as file:
                return file.read(256) == _identity(stat)
        except OSError:
            return False

    def add(self, digest: str, stat: os.stat_result, opened_at: int) -> None:
        """Remember a verified file.

        Args:
            digest: Its blob's digest.
            stat: Taken when it was opened, before it was read.
            opened_at: Nanoseconds since the epoch, taken before that. A file that had changed
                within the same tick of the clock is not remembered.
        """
        if opened_at - stat.st_ctime_ns < _TICK:
            return
        with contextlib.suppress(OSError):
            make_directory(self._directory)
            make_directory(os.path.dirname(self._path(digest)))
            file = TemporaryFile(self._temporary)
            try:
                write_all(file.descriptor, _identity(stat))
                file.publish(self._path(digest))
            finally:
                file.discard()

    def remove(self, digest: str) -> None:
        """Forget a file."""
        with contextlib.suppress(OSError):
            os.unlink(self._path(digest))

    def _path(self, digest: str) -> str:
        return f"{self._directory}/{digest[:2]}/{digest}"


def now() -> int:
    """Return nanoseconds since the epoch, by the clock that also gives files their times."""
    return time.time_ns()


def _identity(stat: os.stat_result) -> bytes:
    times = f"{stat.st_mtime_ns} {stat.st_ctime_ns}"
    return f"{stat.st_ino} {stat.st_size} {times}\n".encode("ascii")
