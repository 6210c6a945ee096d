"""Metadata in PostgreSQL: one database for the drivers and readers of many hosts."""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from flowkit.exceptions import MetadataError
from flowkit.metastore.database import Params, Row, Session
from flowkit.metastore.hostlocks import HostLocks
from flowkit.metastore.migrations import (
    SCHEMA_VERSION,
    Level,
    Migration,
    check_readable,
    check_writable,
    load_migrations,
    read_level,
)
from flowkit.metastore.pgconnection import PostgresConnection, PostgresSession
from flowkit.metastore.reader import SqlReader
from flowkit.metastore.writer import SqlWriter

T = TypeVar("T")
PATIENCE = 15 * 60.0
"""Seconds that a driver waits for a server that went away; its tasks go on meanwhile."""


def open_writer(
    url: str, locks: str | os.PathLike[str], *, patience: float = PATIENCE
) -> SqlWriter:
    """Open a store for writing; create its tables in a database that has none.

    Args:
        url: ``postgresql://...`` with everything that libpq understands: TLS, several hosts,
            ``options=-csearch_path%3DNAME`` for another schema. The password may come from
            libpq's password file or environment instead.
        locks: A directory of this host for the lock files of the runs driven from here.
        patience: Seconds to wait for a server that went away in between.

    Raises:
        MetadataError: The server can't be reached or used; `SchemaTooNew` when a newer flowkit
            wrote the store.
        UsageError: The URL can't be read.
    """
    return SqlWriter(PostgresTransactions(url, patience=patience), HostLocks(Path(locks)))


def open_reader(url: str, locks: str | os.PathLike[str], *, patience: float = 0.0) -> SqlReader:
    """Open a store for reading; a database without tables reads as an empty store.

    Nothing is connected before the first call, so that is what raises.

    Args:
        url: As for `open_writer`.
        locks: Likewise; need not exist.
        patience: Seconds to wait for a server that went away; one reconnection is always tried.

    Raises:
        UsageError: The URL can't be read.
    """
    return SqlReader(PostgresSnapshots(url, patience=patience), HostLocks(Path(locks)))


def transactions(
    url: str, locks: str | os.PathLike[str]
) -> tuple["PostgresTransactions", HostLocks]:
    """Open a store for upkeep, as `open_writer` does, and return it with this host's locks."""
    return PostgresTransactions(url, patience=PATIENCE), HostLocks(Path(locks))


def snapshots(url: str, locks: str | os.PathLike[str]) -> tuple["PostgresSnapshots", HostLocks]:
    """Open a store for a look at it, as `open_reader` does, and return it with its locks."""
    return PostgresSnapshots(url, patience=0.0), HostLocks(Path(locks))


class PostgresTransactions:
    """A PostgreSQL database open for writing."""

    def __init__(self, url: str, *, patience: float) -> None:
        self._connection = PostgresConnection(url, patience=patience)
        try:
            prepare(self._connection)
        except BaseException:
            self._connection.close()
            raise

    def write(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` in one transaction."""

        def checked(session: PostgresSession) -> T:
            # Each time: a newer flowkit may have migrated the store since it was opened. This
            # also keeps migrations out until the transaction ends.
            check_writable(read_level(session), self._connection.name)
            return work(session)

        return self._connection.transaction(checked)

    def close(self) -> None:
        """Close the connection. May be repeated."""
        self._connection.close()


class PostgresSnapshots:
    """A PostgreSQL database open for reading; it may have no tables yet."""

    def __init__(self, url: str, *, patience: float) -> None:
        self._connection = PostgresConnection(url, patience=patience)
        self._has_tables = False

    def read(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` on one snapshot."""

        def checked(session: PostgresSession) -> T:
            self._has_tables = self._has_tables or session.has_schema()
            if not self._has_tables:
                return work(_NoTables())
            check_readable(read_level(session), self._connection.name)
            return work(session)

        return self._connection.snapshot(checked)

    def close(self) -> None:
        """Close the connection. May be repeated."""
        self._connection.close()


def prepare(connection: PostgresConnection) -> None:
    """Make sure that a store can be written: create its tables if there are none.

    Other than a file of one person, a database of a team is not migrated by whoever has the
    newest flowkit: that would lock out all others.
    """
    level = connection.transaction(partial(_level_to_write_at, name=connection.name))
    if level is None:
        migrate(connection, load_migrations())
        return
    check_writable(level, connection.name)
    if level.version < SCHEMA_VERSION:
        raise MetadataError(
            f"{connection.name} was written by an older flowkit: once everyone who uses it has "
            "updated, run 'flowkit store migrate'"
        )


def _level_to_write_at(session: PostgresSession, name: str) -> Level | None:
    # During a run a standby is a server that will be promoted soon; at the start it is a mistake.
    if session.ask("SELECT current_setting('transaction_read_only')") == "on":
        raise MetadataError(f"the metadata database {name} is read-only: is it a standby?")
    return stored_level(session)


def stored_level(session: PostgresSession) -> Level | None:
    """Return the level of a database, None when it has no store."""
    return read_level(session) if session.has_schema() else None


def migrate(connection: PostgresConnection, migrations: Sequence[Migration]) -> None:
    """Bring a store up to date: one transaction per migration, done by whoever comes first.

    A new store is made in one transaction: others would take the first versions for an old one.
    """
    connection.transaction(partial(_create, migrations=migrations))
    for migration in migrations:
        connection.transaction(partial(_apply, migration=migration))


def _create(session: PostgresSession, migrations: Sequence[Migration]) -> None:
    session.lock_schema()
    if not session.has_schema():
        for migration in migrations:
            session.run_script(migration.statements)


def _apply(session: PostgresSession, migration: Migration) -> None:
    session.lock_schema()
    level = stored_level(session)
    if level is None or level.version < migration.version:
        session.run_script(migration.statements)


class _NoTables:
    """The session of a database without tables: whatever is asked for, there is nothing."""

    def execute(self, name: str, params: Params) -> int:  # noqa: ARG002 - as `Session` has it
        """Change no row."""
        return 0

    def execute_many(self, name: str, rows: Iterable[Params]) -> None:
        """Change no row."""

    def query(self, name: str, params: Params) -> Sequence[Row]:  # noqa: ARG002 - likewise
        """Return no row."""
        return []

    def now(self) -> int:
        """Return a time; there is nothing to compare it with."""
        return 0
