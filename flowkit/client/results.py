"""Lists that load themselves a page at a time, and show themselves as tables."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")
Row = dict[str, Any]

_SHOWN = 20
"""Rows of a table before it is cut."""


class Results(Sequence[T], Generic[T]):
    """What a query found, newest first unless said otherwise; nothing is loaded before it is used.

    Iterate over it, take ``[0]`` or ``[:10]``, ask ``len()``, ``.total`` or ``.items`` (which load
    all of it), or make a pandas frame with ``.to_df()``.

    Args:
        load: Begins to yield what was found.
        row: What a table says about one of them.
    """

    def __init__(self, load: Callable[[], Iterator[T]], row: Callable[[T], Row]) -> None:
        self.row = row
        self._rest = load()
        self._loaded: list[T] = []

    def __iter__(self) -> Iterator[T]:
        position = 0
        while self._load(position + 1) > position:
            yield self._loaded[position]
            position += 1

    def __len__(self) -> int:
        return self._load(None)

    def __bool__(self) -> bool:
        return self._load(1) > 0

    @overload
    def __getitem__(self, position: int) -> T: ...
    @overload
    def __getitem__(self, position: slice) -> list[T]: ...
    def __getitem__(self, position: int | slice) -> T | list[T]:
        if isinstance(position, slice):
            is_open = position.stop is None or position.stop < 0 or (position.start or 0) < 0
            self._load(None if is_open else position.stop)
        else:
            self._load(None if position < 0 else position + 1)
        return self._loaded[position]

    @property
    def items(self) -> list[T]:
        """All of it as a list."""
        return list(self)

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self)

    def to_df(self) -> Any:
        """Return a pandas frame with a row for each."""
        import pandas as pd  # noqa: PLC0415 - optional

        return pd.DataFrame([self.row(one) for one in self])

    def to_rows(self) -> list[Row]:
        """Return a dict for each, as a table has it."""
        return [self.row(one) for one in self]

    def __repr__(self) -> str:
        shown = self[:_SHOWN]
        if not shown:
            return "(none)"
        from tabulate import tabulate  # noqa: PLC0415 - only where a table is looked at

        rows = [{key: _cell(value) for key, value in self.row(one).items()} for one in shown]
        table: str = tabulate(rows, headers="keys", disable_numparse=True)
        return f"{table}\n..." if self._load(_SHOWN + 1) > _SHOWN else table

    def _repr_html_(self) -> str:
        """Show a table in a notebook."""
        from html import escape  # noqa: PLC0415 - only in notebooks

        return f"<pre>{escape(repr(self))}</pre>"

    def _load(self, count: int | None) -> int:
        """Load so many, all when None; return how many are loaded."""
        missing = None if count is None else max(0, count - len(self._loaded))
        self._loaded += islice(self._rest, missing)
        return len(self._loaded)


def _cell(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
