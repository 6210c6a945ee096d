"""Many processes at one store lose nothing, and a fork can't hurt it."""

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing

import pytest

from flowkit.enums import Status
from flowkit.exceptions import InternalError
from flowkit.metastore.sqlite import open_reader, open_writer
from flowkit.testing.metadata import new_run, new_task, outcome
from tests.servers.processes import together

# The watchdog of faulthandler is a thread, but one that a forked child does without.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


CREATE = """
import sys
from flowkit.metastore.sqlite import open_writer
from flowkit.model.records import NewRun

print("ready", flush=True)
sys.stdin.readline()
writer = open_writer(sys.argv[2])
for _ in range(25):
    print(writer.create_run(NewRun("Train", "ada", "0" * 64)).run_id)
"""
FINISH = """
import sys
from flowkit.enums import Status
from flowkit.metastore.sqlite import open_writer
from flowkit.model.records import NewRun

writer = open_writer(sys.argv[1])
for _ in range(150):
    writer.finish_run(writer.create_run(NewRun("Train", "ada", "0" * 64)), Status.SUCCEEDED)
"""


def test_eight_processes_create_runs_with_ids_without_gap_or_duplicate(tmp_path):
    path = tmp_path / "home" / "metadata.db"
    outputs = together(CREATE, 8, path)
    ids = sorted(int(line) for output in outputs for line in output.split())
    with closing(open_reader(path)) as reader:
        keys = [run.key for run in reader.runs(limit=1000)]
        flows = reader.flows()

    assert ids == list(range(1, 201))
    assert keys == list(range(200, 0, -1))
    assert [(flow.runs, flow.last_run_id) for flow in flows] == [(200, "200")]


TAG = """
import sys
from flowkit.metastore.sqlite import open_writer

number, path = sys.argv[1:]
writer = open_writer(path)
print("ready", flush=True)
sys.stdin.readline()
for turn in range(3):
    writer.change_tags("Train", "1", add=[f"{number}-{turn}"], remove=["old", f"seed-{number}"])
"""


def test_sixteen_processes_change_tags_and_lose_none(tmp_path):
    path = tmp_path / "metadata.db"
    with closing(open_writer(path)) as writer, closing(open_reader(path)) as reader:
        writer.create_run(new_run(tags=["old", "kept"]))
        together(TAG, 16, path)
        run = reader.run("Train", "1")

    assert run is not None
    added = {f"{number}-{turn}" for number in range(16) for turn in range(3)}
    assert set(run.tags) == {"kept"} | added


TAKE = """
import sys
from flowkit.exceptions import ConflictError
from flowkit.metastore.sqlite import open_writer

writer = open_writer(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
try:
    print("won", writer.take_over("Train", "1").epoch, flush=True)
except ConflictError:
    print("lost", flush=True)
sys.stdin.readline()
"""


def test_of_several_that_take_a_run_over_one_wins(tmp_path):
    path = tmp_path / "metadata.db"
    with closing(open_writer(path)) as writer:
        writer.create_run(new_run())
    outputs = together(TAKE, 6, path)

    # A winner that has ended is dead: the next one may win then, with the next epoch.
    winners = [output.strip() for output in outputs if "won" in output]
    assert sorted(winners) == [f"won {epoch}" for epoch in range(2, 2 + len(winners))]
    assert winners


def in_child(action):
    """Run an action in a forked child; return its exit code."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(action())
        except BaseException:  # noqa: BLE001 - the child must not return into pytest
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_connection_refuses_to_work_in_a_forked_child_and_the_parent_loses_nothing(tmp_path):
    path = tmp_path / "metadata.db"
    writer, reader = open_writer(path), open_reader(path)
    lease = writer.create_run(new_run())
    writer.record(lease, [], [new_task(1)])
    assert len(reader.runs()) == 1

    def use():
        for call in (
            lambda: writer.create_run(new_run()),
            lambda: writer.record(lease, [outcome(1)], []),
            lambda: writer.change_tags("Train", "1", ["x"], []),
            reader.runs,
        ):
            with pytest.raises(InternalError, match="another process"):
                call()
        writer.close()
        reader.close()
        return 7

    codes = [in_child(use) for _ in range(3)]
    writer.record(lease, [outcome(1)], [new_task(2)])
    alive = reader.run("Train", "1")
    writer.finish_run(lease, Status.SUCCEEDED)
    writer.close()
    reader.close()

    with closing(open_reader(path)) as after:
        ended = after.run("Train", "1")
        statuses = Counter(task.last.status for task in after.tasks("Train", "1"))
    with closing(sqlite3.connect(path)) as connection:
        integrity = connection.execute("PRAGMA integrity_check").fetchone()
    assert codes == [7, 7, 7]
    assert alive is not None
    assert alive.status is Status.RUNNING
    assert ended is not None
    assert ended.status is Status.SUCCEEDED
    assert statuses == {Status.SUCCEEDED: 1, Status.CANCELLED: 1}
    assert integrity == ("ok",)


def test_a_reader_beside_finishing_drivers_never_calls_a_run_crashed(tmp_path):
    path = tmp_path / "metadata.db"
    child = subprocess.Popen([sys.executable, "-c", FINISH, str(path)])
    seen = set()
    with closing(open_reader(path)) as reader:
        while child.poll() is None:
            seen |= {run.status for run in reader.runs(limit=5)}
        seen |= {run.status for run in reader.runs(limit=5)}

    assert child.returncode == 0
    assert Status.SUCCEEDED in seen
    assert Status.CRASHED not in seen
