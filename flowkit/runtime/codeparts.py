"""What the objects are made of that code reaches, one at a time; nothing of them is called."""

import datetime as dt
import enum
import functools
import pickle
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FunctionType, MethodType, ModuleType
from typing import Any

from flowkit.authoring.flowspec import FlowSpec
from flowkit.content.canonical import canonical_digest
from flowkit.content.hashing import digest_of
from flowkit.model.traces import Hazard

MISSING = object()
NOT_CODE = frozenset(
    {
        "__doc__",
        "__module__",
        "__dict__",
        "__weakref__",
        "__qualname__",
        "__firstlineno__",
        "__static_attributes__",
        "__abstractmethods__",
        "_abc_impl",
        "_flowkit_definition",
    }
)
_CLOCKS: tuple[object, ...] = (
    time.time,
    time.time_ns,
    time.ctime,
    time.localtime,
    time.gmtime,
    time.strftime,
)
_DATES = (dt.datetime, dt.date)
NOW = frozenset({"now", "utcnow", "today"})


@dataclass(slots=True)
class Part:
    """One thing that code reaches: its digest, what else it reaches, and what is odd about it."""

    digest: str = ""
    uses: list[str] = field(default_factory=list)
    hazards: list[Hazard] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)


class Content:
    """Collects what the digest of a part is made of."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.around: set[int] = set()
        self._pieces: list[object] = []

    def add(self, piece: object) -> None:
        """Add something plain."""
        self._pieces.append(piece)

    def use(self, label: str | None) -> None:
        """Add another part."""
        if label is not None:
            self._pieces.append(label)
            self.part.uses.append(label)

    def close(self) -> None:
        """Give the part its digest."""
        self.part.digest = canonical_digest(self._pieces) or digest_of(repr(self._pieces).encode())


def parts_of(value: Any) -> list[object] | None:  # noqa: PLR0911 - one line per kind
    """Return what makes an object of one of these kinds; None for others."""
    if isinstance(value, dict):
        return [part for pair in value.items() for part in pair]
    if type(value) in (list, tuple):
        return list(value)
    if type(value) in (set, frozenset):
        return sorted(value, key=lambda item: canonical_digest(item) or repr(item))
    if isinstance(value, staticmethod | classmethod):
        return [value.__func__]
    if isinstance(value, property):
        return [value.fget, value.fset, value.fdel]
    if isinstance(value, MethodType):
        return [value.__func__, None if isinstance(value.__self__, FlowSpec) else value.__self__]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, enum.Enum):
        return [value.name, value.value]
    wrapped = getattr(value, "__wrapped__", None)
    return None if wrapped is None else [wrapped]


def state_of(value: object) -> Iterator[object]:
    """Yield names and values of an object's attributes."""
    names = {name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())}
    for name in sorted({*names, *getattr(value, "__dict__", ())} - {"__dict__", "__weakref__"}):
        yield name
        yield getattr(value, name, None)


def pickled(part: Part, value: object) -> bytes | str:
    """Return an object as bytes; note in the part that it has none."""
    try:
        return pickle.dumps(value, 5)
    except Exception:  # noqa: BLE001 - any object may refuse, in any way
        part.unresolved.append(f"a value of type {type(value).__qualname__}")
        return ""


def texts_in(constant: object) -> Iterator[str]:
    """Yield the texts in a constant of some code."""
    if isinstance(constant, str):
        yield constant
    elif isinstance(constant, tuple):
        for one in constant:
            yield from texts_in(one)


def member(flow: type, name: str) -> Any:
    """Return what a flow class, or one of its bases below `FlowSpec`, has under a name."""
    for kind in flow.__mro__:
        if kind is FlowSpec:
            break
        if name in vars(kind) and name not in NOT_CODE:
            return vars(kind)[name]
    return MISSING


def classes_in(module: ModuleType) -> Iterator[type]:
    """Yield the classes that a module defines, but flows."""
    for value in list(vars(module).values()):
        is_its = isinstance(value, type) and value.__module__ == module.__name__
        if is_its and not issubclass(value, FlowSpec):
            yield value


def hazard_of(value: object, rest: list[str]) -> str:
    """Return the kind of what can't be recorded: "clock", "environment", or ""."""
    if any(value is clock for clock in _CLOCKS):
        return "clock"
    if isinstance(value, type) and value in _DATES:
        return "clock" if rest and rest[0] in NOW else ""
    home = "os", ("_Environ", "getenv")
    kind = value if isinstance(value, FunctionType) else type(value)
    return "environment" if kind.__module__ == home[0] and kind.__name__ in home[1] else ""
