"""Where the logs of runs are: with their driver, and in the store if others read there too."""

import os
from contextlib import suppress

from flowkit.access import make_directories
from flowkit.exceptions import StorageError
from flowkit.ports.blobs import SupportsFiles


class RunLogs:
    """The log files of runs, by the tokens of the runs: their random names.

    A driver writes the log of its run below its own home. Where the store takes files, the log is
    uploaded when the run has ended, and fetched once by whoever reads it elsewhere.

    Args:
        home: The home of drivers on this machine.
        files: The store that others read from; None when its users share the home.
        copies: Directory for what was fetched.
    """

    def __init__(self, home: str, files: SupportsFiles | None = None, copies: str = "") -> None:
        self._home = home
        self._files = files
        self._copies = copies

    def path(self, token: str) -> str:
        """Return where a driver on this machine writes the log of a run."""
        return os.path.join(self._home, _name(token))

    def find(self, token: str, size: int = 0) -> str:
        """Return where the log of a run can be read; there is no file if it is nowhere.

        Args:
            token: The run's.
            size: Bytes that it has at least: an older copy is fetched again.

        Raises:
            StorageError: It can't be fetched.
        """
        own = self.path(token)
        if self._files is None or os.path.exists(own):
            return own
        copy = self._copy(token)
        if not os.path.exists(copy) or os.stat(copy).st_size < size:
            try:
                make_directories(self._copies)
            except OSError as error:
                raise StorageError(f"can't make {self._copies}: {error.strerror}") from None
            self._files.get_file(_name(token), copy)
        return copy

    def upload(self, token: str) -> None:
        """Put the log that a driver on this machine has written where others can read it.

        Raises:
            StorageError: It can't be uploaded.
        """
        if self._files is not None:
            self._files.put_file(_name(token), self.path(token))

    def delete(self, token: str) -> None:
        """Delete the log of a run here and in the store; it need not be there.

        Raises:
            StorageError: It can't be deleted from the store.
        """
        for path in (self.path(token), self._copy(token)):
            with suppress(FileNotFoundError):
                os.unlink(path)
        if self._files is not None:
            self._files.delete_file(_name(token))

    def _copy(self, token: str) -> str:
        return os.path.join(self._copies, f"{token}.log")


def _name(token: str) -> str:
    return f"logs/{token}.log"
