"""What the objects of the client have in common: a pathspec, a namespace check, tags, children."""

from abc import abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from flowkit.client.namespaces import get_namespace
from flowkit.client.session import Session, current_session, session_at
from flowkit.exceptions import (
    InvalidPathspecError,
    NamespaceMismatchError,
    NotFoundError,
    UsageError,
)
from flowkit.model.pathspec import Pathspec, parse_pathspec
from flowkit.model.records import RunRecord

_PICKLE_VERSION = "1"
MAX_ATTEMPTS = 6
"""Attempts of a task are numbered from 0 and are always fewer than this."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an object was found; its children and its pickled form are found there as well.

    Attributes:
        location: Normalised metadata location.
        namespace: The namespace at that time; None: global.
        is_checked: Whether objects outside of the namespace are refused.
    """

    location: str
    namespace: str | None
    is_checked: bool = True

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that runs must have to be found."""
        return (self.namespace,) if self.is_checked and self.namespace is not None else ()


@dataclass(frozen=True, slots=True)
class Found:
    """How an object was reached when not by its constructor alone.

    ``record`` is what the one who found the object has read of it already; None when the object
    has to look itself up. ``run`` is the run's record if known. Whoever gives one of them has
    checked the namespace.
    """

    scope: Scope
    record: Any = None
    run: RunRecord | None = None


class ClientObject:
    """Base of `Flow`, `Run`, `Step`, `Task` and `DataArtifact`.

    Objects are compared by identity: compare their ``pathspec``. They can be pickled; what is
    pickled is where to find them, not what they hold.
    """

    _LENGTH: ClassVar[int]
    _WORD: ClassVar[str]
    _HAS_ATTEMPTS: ClassVar[bool] = False

    def __init__(
        self,
        pathspec: str,
        attempt: int | None = None,
        _namespace_check: bool = True,
        _found: Found | None = None,
    ) -> None:
        self._address: Pathspec = parse_pathspec(pathspec, self._LENGTH)
        self._attempt = self._checked_attempt(attempt)
        if _found is None:
            location = current_session().location
            _found = Found(Scope(location, get_namespace(), _namespace_check))
        self._scope = _found.scope
        self._known_run = _found.run
        self._record: Any = _found.record
        if self._record is None:
            self._record = self._look_up()
        if _found.record is None and _found.run is None:
            self._check_namespace()

    @classmethod
    def _checked_attempt(cls, attempt: int | None) -> int | None:
        if attempt is None:
            return None
        if not cls._HAS_ATTEMPTS:
            raise NotFoundError("attempts can only be specified for Task or DataArtifact")
        if attempt < 0:
            raise NotFoundError(f"attempt can only be non-negative, not {attempt}")
        if attempt >= MAX_ATTEMPTS:
            raise NotFoundError(f"attempt can only be smaller than {MAX_ATTEMPTS}, not {attempt}")
        return attempt

    def _check_namespace(self) -> None:
        for name in self._scope.tags:
            if not self._has_tags(name):
                raise NamespaceMismatchError(name)

    @abstractmethod
    def _look_up(self) -> Any:
        """Read the object's record, or raise `NotFoundError`."""

    def _missing(self) -> NotFoundError:
        return NotFoundError(f"{self._WORD} '{self.pathspec}' does not exist")

    @property
    def _session(self) -> Session:
        return session_at(self._scope.location)

    def _read_tags(self) -> tuple[Collection[str], Collection[str]]:
        """Read user and system tags as they are now."""
        return (), ()

    def _has_tags(self, *tags: str) -> bool:
        """Whether the object has all of these tags now."""
        return self.tags.issuperset(tags)

    def __repr__(self) -> str:
        attempt = "" if self._attempt is None else f", attempt={self._attempt}"
        return f"{type(self).__name__}({self.pathspec!r}{attempt})"

    def __reduce__(self) -> tuple[Any, ...]:
        scope = self._scope
        state = (self.pathspec, self._attempt, scope.location, scope.namespace, scope.is_checked)
        return _restore, (type(self), _PICKLE_VERSION, *state)

    @property
    def id(self) -> str:
        """The last part of the pathspec."""
        return self._address.parts[-1]

    @property
    def pathspec(self) -> str:
        """Where the object is: ``Flow[/run[/step[/task[/artifact]]]]``."""
        return str(self._address)

    @property
    def path_components(self) -> list[str]:
        """The parts of the pathspec."""
        return list(self._address.parts)

    @property
    def tags(self) -> frozenset[str]:
        """User and system tags of the run that the object belongs to, as they are now."""
        user_tags, system_tags = self._read_tags()
        return frozenset((*user_tags, *system_tags))

    @property
    def user_tags(self) -> frozenset[str]:
        """The run's tags that people have given to it, as they are now."""
        return frozenset(self._read_tags()[0])

    @property
    def system_tags(self) -> frozenset[str]:
        """The run's tags that nobody can remove, such as ``user:ada``."""
        return frozenset(self._read_tags()[1])

    @property
    def origin_pathspec(self) -> str | None:
        """The object that this one was taken over from by ``resume``; None if it is original."""
        return None

    def is_in_namespace(self) -> bool:
        """Whether the object is in the current namespace."""
        name = get_namespace()
        return name is None or self._has_tags(name)


