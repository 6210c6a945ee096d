"""A connection to PostgreSQL that breaks at a commit, as networks do at the worst time."""

import re
import socket
import threading
from enum import Enum
from multiprocessing.connection import wait

COMMIT = b"COMMIT\0"
READY = b"Z\0\0\0\x05"
"""How the server's answer to a whole request ends."""
_WRITE = re.compile(rb"INSERT INTO|UPDATE |pg_advisory_xact_lock")


class Cut(Enum):
    """What happens to a commit."""

    BEFORE = "it never reaches the server"
    AFTER = "it is done, but its answer is lost"
    LATE = "it is done when the client has already come back and writes again"


class Wire:
    """A proxy before a server on this machine; cuts one connection each time it is told to."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._cut: Cut | None = None
        self._skipped = 0
        self.cuts = 0
        self._held: list[tuple[socket.socket, bytes]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut_next(self, cut: Cut, skipped: int = 0) -> None:
        """Cut the connection at the next commit that passes, after some that are left alone."""
        self._skipped = skipped
        self._cut = cut

    def close(self) -> None:
        """Stop; connections must have been closed."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            thread = threading.Thread(target=self._carry, args=(client, server), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        """Carry bytes in both directions until one side ends or it is time to cut."""
        keeps_server = False
        with client:
            while True:
                ready = wait([client, server])  # select() can't take descriptors over 1023
                if server in ready and not self._pass(server, client):
                    break
                if client in ready:
                    data = _received(client)
                    if COMMIT in data and self._is_next():
                        keeps_server = self._cut_now(server, data)
                        break
                    if not data:
                        break
                    server.sendall(data)
                    if self._held and _WRITE.search(data):
                        self._release()
        if not keeps_server:
            server.close()

    def _is_next(self) -> bool:
        if self._cut is None:
            return False
        self._skipped -= 1
        return self._skipped < 0

    def _cut_now(self, server: socket.socket, data: bytes) -> bool:
        """Do with a commit what was asked for; return whether the server's side stays open."""
        cut, self._cut = self._cut, None
        self.cuts += 1
        if cut is Cut.LATE:
            self._held.append((server, data))
            return True
        if cut is Cut.AFTER:
            server.sendall(data)
            answer = b""
            while READY not in answer:
                answer += server.recv(65536)
        return False

    def _release(self) -> None:
        server, data = self._held.pop()
        server.sendall(data)
        server.recv(65536)
        server.close()

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket) -> bool:
        data = _received(source)
        if data:
            sink.sendall(data)
        return bool(data)


def _received(source: socket.socket) -> bytes:
    try:
        return source.recv(65536)
    except ConnectionError:
        return b""
