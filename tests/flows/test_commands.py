"""The commands of a flow file: what they print where, and the exit codes."""

import json
import pickle
import re

import pytest

FLOW = '''
import os

class Train(FlowSpec):
    """Trains a bird."""

    alpha = Parameter("alpha", default=0.5, help="learning rate")
    layers = Parameter("the-layers", default="1,2", separator=",", help="sizes")
    verbose_mode = Parameter("verbose_mode", default=False)
    size = Parameter("size", type=__import__("click").Choice(["s", "m"]), default="s")
    options = Parameter("options", type=JSONType)
    when = Parameter("when", default=lambda context: context.flow_name + "!")

    @step
    def start(self):
        """Begins."""
        self.file_was_there = os.path.exists(os.environ.get("RUN_ID_FILE", ""))
        self.facts = (current.run_id, current.username, sorted(current.tags), current.namespace)
        self.names = list(current.parameter_names)
        print("one\\n\\n  two  \\nthree", end="")
        self.xs = [1, 2]
        self.next(self.each, foreach="xs")

    @step
    def each(self):
        import sys
        print("out", self.input)
        print("err", self.input, file=sys.stderr)
        self.big = "x" * 2000
        self.next(self.join)

    @step
    def join(self, inputs):
        self.merge_artifacts(inputs)
        self.next(self.end)

    @step
    def end(self):
        pass
'''


@pytest.fixture(scope="module")
def train(shared_program):
    """The flow after one run with options of every kind."""
    program = shared_program(FLOW)
    file = program.directory / "id.txt"
    given = {
        "--alpha": "1",
        "--the-layers": "a,b",
        "--verbose_mode": "True",
        "--size": "m",
        "--options": '{"a": [1]}',
        "--run-id-file": str(file),
        "--max-workers": "1",
    }
    options = [word for pair in given.items() for word in pair]
    program.outcome = program(
        *("--quiet", "run", "--tag", "x", "--tag", "é ü", *options),
        RUN_ID_FILE=str(file),
        FLOWKIT_RUN_SIZE="s",
        FLOWKIT_RUN_ALPHA="7",
    )
    return program


def test_options_become_artifacts_and_facts(train):
    outcome = train.outcome
    assert (outcome.code, outcome.err) == (0, "")

    data = train.read("Train/1").data
    assert (data.alpha, data.layers, data.verbose_mode) == (1.0, ["a", "b"], True)
    assert (data.size, data.options, data.when) == ("m", {"a": [1]}, "Train!")
    assert data.facts == ("1", "tester", ["x", "é ü"], "user:tester")
    assert sorted(data.names) == sorted(
        ["alpha", "layers", "verbose_mode", "size", "options", "when"]
    )
    assert data.file_was_there
    assert (train.directory / "id.txt").read_text() == "1"
    run = train.read("Train/1")
    assert run.user_tags == {"x", "é ü"}
    assert {"user:tester", "runtime:dev"} <= run.system_tags


def test_run_lines_are_on_stdout_with_time_and_task(train):
    lines = train.outcome.out.splitlines()
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} "

    assert re.fullmatch(time + r"Workflow starting \(run-id 1\):", lines[0])
    assert re.fullmatch(time + r"\[1/start/1 \(pid \d+\)\] Task is starting\.", lines[1])
    assert train.outcome.lines[:4] == ["one", "", "  two  ", "three"]
    assert "Foreach yields 2 child steps." in train.outcome.out
    assert re.fullmatch(time + r"\[1/end/5 \(pid \d+\)\] Task finished successfully\.", lines[-2])
    assert re.fullmatch(time + "Done!", lines[-1])
    assert all(re.match(time, line) for line in lines)


def test_defaults_and_the_environment_fill_what_is_not_given(train):
    outcome, run = train.run(FLOWKIT_RUN_ALPHA="3", FLOWKIT_RUN_THE_LAYERS="z")

    assert (run.data.alpha, run.data.layers, run.data.size) == (3.0, ["z"], "s")
    assert (run.data.options, run.data.verbose_mode) == (None, False)
    assert outcome.err.splitlines() == [
        "flowkit 0.1.0 executing Train for user:tester",
        "Validating your flow...",
        "    The graph looks good!",
        f"Using the store in {train.directory}/.flowkit",
    ]


