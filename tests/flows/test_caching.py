"""Runs with caching: which steps run again after which change, and what is said about it."""

import re
from pathlib import Path

import pytest

FLOW = """
import os
import helpers

RATE = 2

class Cached(FlowSpec):
    enable_cache = True
    alpha = Parameter("alpha", default="1")
    items_upto = Parameter("items_upto", default=2)

    @step
    def start(self):
        '''Begin.'''
        # a comment
        self.a = helpers.first(3)
        self.b = 1
        self.items = list(range(self.items_upto))
        self.next(self.fit, foreach="items")

    @step
    def fit(self):
        print("fitting", self.input)
        self.score = self.input * RATE
        self.model = [self.input, self.b]
        self.next(self.join)

    @step
    def join(self, inputs):
        self.best = max(i.score for i in inputs)
        self.merge_artifacts(inputs, exclude=["score", "model"])
        self.next(self.files)

    @environment(vars={"DECLARED": "x"})
    @step(cache_depends=["data.txt", "env:OUTSIDE"])
    def files(self):
        self.text = open("data.txt").read() + os.environ.get("OUTSIDE", "")
        self.next(self.end)

    @step
    def end(self):
        print("alpha", self.alpha, self.best, self.a)
"""
HELPERS = "def first(x):\n    return helper(x)\ndef helper(x):\n    return 7\n"
ALL = {"start", "fit", "join", "files", "end"}
_RAN = re.compile(r"\[[\w-]+/(\w+)/\d+ \(pid \d+\)\] Task is starting")


@pytest.fixture(scope="module")
def cached(shared_program):
    program = shared_program(FLOW)
    (program.directory / "helpers.py").write_text(HELPERS)
    (program.directory / "data.txt").write_text("one")
    outcome, _ = program.run()
    assert ran(outcome) == ALL
    return program


def ran(outcome):
    return set(_RAN.findall(outcome.out))


def run_with(program, edits, arguments=(), **variables):
    """Run with edited files, which are put back after that; return what ran and was printed."""
    before = {name: (program.directory / name).read_text() for name, _, _ in edits}
    try:
        for name, old, new in edits:
            text = (program.directory / name).read_text()
            assert old in text
            (program.directory / name).write_text(text.replace(old, new))
        outcome, _ = program.run(*arguments, **variables)
    finally:
        for name, text in before.items():
            (program.directory / name).write_text(text)
    return ran(outcome), outcome


def test_the_same_run_takes_everything_over_and_says_so_last(cached):
    outcome, run = cached.run()

    assert ran(outcome) == set()
    assert outcome.out.splitlines()[-1].endswith(
        "6 of 6 tasks cached (run --no-cache to execute them)."
    )
    assert run.data.best == 2
    assert run.data.text == "one"


MATRIX = {
    "a comment": ([("flow.py", "# a comment", "# another\n\n")], (), set()),
    "a docstring": ([("flow.py", "'''Begin.'''", "'''Start.'''")], (), set()),
    "formatting": ([("flow.py", "helpers.first(3)", "helpers.first( 3 )")], (), set()),
    "a helper of a helper": ([("helpers.py", "return 7", "return 8")], (), {"start", "end"}),
    "a helper, same result": ([("helpers.py", "return 7", "return len('1234567')")], (), {"start"}),
    "a constant": ([("flow.py", "RATE = 2", "RATE = 3")], (), {"fit", "join", "end"}),
    "an artifact that join doesn't read": (
        [("flow.py", "[self.input, self.b]", "[self.input, 5]")],
        (),
        {"fit"},
    ),
    "an artifact that is new": (
        [("flow.py", "self.b = 1", "self.b = 1; self.c = 1")],
        (),
        {"start"},
    ),
    "a parameter": ([], ("--alpha", "2"), {"end"}),
    "a parameter's type": (
        [("flow.py", 'default="1"', "default=1")],
        (),
        {"end"},
    ),
    "a longer foreach": ([], ("--items_upto", "3"), {"start", "fit", "join", "end"}),
    "a declared file": ([("data.txt", "one", "two")], (), {"files"}),
    "a declared variable's value": ([("flow.py", '"x"', '"y"')], (), {"files"}),
    "retry and resources": (
        [("flow.py", "    @environment", "    @retry(times=2)\n    @environment")],
        (),
        set(),
    ),
    "refresh": ([], ("--cache-refresh", "join"), {"join"}),
    "no cache": ([], ("--no-cache",), ALL),
}


@pytest.mark.parametrize("row", MATRIX.values(), ids=MATRIX)
def test_a_change_makes_just_these_steps_run(cached, row):
    edits, arguments, expected = row

    steps, outcome = run_with(cached, edits, arguments)

    assert steps == expected, outcome.out


def test_only_the_new_items_of_a_foreach_run(cached):
    _, outcome = run_with(cached, [], ("--items_upto", "5"))

    assert "fitting 4" in outcome.lines
    assert "fitting 0" not in outcome.lines