class PartOfRun(ClientObject):
    """A run, or something in one: it shares the run's tags."""

    @property
    def _run(self) -> RunRecord:
        """The run as last read: enough for what never changes."""
        return self._known_run or self._read_run()

    def _read_run(self) -> RunRecord:
        """Read the run as it is now."""
        record = self._session.metadata.run(self._address.flow, str(self._address.run))
        if record is None:
            raise self._missing()
        self._known_run = record
        return record

    def _read_tags(self) -> tuple[Collection[str], Collection[str]]:
        run = self._read_run()
        return run.tags, run.system_tags


AnyObject = TypeVar("AnyObject", bound=ClientObject)
Child = TypeVar("Child", bound=ClientObject)


def _restore(cls: type[AnyObject], version: str, pathspec: str, *state: Any) -> AnyObject:
    """Find a pickled object again, in the place and the namespace where it was found."""
    if version != _PICKLE_VERSION:
        raise UsageError(f"{cls.__name__} '{pathspec}' was pickled by another version of flowkit")
    attempt, *scope = state
    return cls(pathspec, attempt, _found=Found(Scope(*scope)))


class Container(ClientObject, Generic[Child]):
    """An object that has children: iterate over it (newest first), ask ``in``, take ``[id]``."""

    @abstractmethod
    def _children(self) -> Iterator[Child]:
        """Yield the visible children, newest first."""

    @abstractmethod
    def _child(self, name: str) -> Child:
        """Return one child, also a hidden one, or raise `NotFoundError`."""

    def _children_with(self, *tags: str) -> Iterator[Child]:
        # Below a run all objects have the tags of the run: all children match, or none.
        return self._children() if self._has_tags(*tags) else iter(())

    def __iter__(self) -> Iterator[Child]:
        return self._children()

    def __getitem__(self, name: str) -> Child:
        try:
            return self._child(str(name))
        except NamespaceMismatchError:
            raise
        except (NotFoundError, InvalidPathspecError):
            raise KeyError(name) from None

    def __contains__(self, name: object) -> bool:
        try:
            self._child(str(name))
        except (NotFoundError, InvalidPathspecError):
            return False
        return True

    def _ipython_key_completions_(self) -> list[str]:
        """Return the ids that an interactive shell offers between the brackets."""
        return [child.id for child in self]


def local_time(microseconds: int) -> datetime:
    """Return UTC microseconds as a naive datetime in local time."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return datetime.fromtimestamp(seconds).replace(microsecond=rest)  # noqa: DTZ006 - documented
