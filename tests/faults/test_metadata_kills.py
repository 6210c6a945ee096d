"""A driver that is killed anywhere leaves all of a transaction or nothing of it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import count

import pytest

from flowkit.enums import Status
from flowkit.metastore.sqlite import open_reader, open_writer
from flowkit.model.records import NewRun
from flowkit.testing.metadata import REF, new_run, new_task, outcome

# The watchdog of faulthandler is a thread, but one that a forked child does without.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
ALL = ["created 1", "recorded 1", "recorded 2", "recorded 3", "tagged 1"]


def killed_at(fatal, action):
    """Run an action in a forked child that kills itself at its n-th SQL statement.

    Return the lines that it said before, and whether it was killed.
    """
    source, sink = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(source)
            _kill_at(fatal)
            action(lambda line: os.write(sink, f"{line}\n".encode()))
            os._exit(0)
        except BaseException:  # noqa: BLE001 - the child must not return into pytest
            os._exit(99)
    os.close(sink)
    with open(source, encoding="ascii") as lines:
        said = lines.read().splitlines()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return said, code != 0


def _kill_at(fatal):
    """Let this process kill itself at its n-th SQL statement from now on."""
    statements, connect = count(1), sqlite3.connect

    def trace(_):
        if next(statements) == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def traced(*args, **options):
        opened = connect(*args, **options)
        opened.set_trace_callback(trace)
        return opened

    sqlite3.connect = traced


def drive(path, say):
    """Create a run, record three tasks, change the tags; say what is acknowledged."""
    writer = open_writer(path)
    lease = writer.create_run(new_run(tags=["a", "b"]))
    say(f"created {lease.run_id}")
    writer.record(lease, [], [new_task(1)])
    for number in range(1, 4):
        ended = [outcome(number, written={"x": REF, "y": REF})]
        writer.record(lease, ended, [new_task(number + 1, inputs=[number])])
        say(f"recorded {number}")
    writer.change_tags(lease.flow, lease.run_id, add=["c"], remove=["a"])
    say("tagged 1")


def check(path, acknowledged):
    """Every acknowledged write is there, every task is whole, the file is sound."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    with closing(open_reader(path)) as reader:
        tasks = {task.task_id: task for task in reader.tasks("Train", "1")}
        ended = {number for number, task in tasks.items() if task.last.status.is_terminal}
        for number in ended:
            # The end of a task, its artifacts and the start of the next one are one transaction.
            assert len(reader.artifacts("Train", "1", number, 0)) == 2
            assert number + 1 in tasks
        for number in set(tasks) - ended:
            assert reader.artifacts("Train", "1", number, 0) == []
        run = reader.run("Train", "1")
        assert (run is not None) >= ("created 1" in acknowledged)
        if run is not None:
            assert run.status is Status.CRASHED
            possible = {("a", "b"), ("b", "c")} if "tagged 1" not in acknowledged else {("b", "c")}
            assert run.tags in possible
        assert ended >= {int(line.split()[1]) for line in acknowledged if "recorded" in line}


def test_a_kill_at_any_statement_leaves_all_or_nothing(tmp_path):
    said_before = 0
    for fatal in count(1):
        path = tmp_path / str(fatal) / "metadata.db"
        said, was_killed = killed_at(fatal, lambda say, path=path: drive(path, say))
        assert said == ALL[: len(said)]
        assert len(said) >= said_before
        said_before = len(said)
        if path.exists():
            check(path, said)
            check_ids(path)
        if not was_killed:
            break

    assert said_before == len(ALL)


def check_ids(path):
    """A run that did not come about has used up no number."""
    with closing(open_writer(path)) as writer, closing(open_reader(path)) as reader:
        number = writer.create_run(NewRun("Train", "ada", "0" * 64)).run_id
        assert len(reader.runs()) == int(number)


# Writes rounds as fast as it can until it is killed from outside.
BUSY_DRIVER = """
import sys
from flowkit.metastore.sqlite import open_writer
from flowkit.testing.metadata import REF, new_run, new_task, outcome

writer = open_writer(sys.argv[1])
lease = writer.create_run(new_run())
writer.record(lease, [], [new_task(1)])
print("[0]", flush=True)
for number in range(1, 100_000):
    writer.record(lease, [outcome(number, written={"x": REF})], [new_task(number + 1)])
    print([number], flush=True)
"""


@pytest.mark.parametrize("after", [1, 3, 20, 60])
def test_a_kill_from_outside_loses_nothing_acknowledged(tmp_path, after):
    path = tmp_path / "metadata.db"
    child = subprocess.Popen(
        [sys.executable, "-c", BUSY_DRIVER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(after)]
    child.kill()
    lines += child.stdout.readlines()
    child.wait()
    child.stdout.close()
    (last,) = json.loads(lines[-1]) if lines[-1].endswith("\n") else json.loads(lines[-2])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with closing(open_reader(path)) as reader:
        run = reader.run("Train", "1")
        counts = reader.steps("Train", "1")[0].counts

    assert run is not None
    assert run.status is Status.CRASHED
    assert counts[Status.SUCCEEDED] in (last, last + 1) if last else True
    assert counts[Status.RUNNING] == 1


def test_the_run_of_a_killed_driver_can_be_taken_over_and_finished(tmp_path):
    path = tmp_path / "metadata.db"
    child = subprocess.Popen(
        [sys.executable, "-c", BUSY_DRIVER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    with closing(open_writer(path)) as writer, closing(open_reader(path)) as reader:
        alive = reader.run("Train", "1")
        child.kill()
        child.wait()
        child.stdout.close()
        dead = reader.run("Train", "1")
        lease = writer.take_over("Train", "1")
        again = reader.run("Train", "1")
        writer.finish_run(lease, Status.CRASHED)
        ended = reader.run("Train", "1")

    statuses = [run and run.status for run in (alive, dead, again, ended)]
    assert statuses == [Status.RUNNING, Status.CRASHED, Status.RUNNING, Status.CRASHED]
    assert ended is not None
    assert ended.finished_at is not None
