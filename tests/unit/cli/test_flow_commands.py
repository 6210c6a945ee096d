"""Commands of a flow class: check, show, help, and everything that is a usage error."""

import json

import click
import pytest

from flowkit import FlowSpec, JSONType, Parameter, step
from flowkit.client import Run, namespace
from flowkit.enums import Status


class Train(FlowSpec):
    """Trains a bird."""

    alpha = Parameter("alpha", default=0.5, help="learning rate")
    layers = Parameter("the-layers", separator=",", help="sizes")
    size = Parameter("size", type=click.Choice(["s", "m"]))
    needed = Parameter("needed", required=True, type=int)
    options = Parameter("options", type=JSONType)
    hidden = Parameter("hidden", default=3, show_default=False)

    @step
    def start(self):
        """Begins here."""
        self.next(self.end)

    @step
    def end(self):
        pass


class Broken(FlowSpec):
    @step
    def start(self):
        self.next(self.nowhere)

    @step
    def lonely(self):
        pass

    @step
    def end(self):
        self.next(self.start)


def test_no_command_checks_the_flow(command):
    for arguments in ((), ("check",)):
        printed = command(Train, *arguments)

        assert (printed.code, printed.out) == (0, "")
        assert printed.err.splitlines()[1:] == [
            "Validating your flow...",
            "    The graph looks good!",
        ]


def test_quiet_leaves_out_the_headers(command):
    printed = command(Train, "--quiet", "check")

    assert (printed.code, printed.out, printed.err) == (0, "", "")


def test_lint_problems_are_all_reported_with_their_lines(command):
    for arguments in ((), ("check",), ("run",), ("show",)):
        printed = command(Broken, *arguments)

        assert (printed.code, printed.out) == (1, "")
        headline = f"    Validity checker found an issue in file {__file__} on line "
        found = [line for line in printed.err.splitlines() if line.startswith(headline)]
        assert len(found) >= 3
        assert "'nowhere'" in printed.err
        assert "'lonely'" in printed.err


def test_show_prints_steps_with_their_documentation(command):
    printed = command(Train, "show")

    assert printed.code == 0
    assert "Trains a bird." in printed.out
    assert "Step *start*\n    Begins here.\n    => end\n" in printed.out
    shown = json.loads(command(Train, "show", "--json").out)
    assert {"start", "end"} <= set(str(shown).replace("'", " ").split())


def test_output_dot_and_version(command):
    dot = command(Train, "output-dot").out

    assert dot.startswith("digraph")
    assert "start" in dot
    assert command(Train, "version").out == "0.1.0\n"


@pytest.mark.parametrize(
    "name", ["check", "show", "output-dot", "version", "help", "run", "resume", "dump", "logs"]
)
def test_every_command_has_a_help(command, name):
    printed = command(Train, name, "--help")

    assert (printed.code, printed.err) == (0, "")
    assert printed.out.startswith("Usage: ")
    assert name in command(Train, "--help").out


def test_help_of_run_shows_types_and_defaults(command):
    text = command(Train, "run", "--help").out

    assert "--alpha FLOAT" in text
    assert "learning rate  [default: 0.5]" in text
    assert "--size [s|m]" in text
    assert "--options JSON" in text
    assert "[required]" in text
    assert "default: 3" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run",), "Missing option '--needed'."),
        (("run", "--needed", "x"), "Invalid value for '--needed': 'x' is not a valid int"),
        (("run", "--needed", "1", "--size", "x"), "'x' is not one of 's', 'm'"),
        (("run", "--needed", "1", "--options", "{"), "not a valid JSON"),
        (("run", "--needed", "1", "--nope", "1"), "No such option"),
        (("run", "--needed"), "requires an argument"),
        (("run", "--needed", "1", "more"), "unexpected extra argument"),
        (("run", "--needed", "1", "--max-workers", "0"), "--max-workers"),
        (("run", "--needed", "1", "--max-num-splits", "x"), "--max-num-splits"),
        (("nope",), "No such command 'nope'"),
        (("--nope",), "No such option"),
        (("dump",), "Missing argument"),
        (("logs",), "Missing argument"),
        (("logs", "a", "b"), "one path is expected, got 2"),
        (("argo-workflows", "create"), "No such command 'argo-workflows'"),
    ],
)
def test_usage_errors_exit_with_2_and_one_error_line(command, arguments, message):
    printed = command(Train, *arguments)

    assert (printed.code, printed.out) == (2, "")
    last = printed.err.splitlines()[-1]
    assert last.startswith("Error: ")
    assert message.lower() in last.lower()
    assert "Traceback" not in printed.err


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ('"x"', "x"),
        ('"[1]"', "[1]"),
        ("null", None),
        ('{"a": "1"}', {"a": "1"}),
    ],
)
def test_a_json_text_is_parsed_once(command, given, expected):
    printed = command(Train, "run", "--needed", "-1", "--options", given)

    assert printed.code == 0, printed.err
    namespace(None)
    data = Run("Train/1").data
    assert data is not None
    assert (data.options, data.needed) == (expected, -1)


def test_a_reserved_parameter_name_is_an_error_when_a_run_starts(command):
    class Reserved(FlowSpec):
        tag = Parameter("tag", default="x")
        twice = Parameter("twice", default="x")
        again = Parameter("TWICE", default="x")

        @step
        def start(self):
            pass

    printed = command(Reserved, "run")

    assert printed.code == 2
    assert printed.err == (
        "    Usage error:\n    parameter name 'tag' is a reserved word: choose another one\n"
    )
    assert command(Reserved, "check").code == 0


def test_a_default_that_does_not_fit_is_an_error_before_anything_is_written(command, tmp_path):
    class Odd(FlowSpec):
        size = Parameter("size", type=int, default=lambda _: "x")

        @step
        def start(self):
            pass

    printed = command(Odd, "run")

    assert printed.code == 2
    assert "expected int, got str" in printed.err
    assert list(tmp_path.iterdir()) == []


def test_a_tag_that_is_none_is_refused_before_anything_is_written(command, tmp_path):
    printed = command(Train, "run", "--needed", "1", "--tag", "")

    assert printed.code == 3
    assert "a tag must have 1 to" in printed.err
    assert list(tmp_path.iterdir()) == []


def test_a_constant_that_can_not_be_stored_is_named(command):
    class Constant(FlowSpec):
        rows = (number for number in range(3))

        @step
        def start(self):
            pass

    printed = command(Constant, "run")

    assert printed.code == 1
    assert "cannot store self.rows: generator" in printed.err


def test_a_run_of_its_own_executor_fails_with_1(command):
    class Fails(FlowSpec):
        @step
        def start(self):
            raise ValueError("bad")

    printed = command(Fails, "run")
    namespace(None)

    assert printed.code == 1
    assert "Step start (task-id 1) failed." in printed.err
    assert "Workflow failed." in printed.out
    assert Run("Fails/1").status is Status.FAILED


def test_a_file_that_can_not_be_written_is_said_before_any_task_starts(command):
    printed = command(Train, "run", "--needed", "1", "--run-id-file", "no/such/dir/id")

    assert printed.code in (2, 6)
    assert "no/such/dir/id" in printed.err
    assert "Task is starting" not in printed.out
