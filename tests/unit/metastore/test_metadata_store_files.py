"""The files of a SQLite store: made, found, damaged, too new, of somebody else."""

import os
import sqlite3
import stat
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from flowkit.enums import Status
from flowkit.exceptions import ConflictError, IntegrityError, MetadataError, SchemaTooNew
from flowkit.metastore.lease import HEARTBEAT_LIMIT, LockDirectory
from flowkit.metastore.sqlite import SqliteTransactions, open_reader, open_writer
from flowkit.metastore.writer import SqlWriter
from flowkit.model.records import NewRun

# The watchdog of faulthandler is a thread, but one that a forked child does without.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
NEW = NewRun("Train", "ada", "0" * 64)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "home" / "metadata.db"


@pytest.fixture
def made(path):
    """A closed store with one finished run."""
    return make(path)


def make(path):
    with closing(open_writer(path)) as writer:
        writer.finish_run(writer.create_run(NEW), Status.SUCCEEDED)
    return path


def runs_of(path):
    with closing(open_reader(path)) as reader:
        return [run.run_id for run in reader.runs()]


def change(path, statement):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_a_missing_store_reads_as_empty_and_is_not_created(path):
    with closing(open_reader(path)) as reader:
        assert reader.flows() == []
        assert reader.runs() == []
        assert reader.run("Train", "1") is None
        assert reader.tasks("Train", "1") == []

    assert not path.parent.exists()


def test_a_reader_sees_a_store_that_is_created_later(path):
    with closing(open_reader(path)) as reader, closing(open_writer(path)) as writer:
        before = reader.runs()
        writer.create_run(NEW)

        assert before == []
        assert len(reader.runs()) == 1


def test_an_empty_file_reads_as_an_empty_store_and_can_become_one(path):
    path.parent.mkdir()
    path.touch(mode=0o600)
    assert runs_of(path) == []

    with closing(open_writer(path)) as writer:
        assert writer.create_run(NEW).run_id == "1"


def test_reading_a_closed_store_leaves_no_files_behind(made):
    before = sorted(entry.name for entry in made.parent.iterdir())

    assert runs_of(made) == ["1"]
    assert sorted(entry.name for entry in made.parent.iterdir()) == before


def test_commits_are_logged_ahead_and_synced(path):
    with closing(open_writer(path)) as writer:
        connection = writer._transactions._connection  # type: ignore[attr-defined]

        assert connection.pragma("journal_mode") == "wal"
        assert connection.pragma("synchronous") == 2
        assert connection.pragma("foreign_keys") == 1
        assert connection.pragma("busy_timeout") == 30_000


def test_all_files_are_for_their_owner_only_whatever_the_umask(path):
    before = os.umask(0)
    try:
        with closing(open_writer(path)) as writer:
            writer.create_run(NEW)
            entries = [path.parent, *path.parent.rglob("*")]
            modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in entries}
    finally:
        os.umask(before)

    assert {name: mode for name, mode in modes.items() if mode not in (0o600, 0o700)} == {}
    assert {"home", "metadata.db", "metadata.db-wal", "metadata.db-shm", "locks"} <= set(modes)


def test_paths_with_odd_characters_are_taken_literally(tmp_path):
    path = tmp_path / "50% ?mode=ro #1 \udcff" / "x?y.db"
    with closing(open_writer(path)) as writer:
        writer.finish_run(writer.create_run(NEW), Status.FAILED)

    assert path.exists()
    assert runs_of(path) == ["1"]


def test_a_relative_path_stays_what_it_was_when_the_directory_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with closing(open_reader("home/metadata.db")) as reader:
        with closing(open_writer("home/metadata.db")) as writer:
            writer.finish_run(writer.create_run(NEW), Status.FAILED)
        monkeypatch.chdir("/")

        assert len(reader.runs()) == 1


