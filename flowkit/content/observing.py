"""Reads that happen beside a task's attributes, told to the task in whose context they happen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Observer = Callable[[str, str | None], None]

_observer: ContextVar[Observer | None] = ContextVar("flowkit_observer", default=None)


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Tell an observer, while this holds, of every read: its token, and its digest."""
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


def observed(token: str, digest: str | None) -> None:
    """Tell whoever observes of a read, None if nothing was there; outside of a task, nobody."""
    observer = _observer.get()
    if observer is not None:
        observer(token, digest)
