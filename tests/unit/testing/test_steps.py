"""``call_step`` calls one step as a task would."""

import dataclasses

import pytest

from flowkit import FlowSpec, Parameter, catch, current, step
from flowkit.exceptions import (
    ArtifactError,
    InvalidNextException,
    UnpicklableArtifactException,
    UsageError,
)
from flowkit.testing.steps import call_step


class Train(FlowSpec):
    alpha = Parameter("alpha", default=0.5)
    depths = (1, 2)
    is_right = False

    @step
    def start(self):
        self.items = [10, 20]
        self.rows = []
        self.next(self.fit, foreach="items")

    @step
    def fit(self):
        self.score = self.input * self.alpha
        self.seen = (self.index, current.step_name, self.depths)
        self.rows.append(self.score)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.best = max((task.score, task.index, task.input) for task in inputs)
        self.merge_artifacts(inputs, include=["rows"])
        self.next(self.fork)

    @step
    def fork(self):
        self.next(self.left, self.right)

    @step
    def left(self):
        self.side = "left"
        self.next(self.merge)

    @step
    def right(self):
        if not self.is_right:
            raise ValueError("no right")
        self.next(self.merge)

    @step
    def merge(self, inputs):
        self.sides = [inputs.left.side, inputs.right.side]
        self.next(self.end)

    @step
    def end(self):
        del self.rows


def test_a_step_gets_item_parameters_and_artifacts_and_leaves_what_it_wrote():
    rows = [1.0]

    outcome = call_step(Train, "fit", artifacts={"rows": rows}, input=10, params={"alpha": 0.2})

    assert outcome.artifacts["score"] == 2.0
    assert outcome.artifacts["seen"] == (0, "fit", (1, 2))
    assert outcome.artifacts["rows"] == [1.0, 2.0]
    assert set(outcome.written) == {"score", "seen", "rows"}
    assert outcome.targets == ("join",)
    assert outcome.items is None
    assert rows == [1.0]


def test_a_foreach_has_items():
    outcome = call_step(Train, "start")

    assert outcome.targets == ("fit",)
    assert outcome.items == [10, 20]


def test_the_inputs_of_a_foreach_are_given_in_order():
    inputs = [
        {"score": 3, "rows": [1], "input": "a"},
        {"score": 7, "rows": [1], "input": "b"},
    ]

    outcome = call_step(Train, "join", inputs=inputs)

    assert outcome.artifacts["best"] == (7, 1, "b")
    assert outcome.artifacts["rows"] == [1]
    assert outcome.targets == ("fork",)


def test_a_join_of_an_empty_foreach_has_no_inputs():
    with pytest.raises(ValueError, match="max"):
        call_step(Train, "join", inputs=[])


@pytest.mark.parametrize(
    "inputs",
    [[{"side": 1}, {"side": 2}], {"right": {"side": 2}, "left": {"side": 1}}],
    ids=["in order", "by name"],
)
def test_the_inputs_of_a_split_are_given_in_order_or_by_name(inputs):
    assert call_step(Train, "merge", inputs=inputs).artifacts["sides"] == [1, 2]


def test_the_last_step_has_no_targets_and_a_deleted_artifact_is_gone():
    outcome = call_step(Train, "end", artifacts={"rows": [1], "kept": 2})

    assert outcome.targets == ()
    assert call_step(Train, "fork").targets == ("left", "right")
    assert outcome.artifacts["kept"] == 2
    assert "rows" not in outcome.artifacts


def test_what_a_step_raises_is_raised():
    with pytest.raises(ValueError, match="no right"):
        call_step(Train, "right")


def test_an_artifact_that_was_not_given_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'rows'"):
        call_step(Train, "fit", input=1)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("fti", {}, "no step 'fti'; it has: start, fit"),
        ("join", {"artifacts": {}}, "is a join: give 'inputs', not"),
        ("join", {}, "give the artifacts of its 'inputs'"),
        ("fit", {"inputs": []}, "is no join"),
        ("fit", {"params": {"beta": 1}}, "unknown parameter 'beta'"),
    ],
)
def test_arguments_that_do_not_fit_are_usage_errors(name, arguments, message):
    with pytest.raises(UsageError, match=message):
        call_step(Train, name, **arguments)


class Odd(FlowSpec):
    sideways = Parameter("sideways", default=False)

    @step
    def start(self):
        if self.sideways:
            type(self).next(self, self.end)
            return
        self.next(self.middle)

    @step
    def middle(self):
        self.generator = (x for x in "ab")
        self.next(self.end)

    @catch(var="failure")
    @step
    def end(self):
        raise ValueError("caught")


def test_a_step_that_goes_another_way_than_the_graph_says_is_refused():
    with pytest.raises(InvalidNextException, match="expected to transition to 'middle'"):
        call_step(Odd, "start", params={"sideways": True})


def test_a_value_that_can_not_be_stored_is_an_error_that_names_it():
    with pytest.raises(ArtifactError, match=r"self\.generator"):
        call_step(Odd, "middle")


def test_an_argument_that_can_not_be_stored_is_an_error_that_names_it():
    with pytest.raises(UnpicklableArtifactException, match=r"self\.other"):
        call_step(Odd, "start", artifacts={"other": (x for x in "ab")})


def test_decorators_wrap_the_step():
    outcome = call_step(Odd, "end")

    assert outcome.artifacts["failure"].exception == "caught"


def test_a_flow_may_be_defined_in_a_function_and_the_outcome_is_frozen():
    class Local(FlowSpec):
        @step
        def only(self):
            self.x = 1

    outcome = call_step(Local, "only")

    assert outcome.artifacts == {"name": "Local", "x": 1}
    with pytest.raises(dataclasses.FrozenInstanceError):
        outcome.targets = ("end",)  # type: ignore[misc]
