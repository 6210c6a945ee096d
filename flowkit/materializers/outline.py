"""Values as a short text: bounded in depth, width and length, and without calling their code."""

import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from flowkit.materializers.inert import StandIn, scalar_of

_ITEMS = 20  # of one container
_DEPTH = 4
_TEXT = 200  # characters of a text inside of a container
_WIDTH = 88  # characters of a container on one line
_SHORT = 24  # characters of items that share lines
_DIGITS = 2000  # bits of an int that is written out
_LINES = 400  # of the whole text
_HARMLESS = ("datetime", "decimal")  # modules of types whose repr is short and their own


def outline(value: Any) -> str:
    """Return a text such as Python would write, cut where the value is long or deep.

    Objects of other classes are shown by the name of their class only.
    """
    lines = _outline(value, _DEPTH).split("\n")
    cut = [*lines[:_LINES], "..."] if len(lines) > _LINES else lines
    return "\n".join(cut)


def _outline(value: Any, depth: int) -> str:
    kind = type(value)
    if issubclass(kind, StandIn):
        return _stand_in(value, depth)
    if kind in (type(None), bool, float, complex) or _is_harmless(kind):
        return repr(value)
    if kind is int:
        return repr(value) if value.bit_length() < _DIGITS else f"<{value.bit_length()} bits>"
    if kind in (str, bytes, bytearray):
        cut = value[:_TEXT]
        return repr(cut) if len(cut) == len(value) else f"{cut!r}... ({len(value):,} in all)"
    for container, entries, brackets in _CONTAINERS:
        if issubclass(kind, container):  # isinstance would ask the value for its __class__
            start, end = brackets
            name = "" if kind is container else _name(kind)
            texts = entries(value, depth - 1) if depth else ()
            size = container.__len__(value)
            return _wrapped(f"{name}{start}", texts, end, size)
    is_stand_in = kind is type and issubclass(value, StandIn)
    return value.name if is_stand_in else f"<{_name(kind)}>"


def _is_harmless(kind: type) -> bool:
    if kind.__module__ not in _HARMLESS:
        return False
    return getattr(sys.modules.get(kind.__module__), kind.__name__, None) is kind


def _wrapped(start: str, entries: Iterable[str], end: str, size: int) -> str:
    texts = list(islice(entries, _ITEMS))
    if size > len(texts):
        texts.append(f"... ({size:,} in all)")
    line = f"{start}{', '.join(texts)}{end}"
    if len(line) <= _WIDTH and "\n" not in line:
        return line
    if max(map(len, texts)) <= _SHORT and "\n" not in line:
        inside = textwrap.wrap(", ".join(texts), _WIDTH - 4)
    else:
        inside = [f"{text},".replace("\n", "\n    ") for text in texts]
    return "\n".join([start, *(f"    {text}" for text in inside), end])


def _stand_in(value: StandIn, depth: int) -> str:
    number = scalar_of(value)
    if number is not None:
        return repr(number)
    if not depth:
        return f"{value.name}(...)"
    texts = [_outline(argument, depth - 1) for argument in value.args[:_ITEMS]]
    states = value.state if isinstance(value.state, tuple) else (value.state,)
    for state in states:
        if isinstance(state, dict):
            texts += [f"{k}={_outline(v, depth - 1)}" for k, v in islice(state.items(), _ITEMS)]
        elif state is not None:
            texts.append(_outline(state, depth - 1))
    texts += [_outline(item, depth - 1) for item in value.items[:_ITEMS]]
    texts += [_pair(key, item, depth - 1) for key, item in value.pairs[:_ITEMS]]
    left = sum(max(0, len(part) - _ITEMS) for part in (value.args, value.items, value.pairs))
    return _wrapped(f"{value.name}(", texts, ")", len(texts) + left)


def _pair(key: Any, value: Any, depth: int) -> str:
    return f"{_outline(key, depth)}: {_outline(value, depth)}"


def _pairs(value: Any, depth: int) -> Iterator[str]:
    return (_pair(key, part, depth) for key, part in dict.items(value))


def _items_by(iterate: Callable[[Any], Iterator[Any]]) -> Callable[[Any, int], Iterator[str]]:
    return lambda value, depth: (_outline(item, depth) for item in iterate(value))


# The methods of the containers themselves, so that those of a class derived from one never run.
_CONTAINERS: tuple[tuple[Any, Callable[[Any, int], Iterator[str]], tuple[str, str]], ...] = (
    (dict, _pairs, ("{", "}")),
    (list, _items_by(list.__iter__), ("[", "]")),
    (tuple, _items_by(tuple.__iter__), ("(", ")")),
    (set, _items_by(set.__iter__), ("{", "}")),
    (frozenset, _items_by(frozenset.__iter__), ("{", "}")),
)


def _name(kind: type) -> str:
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