def as_nobody(action):
    """Run an action in a child process that is not root; return whether it succeeded."""
    pid = os.fork()
    if pid == 0:
        try:
            if os.getuid() == 0:
                os.setresuid(65534, 65534, 65534)
            os._exit(0 if action() else 1)
        except BaseException:  # noqa: BLE001 - the child must not return into pytest
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.fixture
def closed_off():
    """A closed store, and a function that makes its directory read-only for everybody."""
    # Not below tmp_path, which nobody but its owner can enter.
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        path = make(Path(top) / "home" / "metadata.db")

        def close_off():
            for file in path.parent.iterdir():
                file.chmod(0o444 if file.is_file() else 0o555)
            path.parent.chmod(0o555)

        yield path, close_off
        path.parent.chmod(0o755)


def test_a_store_in_a_read_only_directory_can_be_read(closed_off):
    path, close_off = closed_off
    close_off()

    assert as_nobody(lambda: runs_of(path) == ["1"])


def test_a_store_in_a_read_only_directory_refuses_writers(closed_off):
    path, close_off = closed_off
    close_off()

    def is_refused():
        with pytest.raises(MetadataError, match="read-only"):
            open_writer(path)
        return True

    assert as_nobody(is_refused)


def test_changes_that_can_t_be_seen_in_a_read_only_directory_are_not_ignored(closed_off):
    path, close_off = closed_off
    log = path.with_name("metadata.db-wal")
    with closing(open_writer(path)) as writer:
        writer.create_run(NEW)
        left_behind, database = log.read_bytes(), path.read_bytes()
    log.write_bytes(left_behind)
    path.write_bytes(database)
    close_off()

    def is_refused():
        with pytest.raises(MetadataError, match="copy the directory"):
            runs_of(path)
        return True

    assert as_nobody(is_refused)


@pytest.mark.parametrize(
    "content", [b"garbage " * 1000, b"SQLite format 3\0" + b"\xff" * 5000], ids=["text", "header"]
)
def test_a_file_that_is_no_database_is_an_integrity_error(path, content):
    path.parent.mkdir()
    path.write_bytes(content)

    for use in (runs_of, open_writer):
        with pytest.raises(IntegrityError, match="damaged"):
            use(path)
    assert path.read_bytes() == content


