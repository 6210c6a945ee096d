"""One PostgreSQL connection: its transactions, made again when it is lost or they collide."""

import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Event, Lock
from typing import Any, TypeVar

import psycopg
from psycopg import conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from flowkit.exceptions import InternalError, UsageError
from flowkit.metastore.database import Params, Row
from flowkit.metastore.location import without_password
from flowkit.metastore.pgerrors import Patience, is_outage, translation
from flowkit.metastore.placeholders import with_placeholders
from flowkit.metastore.statements import bind, load_statements, storable
from flowkit.ports.metadata import AUDITED

T = TypeVar("T")

_DEFAULTS: Mapping[str, str] = {
    "fallback_application_name": "flowkit",
    "client_encoding": "utf8",
    "connect_timeout": "10",
    # A server that vanished without a word is noticed within half a minute.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""What a URL can override."""

# Everything of a session is set for one transaction at a time, which also works through a pool
# of connections. A driver that stands still in a transaction loses it, so that it blocks nobody.
_CLOCK = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now"
_TIMEOUTS = "SET LOCAL lock_timeout = '30s'; SET LOCAL idle_in_transaction_session_timeout = '30s'"
_SYNCHRONOUS = (
    "SELECT set_config('synchronous_commit', 'on', true) "
    "WHERE current_setting('synchronous_commit') <> 'remote_apply'"
)
_BEGIN = f"BEGIN ISOLATION LEVEL READ COMMITTED; {_TIMEOUTS}; {_SYNCHRONOUS}; {_CLOCK}"
_BEGIN_SNAPSHOT = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_TIMEOUTS}; {_CLOCK}"
# Not to_regclass, which answers from a cache that may be older than a lock just waited for.
_HAS_SCHEMA = (
    "SELECT count(*) FROM pg_class WHERE relname = 'schema_version' AND pg_table_is_visible(oid)"
)
_MIGRATIONS_LOCK = int.from_bytes(b"flowkit", "big")


