"""Python arguments become arguments of a command line, or are refused."""

import json
from contextvars import copy_context
from pathlib import Path

import click
import pytest

from flowkit import FlowSpec, JSONType, Parameter, project, step
from flowkit.cli.flowfile import flow_group
from flowkit.cli.main import main
from flowkit.programmatic.arguments import TOP_LEVEL, CommandLine


@project(name="birds")
class Train(FlowSpec):
    alpha = Parameter("alpha", default=0.5)
    count = Parameter("count", default=3)
    flag = Parameter("flag", default=False)
    word = Parameter("the-word", default="a")
    parts = Parameter("parts", separator="|")
    data = Parameter("data", type=JSONType)
    size = Parameter("size", type=click.Choice(["s", "m"]))

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


@pytest.fixture
def line(tmp_path, monkeypatch, capsys):
    """The command line of a flow, as its hidden command describes it."""
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path))
    with pytest.raises(SystemExit):
        copy_context().run(main, Train, ["options"])  # which adopts settings
    return CommandLine(json.loads(capsys.readouterr().out))


def test_each_type_of_value_becomes_a_text(line):
    given = {
        "alpha": 1,
        "count": -4,
        "flag": True,
        "the_word": "- x",
        "parts": ["a", "b"],
        "data": {"k": [1]},
        "size": "m",
    }

    assert line.arguments("run", given) == [
        "--alpha=1",
        "--count=-4",
        "--flag=True",
        "--the-word=- x",
        "--parts=a|b",
        '--data={"k": [1]}',
        "--size=m",
    ]


def test_options_of_the_command_go_by_their_python_names(line):
    given = {
        "tags": ["a", "b"],
        "max_workers": 2,
        "decospecs": ("retry:times=2",),
        "run_id_file": Path("id"),
        "user_namespace": "",
        "max_log_size": None,
    }

    assert line.arguments("run", given) == [
        "--tag=a",
        "--tag=b",
        "--max-workers=2",
        "--with=retry:times=2",
        "--run-id-file=id",
        "--namespace=",
    ]


def test_flags_are_given_or_not(line):
    assert line.arguments("resume", {"clone_only": True}) == ["--clone-only"]
    assert line.arguments("resume", {"clone_only": False}) == []
    assert line.arguments("spin", {"persist": False}) == ["--no-persist"]


def test_positional_arguments_come_last_behind_a_mark(line):
    given = {"step_to_rerun": "end", "origin_run_id": "3"}

    assert line.arguments("resume", given) == ["--origin-run-id=3", "--", "end"]
    assert line.arguments("spin", {"path": "1/fit"}) == ["--", "1/fit"]


def test_top_level_options_include_those_of_flow_decorators(line):
    given = {"executor": "inline", "quiet": True, "production": True, "branch": "b"}

    assert line.arguments(TOP_LEVEL, given) == [
        "--executor=inline",
        "--quiet",
        "--production",
        "--branch=b",
    ]


def test_an_unknown_argument_is_a_value_error_that_lists_the_others(line):
    with pytest.raises(ValueError, match=r"^Unknown argument: 'beta', possible args are: alpha, "):
        line.arguments("run", {"beta": 1})


@pytest.mark.parametrize("name", ["help", "runner_attribute_file"])
def test_what_is_no_business_of_the_caller_is_unknown(line, name):
    with pytest.raises(ValueError, match="Unknown argument"):
        line.arguments("run", {name: "x"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("alpha", "0.5", "float"),
        ("alpha", True, "float"),
        ("count", 1.5, "int"),
        ("count", True, "int"),
        ("flag", 1, "bool"),
        ("the_word", 3, "str"),
        ("size", "xl", "one of s, m"),
        ("tags", "a", "list"),
        ("max_workers", "2", "int"),
    ],
)
def test_a_value_of_another_type_is_a_type_error(line, name, value, expected):
    message = rf"^Invalid type for '{name}': .* expected: {expected}$"

    with pytest.raises(TypeError, match=message):
        line.arguments("run", {name: value})


def test_a_flag_takes_only_a_bool(line):
    with pytest.raises(TypeError, match="expected: bool"):
        line.arguments("resume", {"clone_only": "yes"})


def test_options_with_several_values_take_tuples_and_plain_data():
    described = {
        "name": "config_value",
        "flag": "--config-value",
        "off_flag": "",
        "kind": "text",
        "is_flag": False,
        "is_multiple": True,
        "nargs": 2,
        "choices": [],
        "separator": "",
    }
    line = CommandLine({TOP_LEVEL: [described]})

    assert line.arguments(TOP_LEVEL, {"config_value": [("cfg", {"depth": 3}), ("x", "1")]}) == [
        "--config-value",
        "cfg",
        '{"depth": 3}',
        "--config-value",
        "x",
        "1",
    ]
    for odd in ([("cfg",)], ["cfg"]):
        with pytest.raises(TypeError, match="expected: tuple of 2"):
            line.arguments(TOP_LEVEL, {"config_value": odd})


def test_the_hidden_command_is_hidden():
    assert flow_group(Train).commands["options"].hidden
