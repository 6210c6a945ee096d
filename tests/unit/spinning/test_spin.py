"""``spin`` as a function: which task, which inputs, what is refused; tasks run inline."""

import pytest

import flowkit
from flowkit import Flow, FlowSpec, Parameter, parallel, step
from flowkit.authoring.flowspec import definition
from flowkit.config import load_settings
from flowkit.content.store import ArtifactStore
from flowkit.enums import Status
from flowkit.exceptions import (
    InvalidPathspecError,
    NotFoundError,
    UnpicklableArtifactException,
    UsageError,
)
from flowkit.spinning import SpinRequest, spin
from flowkit.wiring import open_store


class Spins(FlowSpec):
    n = Parameter("n", default=2)

    @step
    def start(self):
        self.base = [self.n]
        self.items = list(range(self.n))
        self.next(self.fit, foreach="items")

    @step
    def fit(self):
        self.score = self.base[0] * 10 + self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(one.score for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        pass


class Split(FlowSpec):
    @step
    def start(self):
        self.next(self.left, self.right)

    @step
    def left(self):
        self.side = "left"
        self.next(self.meet)

    @step
    def right(self):
        self.side = "right"
        self.next(self.meet)

    @step
    def meet(self, inputs):
        self.sides = [one.side for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


class Gang(FlowSpec):
    @step
    def start(self):
        self.next(self.work, num_parallel=2)

    @parallel
    @step
    def work(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch) -> ArtifactStore:
    """A store of the test's own."""
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path))
    monkeypatch.setenv("FLOWKIT_USER", "tester")
    monkeypatch.setenv("FLOWKIT_EXECUTOR", "inline")
    monkeypatch.chdir(tmp_path)
    return open_store(load_settings())


def spun(flow, path, **request):
    return spin(definition(flow), SpinRequest(path, **request), load_settings())


def values(store, ended):
    return {name: store.load(ref) for name, ref in ended.artifacts.items()}


@pytest.mark.parametrize(
    ("path", "origin", "score"),
    [
        ("fit", "Spins/2/fit/4", 32),
        ("1/fit", "Spins/1/fit/3", 21),
        ("1/fit/2", "Spins/1/fit/2", 20),
        ("Spins/1/fit/2", "Spins/1/fit/2", 20),
    ],
)
def test_the_newest_task_is_taken_where_none_is_named(store, path, origin, score):
    flowkit.run(Spins)
    flowkit.run(Spins, n=3)

    ended = spun(Spins, path)

    assert ended.origin == origin
    assert ended.ended.status is Status.SUCCEEDED
    assert values(store, ended) == {"score": score}
    assert ended.result.next is not None
    assert ended.result.next.targets == ("join",)
    assert ended.pathspec is None


def test_first_and_last_steps_spin(store):
    flowkit.run(Spins)

    first, last = spun(Spins, "start"), spun(Spins, "end")

    assert set(first.artifacts) == {"base", "items"}
    assert last.result.status is Status.SUCCEEDED
    assert last.result.next is None


def test_no_run_and_no_row_is_left_unless_it_is_to_be_kept():
    flowkit.run(Spins)

    spun(Spins, "fit")
    kept = spun(Spins, "fit", persist=True)

    assert [run.id for run in Flow("Spins")] == ["2", "1"]
    assert kept.pathspec == "Spins/2/fit/1"
    assert Flow("Spins").latest_run.id == "1"


def test_values_replace_what_was_recorded(store):
    flowkit.run(Spins)

    assert values(store, spun(Spins, "fit", artifacts={"base": [7], "input": 5})) == {"score": 75}
    assert values(store, spun(Spins, "start", artifacts={"n": 1})) == {"base": [1], "items": [0]}
    assert values(store, spun(Spins, "join", artifacts={0: {"score": 100}})) == {"total": 121}


def test_values_replace_those_of_the_inputs_by_step(store):
    flowkit.run(Split)

    ended = spun(Split, "meet", artifacts={"left": {"side": "west"}})

    assert values(store, ended) == {"sides": ["west", "right"]}


@pytest.mark.parametrize(
    ("step", "artifacts", "error", "message"),
    [
        ("join", {"score": 1}, UsageError, "is a join: give artifacts as a dict"),
        ("join", {7: {}}, UsageError, "one of 'fit', 0, 1"),
        ("fit", {3: 1}, UsageError, "given by name: 3 is none"),
        ("start", {"input": 1}, UsageError, "in no foreach"),
        ("fit", {"x": (i for i in "ab")}, UnpicklableArtifactException, r"self\.x"),
    ],
)
def test_values_that_do_not_fit_are_refused(step, artifacts, error, message):
    flowkit.run(Spins)

    with pytest.raises(error, match=message):
        spun(Spins, step, artifacts=artifacts)


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("nope", UsageError, "'nope': valid step names are: start, fit"),
        ("9/fit", NotFoundError, "run 'Spins/9' does not exist"),
        ("1/fit/9", NotFoundError, "has no such task of 'fit'"),
        ("1/fit/2/score", InvalidPathspecError, "is no step, run/step or run/step/task"),
        ("1/fit/x", ValueError, "task ids are numbers"),
    ],
)
def test_what_is_not_there_is_said(path, error, message):
    flowkit.run(Spins)

    with pytest.raises(error, match=message):
        spun(Spins, path)


def test_a_step_that_no_run_has_come_to_can_not_spin():
    with pytest.raises(NotFoundError, match="run the flow first"):
        spun(Spins, "fit")


def test_a_spin_is_no_origin():
    flowkit.run(Spins)
    spun(Spins, "fit", persist=True)

    assert spun(Spins, "fit").origin == "Spins/1/fit/3"
    with pytest.raises(UsageError, match="was made by spin"):
        spun(Spins, "2/fit")


def test_a_step_of_a_gang_can_not_spin():
    flowkit.run(Gang)

    with pytest.raises(UsageError, match="runs in a gang"):
        spun(Gang, "work")