class PostgresSession:
    """One open transaction of a PostgreSQL connection."""

    def __init__(
        self, connection: psycopg.Connection[DictRow], statements: Mapping[str, str], now: int
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._now = now

    def execute(self, name: str, params: Params) -> int:
        """Run one statement and return how many rows it changed."""
        return self._run(*bind(self._statements[name], params)).rowcount

    def execute_many(self, name: str, rows: Iterable[Params]) -> None:
        """Run one statement once per row."""
        bound = [{key: storable(value) for key, value in row.items()} for row in rows]
        if bound:
            statement = with_placeholders(self._statements[name])
            self._connection.cursor().executemany(_trusted(statement), bound)

    def query(self, name: str, params: Params) -> Sequence[Row]:
        """Run one statement and return its rows."""
        return self._run(*bind(self._statements[name], params)).fetchall()

    def now(self) -> int:
        """Return the time by the server's clock, as it was when the transaction began."""
        return self._now

    def ask(self, statement: str) -> Any:
        """Run a statement of this database only and return the value that it gives."""
        row = self._run(statement, {}).fetchone()
        return None if row is None else next(iter(row.values()))

    def has_schema(self) -> bool:
        """Whether the database has the table of schema versions, of whatever program."""
        return bool(self.ask(_HAS_SCHEMA))

    def lock_schema(self) -> None:
        """Keep out others that migrate, and everyone whose transaction looked at the level."""
        self.ask(f"SELECT pg_advisory_xact_lock({_MIGRATIONS_LOCK})")
        if self.has_schema():
            self._run("LOCK TABLE schema_version IN ACCESS EXCLUSIVE MODE", {})

    def run_script(self, statements: Sequence[str]) -> None:
        """Run the statements of a migration."""
        facts = {"uuid": os.urandom(16).hex(), "now": self.now()}
        for statement in statements:
            self._run(statement, facts)

    def _run(self, statement: str, values: Mapping[str, object]) -> psycopg.Cursor[DictRow]:
        return self._connection.execute(_trusted(with_placeholders(statement)), values)


class PostgresConnection:
    """A connection that runs one transaction at a time, only in the process that opened it.

    Args:
        url: Where the database is; everything that libpq understands.
        patience: Seconds to wait for a server that was there before and can't be used any more.

    Raises:
        UsageError: The URL can't be read.
    """

    def __init__(self, url: str, *, patience: float) -> None:
        self._parameters = connection_parameters(url)
        self.name = without_password(url)
        self._patience = patience
        self._pid = os.getpid()
        self._one_at_a_time = Lock()
        self._pause = Event()
        self._statements = load_statements()
        self._connection: psycopg.Connection[DictRow] | None = None
        self._was_connected = False
        self._is_open = True

    def snapshot(self, work: Callable[[PostgresSession], T]) -> T:
        """Run ``work`` in one read transaction; it may be run again."""
        return self._repeatedly(_BEGIN_SNAPSHOT, work)

    def transaction(self, work: Callable[[PostgresSession], T]) -> T:
        """Run ``work`` in one write transaction; when it raises, nothing is written.

        It is run again when the transaction collided with another one, and when the connection
        was lost. If that happened during the commit, the earlier try may have been committed:
        ``work`` must be such that repeating it changes nothing.
        """
        return self._repeatedly(_BEGIN, work)

    def close(self) -> None:
        """Close the connection; in a process that inherited it, leave it alone."""
        if not self._is_open or os.getpid() != self._pid:
            return
        with self._one_at_a_time:
            self._is_open = False
            self._disconnect()

    def _repeatedly(self, begin: str, work: Callable[[PostgresSession], T]) -> T:
        if os.getpid() != self._pid:
            raise InternalError(f"the connection to {self.name} belongs to another process")
        if not self._is_open:
            raise InternalError(f"the connection to {self.name} is closed")
        sys.audit(AUDITED)  # steps with caching are watched for this
        patience = Patience(self._patience)
        with self._one_at_a_time:
            while True:
                try:
                    return self._once(begin, work)
                except psycopg.Error as error:
                    if is_outage(error):
                        self._disconnect()
                    seconds = patience.after(error)
                    # Whoever has never been connected is told at once: the URL may be wrong.
                    if seconds is None or not self._was_connected:
                        raise translation(error, self.name) from error
                left = patience.news()
                if left is not None:
                    text = "the metadata database %s does not answer; giving up in %.0f s"
                    logging.getLogger("flowkit.metadata").warning(text, self.name, left)
                self._pause.wait(seconds)

    def _once(self, begin: str, work: Callable[[PostgresSession], T]) -> T:
        connection = self._connection = self._connection or self._connect()
        try:
            result = work(PostgresSession(connection, self._statements, _begun(connection, begin)))
            _commit(connection)
        except BaseException:
            self._roll_back(connection)
            raise
        return result

    def _connect(self) -> psycopg.Connection[DictRow]:
        connection = psycopg.Connection[DictRow].connect(
            conninfo.make_conninfo("", **self._parameters),
            autocommit=True,
            # A pooled session may be another one the next time.
            prepare_threshold=None,
            row_factory=dict_row,
        )
        self._was_connected = True
        return connection

    def _roll_back(self, connection: psycopg.Connection[DictRow]) -> None:
        """Leave the transaction; a connection that can't do that is given up."""
        try:
            if connection.info.transaction_status is not TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
        except psycopg.Error:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def connection_parameters(url: str) -> dict[str, str]:
    """Return the connection parameters that a URL stands for.

    Raises:
        UsageError: The URL can't be read; the message has nothing of it.
    """
    advice = (
        "write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE, special "
        "characters as %XX ('@' as %40, '/' as %2F, '%' as %25)"
    )
    before, _, after = url.partition("@")
    # A second @, or one behind the host, is part of a password: libpq would take it for a host.
    if "@" in after or (after and "/" in before.partition("://")[2]):
        raise UsageError(f"the URL of the metadata database has an '@' in an odd place: {advice}")
    try:
        given = conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        raise UsageError(f"the URL of the metadata database can't be read: {advice}") from None
    return {**_DEFAULTS, **{key: str(value) for key, value in given.items() if value is not None}}


def _begun(connection: psycopg.Connection[DictRow], begin: str) -> int:
    """Begin a transaction, in one round trip, and return the time by the server's clock."""
    cursor = connection.execute(_trusted(begin))
    while cursor.nextset():
        pass
    row = cursor.fetchone()
    return 0 if row is None else int(row["now"])


def _commit(connection: psycopg.Connection[DictRow]) -> None:
    # The server answers ROLLBACK, and no error, when a statement had failed.
    if connection.execute("COMMIT").statusmessage != "COMMIT":
        raise InternalError("a transaction went on after one of its statements had failed")


def _trusted(statement: str) -> Any:
    """Return a statement for psycopg, which takes no text that was made at run time.

    These are ours: texts of files and of this module, in which only parameters vary.
    """
    return statement.encode()
