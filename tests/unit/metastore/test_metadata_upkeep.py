"""Looking after a store, in both databases."""

import sqlite3
from contextlib import closing

import psycopg
import pytest

from flowkit.enums import Status
from flowkit.exceptions import MetadataError, SchemaTooNew
from flowkit.metastore import postgres, sqlite
from flowkit.metastore.connection import SqliteConnection
from flowkit.metastore.creation import migrate
from flowkit.metastore.migrations import SCHEMA_VERSION, load_migrations
from flowkit.metastore.pgupkeep import PostgresUpkeep
from flowkit.metastore.sqliteupkeep import SqliteUpkeep
from flowkit.testing.metadata import REF, new_run, new_task, outcome
from flowkit.upkeep.health import check_metadata


class Sqlite:
    """A store in a SQLite file."""

    def __init__(self, path):
        self.path = path
        self.upkeep = SqliteUpkeep(path)

    def open_writer(self):
        return sqlite.open_writer(self.path)

    def change(self, statement):
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement)


class Postgres:
    """A store in a PostgreSQL database."""

    def __init__(self, url, path):
        self.url, self.path = url, path
        self.upkeep = PostgresUpkeep(url)

    def open_writer(self):
        return postgres.open_writer(self.url, self.path)

    def change(self, statement):
        with psycopg.connect(self.url) as connection:
            connection.execute(statement.encode())


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request, tmp_path):
    is_file = request.param == "sqlite"
    store = (
        Sqlite(tmp_path / "metadata.db")
        if is_file
        else Postgres(request.getfixturevalue("postgres_url"), tmp_path)
    )
    with closing(store.upkeep):
        yield store


@pytest.fixture
def made(store):
    """A store with one run of one task that wrote one artifact."""
    with closing(store.open_writer()) as writer:
        lease = writer.create_run(new_run())
        writer.record(lease, [outcome(1, written={"x": REF})], [new_task(1)])
        writer.finish_run(lease, Status.SUCCEEDED)
    return store


def findings(store):
    return {found.subject: (found.state, found.message) for found in check_metadata(store.upkeep)}


def test_looking_at_a_store_that_is_not_there_creates_nothing(store, tmp_path):
    described = store.upkeep.describe()
    state, message = findings(store)["schema"]

    assert described.schema == 0
    assert described.counts == {}
    assert (state, "flowkit store init" in message) == ("warning", True)
    assert store.upkeep.describe().schema == 0
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_described(made):
    described = made.upkeep.describe()

    assert described.schema == described.known_schema == SCHEMA_VERSION
    assert described.counts == {"flows": 1, "runs": 1, "tasks": 1, "attempts": 1, "artifacts": 1}
    assert len(described.uuid) == 32
    assert described.created_at > 0
    assert described.database.split()[0] in ("SQLite", "PostgreSQL")


def test_a_sound_store_has_no_errors(made):
    found = findings(made)

    assert found["schema"] == ("ok", f"version {SCHEMA_VERSION}")
    assert found["writing"][0] == "ok"
    assert "error" not in {state for state, _ in found.values()}


def test_checking_changes_nothing(made):
    before = made.upkeep.describe()
    findings(made)

    assert made.upkeep.describe() == before


def test_migrating_creates_a_store_and_leaves_one_that_is_up_to_date(store):
    store.upkeep.migrate()
    first = store.upkeep.describe()
    store.upkeep.migrate()

    assert first.schema == SCHEMA_VERSION
    assert store.upkeep.describe() == first


def test_a_newer_store_is_an_error_to_check_and_to_migrate(made):
    made.change("INSERT INTO schema_version VALUES (99, 1, 99, '9.9.0')")

    assert findings(made)["schema"] == (
        "error",
        "version 99 is too new: needs flowkit >= 9.9.0 to be written",
    )
    with pytest.raises(SchemaTooNew):
        made.upkeep.migrate()


def test_an_older_store_is_to_be_migrated(made):
    made.change("DELETE FROM schema_version WHERE version > 1")
    state, message = findings(made)["schema"]

    assert state == "warning"
    assert "flowkit store migrate" in message


def test_a_table_that_is_gone_is_found(made):
    made.change("DROP VIEW known_version" if isinstance(made, Sqlite) else "DROP TABLE store")
    if isinstance(made, Sqlite):
        made.change("DROP TABLE store")

    assert "error" in {state for state, _ in findings(made).values()}


def test_rows_that_refer_to_nothing_are_found(tmp_path):
    store = Sqlite(tmp_path / "metadata.db")
    store.open_writer().close()
    store.change("INSERT INTO tag (run, tag, is_system) VALUES (7, 'lost', 0)")

    with closing(store.upkeep):
        assert findings(store)["content"] == ("error", "rows refer to rows that are missing")


def test_the_copy_of_an_older_file_is_kept_beside_it(tmp_path):
    path = tmp_path / "metadata.db"
    store = Sqlite(path)
    with closing(SqliteConnection(path, str(path), busy_timeout=1, clock=lambda: 7)) as old:
        migrate(old, path, load_migrations()[:1])
    store.upkeep.migrate()
    copy = tmp_path / "metadata.db.schema1"
    with closing(store.upkeep), closing(SqliteUpkeep(copy)) as kept:
        assert store.upkeep.describe().schema == SCHEMA_VERSION
        assert [found.message for found in kept.check()][1] == (
            "pages, indexes and references are sound"
        )
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT max(version) FROM schema_version").fetchone() == (1,)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.glob("*.tmp*")] == []


@pytest.mark.postgres
def test_settings_of_the_server_that_can_lose_data_are_named(postgres_url):
    with closing(PostgresUpkeep(postgres_url)) as upkeep:
        durability = next(found for found in upkeep.check() if found.subject == "durability")

    assert durability.state == "warning"
    assert "fsync" in durability.message


@pytest.mark.postgres
def test_a_read_only_database_is_an_error(postgres_url, tmp_path):
    postgres.open_writer(postgres_url, tmp_path).close()
    url = postgres_url.replace("?options=", "?options=-cdefault_transaction_read_only%3Don%20")
    with closing(PostgresUpkeep(url)) as upkeep:
        found = {finding.subject: finding for finding in upkeep.check()}

    assert found["writing"].state == "error"
    assert found["writing"].exit_code == MetadataError.exit_code


@pytest.mark.postgres
def test_a_connection_over_tls_is_verified(own_postgres_server, tmp_path):
    make_certificate(own_postgres_server)
    url = own_postgres_server.url(sslmode="verify-full", sslrootcert=str(tmp_path / "root.crt"))
    root = (own_postgres_server.data / "server.crt").read_bytes()
    (tmp_path / "root.crt").write_bytes(root)
    with closing(PostgresUpkeep(url)) as upkeep:
        connection = next(found for found in upkeep.check() if found.subject == "connection")
        is_encrypted = upkeep._connection.snapshot(
            lambda session: session.ask("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        )
    (tmp_path / "root.crt").write_bytes(root.replace(b"A", b"B", 1))

    assert connection.state == "ok"
    assert is_encrypted is True
    with closing(PostgresUpkeep(url)) as upkeep, pytest.raises(MetadataError, match=r"root\.crt"):
        upkeep.describe()


def make_certificate(server):
    """Give the server a certificate for 127.0.0.1 and let it speak TLS."""
    names = ["-keyout", "server.key", "-out", "server.crt"]
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    server.run_as_owner([*command, "-nodes", "-days", "2", *names, *subject], cwd=server.data)
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET ssl = on")
        admin.execute("SELECT pg_reload_conf()")
    server.restart()
