"""Configs and included files, through the real command line."""

import json

import pytest

TRAIN = """
    from flowkit import Config, config_expr


    class Train(FlowSpec):
        cfg = Config("cfg", default="cfg.json")
        extra = Config("extra")
        depth = Parameter("depth", default=cfg.depth)
        seen = Parameter("seen", default=lambda context: context.configs["cfg"].name)

        @retry(times=config_expr("cfg.depth - 2"), minutes_between_retries=0)
        @environment(vars=cfg.vars)
        @step
        def start(self):
            import os

            self.variable = os.environ["NAME"]
            self.names = current.parameter_names
            self.part = self.cfg.vars
            self.is_extra = self.extra is not None
            try:
                self.cfg.depth = 1
            except TypeError as error:
                self.error = str(error)
            if current.retry_count < self.cfg.depth - 2:
                raise ValueError("once more")
            self.next(self.work, foreach="names")

        @step
        def work(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.depths = [self.cfg.depth, *(one.cfg.depth for one in inputs)]
            self.next(self.end)

        @step
        def end(self):
            pass
"""
CONTENT = {"depth": 3, "name": "default", "vars": {"NAME": "a"}}
OTHER = {"depth": 4, "name": "other", "vars": {"NAME": "b"}}


@pytest.fixture
def train(program):
    """A flow with a config in a file."""
    flow = program(TRAIN)
    (flow.directory / "cfg.json").write_text(json.dumps(CONTENT))
    (flow.directory / "other.json").write_text(json.dumps(OTHER))
    return flow


@pytest.mark.parametrize("executor", ["local", "inline", "spawn"])
def test_a_config_shapes_decorators_parameters_and_steps(train, executor):
    _, run = train.run(FLOWKIT_EXECUTOR=executor)

    start, end = run["start"].task, run["end"].task
    assert start.data.variable == "a"
    assert start.current_attempt == 1
    assert start.data.error == "ConfigValue is immutable"
    assert sorted(start.data.names) == ["cfg", "depth", "extra", "seen"]
    assert (end.data.depth, end.data.seen, end.data.extra) == (3, "default", None)
    assert end.data.cfg == CONTENT
    assert end["cfg"].sha == start["cfg"].sha
    assert type(end.data.cfg) is type(end.data.cfg["vars"]) is type(start.data.part) is dict
    assert run["join"].task.data.depths == [3] * 5


@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [
        (["--config", "cfg", "other.json"], {}, OTHER),
        (["--config-value", "cfg", json.dumps(OTHER)], {}, OTHER),
        ([], {"FLOWKIT_FLOW_CONFIG": '{"cfg": "other.json"}'}, OTHER),
        ([], {"FLOWKIT_FLOW_CONFIG_VALUE": json.dumps({"cfg": OTHER})}, OTHER),
        (
            ["--config", "cfg", "cfg.json"],
            {"FLOWKIT_FLOW_CONFIG": '{"cfg": "other.json"}'},
            CONTENT,
        ),
        (
            ["--config", "cfg", "cfg.json"],
            {"FLOWKIT_FLOW_CONFIG_VALUE": json.dumps({"cfg": OTHER})},
            CONTENT,
        ),
    ],
    ids=["file", "value", "env file", "env value", "flag beats env", "file beats env value"],
)
def test_flags_go_before_the_environment_and_that_before_the_default(
    train, arguments, variables, expected
):
    outcome = train(*arguments, "run", **variables)

    assert outcome.code == 0, outcome.out + outcome.err
    assert train.read("Train").latest_run.data.cfg == expected


def test_parameters_go_before_what_configs_say(train):
    _, run = train.run("--depth", "9")

    assert run.data.depth == 9
    assert "[default: 3]" in train("run", "--help").out


def test_every_bad_config_is_named_and_nothing_is_run(train):
    outcome = train("--config", "cfg", "no.json", "--config-value", "extra", "{", "run")

    assert outcome.code == 2
    assert "file 'no.json' could not be read for 'cfg': No such file" in outcome.err
    assert "could not be read for 'extra': JSONDecodeError" in outcome.err
    assert train("--config", "nope", "x", "run").code == 2
    assert train("run", FLOWKIT_FLOW_CONFIG="[]").code == 2
    assert train("run", FLOWKIT_FLOW_CONFIG="{").code == 2


def test_reading_results_needs_no_config(train):
    train.run()
    (train.directory / "cfg.json").unlink()

    assert "depth" in train("dump", "1/end").out
    assert train("logs", "1/end").code == 0
    assert "--config NAME FILE" in train("--help").out
    assert train("check").code == 2


def test_only_flows_with_configs_have_the_options(program):
    flow = program("""
        class Plain(FlowSpec):
            @step
            def start(self):
                pass
    """)

    assert "--config" not in flow("--help").out
    assert flow("--config", "a", "b", "check").code == 2


def test_a_resumed_run_keeps_the_configs_of_its_origin(train):
    train("--config", "cfg", "other.json", "run")
    (train.directory / "cfg.json").unlink()

    outcome = train("resume", "start")

    assert outcome.code == 0, outcome.out + outcome.err
    run = train.read("Train").latest_run
    assert (run.id, run.data.cfg, run.data.depth) == ("2", OTHER, 4)
    assert run["start"].task.data.variable == "b"
    assert run["start"].task.current_attempt == 2
    refused = train("--config", "cfg", "other.json", "resume")
    assert refused.code == 2
    assert "configs can't be changed" in refused.err
    assert train("resume", "--origin-run-id", "77").code == 4


# --- included files -------------------------------------------------------------------------------


@pytest.fixture
def including(program):
    """A flow that includes files."""
    return program("""
        from flowkit import IncludeFile


        class Reads(FlowSpec):
            text = IncludeFile("text", required=True)
            words = IncludeFile("words", parser=str.split)

            @step
            def start(self):
                self.upper = self.text.upper()
                self.next(self.end)

            @step
            def end(self):
                print(self.upper, self.words)
    """)


def test_the_content_of_a_file_is_the_artifact(including):
    (including.directory / "t.txt").write_text("one two")

    outcome, run = including.run("--text", "t.txt", "--words", "t.txt")

    assert outcome.lines == ["ONE TWO ['one', 'two']"]
    assert outcome.err.count("Including file t.txt of size 7B") == 2
    assert (run.data.text, run.data.words) == ("one two", ["one", "two"])


def test_a_resumed_run_keeps_the_content(including):
    path = including.directory / "t.txt"
    path.write_text("before")
    including.run("--text", "t.txt")
    path.unlink()

    outcome = including("resume", "start")

    assert outcome.code == 0, outcome.err
    assert including.read("Reads").latest_run.data.upper == "BEFORE"
    assert including.read("Reads").latest_run.data.words is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing option '--text'"),
        (["--text", "nowhere"], "Invalid value for '--text'"),
        (["--text", "s3://bucket/key"], "is not a local file"),
        (["--text", "."], "is not a regular file"),
    ],
)
def test_a_file_that_can_not_be_included_is_a_usage_error(including, arguments, message):
    outcome = including("run", *arguments)

    assert outcome.code == 2
    assert message in outcome.err
