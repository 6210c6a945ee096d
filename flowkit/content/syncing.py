"""Making names durable: a file that is synced may still be lost with its directory's entry."""

import errno
import os

_NO_DIRECTORY_SYNC = (errno.EINVAL, errno.ENOTSUP)  # some file systems can't; EIO is never excused


def sync_directory(path: str) -> None:
    """Make the names in a directory durable, where the file system can."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_DIRECTORY_SYNC:
            raise
    finally:
        os.close(descriptor)
