"""Which part of a value can't be stored: its path inside the value, its type and a remedy."""

import io
from collections.abc import Callable, Iterator
from types import AsyncGeneratorType, CoroutineType, FrameType, FunctionType, GeneratorType
from typing import Any

_PROBES = 2000  # attempts to pickle a part before the search ends where it is
_DEFAULT_REMEDY = "keep it in a local variable or in self._name, which is not stored"
_REMEDIES: tuple[tuple[tuple[type, ...], str], ...] = (
    ((GeneratorType, AsyncGeneratorType), "store list(...) of it instead"),
    ((CoroutineType,), "await it and store its result instead"),
    ((io.IOBase,), "store the file's path or its content instead"),
    ((memoryview,), "store bytes(...) of it instead"),
    ((FrameType,), "store a text made of it instead"),
)


def describe(value: Any, failure: Exception, probe: Callable[[Any], Exception | None]) -> str:
    """Return a sentence on why a value can't be stored, such as ``['db'].conn: _thread.lock ...``.

    Args:
        value: What could not be pickled.
        failure: What the pickler said.
        probe: Tries to pickle one part; returns what the pickler says, None if it can.
    """
    if _is_recursion(failure):
        return (
            f"{_type_name(value)} is nested too deeply ({failure}); store it as a flat structure "
            "such as a list of rows, or raise sys.setrecursionlimit() in the flow file"
        )
    path, part, failure = _search(value, failure, probe)
    remedy = next((text for kinds, text in _REMEDIES if isinstance(part, kinds)), _DEFAULT_REMEDY)
    said = f"{type(failure).__name__}: {failure}"
    where = f"{path}: " if path else ""
    return f"{where}{_type_name(part)} can't be pickled ({said}); {remedy}"


def _search(
    value: Any, failure: Exception, probe: Callable[[Any], Exception | None]
) -> tuple[str, Any, Exception]:
    """Go down to a part that fails although all its own parts can be pickled."""
    path = ""
    seen = {id(value): value}  # kept alive, so that an id stands for one part
    parts = _parts(value)
    for _ in range(_PROBES):
        step, part = next(parts, (None, None))
        if step is None:
            break
        if id(part) in seen:
            continue
        seen[id(part)] = part
        inner = probe(part)
        if inner is not None:
            path, value, failure = path + step, part, inner
            parts = _parts(value)
    return path, value, failure


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key in list(value):
            yield f"[{_short(key)}]", value[key]
            yield f".keys()[{_short(key)}]", key
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield f"[{index}]", item
    elif isinstance(value, (set, frozenset)):
        for item in value:
            yield f"{{{_short(item)}}}", item
    for name, part in _attributes(value):
        yield f".{name}", part


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what ``__getstate__`` gives by name: the attributes that would be pickled."""
    if isinstance(value, (type, FunctionType)):
        return
    try:
        state = value.__getstate__()
    except Exception:  # noqa: BLE001 - a user's __getstate__ may raise anything
        return
    for attributes in state if isinstance(state, tuple) else (state,):
        if isinstance(attributes, dict):
            yield from ((str(name), part) for name, part in attributes.items())


def _is_recursion(failure: BaseException | None) -> bool:
    while failure is not None:
        if isinstance(failure, RecursionError):
            return True
        failure = failure.__cause__
    return False


def _short(key: Any) -> str:
    text = repr(key) if isinstance(key, (str, bytes, int, float, tuple)) else _type_name(key)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - fits a line


def _type_name(value: Any) -> str:
    kind = type(value)
    name = kind.__qualname__
    return name if kind.__module__ == "builtins" else f"{kind.__module__}.{name}"
