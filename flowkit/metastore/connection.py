"""One SQLite connection: its transactions, its errors, and the process it belongs to."""

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from flowkit.exceptions import FlowkitError, IntegrityError, InternalError, MetadataError
from flowkit.metastore.database import Params, Row
from flowkit.metastore.statements import bind, load_statements, storable
from flowkit.ports.metadata import AUDITED

T = TypeVar("T")
Clock = Callable[[], int]

BUSY_TIMEOUT = 30.0
"""Seconds to wait for another writer, each time."""
_BUSY_TRIES = 3


def utc_now() -> int:
    """Return the time in UTC microseconds: SQLite's clock is that of the host."""
    return time.time_ns() // 1000


class SqliteSession:
    """One open transaction of a SQLite connection."""

    def __init__(
        self, connection: sqlite3.Connection, statements: Mapping[str, str], clock: Clock
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._clock = clock

    def execute(self, name: str, params: Params) -> int:
        """Run one statement and return how many rows it changed."""
        return self._connection.execute(*bind(self._statements[name], params)).rowcount

    def execute_many(self, name: str, rows: Iterable[Params]) -> None:
        """Run one statement once per row."""
        bound = ({key: storable(value) for key, value in row.items()} for row in rows)
        self._connection.executemany(self._statements[name], bound)

    def query(self, name: str, params: Params) -> Sequence[Row]:
        """Run one statement and return its rows."""
        return self._connection.execute(*bind(self._statements[name], params)).fetchall()

    def now(self) -> int:
        """Return the time by the host's clock."""
        return self._clock()

    def tables(self) -> frozenset[str]:
        """Return the names of everything that the database has."""
        return frozenset(
            row[0] for row in self._connection.execute("SELECT name FROM sqlite_master")
        )

    def ask(self, statement: str) -> Any:
        """Run a statement of this database only and return the first value that it gives."""
        row = self._connection.execute(statement).fetchone()
        return None if row is None else row[0]

    def run_script(self, statements: Sequence[str]) -> None:
        """Run the statements of a migration."""
        facts = {"uuid": os.urandom(16).hex(), "now": self.now()}
        for statement in statements:
            self._connection.execute(statement, facts)


class SqliteConnection:
    """A connection that runs one transaction at a time, only in the process that opened it."""

    def __init__(self, path: Path, uri: str, *, busy_timeout: float, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._pid = os.getpid()
        self._one_at_a_time = Lock()
        self._statements = load_statements()
        with translated(path):
            # Threads take turns by the lock above, not by SQLite's own check.
            self._connection = sqlite3.connect(
                uri,
                uri=True,
                timeout=busy_timeout,
                isolation_level=None,
                check_same_thread=False,
            )
        self._connection.row_factory = sqlite3.Row
        self._is_open = True

    def pragma(self, text: str) -> object:
        """Run a pragma outside any transaction and return its first value."""
        with translated(self._path):
            row = self._connection.execute(f"PRAGMA {text}").fetchone()
        return None if row is None else row[0]

    def snapshot(self, work: Callable[[SqliteSession], T]) -> T:
        """Run ``work`` in one read transaction."""
        return self._transaction("BEGIN", work)

    def transaction(self, work: Callable[[SqliteSession], T]) -> T:
        """Run ``work`` in one write transaction; when it raises, nothing is written."""
        return self._transaction("BEGIN IMMEDIATE", work)

    def close(self) -> None:
        """Close the connection; in a process that inherited it, leave it alone."""
        if not self._is_open or os.getpid() != self._pid:
            return
        with self._one_at_a_time:
            self._is_open = False
            self._connection.close()

    def _transaction(self, begin: str, work: Callable[[SqliteSession], T]) -> T:
        # SQLite loses commits, silently, when a connection is used on both sides of a fork.
        if os.getpid() != self._pid:
            raise InternalError(f"the connection to {self._path} belongs to another process")
        if not self._is_open:
            raise InternalError(f"the connection to {self._path} is closed")
        sys.audit(AUDITED)  # steps with caching are watched for this
        with self._one_at_a_time, translated(self._path):
            try:
                _begin(self._connection, begin)
                result = work(SqliteSession(self._connection, self._statements, self._clock))
                self._connection.execute("COMMIT")
            except BaseException:
                # After some errors SQLite has already rolled back by itself.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        return result


def _begin(connection: sqlite3.Connection, statement: str) -> None:
    """Begin a transaction; another writer is waited for up to three times the busy timeout."""
    for tries_left in reversed(range(_BUSY_TRIES)):
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if not is_busy(error) or not tries_left:
                raise
        else:
            return


def is_busy(error: BaseException | None) -> bool:
    """Whether SQLite gave up waiting for another connection."""
    return _primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_unopenable(error: BaseException | None) -> bool:
    """Whether SQLite could not open, or not create, a file that it needs."""
    return _primary_code(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translation(error, path) from error


def _translation(error: sqlite3.Error, path: Path) -> FlowkitError:
    code = _primary_code(error)
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return IntegrityError(
            f"the metadata database {path} is damaged ({error}): restore it from a backup"
        )
    if code in (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISUSE):
        return InternalError(f"the metadata database {path} refused a statement: {error}")
    if is_busy(error):
        return MetadataError(
            f"the metadata database {path} has been locked too long by another process"
        )
    reason = {
        sqlite3.SQLITE_FULL: "the disk is full",
        sqlite3.SQLITE_READONLY: "it is read-only",
        sqlite3.SQLITE_CANTOPEN: "it can't be opened",
        sqlite3.SQLITE_PERM: "access is denied",
    }.get(code, str(error))
    return MetadataError(f"can't use the metadata database {path}: {reason}")


def _primary_code(error: BaseException | None) -> int:
    # The low byte of an extended code; errors of the Python module itself have none.
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF
