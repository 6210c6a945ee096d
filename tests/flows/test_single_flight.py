"""Two drivers that need the same result at once: one computes it, the other waits for it."""

import re
import signal
import time
from pathlib import Path

import pytest

FLOW = """
import os
from pathlib import Path

class Shared(FlowSpec):
    enable_cache = True
    amount = Parameter("amount", default=1)
    verbose = Parameter("verbose", default=0)

    @step
    def start(self):
        with open("computed.txt", "a") as file:
            file.write("x")
        while not os.path.exists("go"):
            pass_the_time()
        if os.path.exists("broken"):
            os.unlink("broken")
            raise ValueError("the first one fails")
        self.x = self.amount
        self.next(self.end)

    @step
    def end(self):
        pass

def pass_the_time():
    from threading import Event
    Event().wait(0.01)
"""
_WAITS = re.compile(r"/start/1\] waits for run Shared/(\d+), which is computing the same")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def shared(request, program):
    """A flow that waits in its first step, and the metadata store that both drivers use."""
    flow = program(FLOW)
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    return flow, {"FLOWKIT_METADATA": url} if url else {}


def lines_until(process, pattern):
    """Read what a driver prints until a line fits."""
    found = []
    for line in process.stdout:
        found.append(line)
        if re.search(pattern, line):
            return found
    raise AssertionError("".join([*found, process.stderr.read()]))


def computed(flow):
    return len((flow.directory / "computed.txt").read_text())


def await_file(path: Path):
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline


def end_of(process):
    """Return what is left of a driver's output when it has ended."""
    rest, errors = process.communicate()
    return process.returncode, rest, errors


def test_the_second_takes_what_the_first_has_computed(shared):
    flow, variables = shared
    with flow.started("run", **variables) as first:
        lines_until(first, r"/start/1 .*Task is starting")
        await_file(flow.directory / "computed.txt")
        with flow.started("run", **variables) as second:
            lines_until(second, _WAITS)
            (flow.directory / "go").touch()
            ends = [end_of(first), end_of(second)]

    assert [code for code, _, _ in ends] == [0, 0], ends
    assert computed(flow) == 1
    assert "Task reused from Shared/1/start/1" in ends[1][1]


def test_what_is_not_read_may_differ_once_a_step_has_run(shared):
    flow, variables = shared
    (flow.directory / "go").touch()
    assert flow("run", **variables).code == 0
    (flow.directory / "go").unlink()
    (flow.directory / "computed.txt").unlink()

    with flow.started("run", "--amount", "2", **variables) as first:
        lines_until(first, r"/start/1 .*Task is starting")
        await_file(flow.directory / "computed.txt")
        with flow.started("run", "--amount", "2", "--verbose", "1", **variables) as second:
            lines_until(second, _WAITS)
            (flow.directory / "go").touch()
            ends = [end_of(first), end_of(second)]

    assert [code for code, _, _ in ends] == [0, 0], ends
    assert computed(flow) == 1


@pytest.mark.parametrize("how", ["is killed", "fails"])
def test_the_second_computes_it_when_the_first(shared, how):
    flow, variables = shared
    with flow.started("run", **variables) as first:
        lines_until(first, r"/start/1 .*Task is starting")
        await_file(flow.directory / "computed.txt")
        with flow.started("run", **variables) as second:
            lines_until(second, _WAITS)
            if how == "is killed":
                first.send_signal(signal.SIGKILL)
                first.wait()
            else:
                (flow.directory / "broken").touch()
            (flow.directory / "go").touch()
            code, out, errors = end_of(second)
        first.communicate()

    assert code == 0, out + errors
    assert computed(flow) == 2
    assert "2/start/1 (pid " in out


def test_runs_that_execute_everything_do_not_wait(shared):
    flow, variables = shared
    with flow.started("run", **variables) as first:
        lines_until(first, r"/start/1 .*Task is starting")
        with flow.started("run", "--no-cache", **variables) as second:
            lines_until(second, r"/start/1 .*Task is starting")
            (flow.directory / "go").touch()
            ends = [end_of(first), end_of(second)]

    assert [code for code, _, _ in ends] == [0, 0], ends
    assert computed(flow) == 2
