"""Looking after the metadata in PostgreSQL."""

from collections.abc import Iterator

from flowkit.metastore.descriptions import description, schema_finding
from flowkit.metastore.migrations import check_writable, load_migrations
from flowkit.metastore.pgconnection import PostgresConnection, PostgresSession
from flowkit.metastore.postgres import migrate, stored_level
from flowkit.model.findings import Finding, MetadataDescription

_MAY_WRITE = """
SELECT bool_and(
    has_table_privilege(c.oid, 'SELECT')
    AND has_table_privilege(c.oid, 'INSERT')
    AND has_table_privilege(c.oid, 'UPDATE')
)
FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = (
    SELECT relnamespace FROM pg_class WHERE oid = to_regclass('schema_version')
)
"""
_IS_PRIVATE = (
    "SELECT ssl OR inet_server_addr() IS NULL FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
)
_ASYNCHRONOUS = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'async'"


class PostgresUpkeep:
    """The `MetadataUpkeep` of a PostgreSQL database.

    Args:
        url: As for `flowkit.metastore.postgres.open_writer`.
    """

    def __init__(self, url: str) -> None:
        self._connection = PostgresConnection(url, patience=0.0)

    def describe(self) -> MetadataDescription:
        """Return what is there; see `MetadataUpkeep.describe`."""

        def work(session: PostgresSession) -> MetadataDescription:
            database = f"PostgreSQL {_setting(session, 'server_version').split()[0]}"
            return description(session, database, stored_level(session))

        return self._connection.snapshot(work)

    def migrate(self) -> None:
        """Create the store or update its schema; see `MetadataUpkeep.migrate`."""
        level = self._connection.snapshot(stored_level)
        if level is not None:
            check_writable(level, self._connection.name)
        migrate(self._connection, load_migrations())

    def check(self) -> Iterator[Finding]:
        """Yield what a check of the store found; see `MetadataUpkeep.check`."""
        is_current = False
        for finding in self.look():
            is_current |= finding.subject == "schema" and finding.state == "ok"
            yield finding
        if is_current:
            yield self._connection.transaction(_writing)

    def look(self) -> Iterator[Finding]:
        """Yield what a look at the store found; see `MetadataUpkeep.look`."""
        yield schema_finding(self._connection.snapshot(stored_level))
        yield from self._connection.snapshot(lambda session: list(_settings(session)))

    def close(self) -> None:
        """Close the connection; see `MetadataUpkeep.close`."""
        self._connection.close()


def _settings(session: PostgresSession) -> Iterator[Finding]:
    if _setting(session, "fsync") == "off" or _setting(session, "full_page_writes") == "off":
        yield Finding(
            "durability",
            "the server has fsync or full_page_writes off: a power cut can destroy the database",
            "warning",
        )
    elif session.ask(_ASYNCHRONOUS):
        yield Finding(
            "durability",
            "there are asynchronous standbys: a failover to one can lose the last commits",
            "warning",
        )
    else:
        # Whatever the default of the server is: every commit of ours sets it.
        yield Finding("durability", "commits are synced (fsync, synchronous_commit)")
    if session.ask(_IS_PRIVATE):
        yield Finding("connection", "encrypted, or on this machine")
    else:
        advice = "add ?sslmode=verify-full to the URL"
        yield Finding("connection", f"not encrypted: {advice}", "warning")


def _writing(session: PostgresSession) -> Finding:
    if _setting(session, "transaction_read_only") == "on":
        return Finding("writing", "the database is read-only: is it a standby?", "error", 7)
    if not session.ask(_MAY_WRITE):
        return Finding("writing", "this user may not write all of the tables", "error", 7)
    session.execute("touch_store", {})
    return Finding("writing", "a transaction was committed and synced")


def _setting(session: PostgresSession, name: str) -> str:
    return str(session.ask(f"SELECT current_setting('{name}')"))
