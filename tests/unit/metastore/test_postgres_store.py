"""A store in PostgreSQL: empty, foreign, too old, too new, read-only, not allowed, silent."""

from contextlib import closing
from typing import Any

import psycopg
import pytest

from flowkit.enums import Status
from flowkit.exceptions import ConflictError, MetadataError, SchemaTooNew
from flowkit.metastore.lease import HEARTBEAT_LIMIT
from flowkit.metastore.postgres import open_reader, open_writer
from flowkit.model.records import NewRun

pytestmark = pytest.mark.postgres
NEW = NewRun("Train", "ada", "0" * 64)


@pytest.fixture
def change(postgres_url):
    """A function that runs a statement over a connection of its own."""

    def run(statement):
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def made(postgres_url, tmp_path):
    """The URL of a store with one finished run."""
    with closing(open_writer(postgres_url, tmp_path)) as writer:
        writer.finish_run(writer.create_run(NEW), Status.SUCCEEDED)
    return postgres_url


def connection_of(writer):
    transactions: Any = writer._transactions
    return transactions._connection


def runs_of(url, locks):
    with closing(open_reader(url, locks)) as reader:
        return [run.run_id for run in reader.runs()]


def test_a_database_without_tables_reads_as_an_empty_store_and_stays_without(
    postgres_url, tmp_path, change
):
    with closing(open_reader(postgres_url, tmp_path)) as reader:
        assert reader.flows() == []
        assert reader.runs() == []
        assert reader.run("Train", "1") is None
        assert reader.tasks("Train", "1") == []

    assert change("SELECT count(*) FROM pg_class WHERE relname = 'run' AND "
                  "pg_table_is_visible(oid)") == [(0,)]  # fmt: skip


def test_a_reader_sees_a_store_that_is_created_later(postgres_url, tmp_path):
    with closing(open_reader(postgres_url, tmp_path)) as reader:
        before = reader.runs()
        with closing(open_writer(postgres_url, tmp_path)) as writer:
            writer.create_run(NEW)

        assert before == []
        assert len(reader.runs()) == 1


def test_commits_are_synced_whatever_the_server_s_default(postgres_url, tmp_path):
    with closing(open_writer(postgres_url, tmp_path)) as writer:
        connection = connection_of(writer)

        def ask(session):
            names = ("synchronous_commit", "lock_timeout", "idle_in_transaction_session_timeout")
            return [session.ask(f"SELECT current_setting('{name}')") for name in names]

        assert connection.transaction(ask) == ["on", "30s", "30s"]
        # Nothing of a session stays behind: a pool may hand it to somebody else.
        with psycopg.connect(postgres_url) as other:
            assert other.execute("SHOW synchronous_commit").fetchone() == ("off",)


def test_nothing_is_prepared_on_the_server_so_that_a_pool_may_stand_between(made, tmp_path):
    with closing(open_writer(made, tmp_path)) as writer:
        lease = writer.create_run(NEW)
        for _ in range(10):
            writer.heartbeat(lease)
        prepared = connection_of(writer).snapshot(
            lambda session: session.ask("SELECT count(*) FROM pg_prepared_statements")
        )

    assert prepared == 0


def test_tables_of_another_program_are_left_alone(postgres_url, tmp_path, change):
    change("CREATE TABLE run (miles INTEGER)")

    with pytest.raises(MetadataError, match=r"relation \"run\" already exists.*another schema"):
        open_writer(postgres_url, tmp_path)
    assert change("SELECT count(*) FROM run") == [(0,)]
    assert runs_of(postgres_url, tmp_path) == []


def test_a_table_of_schema_versions_of_another_program_is_no_store(postgres_url, tmp_path, change):
    change("CREATE TABLE schema_version (script TEXT)")

    with pytest.raises(MetadataError, match="not a metadata store"):
        open_writer(postgres_url, tmp_path)
    with pytest.raises(MetadataError, match="not a metadata store"):
        runs_of(postgres_url, tmp_path)


def test_a_newer_store_that_allows_it_is_read_but_not_written(made, tmp_path, change):
    change("INSERT INTO schema_version VALUES (99, 1, 99, '9.9.0')")

    assert runs_of(made, tmp_path) == ["1"]
    with pytest.raises(SchemaTooNew, match=r"needs flowkit >= 9\.9\.0"):
        open_writer(made, tmp_path)


def test_a_newer_store_that_forbids_it_is_not_even_read(made, tmp_path, change):
    change("INSERT INTO schema_version VALUES (99, 99, 99, '9.9.0')")

    with pytest.raises(SchemaTooNew, match=r"needs flowkit >= 9\.9\.0"):
        runs_of(made, tmp_path)


def test_a_store_that_is_migrated_refuses_older_writers_from_then_on(made, tmp_path, change):
    with closing(open_writer(made, tmp_path)) as writer:
        change("INSERT INTO schema_version VALUES (99, 1, 99, '9.9.0')")
        with pytest.raises(SchemaTooNew):
            writer.create_run(NEW)


def test_an_older_store_is_migrated_by_nobody_who_was_not_asked(made, tmp_path, change):
    change("DELETE FROM schema_version WHERE version > 1")

    with pytest.raises(MetadataError, match="flowkit store migrate"):
        open_writer(made, tmp_path)


def test_a_read_only_database_is_said_at_the_start(made, tmp_path):
    url = made.replace("?options=", "?options=-cdefault_transaction_read_only%3Don%20")

    assert runs_of(url, tmp_path) == ["1"]
    with pytest.raises(MetadataError, match="is it a standby"):
        open_writer(url, tmp_path)


def test_a_lack_of_rights_is_one_clear_sentence(postgres_url, postgres_server, tmp_path, change):
    change("DROP ROLE IF EXISTS guest")
    change("CREATE ROLE guest LOGIN")
    try:
        with pytest.raises(MetadataError, match="permission denied for schema public"):
            open_writer(postgres_server.url().replace("flowkit@", "guest@"), tmp_path)
    finally:
        change("DROP ROLE guest")


def test_a_silent_driver_with_another_directory_is_dead_after_a_minute(
    postgres_url, tmp_path, change
):
    here, there = tmp_path / "here", tmp_path / "there"
    writer = open_writer(postgres_url, there)
    lease = writer.create_run(NEW)

    def status():
        with closing(open_reader(postgres_url, here)) as reader:
            return reader.run("Train", "1").status

    fresh = status()
    change(f"UPDATE run SET heartbeat = heartbeat - {HEARTBEAT_LIMIT + 1}")
    silent = status()
    writer.heartbeat(lease)
    again = status()
    with closing(open_writer(postgres_url, here)) as other:
        with pytest.raises(ConflictError, match="is driven by"):
            other.take_over("Train", "1")
        writer.close()  # as if it had been killed: the lease stays
        change(f"UPDATE run SET heartbeat = heartbeat - {HEARTBEAT_LIMIT + 1}")
        epoch = other.take_over("Train", "1").epoch

    assert (fresh, silent, again) == (Status.RUNNING, Status.CRASHED, Status.RUNNING)
    assert epoch == 2


def test_time_is_the_server_s(postgres_url, tmp_path, change):
    with closing(open_writer(postgres_url, tmp_path)) as writer:
        lease = writer.create_run(NEW)
        writer.heartbeat(lease)
        ((created, beat, now),) = change(
            "SELECT created_at, heartbeat, extract(epoch FROM clock_timestamp()) * 1e6 FROM run"
        )

    assert created < beat < now
