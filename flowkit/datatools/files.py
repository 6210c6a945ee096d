"""Local files that S3 objects are read from and written to without a copy in memory."""

import errno
import mmap
import os

from flowkit.exceptions import S3Exception, S3InsufficientDiskSpace, S3InvalidObject
from flowkit.ports.blobs import Buffer

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Download:
    """A new file whose size is known only when its bytes are about to come.

    Args:
        path: Where.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def allocate(self, size: int) -> Buffer:
        """Make the file and return its content as writable memory.

        Raises:
            S3InsufficientDiskSpace: It does not fit.
        """
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                if not size:
                    return bytearray()
                # Memory without a block behind it would end the process when it is written.
                os.posix_fallocate(descriptor, 0, size)
                return memoryview(mmap.mmap(descriptor, size))
            finally:
                os.close(descriptor)
        except OSError as error:
            message = f"can't write {size} bytes to {self.path}: {os.strerror(error.errno or 0)}"
            if error.errno in _FULL:
                raise S3InsufficientDiskSpace(message) from None
            raise S3Exception(message) from None

    def write(self, data: Buffer) -> None:
        """Make the file with these bytes."""
        memoryview(self.allocate(len(data)))[:] = data


def content(path: str) -> Buffer:
    """Return a file's bytes, mapped.

    Raises:
        S3InvalidObject: It can't be read.
    """
    try:
        with open(path, "rb") as file:
            if not os.fstat(file.fileno()).st_size:
                return b""
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise S3InvalidObject(f"can't read {path}: {error.strerror}") from None
