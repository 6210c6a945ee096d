"""Migrations, in both databases: every way leads to the same schema, killed or not."""

import os
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest

from flowkit.metastore import creation, postgres, sqlite
from flowkit.metastore.connection import SqliteConnection, utc_now
from flowkit.metastore.migrations import SCHEMA_VERSION, load_migrations
from flowkit.metastore.pgconnection import PostgresConnection

# The watchdog of faulthandler is a thread, but one that a forked child does without.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
NEXT = (
    "-- The future: changes a table, moves what is in it, makes another.\n"
    "ALTER TABLE run ADD COLUMN extra TEXT;\n"
    "UPDATE run SET extra = 'x';\n"
    "CREATE TABLE more (key INTEGER PRIMARY KEY, note TEXT NOT NULL DEFAULT ':no 100%');\n"
    f"INSERT INTO schema_version VALUES ({SCHEMA_VERSION + 1}, 1, {SCHEMA_VERSION + 1}, '9.0');\n"
)
# What a program of the first version wrote.
A_RUN = (
    "INSERT INTO flow VALUES ('Train', 1, 1)",
    "UPDATE store SET runs = 1",
    (
        "INSERT INTO run (key, flow, run_id, token, status, user_name, root, created_at, info,"
        " host, boot_id, pid, pid_start, epoch, heartbeat) VALUES (1, 'Train', '1', 't', 'running',"
        " 'ada', 'd', 1, '{}', 'h', 'b', 1, 's', 1, 1)"
    ),
    (
        "INSERT INTO task (run, task_id, step, created_at, frames, iteration, inputs)"
        " VALUES (1, 1, 'start', 1, '[]', 0, '[]')"
    ),
    (
        "INSERT INTO attempt (run, task_id, attempt, status, started_at, log_start, log_end)"
        " VALUES (1, 1, 0, 'running', 1, 0, 0)"
    ),
    "INSERT INTO artifact VALUES (1, 1, 0, 0, 'x', 'd', 'pickle', 'int', 5, 1)",
)


def insert_run(session):
    session.run_script(A_RUN)


@dataclass
class Sqlite:
    """A SQLite file."""

    path: Path

    def connect(self):
        return SqliteConnection(self.path, str(self.path), busy_timeout=1, clock=utc_now)

    def migrate(self, connection, migrations):
        creation.migrate(connection, self.path, migrations)

    def open_writer(self):
        return sqlite.open_writer(self.path)

    def ask(self, statement):
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(statement).fetchall()

    def structure(self):
        return sorted(self.ask("SELECT type, name, tbl_name, sql FROM sqlite_master"))

    def tables(self):
        return {row[0] for row in self.ask("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def wipe(self):
        for name in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + name).unlink(missing_ok=True)


@dataclass
class Postgres:
    """A schema of a PostgreSQL database."""

    url: str
    path: Path

    def connect(self):
        return PostgresConnection(self.url, patience=0)

    def migrate(self, connection, migrations):
        postgres.migrate(connection, migrations)

    def open_writer(self):
        return postgres.open_writer(self.url, self.path)

    def ask(self, statement):
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement.encode()).fetchall()

    def structure(self):
        columns = (
            "SELECT table_name, ordinal_position, column_name, data_type, is_nullable, "
            "column_default FROM information_schema.columns WHERE table_schema = current_schema()"
        )
        rules = (
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) "
            "FROM pg_constraint WHERE connamespace = current_schema()::regnamespace"
        )
        indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
        views = "SELECT viewname, definition FROM pg_views WHERE schemaname = current_schema()"
        return [sorted(self.ask(each)) for each in (columns, rules, indexes, views)]

    def tables(self):
        found = self.ask("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        return {row[0] for row in found}

    def wipe(self):
        with psycopg.connect(self.url) as connection:
            ((schema,),) = connection.execute("SELECT current_schema()").fetchall()
            connection.execute("SET client_min_messages = warning")
            connection.execute(f"DROP SCHEMA {schema} CASCADE".encode())
            connection.execute(f"CREATE SCHEMA {schema}".encode())


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request, tmp_path):
    if request.param == "sqlite":
        return Sqlite(tmp_path / "metadata.db")
    return Postgres(request.getfixturevalue("postgres_url"), tmp_path)


@pytest.fixture
def migrations(tmp_path):
    """All of ours, and one more."""
    future = tmp_path / "future"
    future.mkdir()
    (future / f"{SCHEMA_VERSION + 1:04}_more.sql").write_text(NEXT)
    return [*load_migrations(), *load_migrations(future)]


def versions(database):
    return [row[0] for row in database.ask("SELECT version FROM schema_version ORDER BY version")]


@pytest.mark.parametrize("old", range(1, SCHEMA_VERSION + 1))
def test_a_store_of_any_earlier_version_becomes_what_a_new_one_is_and_keeps_its_runs(
    database, migrations, old
):
    with closing(database.connect()) as connection:
        database.migrate(connection, migrations)
    new = database.structure()
    database.wipe()

    with closing(database.connect()) as connection:
        database.migrate(connection, migrations[:old])
        connection.transaction(insert_run)
        at_first = versions(database)
        for last in range(old, len(migrations) + 1):
            database.migrate(connection, migrations[:last])
        after = versions(database)
        database.migrate(connection, migrations)

    assert at_first == list(range(1, old + 1))
    assert after == versions(database) == list(range(1, len(migrations) + 1))
    assert database.structure() == new
    assert database.ask("SELECT flow, run_id, extra FROM run") == [("Train", "1", "x")]


def killed_at(fatal, action):
    """Run an action in a forked child that kills itself before its n-th SQL statement."""
    pid = os.fork()
    if pid == 0:
        try:
            _kill_at(fatal)
            action()
            os._exit(0)
        except BaseException:  # noqa: BLE001 - the child must not return into pytest
            os._exit(99)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def _kill_at(fatal):
    statements = count(1)

    def step(*_):
        if next(statements) == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    connect, execute = sqlite3.connect, psycopg.Connection.execute

    def traced(*args, **options):
        opened = connect(*args, **options)
        opened.set_trace_callback(step)
        return opened

    def counted(self, *args, **options):
        step()
        return execute(self, *args, **options)

    sqlite3.connect = traced
    psycopg.Connection.execute = counted  # type: ignore[method-assign]


def test_a_migration_that_is_killed_anywhere_leaves_the_old_or_the_new_schema(database, migrations):
    with closing(database.connect()) as connection:
        database.migrate(connection, migrations[:-1])
        connection.transaction(insert_run)
    old = database.structure()

    def upgrade():
        database.migrate(database.connect(), migrations)

    seen = []
    for fatal in count(1, 2):
        was_killed = killed_at(fatal, upgrade)
        seen.append(versions(database)[-1])
        is_old = seen[-1] == SCHEMA_VERSION
        assert (database.structure() == old) == is_old
        assert database.ask("SELECT run_id FROM run") == [("1",)]
        if not was_killed:
            break

    assert seen == sorted(seen)
    assert set(seen) == {SCHEMA_VERSION, SCHEMA_VERSION + 1}


def test_a_creation_that_is_killed_anywhere_leaves_whole_versions_and_can_be_repeated(database):
    seen = []
    for fatal in count(1, 5):
        if not killed_at(fatal, lambda: database.open_writer().close()):
            break
        seen.append(versions(database)[-1] if "schema_version" in database.tables() else 0)
        database.open_writer().close()
        assert versions(database) == list(range(1, SCHEMA_VERSION + 1))
        database.wipe()

    assert 0 in seen
    assert versions(database) == list(range(1, SCHEMA_VERSION + 1))
