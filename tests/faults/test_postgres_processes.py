"""Many drivers at one PostgreSQL database, and one that stands still, is forked or collides."""

import os
from contextlib import closing

import psycopg
import pytest

from flowkit.enums import Status
from flowkit.exceptions import InternalError
from flowkit.metastore.postgres import open_reader, open_writer
from flowkit.testing.metadata import new_run, new_task, outcome
from tests.servers.processes import together

# The watchdog of faulthandler is a thread, but one that a forked child does without.
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded"),
]


CREATE = """
import sys
from flowkit.metastore.postgres import open_writer
from flowkit.model.records import NewRun

print("ready", flush=True)
sys.stdin.readline()
# The store does not exist yet: they also create that together.
writer = open_writer(sys.argv[2], sys.argv[3])
for _ in range(25):
    print(writer.create_run(NewRun("Train", "ada", "0" * 64)).run_id)
writer.close()
"""


def test_eight_processes_create_runs_with_ids_without_gap_or_duplicate(postgres_url, tmp_path):
    outputs = together(CREATE, 8, postgres_url, tmp_path)
    ids = sorted(int(line) for output in outputs for line in output.split())
    with closing(open_reader(postgres_url, tmp_path)) as reader:
        keys = [run.key for run in reader.runs(limit=1000)]
        flows = reader.flows()

    assert ids == list(range(1, 201))
    assert keys == list(range(200, 0, -1))
    assert [(flow.runs, flow.last_run_id) for flow in flows] == [(200, "200")]


TAG = """
import sys
from flowkit.metastore.postgres import open_writer

number, url, locks = sys.argv[1:]
writer = open_writer(url, locks)
print("ready", flush=True)
sys.stdin.readline()
for turn in range(3):
    writer.change_tags("Train", "1", add=[f"{number}-{turn}"], remove=["old", f"seed-{number}"])
writer.close()
"""


def test_eight_processes_change_tags_and_lose_none(postgres_url, tmp_path):
    with closing(open_writer(postgres_url, tmp_path)) as writer:
        writer.create_run(new_run(tags=["old", "kept"]))
        together(TAG, 8, postgres_url, tmp_path)
        with closing(open_reader(postgres_url, tmp_path)) as reader:
            run = reader.run("Train", "1")

    added = {f"{number}-{turn}" for number in range(8) for turn in range(3)}
    assert set(run.tags) == {"kept"} | added


TAKE = """
import sys
from flowkit.exceptions import ConflictError
from flowkit.metastore.postgres import open_writer

number, url, locks = sys.argv[1:]
# Each has a directory of its own, as on hosts of their own: only the database can decide.
writer = open_writer(url, locks + number)
print("ready", flush=True)
sys.stdin.readline()
try:
    print("won", writer.take_over("Train", "1").epoch, flush=True)
except ConflictError:
    print("lost", flush=True)
writer.close()
"""


def test_of_several_hosts_that_take_a_run_over_one_wins(postgres_url, tmp_path):
    with closing(open_writer(postgres_url, tmp_path / "locks")) as writer:
        writer.create_run(new_run())
    with psycopg.connect(postgres_url) as connection:
        connection.execute("UPDATE run SET heartbeat = 0")
    outputs = together(TAKE, 6, postgres_url, tmp_path / "of")

    # The winner's heartbeat is fresh: everybody else takes it for alive.
    assert sorted(output.strip() for output in outputs) == ["lost"] * 5 + ["won 2"]


def test_a_deadlock_is_repeated_and_nobody_notices(postgres_url, tmp_path):
    with closing(open_writer(postgres_url, tmp_path)) as writer:
        lease = writer.create_run(new_run())
        writer.record(lease, [], [new_task(1)])
        with psycopg.connect(postgres_url) as other:
            other.execute("SET deadlock_timeout = '10s'")  # the driver is the one that gives way
            other.execute("UPDATE attempt SET log_end = 5")
            lock_run = "UPDATE run SET pid = pid"
            thread = _in_thread(lambda: writer.record(lease, [outcome(1)], []))
            _wait_until_blocked(postgres_url)
            other.execute(lock_run)
        thread.join(20)
        with closing(open_reader(postgres_url, tmp_path)) as reader:
            (task,) = reader.tasks("Train", "1")

    assert task.last.status is Status.SUCCEEDED


def _in_thread(work):
    from threading import Thread

    thread = Thread(target=work)
    thread.start()
    return thread


def _wait_until_blocked(url):
    """Return when some other session waits for a lock."""
    with psycopg.connect(url, autocommit=True) as watcher:
        question = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while watcher.execute(question).fetchone() == (0,):
            pass


def in_child(action):
    """Run an action in a forked child; return its exit code."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(action())
        except BaseException:  # noqa: BLE001 - the child must not return into pytest
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_connection_refuses_to_work_in_a_forked_child_and_the_parent_goes_on(
    postgres_url, tmp_path
):
    writer, reader = open_writer(postgres_url, tmp_path), open_reader(postgres_url, tmp_path)
    lease = writer.create_run(new_run())
    assert len(reader.runs()) == 1

    def use():
        for call in (lambda: writer.create_run(new_run()), reader.runs):
            with pytest.raises(InternalError, match="another process"):
                call()
        writer.close()
        reader.close()
        return 7

    codes = [in_child(use) for _ in range(3)]
    writer.record(lease, [], [new_task(1)])
    runs = reader.runs()
    writer.close()
    reader.close()

    assert codes == [7, 7, 7]
    assert [run.status for run in runs] == [Status.RUNNING]