def test_dump_shows_artifacts_on_stdout_and_headers_on_stderr(train):
    one = train("dump", "1/each/2", "--include", "big,alpha,xs")
    lines = one.out.splitlines()

    assert one.err == "Dumping output of run_id=1 step=each task_id=2\n"
    assert re.fullmatch(r"alpha \[size: \d+ type: <class 'float'>\] = 1\.0", lines[0])
    assert re.fullmatch(r"big \[size: \d+ type: <class 'str'>\]", lines[1])
    assert re.fullmatch(r"xs \[size: \d+ type: <class 'list'>\] = \[1, 2\]", lines[2])

    both = train("dump", "Train/1/each", "--private", "--max-value-size", "0")
    assert [line.split("=")[-1] for line in both.err.splitlines()] == ["3", "2"]
    assert "_foreach_stack [" in both.out
    assert " = " not in both.out


def test_dump_to_a_file_is_a_pickle(train):
    target = train.directory / "dump.pickle"
    done = train("dump", "1/each", "--include", "xs", "--file", str(target))

    assert done.code == 0
    content = pickle.loads(target.read_bytes())
    assert content == {"1/each/3": {"xs": [1, 2]}, "1/each/2": {"xs": [1, 2]}}


def test_logs_keep_streams_and_indentation(train):
    both = train("logs", "show", "1/each")
    timed = train("logs", "--stdout", "--timestamps", "1/start/1")

    assert (both.code, both.out, both.err) == (0, "out 2\nout 1\n", "err 2\nerr 1\n")
    assert [line[24:] for line in timed.out.splitlines()] == ["one", "", "  two  ", "three"]
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} one", timed.out)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (
            ("dump", "each"),
            3,
            "the path should either be run_id/step_name or run_id/step_name/task",
        ),
        (("logs", "a/b/c/d/e"), 3, "the path should either be"),
        (("dump", "99/each"), 4, "99"),
        (("dump", "1/nope"), 4, "nope"),
        (("dump", "1/each/77"), 4, "77"),
        (("dump", "1/each", "--include", "nope"), 4, "has no artifact 'nope'"),
        (("logs", "1/nope"), 4, "nope"),
        (("dump", "1/ea ch"), 3, "ea ch"),
        (("dump", "1/each/x"), 3, "'x' is not a valid task id"),
    ],
)
def test_paths_that_lead_nowhere_give_one_clear_sentence(train, arguments, code, sentence):
    outcome = train(*arguments)

    assert (outcome.code, outcome.out) == (code, "")
    errors = [line for line in outcome.err.splitlines() if not line.startswith("Dumping")]
    assert len(errors) == 2
    assert sentence in errors[1]


def test_a_resumed_run_says_why_it_takes_no_parameters(train):
    outcome = train("resume", "--the-layers", "a")

    assert outcome.code == 2
    assert "parameter 'the-layers' can't be changed: a resumed run keeps" in outcome.err
    assert "No such option '--nope'" in train("resume", "--nope", "a").err


def test_calls_that_switch_pylint_off_work(train):
    assert train("--no-pylint", "--quiet", "check").code == 0


def test_the_store_command_lists_flows_and_runs(train):
    rows = json.loads(train.store("runs", "--json").out)
    table = train.store("runs", "Train", "--tag", "x", "--limit", "1")
    flows = train.store("flows")

    assert rows[-1]["run"] == "Train/1"
    assert (rows[-1]["status"], rows[-1]["tags"]) == ("succeeded", "x, é ü")
    assert table.out.splitlines()[0].split() == [
        "run",
        "status",
        "user",
        "created",
        "seconds",
        "tags",
    ]
    assert table.out.splitlines()[2].startswith("Train/1")
    assert flows.out.splitlines()[2].split()[0] == "Train"
    missing = train.store("runs", "Nope")
    assert (missing.code, missing.out) == (4, "")
    assert "'Nope' does not exist" in missing.err


def test_help_lists_parameters_with_defaults_and_commands(train):
    run_help = train("run", "--help")
    flow_help = train("--help")

    assert (run_help.code, flow_help.code, run_help.err) == (0, 0, "")
    assert "--the-layers" in run_help.out
    assert "[default: '1,2']" in run_help.out
    assert "[default: computed]" in run_help.out
    options = re.findall(r"^  --([\w-]+)", run_help.out, re.MULTILINE)
    assert options[:6] == ["alpha", "options", "size", "the-layers", "verbose_mode", "when"]
    assert "\n  Trains a bird.\n" in flow_help.out
    assert train("help").out.split("Options:")[1] == flow_help.out.split("Options:")[1]


def test_a_store_that_is_empty_has_nothing_to_list(program):
    flow = program(FLOW)

    assert flow.store("runs").err == "no runs found\n"
    assert flow.store("flows", "--json").out == "[]\n"
    assert flow("dump", "1/start").code == 4
    assert sorted(path.name for path in flow.directory.iterdir()) == ["flow.py"]
