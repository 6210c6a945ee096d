"""Metadata values as JSON: every value becomes something that can be stored, none stops a step.

What JSON lacks is an object with one key that begins with ``$``; `restored` turns it back. Keys
of users that begin with ``$`` get a second one.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

LONGEST_REPR = 1000
_DEEPEST = 20
_MOST_ITEMS = 1000
_EXACT = (str, bool, int, type(None))
_LIBRARIES = ("numpy", "pandas", "polars", "pyarrow", "torch", "tensorflow", "jax")


def plain_values(values: Mapping[Any, Any]) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return metadata as JSON values by key, and the types that only their repr is kept of.

    numpy's scalars become Python's, data types become their names, NaN and infinity, dates, times,
    decimals and paths keep their kind, bytes become their length and digest; the keys of a dict
    become strings, sets and tuples become lists.
    """
    unknown: list[str] = []
    return _mapping(values, 0, unknown), tuple(dict.fromkeys(unknown))


def plain(value: Any) -> object:
    """Return one value as JSON."""
    return _plain(value, 0, [])


def _plain(value: Any, depth: int, unknown: list[str]) -> object:
    kind = type(value)
    if kind in _EXACT:
        return value
    if kind is float:
        return value if abs(value) < float("inf") else {"$float": str(value)}
    try:
        if depth >= _DEEPEST:
            return _repr(value, unknown)
        return _nested(value, depth, unknown)
    except Exception:  # noqa: BLE001 - a foreign type's methods may raise anything
        return _repr(value, unknown)


def _nested(value: Any, depth: int, unknown: list[str]) -> object:
    if isinstance(value, Mapping):
        return _mapping(value, depth, unknown)
    if isinstance(value, list | tuple):
        return _items(value, depth, unknown)
    if isinstance(value, set | frozenset):
        ordered = sorted(value, key=lambda item: (type(item).__name__, repr(item)))
        return _items(ordered, depth, unknown)
    return _special(value, depth, unknown)


def _mapping(values: Mapping[Any, Any], depth: int, unknown: list[str]) -> dict[str, object]:
    return {_key(key): _plain(one, depth + 1, unknown) for key, one in values.items()}


def _items(values: Iterable[Any], depth: int, unknown: list[str]) -> list[object]:
    return [_plain(one, depth + 1, unknown) for one in values]


def _key(key: object) -> str:
    text = key if isinstance(key, str) else str(plain(key))
    return f"${text}" if text.startswith("$") else text


def _special(value: Any, depth: int, unknown: list[str]) -> object:
    if isinstance(value, Enum):
        return _plain(value.value, depth + 1, unknown)
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}".removeprefix("builtins.")
    if isinstance(value, bytes | bytearray | memoryview):
        return _bytes(bytes(value))
    for base in (str, bool, int, float):
        if isinstance(value, base):
            return _plain(base(value), depth + 1, unknown)
    of_library = _of_library(value, depth, unknown)
    if of_library is not _NOTHING:
        return of_library
    return _of_standard_library(value, unknown)


_NOTHING = object()


def _of_library(value: Any, depth: int, unknown: list[str]) -> object:
    """Return scalars, data types and small arrays of libraries, without importing one."""
    kind = type(value)
    if kind.__module__.partition(".")[0] not in _LIBRARIES:
        return _NOTHING
    if kind.__name__ in ("NaTType", "NAType"):
        return None
    if "dtype" in kind.__name__.lower():
        return str(value)
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        item = value.item()
        return _plain(float(item) if type(item) is kind else item, depth + 1, unknown)
    if hasattr(value, "tolist") and getattr(value, "size", _MOST_ITEMS + 1) <= _MOST_ITEMS:
        return _plain(value.tolist(), depth + 1, unknown)
    return _NOTHING


def _of_standard_library(value: Any, unknown: list[str]) -> object:
    import datetime as dt  # noqa: PLC0415 - most metadata are strings and numbers
    import decimal  # noqa: PLC0415
    import pathlib  # noqa: PLC0415

    if isinstance(value, dt.datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, dt.date):
        return {"$date": value.isoformat()}
    if isinstance(value, dt.timedelta):
        return {"$timedelta": value.total_seconds()}
    if isinstance(value, decimal.Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, pathlib.PurePath):
        return {"$path": str(value)}
    return _repr(value, unknown)


def _bytes(value: bytes) -> object:
    from hashlib import sha256  # noqa: PLC0415 - bytes are rare in metadata

    return {"$bytes": {"size": len(value), "digest": sha256(value).hexdigest()}}


def _repr(value: object, unknown: list[str]) -> object:
    name = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    unknown.append(name)
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a user's __repr__ may raise anything
        text = f"<{name} whose __repr__ raised {type(error).__name__}>"
    return {"$repr": {"text": text[:LONGEST_REPR], "type": name}}


# --- and back -------------------------------------------------------------------------------------


def restored(value: Any) -> Any:
    """Return a JSON value as Python has it: NaN, dates, times, decimals and paths are back.

    Of bytes and of values that only their repr was kept of, a description is returned.
    """
    if isinstance(value, list):
        return [restored(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        ((key, inner),) = value.items()
        restore = _restorers().get(key)
        if restore is not None:
            return restore(inner)
    return {
        key.removeprefix("$") if key.startswith("$$") else key: restored(one)
        for key, one in value.items()
    }


def _restorers() -> Mapping[str, Callable[[Any], Any]]:
    import datetime as dt  # noqa: PLC0415 - most metadata are strings and numbers
    import decimal  # noqa: PLC0415
    import pathlib  # noqa: PLC0415

    return {
        "$float": float,
        "$datetime": dt.datetime.fromisoformat,
        "$date": dt.date.fromisoformat,
        "$timedelta": lambda seconds: dt.timedelta(seconds=seconds),
        "$decimal": decimal.Decimal,
        "$path": pathlib.PurePath,
        "$bytes": lambda one: f"<{one['size']} bytes, {one['digest'][:12]}>",
        "$repr": lambda one: one["text"],
    }
