"""Ctrl-C, SIGTERM and kill -9 of the driver: nothing lives on, and the state says what happened."""

import os
import select
import signal
from pathlib import Path

import pytest

FLOW = """
import os
import time

class Slow(FlowSpec):
    @step
    def start(self):
        self.xs = [1, 2]
        self.next(self.each, foreach="xs")

    @step
    def each(self):
        print("pid", os.getpid(), flush=True)
        time.sleep(300)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass
"""
STUBBORN = FLOW.replace(
    '        print("pid"',
    "        import signal\n"
    '        signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))\n'
    '        print("pid"',
)


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def pids_of_tasks(process):
    """Return the process ids of both tasks of the foreach, once they run."""
    found: list[int] = []
    while len(found) < 2:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        if "] pid " in line:
            found.append(int(line.split()[-1]))
    return found


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_ends_everything_and_the_run_is_cancelled(program, number, code):
    flow = program(FLOW)
    with flow.started("run") as process:
        pids = pids_of_tasks(process)
        process.send_signal(number)
        out, err = process.communicate()

    assert process.returncode == code
    assert "Workflow interrupted." in out
    assert "Traceback" not in out + err
    assert "    Workflow interrupted." in err
    assert not any(is_alive(pid) for pid in pids)
    run = flow.read("Slow/1")
    assert (run.status, run.successful) == ("cancelled", False)
    assert {task.status.value for task in run["each"]} == {"cancelled"}
    assert run["start"].task.successful


def test_a_second_signal_ends_tasks_that_ignore_the_first(program):
    flow = program(STUBBORN)
    with flow.started("run") as process:
        pids = pids_of_tasks(process)
        process.send_signal(signal.SIGINT)
        for _ in pids:
            while "] asked" not in (line := process.stdout.readline()):
                assert line
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()

    assert process.returncode == 130, out + err
    assert "Traceback" not in out + err
    assert not any(is_alive(pid) for pid in pids)
    run = flow.read("Slow/1")
    assert run.status == "cancelled"
    assert {task.status.value for task in run["each"]} == {"cancelled"}


def test_a_killed_driver_takes_its_tasks_along_and_the_run_has_crashed(program):
    flow = program(FLOW)
    with flow.started("run") as process:
        pids = pids_of_tasks(process)
        process.kill()
        process.communicate()

    run = flow.read("Slow/1")
    assert run.status == "crashed"
    for pid in pids:
        wait_for_end(pid)
    assert not any(is_alive(pid) for pid in pids)
    assert "crashed" in flow.store("runs").out


def wait_for_end(pid):
    """Wait until a process ends: its descriptor becomes readable then."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        watched = select.poll()
        watched.register(descriptor, select.POLLIN)
        assert watched.poll(10_000), f"process {pid} is still alive"
    finally:
        os.close(descriptor)
