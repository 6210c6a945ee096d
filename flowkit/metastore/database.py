"""What the writer and the reader need of a database: transactions made of named statements."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Params = Mapping[str, object]


class Row(Protocol):
    """One row of a result, by column name."""

    def __getitem__(self, column: str, /) -> Any:
        """Return the value of one column."""


class Session(Protocol):
    """One open transaction; statements are those of ``statements.sql``, by name."""

    def execute(self, name: str, params: Params) -> int:
        """Run one statement and return how many rows it changed."""

    def execute_many(self, name: str, rows: Iterable[Params]) -> None:
        """Run one statement once per row."""

    def query(self, name: str, params: Params) -> Sequence[Row]:
        """Run one statement and return its rows."""

    def now(self) -> int:
        """Return the time by the database's clock, in UTC microseconds."""


class Snapshots(Protocol):
    """A database to read from."""

    def read(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` on one snapshot and return what it returns; it may be run again."""

    def close(self) -> None:
        """Close the connection. May be repeated."""


class Transactions(Protocol):
    """A database to write to."""

    def write(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` in one transaction, durable when this returns; it may be run again.

        When ``work`` raises, nothing was written.
        """

    def close(self) -> None:
        """Close the connection. May be repeated."""
