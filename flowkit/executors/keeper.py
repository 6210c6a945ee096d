"""The process between driver and fork server: it starts servers and ends what a server leaves.

Its only child is the server of the moment, forked from a process that has imported nothing and
opened nothing. When a server ends, for whatever reason, the keeper inherits all of its
descendants and kills them before it tells the driver; only then can another server start.
"""

import atexit
import faulthandler
import gc
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import NoReturn

from flowkit.executors.child import Body, open_streams
from flowkit.executors.prctl import Children, Prctl, kill
from flowkit.executors.zygote import serve

_ALL = 1 << 20


def keep(driver: socket.socket, prepare: Callable[[], Body], parent: int) -> NoReturn:
    """Be the keeper until the driver is gone.

    Args:
        driver: Brings the control socket of each server to start, takes its wait status.
        prepare: Called by each server.
        parent: Process id of the driver.
    """
    try:
        _detach(driver.fileno())
        Keeper(driver, prepare, parent).run()
    except BaseException:  # noqa: BLE001 - a forked process must not return into the driver's code
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


class Keeper:
    """Runs one server after the other."""

    def __init__(self, driver: socket.socket, prepare: Callable[[], Body], parent: int) -> None:
        self._driver = driver
        self._prepare = prepare
        self._parent = parent
        self._server: int | None = None
        self._prctl = Prctl()
        self._children = Children()

    def run(self) -> NoReturn:
        """Run servers until the driver is gone."""
        signal.signal(signal.SIGTERM, self._check)
        self._prctl.die_with(self._parent, by=signal.SIGTERM)
        if self._children.fd is not None:
            self._prctl.adopt_orphans()
        while True:
            controls = self._next_control()
            if not controls:
                os._exit(0)
            status = self._run_server(controls[0])
            self._end_leftovers()
            try:
                self._driver.send(struct.pack("=i", status))
            except OSError:
                os._exit(0)

    def _next_control(self) -> list[int]:
        """Return the socket of the next server; nothing when the driver is gone."""
        try:
            message, controls, _, _ = socket.recv_fds(self._driver, 1, 1)
        except ConnectionResetError:  # it had not read all that was sent
            return []
        return controls if message else []

    def _run_server(self, control: int) -> int:
        """Fork a server and wait for its end."""
        keeper = os.getpid()
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._prctl.die_with(keeper)
            self._driver.close()
            if self._children.fd is not None:
                os.close(self._children.fd)
            serve(socket.socket(fileno=control), self._prctl, self._prepare)
        os.close(control)
        self._server = pid
        self._check()  # a signal may have come before the pid was known
        _, status = os.waitpid(pid, 0)
        self._server = None
        return status

    def _check(self, *_: object) -> None:
        """End the server when the driver is gone: it doesn't look while it is importing."""
        if self._server is not None and self._is_driver_gone():
            kill(self._server)

    def _is_driver_gone(self) -> bool:
        if os.getppid() != self._parent:
            return True
        try:
            return not self._driver.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _end_leftovers(self) -> None:
        """Kill every process that descends from the server, and wait until they are gone."""
        while True:
            for pid in self._children.pids():
                kill(pid)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return


def _detach(socket_fd: int) -> None:
    """Give up everything that came from the driver, but its modules and its socket."""
    gc.freeze()  # no object of the driver is ever finalized here, closing descriptors in use
    atexit._clear()  # noqa: SLF001 - what the driver wants done at its exit is not ours
    os.setsid()
    _reset_signals()
    _close_descriptors(socket_fd)
    os.umask(0o077)
    open_streams()


def _reset_signals() -> None:
    """Put handlers back to what they are in a fresh interpreter; what was ignored stays so."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    faulthandler.enable(file=2)  # tasks inherit it: a crash in C shows its Python frames


def _close_descriptors(kept: int) -> None:
    """Leave 0 to 2, with nothing to read on 0, and the one that is kept."""
    os.closerange(3, kept)
    os.closerange(kept + 1, _ALL)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    for fd in (1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.dup2(null, fd)
    if null > 2:  # noqa: PLR2004 - not one of the three
        os.close(null)
