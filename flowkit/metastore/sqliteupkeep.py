"""Looking after the metadata in a SQLite file."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from flowkit.metastore.connection import BUSY_TIMEOUT, SqliteConnection, SqliteSession, utc_now
from flowkit.metastore.creation import stored_level
from flowkit.metastore.descriptions import description, schema_finding
from flowkit.metastore.sqlite import address_of, open_writer
from flowkit.model.findings import Finding, MetadataDescription

_DATABASE = f"SQLite {sqlite3.sqlite_version}"


class SqliteUpkeep:
    """The `MetadataUpkeep` of a SQLite file."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path).absolute()
        self._connection: SqliteConnection | None = None

    def describe(self) -> MetadataDescription:
        """Return what is there; see `MetadataUpkeep.describe`."""
        if not self._path.exists():
            return MetadataDescription(_DATABASE, 0, 0)
        return self._connected().snapshot(
            lambda session: description(session, _DATABASE, stored_level(session, self._path))
        )

    def migrate(self) -> None:
        """Create the store or update its schema; see `MetadataUpkeep.migrate`."""
        self.close()
        open_writer(self._path).close()

    def check(self) -> Iterator[Finding]:
        """Yield what a check of the store found; see `MetadataUpkeep.check`."""
        is_current = False
        for finding in self.look():
            is_current |= finding.subject == "schema" and finding.state == "ok"
            yield finding
        if is_current:
            connection = self._connected()
            connection.pragma("synchronous = FULL")
            connection.transaction(lambda session: session.execute("touch_store", {}))
            yield Finding("writing", "a transaction was committed and synced")

    def look(self) -> Iterator[Finding]:
        """Yield what a look at the store found; see `MetadataUpkeep.look`."""
        if not self._path.exists():
            yield schema_finding(None)
            return
        connection = self._connected()
        level = connection.snapshot(lambda session: stored_level(session, self._path))
        yield schema_finding(level)
        yield connection.snapshot(_content)
        yield _log_mode(str(connection.pragma("journal_mode")))
        yield _mode(stat.S_IMODE(self._path.stat().st_mode))

    def close(self) -> None:
        """Close the connection; see `MetadataUpkeep.close`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> SqliteConnection:
        if self._connection is None:
            uri = address_of(self._path, "mode=rw")
            self._connection = SqliteConnection(
                self._path, uri, busy_timeout=BUSY_TIMEOUT, clock=utc_now
            )
        return self._connection


def _content(session: SqliteSession) -> Finding:
    verdict = session.ask("PRAGMA quick_check")
    if verdict != "ok":
        return Finding("content", f"the file is damaged: {verdict}", "error", exit_code=5)
    if session.ask("PRAGMA foreign_key_check") is not None:
        return Finding("content", "rows refer to rows that are missing", "error", exit_code=5)
    return Finding("content", "pages, indexes and references are sound")


def _log_mode(mode: str) -> Finding:
    if mode == "wal":
        return Finding("journal", "write-ahead log")
    return Finding("journal", f"mode is {mode}; the next run sets the write-ahead log", "warning")


def _mode(mode: int) -> Finding:
    if mode & 0o007:
        return Finding("file", f"everybody can read it (mode {mode:o}): chmod o= it", "warning")
    return Finding("file", f"mode {mode:o}")