def test_an_environment_variable_that_is_declared_counts(cached):
    assert run_with(cached, [], OUTSIDE="here")[0] == {"files"}


def test_a_line_says_what_has_changed_and_follows_it_to_its_root(cached):
    _, outcome = run_with(cached, [("helpers.py", "return 7", "return 9")])

    edited = "helper helpers.helper() was edited"
    assert f"start/1] ran because {edited} (compared with Cached/" in outcome.out
    followed = re.findall(
        r"/(\w+)/\d+\] ran because read '(\w+)' changed \(.*?\), (.*) \(", outcome.out
    )
    assert followed == [("end", "a", f"produced by start, whose {edited}")]


def test_explain_tells_the_same_later(cached):
    steps, outcome = run_with(cached, [("helpers.py", "return 7", "return 11")])
    run = re.search(r"run-id (\d+)", outcome.out).group(1)

    told = cached.store("cache", "explain", f"Cached/{run}/end").out
    reused = cached.store("cache", "explain", f"Cached/{run}/join").out

    assert steps == {"start", "end"}
    assert "ran because read 'a' changed" in told
    assert "produced by start, whose helper helpers.helper() was edited" in told
    assert re.match(rf"Cached/{run}/join/\d+: taken over from Cached/\d+/join/\d+\n", reused)


def test_lost_data_are_computed_again(program):
    flow = program(
        """
        class Lost(FlowSpec):
            @step(enable_cache=True)
            def start(self):
                self.x = list(range(20000))
                self.next(self.end)

            @step
            def end(self):
                print(len(self.x))
        """
    )
    flow.run()
    _, run = flow.run()
    digest = run["start"].task["x"].sha
    flow.storage.lose(digest)
    (blob,) = flow.directory.rglob(f"objects/*/{digest}")  # the only one, or a cache's
    blob.write_bytes(blob.read_bytes()[:-3] + b"xxx")

    outcome, run = flow.run()

    assert "data of its earlier result are missing or damaged" in outcome.out
    assert ran(outcome) == {"start", "end"}
    assert len(run.data.x) == 20000


def test_caching_is_off_unless_asked_for(program):
    flow = program(
        """
        class Plain(FlowSpec):
            @step
            def start(self):
                self.next(self.end)

            @step(enable_cache=False)
            def end(self):
                pass
        """
    )
    flow.run()

    assert ran(flow.run()[0]) == {"start", "end"}
    assert ran(flow.run("--cache")[0]) == {"start", "end"}
    assert ran(flow.run("--cache")[0]) == {"end"}
    assert ran(flow.run(FLOWKIT_CACHE="1")[0]) == {"end"}
    assert ran(flow.run()[0]) == {"start", "end"}


HAZARDS = """
import socket, subprocess, time

class Odd(FlowSpec):
    enable_cache = True

    @step
    def start(self):
        self.data = open("undeclared.txt").read()
        self.next(self.who)

    @step
    def who(self):
        self.me = current.run_id
        self.next(self.net)

    @step
    def net(self):
        try:
            socket.create_connection(("127.0.0.1", 1), 1)
        except OSError:
            pass
        self.next(self.clock)

    @step
    def clock(self):
        self.now = time.time()
        self.next(self.harmless)

    @step(cache_ignores=["clock", "processes"])
    def harmless(self):
        self.began = time.time()
        subprocess.run(["true"])
        self.next(self.end)

    @step
    def end(self):
        open("report.txt", "w").write("written")
"""


def test_steps_that_look_elsewhere_are_noticed_and_run_each_time(program):
    flow = program(HAZARDS)
    (flow.directory / "undeclared.txt").write_text("x")

    first, _ = flow.run()
    second, _ = flow.run()

    assert ran(second) == {"start", "who", "net", "clock"}
    for what, code in {
        "undeclared.txt (files)": "undeclared.txt",
        "current.run_id (run)": "current.run_id",
        "(network)": "create_connection",
        "time.time (clock)": "self.now = time.time()",
    }.items():
        place = f"{flow.path}:{flow.line_of(code)}"
        found = [line for line in first.out.splitlines() if what in line and place in line]
        assert len(found) == 1, first.out


def test_one_more_model_in_the_digits_example_is_the_only_one_that_is_fitted(program):
    example = Path(__file__).parents[2] / "examples" / "digits.py"
    flow = program(example.read_text(), "digits.py")
    flow.run("--cache")
    old = '("nearest neighbours"'
    more = f'("nearest five", KNeighborsClassifier(n_neighbors=5)),\n            {old}'
    flow.path.write_text(flow.path.read_text().replace(old, more))

    outcome, run = flow.run("--cache")

    fitted = [line for line in outcome.lines if re.fullmatch(r"[a-z ]+: \d+\.\d%", line)]
    assert [line.partition(":")[0] for line in fitted] == ["nearest five"]
    assert len(run.data.leaderboard) == 5
