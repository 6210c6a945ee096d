"""Sessions on a store, opened when first needed, and which one the client reads from now."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from os import getpid
from threading import local

from flowkit import plugins
from flowkit.content.logfiles import RunLogs
from flowkit.content.store import ArtifactStore
from flowkit.ports.metadata import MetadataReader, MetadataWriter

# Opening a store means naming adapters, which only wiring does, and wiring stands above the
# client: this one edge upwards goes by name.
OPEN_SESSION = "flowkit.wiring:open_session"


@dataclass(frozen=True, slots=True)
class Session:
    """Everything the client reads from, for one process and one thread.

    Attributes:
        metadata: Reader of runs, tasks and attempts.
        writer: Opens a writer, which the caller closes; only what changes something needs one.
        store: Manifests and values.
        logs: The log files of runs.
        location: The normalised metadata string, e.g. "sqlite:////data/.flowkit/flowkit.db".
        user_namespace: The namespace that holds unless another one is set, e.g. "user:ada"; "" is
            the global one.
        user: Who makes versions and changes them.
        datastore: Directory or URL of the content store.
    """

    metadata: MetadataReader
    writer: Callable[[], MetadataWriter]
    store: ArtifactStore
    logs: RunLogs
    location: str
    user_namespace: str
    user: str = ""
    datastore: str = ""


class _Sessions(local):
    """The sessions of one thread: a database connection stays in the thread that opened it."""

    def __init__(self) -> None:
        # The process id is part of the key, and nothing is ever removed: after a fork the child
        # opens connections of its own and leaves those of its parent untouched, also unclosed.
        self.kept: dict[tuple[int, str], Session] = {}


_sessions = _Sessions()
_location: ContextVar[str | None] = ContextVar("flowkit_client_location", default=None)


def current_session() -> Session:
    """Return the session that the client reads from now."""
    location = _location.get()
    if location is not None:
        return session_at(location)
    session = _open(None)
    _location.set(session.location)
    return session


def session_at(location: str) -> Session:
    """Return this thread's session on a location as `metadata` takes it; open it if need be."""
    return _sessions.kept.get((getpid(), location)) or _open(location)


def use_session(session: Session) -> str:
    """Read from a session that was opened elsewhere from now on; return its location."""
    _sessions.kept[getpid(), session.location] = session
    _location.set(session.location)
    return session.location


def _open(location: str | None) -> Session:
    session: Session = plugins.load(OPEN_SESSION)(location)
    return _sessions.kept.setdefault((getpid(), session.location), session)


def metadata(location: str) -> str:
    """Read from another store from now on.

    Objects that exist already go on reading from where they were found. A thread of its own
    starts with the default again, unless it is given this context.

    Args:
        location: A path, "local@/directory", "sqlite:///path" or another URL.

    Returns:
        The location in its normalised form, which `metadata` takes as well.
    """
    session = session_at(location)
    _location.set(session.location)
    return session.location


def get_metadata() -> str:
    """Return the normalised location that the client reads from now."""
    return current_session().location


def default_metadata() -> str:
    """Read from the configured store again and return its normalised location."""
    _location.set(None)
    return current_session().location
