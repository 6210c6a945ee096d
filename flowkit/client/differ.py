"""What differs between two values, in the words of their type: frames, arrays, dicts, texts."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_MOST_LINES = 200
_DEEPEST = 20
_LONGEST = 80
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two values.

    Attributes:
        before: Label of the first one.
        after: Label of the second one.
        lines: One line per difference; none when the values are equal.
    """

    before: str
    after: str
    lines: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not self.lines

    def __bool__(self) -> bool:
        return bool(self.lines)

    def __str__(self) -> str:
        if self.is_equal:
            return f"{self.before} and {self.after} have the same content"
        return "\n".join([f"{self.before} -> {self.after}", *self.lines])

    __repr__ = __str__


def difference(before: str, after: str, old: Any, new: Any) -> Difference:
    """Return what differs between two values, 200 lines of it at most."""
    lines: list[str] = []
    for line in _lines(old, new, "", 0):
        if len(lines) == _MOST_LINES:
            lines.append("...")
            break
        lines.append(line)
    return Difference(before, after, tuple(lines))


def _lines(old: Any, new: Any, place: str, depth: int) -> Iterator[str]:
    where = f"{place}: " if place else ""
    if type(old) is not type(new):
        yield f"{where}type {_type_name(old)} -> {_type_name(new)}"
        return
    kind = f"{type(new).__module__.partition('.')[0]}.{type(new).__name__}"
    if kind == "pandas.DataFrame":
        yield from (f"{where}{line}" for line in _frames(old, new))
    elif kind == "numpy.ndarray":
        yield from (f"{where}{line}" for line in _arrays(old, new))
    elif isinstance(new, Mapping) and depth < _DEEPEST:
        yield from _mappings(old, new, place, depth)
    elif isinstance(new, list | tuple) and depth < _DEEPEST:
        yield from _sequences(old, new, place, depth)
    elif isinstance(new, str) and ("\n" in new or "\n" in old):
        yield from _texts(old, new)
    elif not _are_equal(old, new):
        yield f"{where}{_short(old)} -> {_short(new)}"


def _mappings(
    old: Mapping[Any, Any], new: Mapping[Any, Any], place: str, depth: int
) -> Iterator[str]:
    for key in old:
        if key not in new:
            yield f"{place}[{key!r}]: removed, was {_short(old[key])}"
    for key, value in new.items():
        at = f"{place}[{key!r}]"
        if key not in old:
            yield f"{at}: added, {_short(value)}"
        else:
            yield from _lines(old[key], value, at, depth + 1)


def _sequences(old: Any, new: Any, place: str, depth: int) -> Iterator[str]:
    if len(old) != len(new):
        yield f"{place or 'length'}{': length' if place else ''} {len(old)} -> {len(new)}"
    for index, (one, other) in enumerate(zip(old, new, strict=False)):
        yield from _lines(one, other, f"{place}[{index}]", depth + 1)


def _texts(old: str, new: str) -> Iterator[str]:
    changes = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2)
    yield from (line for line in changes if not line.startswith(("--- ", "+++ ")))


def _arrays(old: Any, new: Any) -> Iterator[str]:
    if old.dtype != new.dtype:
        yield f"dtype {old.dtype} -> {new.dtype}"
    if old.shape != new.shape:
        yield f"shape {old.shape} -> {new.shape}"
        return
    is_other = ~_equal_cells(old, new)
    count = int(is_other.sum())
    if count:
        text = f"{count} of {old.size} elements differ"
        if old.dtype.kind in "iufb" and new.dtype.kind in "iufb":
            furthest = float(abs(new.astype(float) - old.astype(float))[is_other].max())
            text += f", by at most {furthest:g}"
        yield text


def _frames(old: Any, new: Any) -> Iterator[str]:
    if len(old) != len(new):
        yield f"rows {len(old)} -> {len(new)}"
    removed = [name for name in old.columns if name not in new.columns]
    added = [name for name in new.columns if name not in old.columns]
    if removed:
        yield f"columns removed: {', '.join(map(str, removed))}"
    if added:
        yield f"columns added: {', '.join(map(str, added))}"
    shared = [name for name in new.columns if name in old.columns]
    for name in shared:
        if old[name].dtype != new[name].dtype:
            yield f"column {name}: dtype {old[name].dtype} -> {new[name].dtype}"
    if len(old) == len(new):
        yield from _columns(old, new, shared)


def _columns(old: Any, new: Any, names: list[Any]) -> Iterator[str]:
    if not old.index.equals(new.index):
        yield "the index differs"
    for name in names:
        one, other = old[name].to_numpy(), new[name].to_numpy()
        is_other = ~_equal_cells(one, other)
        count = int(is_other.sum())
        if count:
            rows = [str(row) for row in is_other.nonzero()[0][:_EXAMPLES]]
            more = ", ..." if count > len(rows) else ""
            yield f"column {name}: {count} cells differ, in rows {', '.join(rows)}{more}"


def _equal_cells(old: Any, new: Any) -> Any:
    """Return where two arrays of one shape have equal values; what is missing in both is equal."""
    import numpy as np  # noqa: PLC0415 - only for values that are made of it

    equal = np.asarray(old == new, dtype=bool)
    both_missing = np.asarray((old != old) & (new != new), dtype=bool)  # noqa: PLR0124 - NaN
    return equal | both_missing


def _are_equal(old: Any, new: Any) -> bool:
    try:
        return bool(old == new)
    except Exception:  # noqa: BLE001 - values that can't say that they are equal differ
        return False


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a user's __repr__ may raise anything
        text = f"<{_type_name(value)}>"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _type_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
