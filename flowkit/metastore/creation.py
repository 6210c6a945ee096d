"""Bringing a SQLite file into being and up to date."""

import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from flowkit import access
from flowkit.exceptions import MetadataError
from flowkit.metastore.connection import SqliteConnection, SqliteSession, is_busy
from flowkit.metastore.migrations import (
    SCHEMA_VERSION,
    Level,
    Migration,
    check_writable,
    load_migrations,
    read_level,
)


def create_file(path: Path) -> None:
    """Create the database file for whom its directory is: SQLite's other files get its mode.

    An existing file is not touched: closing it would drop the locks of other connections of
    this process, and with them commits that were acknowledged.
    """
    try:
        if not path.parent.is_dir():
            for made in access.make_directories(str(path.parent)):
                _sync_directory(Path(made).parent)
        os.close(access.create_file(str(path)))
        _sync_directory(path.parent)
    except FileExistsError:
        return
    except OSError as error:
        raise MetadataError(
            f"can't create the metadata database {path}: {error.strerror}"
        ) from error


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def prepare(connection: SqliteConnection, path: Path, timeout: float) -> None:
    """Make a connection fit for writing, and its store up to date."""
    # First of all: nothing may be changed in a file that is not ours to write.
    level = connection.snapshot(lambda session: stored_level(session, path))
    if level is not None:
        check_writable(level, str(path))
    _use_write_ahead_log(connection, path, timeout)
    connection.pragma("synchronous = FULL")
    connection.pragma("foreign_keys = ON")
    if level is None or level.version < SCHEMA_VERSION:
        connection.transaction(lambda session: keep_copy(session, path))
        migrate(connection, path, load_migrations())


def stored_level(session: SqliteSession, path: Path) -> Level | None:
    """Return the level of a database, None when it is empty.

    Raises:
        MetadataError: The database belongs to another program.
    """
    tables = session.tables()
    if not tables:
        return None
    if "schema_version" not in tables:
        raise MetadataError(f"the SQLite database {path} is not a metadata store of flowkit")
    return read_level(session)


def migrate(connection: SqliteConnection, path: Path, migrations: Sequence[Migration]) -> None:
    """Bring a store up to date: one transaction per migration, done by whoever comes first.

    A new store is made in one transaction: others would take the first versions for an old one.
    """
    connection.transaction(partial(_create, path=path, migrations=migrations))
    for migration in migrations:
        connection.transaction(partial(_apply, path=path, migration=migration))


def _create(session: SqliteSession, path: Path, migrations: Sequence[Migration]) -> None:
    if stored_level(session, path) is None:
        for migration in migrations:
            session.run_script(migration.statements)


def _apply(session: SqliteSession, path: Path, migration: Migration) -> None:
    level = stored_level(session, path)
    if level is None or level.version < migration.version:
        session.run_script(migration.statements)


def keep_copy(session: SqliteSession, path: Path) -> None:
    """Leave the database as it is beside the one that is about to be migrated.

    Args:
        session: A write transaction that has changed nothing yet: it keeps other writers out.
        path: The database file; the copy has the version of its schema as a suffix.
    """
    level = stored_level(session, path)
    if level is None or level.version >= SCHEMA_VERSION:
        return
    copy = path.with_name(f"{path.name}.schema{level.version}")
    unfinished = copy.with_name(f"{copy.name}.tmp")
    try:
        # Somebody who was killed may have left it behind.
        unfinished.unlink(missing_ok=True)
        create_file(unfinished)
        # Over a connection of its own: SQLite copies nothing for one that is about to write.
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as sink:
            source.backup(sink)
        unfinished.replace(copy)
        _sync_directory(copy.parent)
    except OSError as error:
        raise MetadataError(f"can't keep a copy of {path}: {error.strerror}") from error


def _use_write_ahead_log(connection: SqliteConnection, path: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    mode: object = None
    while mode is None:
        try:
            mode = connection.pragma("journal_mode = WAL")
        except MetadataError as error:
            if not is_busy(error.__cause__) or time.monotonic() > deadline:
                raise
            # This pragma does not wait for others that create the store too; a write does.
            connection.transaction(lambda _: None)
    if mode != "wal":
        raise MetadataError(
            f"can't use the metadata database {path}: its file system has no shared memory; "
            "put it on a local disk"
        )
