"""Metadata in a SQLite file: opening it for writing, and for reading under any circumstances."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TypeVar

from flowkit.exceptions import MetadataError
from flowkit.metastore.connection import (
    BUSY_TIMEOUT,
    Clock,
    SqliteConnection,
    SqliteSession,
    is_unopenable,
    utc_now,
)
from flowkit.metastore.creation import create_file, migrate, prepare, stored_level
from flowkit.metastore.database import Session
from flowkit.metastore.lease import LockDirectory
from flowkit.metastore.migrations import check_readable, check_writable, load_migrations
from flowkit.metastore.reader import SqlReader
from flowkit.metastore.writer import SqlWriter

T = TypeVar("T")
_OLDEST_SQLITE = (3, 35)


def open_writer(
    path: str | os.PathLike[str], *, busy_timeout: float = BUSY_TIMEOUT, clock: Clock = utc_now
) -> SqlWriter:
    """Open a store for writing; create it, with its directory, when it is missing.

    Files are readable by their owner only. Lock files lie in ``locks/`` beside the database.

    Args:
        path: The database file.
        busy_timeout: Seconds to wait for another writer, each of three times.
        clock: The time in UTC microseconds.

    Raises:
        MetadataError: The store can't be opened; `SchemaTooNew` when a newer flowkit wrote it.
        IntegrityError: The file is no SQLite database, or a damaged one.
    """
    path = Path(path).absolute()
    transactions = SqliteTransactions(path, busy_timeout=busy_timeout, clock=clock)
    return SqlWriter(transactions, LockDirectory(path.parent / "locks"))


def open_reader(
    path: str | os.PathLike[str], *, busy_timeout: float = BUSY_TIMEOUT, clock: Clock = utc_now
) -> SqlReader:
    """Open a store for reading; a missing store reads as an empty one and is not created.

    Nothing is opened before the first call, so that is what raises.

    Args:
        path: The database file; its directory may be read-only.
        busy_timeout: Seconds to wait while another process recovers the database.
        clock: The time in UTC microseconds.
    """
    path = Path(path).absolute()
    snapshots = SqliteSnapshots(path, busy_timeout=busy_timeout, clock=clock)
    return SqlReader(snapshots, LockDirectory(path.parent / "locks"))


def transactions(
    path: str | os.PathLike[str], *, busy_timeout: float = BUSY_TIMEOUT, clock: Clock = utc_now
) -> tuple["SqliteTransactions", LockDirectory]:
    """Open a store for upkeep, as `open_writer` does, and return it with its lock files."""
    path = Path(path).absolute()
    opened = SqliteTransactions(path, busy_timeout=busy_timeout, clock=clock)
    return opened, LockDirectory(path.parent / "locks")


def snapshots(
    path: str | os.PathLike[str], *, busy_timeout: float = BUSY_TIMEOUT, clock: Clock = utc_now
) -> tuple["SqliteSnapshots", LockDirectory]:
    """Open a store for a look at it, as `open_reader` does, and return it with its lock files."""
    path = Path(path).absolute()
    opened = SqliteSnapshots(path, busy_timeout=busy_timeout, clock=clock)
    return opened, LockDirectory(path.parent / "locks")


class SqliteTransactions:
    """A SQLite file open for writing: write-ahead log, each commit synced, writers queue up."""

    def __init__(self, path: Path, *, busy_timeout: float, clock: Clock) -> None:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise MetadataError(f"SQLite {sqlite3.sqlite_version} is too old: flowkit needs 3.35")
        self._path = path
        create_file(path)
        self._connection = SqliteConnection(
            path, address_of(path, "mode=rw"), busy_timeout=busy_timeout, clock=clock
        )
        try:
            prepare(self._connection, path, busy_timeout)
        except BaseException:
            self._connection.close()
            raise

    def write(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` in one transaction."""

        def checked(session: SqliteSession) -> T:
            # Each time: a newer flowkit may have migrated the store since it was opened.
            _check_writable(session, self._path)
            return work(session)

        return self._connection.transaction(checked)

    def close(self) -> None:
        """Close the connection. May be repeated."""
        self._connection.close()


class SqliteSnapshots:
    """A SQLite file open for reading; the file may be missing, its directory read-only."""

    def __init__(self, path: Path, *, busy_timeout: float, clock: Clock) -> None:
        self._path = path
        self._busy_timeout = busy_timeout
        self._clock = clock
        self._opening = Lock()
        self._kept: SqliteConnection | None = None

    def read(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` on one snapshot."""

        def checked(session: SqliteSession) -> T:
            level = stored_level(session, self._path)
            if level is not None:
                check_readable(level, str(self._path))
            return work(session)

        with self._opening:
            connection = self._kept or self._open()
        try:
            return connection.snapshot(checked)
        finally:
            if connection is not self._kept:
                connection.close()

    def close(self) -> None:
        """Close the connection. May be repeated."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _open(self) -> SqliteConnection:
        """Return a connection; kept is only one that sees what others write from now on."""
        if _size(self._path) == 0:
            return self._empty()
        # Not mode=ro: such a connection would leave -wal and -shm files behind.
        connection = self._connect(address_of(self._path, "mode=rw"))
        try:
            connection.pragma("query_only = ON")
            level = connection.snapshot(lambda session: stored_level(session, self._path))
        except BaseException as error:
            connection.close()
            if is_unopenable(error.__cause__):
                return self._immutable()
            raise
        if level is None:
            connection.close()
            return self._empty()
        self._kept = connection
        return connection

    def _empty(self) -> SqliteConnection:
        connection = self._connect("file::memory:")
        migrate(connection, self._path, load_migrations())
        return connection

    def _immutable(self) -> SqliteConnection:
        """Return a connection to a file beside which SQLite can't put its own files."""
        if _size(self._path.with_name(self._path.name + "-wal")) > 0:
            raise MetadataError(
                f"can't read the metadata database {self._path}: it was not closed, and its "
                "directory is read-only; copy the directory to where it can be written"
            )
        return self._connect(address_of(self._path, "immutable=1"))

    def _connect(self, uri: str) -> SqliteConnection:
        return SqliteConnection(self._path, uri, busy_timeout=self._busy_timeout, clock=self._clock)


def _check_writable(session: SqliteSession, path: Path) -> None:
    level = stored_level(session, path)
    if level is None:
        raise MetadataError(f"the metadata database {path} was emptied while it was in use")
    check_writable(level, str(path))


def _size(path: Path) -> int:
    """Return a file's size, 0 when there is none."""
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        raise MetadataError(f"can't read {path}: {error.strerror}") from error


def address_of(path: Path, query: str) -> str:
    """Return the URI of a database file for SQLite."""
    text = str(path)
    for character in "%?#":
        text = text.replace(character, f"%{ord(character):02x}")
    return f"file:{text}?{query}"
