"""Reads that happen beside a task's attributes, told to the task in whose context they happen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from flowkit.model.manifest import ArtifactRef

Observer = Callable[[str, ArtifactRef], None]

_observer: ContextVar[Observer | None] = ContextVar("flowkit_observer", default=None)


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Tell an observer, while this holds, of every read: its token, and what was read."""
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


def observed(token: str, ref: ArtifactRef) -> None:
    """Tell whoever observes of a read; nobody does outside of a task."""
    observer = _observer.get()
    if observer is not None:
        observer(token, ref)
