"""The fork server: one small, single-threaded process that has the imports done and forks tasks.

It holds no data, since whatever is in its memory makes each fork slower. It knows numbers, pids
and descriptors; specs and results pass through it unread, or not at all.
"""

import _signal  # type: ignore[import-not-found]  # see _become_task
import fcntl
import gc
import os
import pickle
import select
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from flowkit.enums import Cause
from flowkit.executors.child import Body, ResultPipe, apply_environment, flush_streams, perform
from flowkit.executors.prctl import Children, Prctl, kill, kill_group
from flowkit.executors.randomness import Generators
from flowkit.executors.wire import COMMAND, ENDED, NEWS, PIPES, READY, REFUSED, START, STARTED
from flowkit.executors.work import failure
from flowkit.model.tasks import TaskResult, TaskSpec

HOLD_MS = 5
"""How long news of a start may wait for more: a short task costs its driver one wake-up."""

_RESULT_FD = 960  # user code that opens or closes a range of descriptors seldom comes up here
_CREDENTIALS = socket.CMSG_SPACE(4 * PIPES)


def serve(control: socket.socket, prctl: Prctl, prepare: Callable[[], Body]) -> NoReturn:
    """Import what tasks need, then fork them on command until the driver hangs up."""
    generators = Generators()
    try:
        body = prepare()
    except BaseException as error:  # noqa: BLE001 - the import of user code may raise anything
        reason = error

        def refuse(spec: TaskSpec) -> TaskResult:
            return failure(spec, reason, Cause.START)

        body = partial(perform, refuse)
    generators.settle()
    flush_streams()
    gc.collect()
    gc.freeze()
    Zygote(control, prctl, generators, body).serve()


class Zygote:
    """Forks a process per start command, and tells the driver when it started and how it ended."""

    def __init__(
        self, control: socket.socket, prctl: Prctl, generators: Generators, body: Body
    ) -> None:
        self._control = control
        self._prctl = prctl
        self._generators = generators
        self._body = body
        self._pid = os.getpid()
        self._numbers: dict[int, int] = {}  # pid of a running task: its number
        self._outbox = bytearray()
        self._children = Children()
        if self._children.fd is not None:
            prctl.adopt_orphans()
        self._kept = frozenset(self._children.pids())  # what the imports have started
        self._result_fd = min(_RESULT_FD, os.sysconf("SC_OPEN_MAX") - 8)
        self._awake, self._wake = os.pipe()
        os.set_blocking(self._awake, False)
        os.set_blocking(self._wake, False)

    def serve(self) -> NoReturn:
        """Serve until the driver hangs up; the keeper then ends what is left."""
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._sigchld = _signal.signal(signal.SIGCHLD, lambda *_: None)
        self._news(READY, 0, _count_threads())
        self._send()
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._awake, select.POLLIN)
        while True:
            ready = poller.poll(HOLD_MS if self._outbox else None)
            fds = [fd for fd, _ in ready]
            if self._awake in fds:
                os.read(self._awake, 4096)
                self._reap()
            if self._outbox and (self._awake in fds or not fds):
                self._send()
            if self._control.fileno() in fds:
                self._obey()

    # --- the driver -------------------------------------------------------------------------------

    def _obey(self) -> None:
        """Receive one command and carry it out."""
        try:
            header, ancillary, _, _ = self._control.recvmsg(COMMAND.size, _CREDENTIALS)
        except ConnectionResetError:
            os._exit(0)
        if not header:
            os._exit(0)
        header += self._receive(COMMAND.size - len(header))
        order, number, length = COMMAND.unpack(header)
        if order == START:
            # native ints, as the kernel writes them
            pipes = memoryview(ancillary[0][2]).cast("i").tolist()
            self._start(number, self._receive(length), pipes)
            return
        for pid, running in self._numbers.items():
            if running == number:
                kill_group(pid, order)

    def _receive(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            chunk = self._control.recv(length - len(data))
            if not chunk:
                os._exit(0)
            data = data + chunk if data else chunk
        return data

    def _news(self, kind: int, number: int, value: int) -> None:
        self._outbox += NEWS.pack(kind, number, value)

    def _send(self) -> None:
        """Send what the socket takes; the rest goes with the next wake-up."""
        try:
            sent = self._control.send(self._outbox, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            os._exit(0)
        del self._outbox[:sent]

    # --- processes --------------------------------------------------------------------------------

    def _start(self, number: int, order: bytes, pipes: list[int]) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            self._news(REFUSED, number, error.errno or 0)
        else:
            if pid == 0:
                self._become_task(order, pipes)
            self._numbers[pid] = number
            self._news(STARTED, number, pid)
        for fd in pipes:
            os.close(fd)

    def _reap(self) -> None:
        """Collect what has ended, after killing all that it left behind."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                break
            pid = ended.si_pid
            number = self._numbers.pop(pid, None)
            if number is not None:
                kill_group(pid)  # before the pid is free for somebody else
            _, status = os.waitpid(pid, 0)
            if number is not None:
                self._news(ENDED, number, status)
        # tasks adopt their own orphans; so what has come here belonged to a task that has ended
        for pid in self._children.pids():
            if pid not in self._numbers and pid not in self._kept:
                kill(pid)

    def _become_task(self, order: bytes, pipes: list[int]) -> NoReturn:
        """Be the forked process: cut all ties to the server, then run the body."""
        try:
            signal.set_wakeup_fd(-1)
            # not through the module signal, whose enums cost a tenth of the fork in touched pages
            _signal.signal(signal.SIGCHLD, self._sigchld)
            os.setsid()
            self._prctl.die_with(self._pid)
            if self._children.fd is not None:
                self._prctl.adopt_orphans()
                os.close(self._children.fd)
            for fd in (self._control.detach(), self._awake, self._wake):
                os.close(fd)
            result = self._arrange(*pipes)
            spec, environment, path = pickle.loads(order)  # noqa: S301 - from our own driver
            apply_environment(environment)
            self._generators.refresh()
            self._body(spec, ResultPipe(result, path))
        except BaseException:  # noqa: BLE001 - this process must not return into the server's loop
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(1)

    def _arrange(self, stdout: int, stderr: int, result: int) -> int:
        """Put the pipes where they belong, and return the result's new descriptor."""
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        moved: int = fcntl.fcntl(result, fcntl.F_DUPFD_CLOEXEC, self._result_fd)
        for fd in (stdout, stderr, result):
            os.close(fd)
        return moved


def _count_threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1
