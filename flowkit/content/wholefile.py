"""A file that appears under its name when it is whole and durable, or not at all."""

import contextlib
import os
from types import TracebackType
from typing import BinaryIO, Self

from flowkit.access import create_file
from flowkit.content.syncing import sync_directory
from flowkit.exceptions import StorageError


class WholeFile:
    """A new file beside its final place; only its owner can read it, or a shared directory's group.

    As a context manager it is discarded at the end, unless it was published.

    Args:
        path: The final place, in a directory that exists.

    Raises:
        StorageError: It can't be made.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._temporary = f"{path}.{os.urandom(8).hex()}.part"
        try:
            descriptor = create_file(self._temporary, os.O_RDWR | os.O_NOFOLLOW)
        except OSError as error:
            raise self._error(error) from error
        self.file: BinaryIO = os.fdopen(descriptor, "w+b")

    def publish(self) -> None:
        """Give the file its name, in place of what has it; durable when it returns.

        Raises:
            StorageError: It can't be written.
        """
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            os.rename(self._temporary, self._path)
            sync_directory(os.path.dirname(os.path.abspath(self._path)))
        except OSError as error:
            raise self._error(error) from error

    def discard(self) -> None:
        """Remove the file unless it is published. May be repeated."""
        with contextlib.suppress(OSError):  # what could not be written is not wanted any more
            self.file.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._temporary)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.discard()
        if isinstance(error, OSError) and not isinstance(error, StorageError):
            raise self._error(error) from error

    def _error(self, error: OSError) -> StorageError:
        return StorageError(f"can't write {self._path}: {error.strerror or error}")
