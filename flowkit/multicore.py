"""``parallel_map``: a function called for many items at once, each call in a forked process."""

import os
import pickle
import selectors
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from flowkit.exceptions import MulticoreException, UsageError

Item = TypeVar("Item")
Value = TypeVar("Value")

_CHUNK = 1 << 16


def parallel_map(
    func: Callable[[Item], Value],
    iterable: Iterable[Item],
    max_parallel: int | None = None,
    dir: str | None = None,  # noqa: A002, ARG001 - the signature that Metaflow users know
) -> list[Value]:
    """Return ``[func(item) for item in iterable]``, computed in several processes.

    Each call runs in a fork of this process: closures and lambdas work, arguments are not copied,
    and what the call changes in memory stays in the fork. Results are pickled.

    Args:
        func: Called with one item.
        iterable: The items.
        max_parallel: How many processes at once; the number of processors when None.
        dir: Not used: results go through pipes, not through files.

    Raises:
        MulticoreException: A call raised, its result can't be pickled, or its process died; the
            message has the child's traceback. The other calls are stopped.
        UsageError: ``max_parallel`` is less than 1.

    Example::

        squares = parallel_map(lambda x: x**2, range(10), max_parallel=4)
    """
    values = dict(_completed(func, iterable, max_parallel))
    return [values[position] for position in range(len(values))]


def parallel_imap_unordered(
    func: Callable[[Item], Value],
    iterable: Iterable[Item],
    max_parallel: int | None = None,
    dir: str | None = None,  # noqa: A002, ARG001 - as above
) -> Iterator[Value]:
    """Yield the results of `parallel_map` as they come, whichever is ready first.

    Items are taken from the iterable as processes become free. Closing the iterator stops the
    calls that are going on.

    Args:
        func: Called with one item.
        iterable: The items.
        max_parallel: How many processes at once; the number of processors when None.
        dir: Not used.

    Raises:
        MulticoreException: See `parallel_map`.
        UsageError: ``max_parallel`` is less than 1.
    """
    return (value for _, value in _completed(func, iterable, max_parallel))


@dataclass(slots=True)
class _Child:
    """A process at work on one item, and what has come of its answer."""

    position: int
    pid: int
    answer: bytearray = field(default_factory=bytearray)


def _completed(
    func: Callable[[Item], Value], iterable: Iterable[Item], max_parallel: int | None
) -> Iterator[tuple[int, Value]]:
    """Yield each item's position and result in the order of completion."""
    limit = _processors() if max_parallel is None else max_parallel
    if limit < 1:
        raise UsageError(f"max_parallel must be at least 1, not {limit}")
    items = enumerate(iterable)
    with selectors.DefaultSelector() as running:
        try:
            while True:
                while len(running.get_map()) < limit and (entry := next(items, None)):
                    position, item = entry
                    pipe, pid = _fork(func, item)
                    running.register(pipe, selectors.EVENT_READ, _Child(position, pid))
                if not running.get_map():
                    return
                for child in _ended(running):
                    yield child.position, _result(child)
        finally:
            _kill(running)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _fork(func: Callable[[Item], Value], item: Item) -> tuple[int, int]:
    """Start the call in a child; return the pipe that its answer comes from, and its pid."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # or the child would write it again
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _answer(func, item, writing)
    os.close(writing)
    return reading, pid


def _answer(func: Callable[[Item], Value], item: Item, pipe: int) -> NoReturn:
    """Make the call, send what came of it, and end this process."""
    try:
        answer = pickle.dumps((True, func(item)), protocol=5)
    except BaseException:  # noqa: BLE001 - whatever it is, the parent raises it
        import traceback  # noqa: PLC0415 - only failures need it

        answer = pickle.dumps((False, traceback.format_exc()))
    with suppress(OSError), open(pipe, "wb", 0) as file:  # the parent may have gone
        rest = memoryview(answer)
        while rest:
            rest = rest[file.write(rest) :]
    with suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def _ended(running: selectors.BaseSelector) -> Iterator[_Child]:
    """Wait for output, keep it, and yield the children whose output is complete."""
    for key, _ in running.select():
        child: _Child = key.data
        pipe: int = key.fd
        if chunk := os.read(pipe, _CHUNK):
            child.answer += chunk
            continue
        running.unregister(pipe)
        os.close(pipe)
        yield child


def _result(child: _Child) -> Any:
    _, status = os.waitpid(child.pid, 0)
    if not child.answer:
        code = os.waitstatus_to_exitcode(status)
        died = f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"
        raise MulticoreException(f"Child failed: the process of item {child.position} {died}")
    is_value, value = pickle.loads(child.answer)  # noqa: S301 - written by our own fork
    if not is_value:
        raise MulticoreException(f"Child failed on item {child.position}:\n{value}")
    return value


def _kill(running: selectors.BaseSelector) -> None:
    for key in list(running.get_map().values()):
        child: _Child = key.data
        running.unregister(key.fd)
        os.close(key.fd)
        with suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
