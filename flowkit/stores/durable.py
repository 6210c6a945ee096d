"""File operations that survive a power loss, and what can go wrong with them as `StorageError`."""

import contextlib
import errno
import os
from collections.abc import Iterator

from flowkit.access import access_in, create_file, make_directory
from flowkit.content.syncing import sync_directory
from flowkit.exceptions import StorageError

_REMEDIES = {
    errno.ENOSPC: "free some space, then resume",
    errno.EDQUOT: "the quota is used up: free some space, then resume",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "check owner and mode of the directory",
    errno.ENOENT: "the store's directory was deleted or replaced",
}


@contextlib.contextmanager
def storage_errors(doing: str, path: str) -> Iterator[None]:
    """Turn every ``OSError`` inside into a `StorageError` that names path, reason and free space.

    Args:
        doing: What is being done, such as "write to".
        path: Where.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise _storage_error(doing, path, error) from error


def _storage_error(doing: str, path: str, error: OSError) -> StorageError:
    number = error.errno or 0
    reason = os.strerror(number) if number else str(error)
    facts = [f"can't {doing} {path}: {reason} ({errno.errorcode.get(number, number)})"]
    with contextlib.suppress(OSError):
        space = os.statvfs(path)
        facts.append(f"{space.f_bavail * space.f_frsize} bytes are free")
    if number in _REMEDIES:
        facts.append(_REMEDIES[number])
    report = StorageError("; ".join(facts))
    report.errno = error.errno
    report.filename = path
    return report


def make_durable_directories(path: str) -> None:
    """Make a directory and its missing parents, durable when it returns."""
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    with contextlib.suppress(PermissionError):  # then nobody like us has just made it
        sync_directory(os.path.dirname(path))  # another process may be about to
    for directory in reversed(missing):
        make_directory(directory)
        sync_directory(os.path.dirname(directory))


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> int:
    """Write all bytes at the descriptor's position and return how many; one write may be short."""
    view = memoryview(data)
    done = 0
    while done < len(view):
        done += os.write(descriptor, view[done:])
    return done


class TemporaryFile:
    """A new file that no reader looks at until it is published under its final name."""

    def __init__(self, directory: str) -> None:
        self.path = f"{directory}/{os.getpid()}-{os.urandom(8).hex()}"
        self._directory = directory
        self.descriptor = create_file(self.path, os.O_WRONLY | os.O_NOFOLLOW)

    def sync(self) -> None:
        """Make content and mode (read-only from now on) durable and close the file.

        After a failure the content is undefined and the file can only be discarded: the kernel
        reports a lost write once.
        """
        os.fchmod(self.descriptor, access_in(self._directory).final)
        os.fsync(self.descriptor)
        self.close()

    def publish(self, path: str) -> None:
        """Give the file its final name; durable when that directory is synced."""
        os.rename(self.path, path)
        self.path = ""

    def close(self) -> None:
        """Close the descriptor."""
        descriptor, self.descriptor = self.descriptor, -1
        os.close(descriptor)

    def discard(self) -> None:
        """Close and remove the file unless that is done or the file is published."""
        with contextlib.suppress(OSError):
            if self.descriptor >= 0:
                self.close()
        with contextlib.suppress(OSError):
            if self.path:
                os.unlink(self.path)
