"""Runs whose PostgreSQL server goes away, cuts connections, or is counted and listened to."""

import signal
import subprocess
from contextlib import suppress

import psycopg
import pytest

from tests.flows.test_interruptions import is_alive, wait_for_end
from tests.servers.wire import Cut, Wire

pytestmark = pytest.mark.postgres

WAITING = """
import os, threading

class Waiting(FlowSpec):
    @step
    def start(self):
        self.x = 1
        self.next(self.work)

    @step
    def work(self):
        print("pid", os.getpid(), flush=True)
        while not os.path.exists("go"):
            threading.Event().wait(0.02)
        self.next(self.end)

    @step
    def end(self):
        print("end has", self.x)
"""
SPLIT = """
class Split(FlowSpec):
    @step
    def start(self):
        self.items = [1, 2, 3]
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.y = self.input * 10
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(task.y for task in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("total", self.total)
"""


def pid_of_work(running):
    while "] pid " not in (line := running.stdout.readline()):
        assert line, running.stderr.read()
    return int(line.split()[-1])


def test_a_server_that_stays_away_ends_the_run_with_7_and_resume_goes_on_when_it_is_back(
    program, own_postgres_server, tmp_path
):
    flow = program(WAITING)
    url = own_postgres_server.url().replace("flowkit@", "flowkit:opensesame@")
    variables = {"FLOWKIT_METADATA": url, "FLOWKIT_METADATA_RETRY_SECONDS": "3"}
    with flow.started("run", **variables) as running:
        pid = pid_of_work(running)
        own_postgres_server.stop()
        (tmp_path / "go").touch()
        out, err = running.communicate()
    wait_for_end(pid)
    message, advice = err.splitlines()[-2:]
    own_postgres_server.start()
    listed = flow.store("runs", **variables)
    resumed = flow("resume", **variables)

    assert running.returncode == 7, out + err
    assert "    Metadata unavailable:" in err
    assert "can't use the metadata database postgresql://flowkit@127.0.0.1" in message
    assert advice.strip().endswith("go on with 'resume'")
    assert "Traceback" not in out + err
    assert "sesame" not in out + err
    assert not is_alive(pid)
    assert "crashed" in listed.out
    assert "Task reused from Waiting/1/start/1." in resumed.out, resumed.err
    assert resumed.lines[-1] == "end has 1"


@pytest.mark.parametrize(
    ("cut", "skipped"),
    [
        (Cut.BEFORE, 3),
        (Cut.AFTER, 4),
        (Cut.LATE, 5),
        *(pytest.param(cut, n, marks=pytest.mark.slow) for cut in Cut for n in range(2, 9)),
    ],
)
def test_a_connection_that_is_cut_at_a_commit_costs_a_run_nothing(
    program, postgres_server, postgres_url, cut, skipped
):
    wire = Wire(postgres_server.port)
    try:
        wire.cut_next(cut, skipped)
        url = postgres_url.replace(f":{postgres_server.port}", f":{wire.port}")
        outcome = program(SPLIT)("run", FLOWKIT_METADATA=url)
    finally:
        wire.close()
    with psycopg.connect(postgres_url) as connection:
        runs = connection.execute("SELECT run_id, status FROM run").fetchall()
        attempts = connection.execute(
            "SELECT task_id, attempt, status FROM attempt ORDER BY task_id"
        ).fetchall()
        written = connection.execute(
            "SELECT name, count(*) FROM artifact WHERE name IN ('y', 'total') GROUP BY name"
        ).fetchall()

    assert wire.cuts == 1
    assert outcome.code == 0, outcome.err
    assert outcome.lines[-1] == "total 60"
    assert runs == [("1", "succeeded")]
    assert attempts == [(number, 0, "succeeded") for number in range(1, 7)]
    assert sorted(written) == [("total", 1), ("y", 3)]


@pytest.mark.parametrize("arguments", [(), ("--cache",)], ids=["plain", "cached"])
def test_a_driver_has_one_connection_and_one_more_to_look_at_what_it_may_reuse(
    program, postgres_server, postgres_url, tmp_path, arguments
):
    flow = program(WAITING)
    url = f"{postgres_url}&application_name=counted"
    with flow.started("run", *arguments, FLOWKIT_METADATA=url) as running:
        pid_of_work(running)
        with psycopg.connect(postgres_server.url()) as admin:
            ((count,),) = admin.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'counted'"
            ).fetchall()
        (tmp_path / "go").touch()
        running.communicate()

    assert running.returncode == 0
    assert count == 1 + len(arguments)


def test_an_interrupted_run_does_not_wait_for_a_server_that_is_gone(
    program, own_postgres_server, tmp_path
):
    flow = program(WAITING)
    with flow.started("run", FLOWKIT_METADATA=own_postgres_server.url()) as running:
        pid = pid_of_work(running)
        own_postgres_server.stop()
        (tmp_path / "go").touch()
        while "does not answer" not in (line := running.stderr.readline()):
            assert line
        # The first asks, the second stops the tasks, after the third nobody notes down the end.
        while running.poll() is None:
            running.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                running.wait(0.2)
        out, err = running.communicate()
    wait_for_end(pid)

    assert running.returncode in (130, -signal.SIGINT), out + err  # asked even at its very end
    assert "Traceback" not in out + err
