"""``flowkit show`` and ``logs``, followed logs, and completion in the shell."""

import json
import os
import re
import threading

import pytest

FLOW = """
import os, sys

class Looked(FlowSpec):
    alpha = Parameter("alpha", default=3)

    @step
    def start(self):
        self.items = [1, 2]
        print("begins")
        self.next(self.fit, foreach="items")

    @retry(times=1, minutes_between_retries=0)
    @step
    def fit(self):
        print("out", self.input)
        print("err", self.input, file=sys.stderr)
        if current.retry_count == 0 and self.input == 2:
            raise ValueError("first try")
        self.next(self.join)

    @step
    def join(self, inputs):
        if os.path.exists("gate"):
            open("gate", "w").write("x")
            open("gate").read()
        print("joined", end="")
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.fixture(scope="module")
def looked(shared_program):
    """A flow that has run once."""
    program = shared_program(FLOW)
    program.run("--max-workers", "1", "--tag", "mine")
    return program


def test_a_run_is_shown_with_its_steps(looked):
    outcome = looked.store("show", "Looked/1")

    assert re.search(r"^status: +succeeded$", outcome.out, re.MULTILINE)
    assert re.search(r"^tags: +mine$", outcome.out, re.MULTILINE)
    assert re.search(r"^fit +2 +2$", outcome.out, re.MULTILINE)


def test_a_step_is_shown_with_its_tasks(looked):
    outcome = looked.store("show", "Looked/1/fit")

    assert re.search(r"^3 +succeeded +1 +1 ", outcome.out, re.MULTILINE)
    assert re.search(r"^2 +succeeded +0 +0 ", outcome.out, re.MULTILINE)


def test_a_task_is_shown_with_attempts_and_artifacts(looked):
    outcome = looked.store("show", "Looked/1/fit/3")
    shown = json.loads(looked.store("show", "Looked/1/fit/3", "--json").out)

    assert re.search(r"^0 +failed +exception +first try$", outcome.out, re.MULTILINE)
    assert re.search(r"^items +list +\d+$", outcome.out, re.MULTILINE)
    assert shown["after"] == ["Looked/1/start/1"]
    assert [row["status"] for row in shown["attempts"]] == ["failed", "succeeded"]
    assert {"artifact", "type", "size"} == set(shown["artifacts"][0])


@pytest.mark.parametrize(
    ("pathspec", "code", "message"),
    [
        ("Looked", 3, "give a run, a step or a task"),
        ("Looked/9", 4, "run 'Looked/9' does not exist"),
        ("Looked/1/fit/9", 4, "task 'Looked/1/fit/9' does not exist"),
    ],
)
def test_what_can_not_be_shown_is_said(looked, pathspec, code, message):
    for command in ("show", "logs"):
        outcome = looked.store(command, pathspec)

        assert outcome.code == code
        assert message in outcome.err


def test_logs_of_a_run_come_in_the_order_of_its_steps(looked):
    outcome = looked.store("logs", "Looked/1", "--stdout")

    assert outcome.out.splitlines() == ["begins", "out 2", "out 1", "joined"]
    assert outcome.err == ""


def test_logs_of_a_task_go_to_their_streams(looked):
    outcome = looked.store("logs", "Looked/1/fit/2", "--timestamps")

    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} "
    assert re.fullmatch(f"{stamp}out 1\n", outcome.out)
    assert re.fullmatch(f"{stamp}err 1\n", outcome.err)


def test_an_attempt_can_be_named(looked):
    outcome = looked.store("logs", "Looked/1/fit/3", "--stderr", "--attempt", "0")

    assert "ValueError: first try" in outcome.err


def test_following_what_has_ended_gives_all_of_it(looked):
    run = looked.store("logs", "Looked/1", "--follow", "--stdout")
    task = looked("logs", "1/fit/3", "-f", "--stdout")
    step = looked("logs", "Looked/1/fit", "-f", "--stderr")

    assert run.out.splitlines() == [
        "[start/1] begins",
        "[fit/2] out 1",
        "[fit/3] out 2",
        "[fit/3] out 2",
        "[join/4] joined",
    ]
    assert task.out.splitlines() == ["out 2", "out 2"]
    assert "[fit/2] err 1" in step.err.splitlines()


def test_following_is_no_matter_of_one_attempt(looked):
    outcome = looked("logs", "1/fit/3", "-f", "--attempt", "0")

    assert outcome.code == 2
    assert "it can't go with --attempt" in outcome.err


def test_a_run_that_does_not_exist_can_not_be_followed(looked):
    outcome = looked("logs", "9", "-f")

    assert outcome.code == 4
    assert "run 'Looked/9' does not exist" in outcome.err


def test_a_run_is_followed_while_it_goes_on(program):
    followed = program(FLOW)
    gate = followed.directory / "gate"
    os.mkfifo(gate)
    with followed.started("run") as run:
        gate.read_text()  # the join has begun
        with followed.started("logs", "1", "-f", "--stdout") as logs:
            assert logs.stdout is not None
            first = [logs.stdout.readline() for _ in range(4)]
            is_going_on = logs.poll() is None
            threading.Thread(target=gate.write_text, args=("go on",), daemon=True).start()
            rest = logs.stdout.read()
            code = logs.wait()
        run.communicate()

    assert sorted(first) == [
        "[fit/2] out 1\n",
        "[fit/3] out 2\n",
        "[fit/3] out 2\n",
        "[start/1] begins\n",
    ]
    assert is_going_on
    assert rest == "[join/4] joined\n"
    assert code == 0


def test_the_shell_completes_commands(looked):
    script = looked.store(_FLOWKIT_COMPLETE="zsh_source")
    words = looked.store(_FLOWKIT_COMPLETE="bash_complete", COMP_WORDS="flowkit sh", COMP_CWORD="1")

    assert "#compdef flowkit" in script.out
    assert words.out.splitlines() == ["plain,show"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("logs", "Looked/1/fit/2", "--attempt", "3"), "no attempt 3: its last one is 0"),
        (("logs", "Looked/9/fit"), "run 'Looked/9' does not exist"),
        (("logs", "Looked/1/nothing"), "step 'Looked/1/nothing' does not exist"),
    ],
    ids=["attempt", "run", "step"],
)
def test_what_is_not_there_is_named(looked, arguments, said):
    outcome = looked.store(*arguments)

    assert outcome.code == 4
    assert said in outcome.err
    assert outcome.out == ""
