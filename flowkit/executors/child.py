"""A task's process, from the fork (or the start of its interpreter) to its exit."""

import _thread
import atexit
import io
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from flowkit.executors.work import Work, failure
from flowkit.model.tasks import TaskSpec

if TYPE_CHECKING:
    from threading import Event

THREADS_TIMEOUT = 10.0
"""Seconds that threads which still run at the end of a step may take to end."""


@dataclass(frozen=True, slots=True)
class ResultPipe:
    """Where a task's result goes.

    Attributes:
        fd: Write end of the pipe, at a high number that user code is unlikely to touch.
        path: Where the pipe can be opened again, if user code has closed every descriptor.
    """

    fd: int
    path: str

    def send(self, data: bytes) -> None:
        """Write everything, waiting for the driver to read."""
        try:
            _write(self.fd, data)
        except OSError:
            _write(os.open(self.path, os.O_WRONLY), data)


Body = Callable[[TaskSpec, ResultPipe], NoReturn]
"""What a task's process does after its set-up; it ends the process."""


def perform(work: Work, spec: TaskSpec, pipe: ResultPipe) -> NoReturn:
    """Run the work, send its result, and end this process with exit code 0."""
    import pickle  # noqa: PLC0415 - keeps the driver's imports few; loaded long before the fork

    pid = os.getpid()
    try:
        result = work(spec)
    except BaseException as error:  # noqa: BLE001 - whatever user code raises becomes a result
        result = failure(spec, error)
    if os.getpid() != pid:  # user code has forked, and this is the copy
        _say("a process forked by the step came to the step's end; it is ignored")
        os._exit(0)
    pipe.send(pickle.dumps(result, protocol=5))
    _end_threads()
    atexit._run_exitfuncs()  # noqa: SLF001 - os._exit skips them
    flush_streams()
    os._exit(0)


def apply_environment(environment: Mapping[str, str]) -> None:
    """Set the variables that a task needs."""
    if environment:
        os.environ.update(environment)  # noqa: TID251 - sets what the task asked for, reads nothing


def open_streams() -> None:
    """Make ``sys.stdin``, ``stdout`` and ``stderr`` text streams on descriptors 0, 1 and 2.

    Output is written line by line, so that it is seen as it comes and survives a crash, and
    never fails because of a character that can't be encoded.
    """
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    sys.stdout = sys.__stdout__ = _output_stream(sys.__stdout__, 1)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _output_stream(sys.__stderr__, 2)  # type: ignore[misc]


def flush_streams() -> None:
    """Flush what is left in the buffers of the standard streams, whatever they are by now."""
    for stream in {sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__}:
        try:
            if stream is not None:
                stream.flush()
        except Exception:  # noqa: BLE001, S112 - user code may have closed or replaced it
            continue


def _output_stream(original: object, fd: int) -> io.TextIOWrapper:
    """Keep the stream that loggers may hold already, if it is the right one."""
    if isinstance(original, io.TextIOWrapper) and not original.closed and original.fileno() == fd:
        original.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
        return original
    return open(fd, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _end_threads() -> None:
    """Wait for the threads that the step has left running, as an interpreter does at its end."""
    if _thread._count() == 0:  # noqa: SLF001 - touches a tenth of what active_count does
        return
    import threading  # noqa: PLC0415 - only tasks that have used threads need it

    ended = threading.Event()
    threading.Thread(target=_stop_waiting, args=(ended,), daemon=True).start()
    vars(threading)["_shutdown"]()  # private, but joining alone does not end idle thread pools
    ended.set()


def _stop_waiting(ended: "Event") -> None:
    """End the process when its threads don't."""
    if not ended.wait(THREADS_TIMEOUT):
        _say(f"threads of the step still ran {THREADS_TIMEOUT:.0f} s after its end; killed")
        flush_streams()
        os._exit(0)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _say(warning: str) -> None:
    """Write a warning into the task's log, past streams that may be replaced or held."""
    try:
        os.write(2, f"flowkit: {warning}\n".encode())
    except OSError:
        return