def test_damaged_pages_are_an_integrity_error(made):
    content = bytearray(made.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    made.write_bytes(content)

    with pytest.raises(IntegrityError, match="damaged"):
        runs_of(made)


@pytest.mark.parametrize("use", [runs_of, open_writer])
def test_a_directory_is_no_database(path, use):
    path.mkdir(parents=True)

    with pytest.raises(MetadataError, match="can't"):
        use(path)


def test_a_database_of_another_program_is_left_alone(path):
    path.parent.mkdir()
    change(path, "CREATE TABLE bookmarks (url TEXT)")
    content = path.read_bytes()

    for use in (runs_of, open_writer):
        with pytest.raises(MetadataError, match="not a metadata store"):
            use(path)
    assert path.read_bytes() == content


def test_a_newer_store_that_allows_it_is_read_but_not_written(made):
    change(made, "INSERT INTO schema_version VALUES (99, 1, 99, '9.9.0')")

    assert runs_of(made) == ["1"]
    with pytest.raises(SchemaTooNew, match=r"needs flowkit >= 9\.9\.0"):
        open_writer(made)


def test_a_newer_store_that_forbids_it_is_not_even_read(made):
    change(made, "INSERT INTO schema_version VALUES (99, 99, 99, '9.9.0')")

    with pytest.raises(SchemaTooNew, match=r"needs flowkit >= 9\.9\.0"):
        runs_of(made)


def test_a_store_that_is_migrated_by_a_newer_flowkit_refuses_writers_from_then_on(made):
    with closing(open_writer(made)) as writer:
        change(made, "INSERT INTO schema_version VALUES (99, 1, 99, '9.9.0')")
        with pytest.raises(SchemaTooNew):
            writer.create_run(NEW)


def test_a_store_that_stays_locked_is_one_clear_sentence(made):
    with closing(open_writer(made, busy_timeout=0.01)) as writer:
        other = sqlite3.connect(made, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(MetadataError, match="locked too long by another process"):
            writer.create_run(NEW)
        other.close()

        assert writer.create_run(NEW).run_id == "2"


def test_readers_do_not_wait_for_a_writer(made):
    with closing(sqlite3.connect(made, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        assert runs_of(made) == ["1"]


def test_a_full_disk_is_one_clear_sentence_and_writes_nothing(made):
    with closing(open_writer(made)) as writer:
        connection = writer._transactions._connection  # type: ignore[attr-defined]
        connection.pragma("max_page_count = 1")
        with pytest.raises(MetadataError, match="the disk is full"):
            writer.create_run(NewRun("Train", "ada", "0" * 64, info={"long": "x" * 1_000_000}))
        connection.pragma("max_page_count = 1000000")

        assert writer.create_run(NEW).run_id == "2"
        assert len(os.listdir(made.parent / "locks")) == 1


def test_the_lock_file_goes_with_the_end_of_the_run(path):
    with closing(open_writer(path)) as writer:
        lease = writer.create_run(NEW)
        during = os.listdir(path.parent / "locks")
        writer.finish_run(lease, Status.SUCCEEDED)

    assert during == [lease.token]
    assert os.listdir(path.parent / "locks") == []


def test_a_silent_driver_on_another_host_is_dead_after_a_minute(path):
    now = 1_000_000_000_000
    with closing(open_writer(path, clock=lambda: now)) as writer:
        writer.create_run(NEW)
    change(path, "UPDATE run SET host = 'elsewhere', boot_id = 'another'")

    def status(later):
        with closing(open_reader(path, clock=lambda: now + later)) as reader:
            run = reader.run("Train", "1")
        return None if run is None else run.status

    assert status(HEARTBEAT_LIMIT) is Status.RUNNING
    assert status(HEARTBEAT_LIMIT + 1) is Status.CRASHED
    with closing(open_writer(path, clock=lambda: now + HEARTBEAT_LIMIT + 1)) as writer:
        assert writer.take_over("Train", "1").epoch == 2
        assert status(0) is Status.RUNNING


def test_a_driver_that_comes_back_during_a_takeover_keeps_its_run(path):
    now = 1_000_000_000_000
    with closing(open_writer(path, clock=lambda: now)) as writer:
        lease = writer.create_run(NEW)
    change(path, "UPDATE run SET host = 'elsewhere', boot_id = 'another'")

    class Locks(LockDirectory):
        def take(self, token):
            change(path, "UPDATE run SET heartbeat = heartbeat + 1")
            return super().take(token)

    locks = Locks(path.parent / "locks")
    later = now + HEARTBEAT_LIMIT + 1
    transactions = SqliteTransactions(path, busy_timeout=1, clock=lambda: later)
    with closing(SqlWriter(transactions, locks)) as writer:
        with pytest.raises(ConflictError, match="meanwhile"):
            writer.take_over("Train", "1")
        held = locks.is_held(lease.token)
        writer.heartbeat(lease)

    assert held is False


def test_a_heartbeat_uses_the_database_s_clock(path):
    times = iter(range(1, 100))
    with closing(open_writer(path, clock=lambda: next(times))) as writer:
        lease = writer.create_run(NEW)
        writer.heartbeat(lease)
        with closing(sqlite3.connect(path)) as connection:
            created, beat = connection.execute("SELECT created_at, heartbeat FROM run").fetchone()

    assert beat > created


def test_texts_that_no_database_can_store_are_escaped_and_never_stop_a_commit(path):
    new = NewRun("Train", "a\0b\ud800", "0" * 64, info={"x": "\0\ud800"})
    with closing(open_writer(path)) as writer:
        writer.create_run(new)
        with closing(open_reader(path)) as reader:
            run = reader.run("Train", "1")

    assert run is not None
    assert run.user == "a\\x00b\\ud800"
    assert run.info == {"x": "\0\ud800"}


def test_reads_become_rows(path):
    from flowkit.testing.metadata import new_task, outcome

    with closing(open_writer(path)) as writer:
        lease = writer.create_run(NEW)
        writer.record(lease, [], [new_task(1)])
        writer.record(lease, [outcome(1)], [])
        writer.record(lease, [outcome(1)], [])
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT token, digest FROM read ORDER BY position").fetchall()

    assert rows == [("attr:x", "c" * 64), ("attr:y", None)]
