"""The driver's handle on its keeper and on the fork server of the moment."""

import os
import signal
import socket
import struct
from collections.abc import Callable, Sequence

from flowkit.executors.wire import COMMAND, NEWS

_BATCH = NEWS.size * 1024

StartKeeper = Callable[[socket.socket], int]
"""Starts a process that calls `flowkit.executors.keeper.keep` with the socket; returns its pid."""


class ForkServer:
    """Starts fork servers through the keeper, commands them, hears from them.

    At most one server runs at a time; ``control`` is None while there is none.
    """

    def __init__(self, start_keeper: StartKeeper) -> None:
        self._keeper, theirs = socket.socketpair()
        with theirs:
            self._pid = start_keeper(theirs)
        self.control: socket.socket | None = None
        self._rest = b""
        self.start()

    def start(self) -> None:
        """Ask the keeper for a server; it says READY when it can take commands.

        Raises:
            OSError: The keeper is gone; no server will ever run again.
        """
        control, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._keeper, [b"\0"], [theirs.fileno()])
            except OSError:
                control.close()
                raise
        self._rest = b""
        self.control = control

    def command(
        self, order: int, number: int, body: bytes = b"", pipes: Sequence[int] = ()
    ) -> None:
        """Send a command; nothing happens if the server has died, `news` will tell."""
        if self.control is None:
            return
        message = memoryview(COMMAND.pack(order, number, len(body)) + body)
        try:
            sent = socket.send_fds(self.control, [message], pipes)
            if sent < len(message):
                self.control.sendall(message[sent:])
        except (BrokenPipeError, ConnectionResetError):
            return

    def news(self) -> list[tuple[int, int, int]] | None:
        """Return what the server has said since the last call; None if it has died."""
        if self.control is None:
            return None
        try:
            data = self.control.recv(_BATCH, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except ConnectionResetError:
            return None
        if not data:
            return None
        data = self._rest + data
        whole = len(data) - len(data) % NEWS.size
        self._rest = data[whole:]
        return list(NEWS.iter_unpack(data[:whole]))

    def bury(self) -> int | None:
        """After the server's death, wait until all of its descendants are dead as well.

        Returns:
            The server's wait status, or None if the keeper is gone, too.
        """
        if self.control is not None:
            self.control.close()
            self.control = None
        try:
            status = self._keeper.recv(4)
        except OSError:
            return None
        return struct.unpack("=i", status)[0] if status else None

    def close(self) -> None:
        """End the server, all of its descendants and the keeper, and wait for that."""
        if self._keeper.fileno() < 0:
            return
        if self.control is not None:
            self.control.close()
            self.control = None
        self._keeper.close()
        try:
            os.kill(self._pid, signal.SIGTERM)  # a server that is still importing doesn't look
            os.waitpid(self._pid, 0)
        except (ProcessLookupError, ChildProcessError):
            return
