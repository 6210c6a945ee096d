"""The driver's side of executors whose tasks are processes: pipes, deadlines, what an end means."""

import os
import pickle
import selectors
import signal
import time
from collections.abc import Sequence
from itertools import count

from flowkit.enums import Cause
from flowkit.executors.exits import ended, signal_name
from flowkit.executors.server import ForkServer, StartKeeper
from flowkit.executors.wire import ENDED, READY, REFUSED, START, STARTED
from flowkit.executors.work import failed
from flowkit.model.events import ExecutorEvent, TaskFinished, TaskOutput, TaskStarted
from flowkit.model.tasks import AttemptError, Needs, TaskResult, TaskSpec

TIMEOUT_GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL for a task that has run into its timeout."""

_CHUNK = 65536  # what a pipe holds by default
_LAST_CHUNKS = 64  # what is read at most of a dead task's pipe that somebody still writes to
_STREAMS = ("stdout", "stderr", "result")


class Attempt:
    """What the driver knows of one attempt in flight."""

    __slots__ = ("fds", "held", "is_watched", "needs", "number", "result", "spec", "stop")

    def __init__(self, number: int, spec: TaskSpec, needs: Needs) -> None:
        self.number = number
        self.spec = spec
        self.needs = needs
        self.fds: dict[int, str] = {}  # read ends of its pipes, and which stream each carries
        # write end of the result's pipe: a task that has closed its own can open this one again
        self.held: int | None = None
        self.is_watched = False
        self.result: list[bytes] = []
        self.stop: AttemptError | None = None  # why it is being stopped

    def outcome(self, wait_status: int) -> TaskResult:
        """Tell what became of it: success needs exit code 0 and a result."""
        result = self._received() if wait_status == 0 else None
        if result is not None and (self.stop is None or result.status.is_success):
            return result
        return failed(self.spec, self.stop or ended(wait_status))

    def _received(self) -> TaskResult | None:
        try:
            result = pickle.loads(b"".join(self.result))  # noqa: S301 - from our own worker
        except Exception:  # noqa: BLE001 - cut short, or written by somebody else
            return None
        return result if isinstance(result, TaskResult) else None


class ProcessExecutor:
    """Runs each attempt in a process of its own, started by a fork server.

    Attributes:
        notices: Sentences for the user about things that were noticed, oldest first.
    """

    def __init__(self, start_keeper: StartKeeper, *, grace: float = 5.0) -> None:
        self.notices: list[str] = []
        self._server = ForkServer(start_keeper)
        self._grace = grace
        self._is_ready = False
        self._numbers = count(1)
        self._attempts: dict[int, Attempt] = {}
        self._waiting: list[Attempt] = []  # those of them that the server doesn't know yet
        self._alarms: dict[Attempt, float] = {}  # when to signal one of them next
        self._events: list[ExecutorEvent] = []
        self._selector = selectors.DefaultSelector()
        self._listen()

    # --- the port ---------------------------------------------------------------------------------

    def submit(self, spec: TaskSpec, needs: Needs) -> None:
        """Have a process started; as soon as the fork server is ready."""
        attempt = Attempt(next(self._numbers), spec, needs)
        self._attempts[attempt.number] = attempt
        if self._server.control is None:
            try:
                self._server.start()
            except OSError:
                self._finish(attempt, failed(spec, _lost("there is no fork server any more", None)))
                return
            self._listen()
        if self._is_ready:
            self._launch(attempt)
        else:
            self._waiting.append(attempt)

    def poll(self, timeout: float | None) -> Sequence[ExecutorEvent]:
        """Return what has happened, waiting for something to happen."""
        if not self._events and self._attempts:
            self._wait(timeout)
        events, self._events = self._events, []
        return events

    def cancel(self, task_id: int) -> None:
        """Stop an attempt: SIGTERM to its process group, SIGKILL after the grace period."""
        for attempt in list(self._attempts.values()):
            if attempt.spec.task_id != task_id or attempt.stop is not None:
                continue
            self._stop(attempt, AttemptError(Cause.CANCELLED, "step was cancelled"), self._grace)
            if attempt in self._waiting:
                self._waiting.remove(attempt)
                self._finish(attempt, attempt.outcome(signal.SIGTERM))

    def close(self) -> None:
        """End the fork server and every process of every attempt, and wait for that."""
        self._server.close()
        for attempt in list(self._attempts.values()):
            self._finish(attempt, failed(attempt.spec, _lost("the executor was closed", None)))
        self._waiting.clear()
        self._alarms.clear()
        self._events.clear()
        self._selector.close()

    # --- waiting ----------------------------------------------------------------------------------

    def _wait(self, timeout: float | None) -> None:
        """Handle what happens until there are events, or until the time is up."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            limit = min(self._alarms.values(), default=None)
            if deadline is not None:
                limit = deadline if limit is None else min(limit, deadline)
            patience = None if limit is None else max(0.0, limit - time.monotonic())
            for key, _ in self._selector.select(patience):
                if key.data is None:
                    self._hear()
                elif key.fd in key.data.fds:  # else it has ended in this very round
                    self._read(key.data, key.fd)
            self._ring()
            if self._events or (deadline is not None and time.monotonic() >= deadline):
                return

    def _ring(self) -> None:
        """Signal the attempts whose time has come."""
        if not self._alarms:
            return
        now = time.monotonic()
        for attempt, when in list(self._alarms.items()):
            if when > now:
                continue
            if attempt.stop is None:
                seconds = attempt.needs.timeout
                reason = f"step {attempt.spec.step} timed out after {seconds:g} seconds"
                self._stop(attempt, AttemptError(Cause.TIMEOUT, reason), TIMEOUT_GRACE)
            else:
                del self._alarms[attempt]
                self._server.command(signal.SIGKILL, attempt.number)

    def _stop(self, attempt: Attempt, why: AttemptError, grace: float) -> None:
        attempt.stop = why
        self._alarms[attempt] = time.monotonic() + grace
        self._server.command(signal.SIGTERM, attempt.number)

    # --- the server -------------------------------------------------------------------------------

    def _listen(self) -> None:
        if self._server.control is not None:
            self._selector.register(self._server.control, selectors.EVENT_READ, None)

    def _hear(self) -> None:
        """Take in what the server says."""
        control = self._server.control
        news = self._server.news()
        if news is None:
            self._selector.unregister(control)  # type: ignore[arg-type]
            self._bury()
            return
        started = []
        for kind, number, value in news:
            if kind == READY:
                self._open(value)
                continue
            attempt = self._attempts[number]
            if kind == STARTED:
                self._events.append(TaskStarted(attempt.spec, value))
                if attempt.needs.timeout is not None and attempt.stop is None:
                    self._alarms[attempt] = time.monotonic() + attempt.needs.timeout
                started.append(attempt)
            elif kind == ENDED:
                self._drain(attempt)
                self._finish(attempt, attempt.outcome(value))
            elif kind == REFUSED:
                self._finish(attempt, failed(attempt.spec, _not_started(os.strerror(value))))
        for attempt in started:
            if attempt.fds:  # a short task has ended by now and was never worth watching
                self._watch(attempt)

    def _open(self, threads: int) -> None:
        """Start what has been waiting for the server to be ready."""
        self._is_ready = True
        if threads > 1:
            self.notices.append(
                f"importing the flow's modules has left {threads - 1} thread(s) running, which "
                "forked tasks do not have; if a task hangs, use the spawn executor"
            )
        waiting, self._waiting = self._waiting, []
        for attempt in waiting:
            self._launch(attempt)

    def _bury(self) -> None:
        """Finish all attempts of a server that has died; their processes are dead afterwards."""
        status = self._server.bury()
        how = "the fork server died" if status is None else f"the fork server {_end(status)}"
        if self._is_ready or status is None:
            error = _lost(how, status)
        else:
            error = AttemptError(Cause.START, f"{how} before it could start a task")
        self._is_ready = False
        self._waiting.clear()
        for attempt in list(self._attempts.values()):
            self._drain(attempt)
            self._finish(attempt, failed(attempt.spec, attempt.stop or error))

    # --- one attempt ------------------------------------------------------------------------------

    def _launch(self, attempt: Attempt) -> None:
        """Have the server start it, with new pipes for its two streams and its result."""
        writing: list[int] = []
        try:
            for stream in _STREAMS:
                reader, writer = os.pipe()
                attempt.fds[reader] = stream
                writing.append(writer)
                os.set_blocking(reader, False)
            path = f"/proc/{os.getpid()}/fd/{writing[-1]}"
            order = (attempt.spec, dict(attempt.needs.environment), path)
            self._server.command(START, attempt.number, pickle.dumps(order, protocol=5), writing)
            attempt.held = writing.pop()
        except OSError as error:
            self._finish(attempt, failed(attempt.spec, _not_started(str(error))))
        finally:
            for writer in writing:
                os.close(writer)

    def _watch(self, attempt: Attempt) -> None:
        attempt.is_watched = True
        for fd in attempt.fds:
            self._selector.register(fd, selectors.EVENT_READ, attempt)

    def _read(self, attempt: Attempt, fd: int) -> bool:
        """Read once; return whether there may be more at once."""
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._close(attempt, fd)
            return False
        stream = attempt.fds[fd]
        if stream == "result":
            attempt.result.append(data)
        else:
            self._events.append(TaskOutput(attempt.spec, stream, data))
        return len(data) == _CHUNK

    def _drain(self, attempt: Attempt) -> None:
        """Read what a dead process has left in its pipes, though others may hold them open."""
        for fd in list(attempt.fds):
            for _ in range(_LAST_CHUNKS):
                if not self._read(attempt, fd):
                    break

    def _close(self, attempt: Attempt, fd: int) -> None:
        if attempt.is_watched:
            self._selector.unregister(fd)
        del attempt.fds[fd]
        os.close(fd)

    def _finish(self, attempt: Attempt, result: TaskResult) -> None:
        """Report its end, once, and forget it."""
        for fd in list(attempt.fds):
            self._close(attempt, fd)
        if attempt.held is not None:
            os.close(attempt.held)
        del self._attempts[attempt.number]
        self._alarms.pop(attempt, None)
        self._events.append(TaskFinished(attempt.spec, result))


def _lost(how: str, status: int | None) -> AttemptError:
    """Say that the machine is at fault; without a keeper another attempt can't help."""
    is_over = status is None
    return AttemptError(Cause.LOST, how, is_charged=False, is_retryable=not is_over)


def _not_started(reason: str) -> AttemptError:
    return AttemptError(
        Cause.LOST, f"no process could be started for the step: {reason}", is_charged=False
    )


def _end(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exited with code {code}" if code >= 0 else f"was killed by {signal_name(-code)}"
