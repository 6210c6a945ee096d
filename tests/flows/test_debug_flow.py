"""``flowkit debug``: a prompt inside an earlier task."""

import subprocess
import sys

import pytest

ENTRY = "from flowkit.cli.main import entry; entry()"
FLOW = """
class Point:
    def __init__(self, x):
        self.x = x

class Debugged(FlowSpec):
    alpha = Parameter("alpha", default=3)

    @step
    def start(self):
        self.point = Point(5)
        self.items = ["a", "b"]
        self.next(self.fit, foreach="items")

    @step
    def fit(self):
        self.point = None
        if self.input == "b":
            raise ValueError("no luck")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.fixture(scope="module")
def debugged(shared_program):
    """A flow whose second item has failed, and once it was mended, a whole run."""
    program = shared_program(FLOW)
    assert program("run", "--max-workers", "1").code == 1
    source = program.path.read_text()
    program.path.write_text(source.replace('raise ValueError("no luck")', "pass"))
    program.run()
    program.path.write_text(source)
    return program


def prompt(program, text, *arguments):
    """Feed lines to the prompt and return what it printed."""
    outcome = subprocess.run(
        [sys.executable, "-c", ENTRY, "debug", *arguments],
        env=program.environment(),
        cwd="/",
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return outcome.returncode, outcome.stdout, outcome.stderr


def test_a_failed_task_is_seen_as_it_was_when_it_began(debugged):
    code, out, err = prompt(
        debugged,
        "print(self.point.x, self.input, self.index, self.alpha, type(self.point) is Point)\n"
        "print(current.pathspec)\nself.point = 7\nprint(self.point)\n",
        "Debugged/1/fit/3",
    )

    assert code == 0, err
    assert "5 b 1 3 True" in out
    assert "Debugged/1/fit/3" in out
    assert "7" in out
    assert "Task Debugged/1/fit/3 at its beginning" in err
    assert [run.id for run in debugged.read("Debugged")] == ["2", "1"]


def test_a_join_has_its_inputs(debugged):
    _, out, err = prompt(debugged, "print([one.input for one in inputs])\n", "Debugged/2/join/4")

    assert "['a', 'b']" in out
    assert "self and inputs can be read" in err


def test_the_flow_file_may_have_moved(debugged, tmp_path):
    moved = tmp_path / "moved.py"
    moved.write_text(debugged.path.read_text())
    away = debugged.path.with_suffix(".away")
    debugged.path.rename(away)
    try:
        missing = prompt(debugged, "", "Debugged/2/fit/2")
        there = ("Debugged/2/fit/2", "--file", str(moved))
        _, out, _ = prompt(debugged, "print(type(self.point), self.point.x)\n", *there)
    finally:
        away.rename(debugged.path)

    assert missing[0] == 4
    assert "say with --file where it is" in missing[2]
    assert "<class 'flow.Point'> 5" in out


@pytest.mark.parametrize(
    ("pathspec", "code", "message"),
    [
        ("Debugged/1/fit/9", 4, "task 'Debugged/1/fit/9' does not exist"),
        ("Debugged/1/fit", 3, "expected the form 'Flow/run/step/task'"),
        ("Debugged/1/_parameters/0", 3, "step '_parameters' is not in"),
    ],
)
def test_what_can_not_be_debugged_is_said(debugged, pathspec, code, message):
    found, _, err = prompt(debugged, "", pathspec)

    assert found == code, err
    assert message in err


def test_a_step_that_is_gone_is_said(debugged):
    source = debugged.path.read_text()
    debugged.path.write_text(
        source.replace("def end", "def finish").replace("self.end", "self.finish")
    )
    try:
        code, _, err = prompt(debugged, "", "Debugged/2/end/5")
    finally:
        debugged.path.write_text(source)

    assert code == 3
    assert "step 'end' is not in" in err
