"""Decorators given as text: how the text is read, what it can name, and where they go."""

from dataclasses import dataclass
from typing import Any

import pytest

from flowkit.authoring.builtin import catch, environment, resources, retry
from flowkit.authoring.decorators import StepDecorator
from flowkit.authoring.decospecs import parse_decospec
from flowkit.authoring.flowspec import FlowSpec, definition
from flowkit.authoring.secretsources import secrets
from flowkit.authoring.steps import step
from flowkit.authoring.userdecorators import UserStepDecorator, user_step_decorator
from flowkit.exceptions import (
    DefinitionError,
    InvalidDecoratorAttribute,
    UnknownStepDecoratorException,
)


@dataclass(frozen=True)
class Labelled(StepDecorator):
    name = "label"
    text: str = ""


@user_step_decorator
def traced(step_name, flow, inputs, attributes):
    yield


class Flow(FlowSpec):
    @retry(times=1)
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("retry", ("retry", {})),
        ("retry:times=2", ("retry", {"times": 2})),
        ("a:b=1.5,c=text,d=true", ("a", {"b": 1.5, "c": "text", "d": True})),
        ("a:b=one two,c=", ("a", {"b": "one two", "c": ""})),
        (
            'environment:vars={"A": "x,y", "B": [1, 2]},other="p,q"',
            ("environment", {"vars": {"A": "x,y", "B": [1, 2]}, "other": "p,q"}),
        ),
        ("a:b=1x,c=[1", ("a", {"b": "1x", "c": "[1"})),
        ("a:b=x:y=z", ("a", {"b": "x:y=z"})),
        (" a : b = 1 , c = 2 ", ("a", {"b": 1, "c": 2})),
    ],
)
def test_values_are_json_where_they_can_be(text, expected):
    assert parse_decospec(text) == expected


@pytest.mark.parametrize("text", ["retry:times", "retry:times=1,,", "retry:=1", "retry:a b=1"])
def test_a_part_that_is_no_assignment_is_an_error(text):
    with pytest.raises(InvalidDecoratorAttribute, match="not of the form attribute=value"):
        parse_decospec(text)


def test_they_go_outermost_on_every_step_that_lacks_them():
    described = definition(Flow, decospecs=["retry:times=2", "catch:var=x"])

    assert described.steps["start"].decorators == (catch(var="x"), retry(times=1))
    assert described.steps["end"].decorators == (catch(var="x"), retry(times=2))
    assert described.decospecs == ("retry:times=2", "catch:var=x")
    assert definition(Flow).steps["end"].decorators == ()


def test_the_first_of_a_kind_wins():
    described = definition(Flow, decospecs=["resources:cpu=2", "resources:cpu=3"])

    assert described.steps["end"].decorators == (resources(cpu=2),)


def test_decorators_of_the_flow_s_module_are_found_by_title_and_by_class_name():
    decospecs = ["label:text=a", "traced:n=1", "secrets:sources=[]"]
    decorators: Any = definition(Flow, decospecs=decospecs).steps["end"].decorators

    sources, tracing, label = decorators
    assert label == Labelled(text="a")
    assert tracing.kwargs == {"n": 1}
    assert isinstance(sources, secrets)
    assert definition(Flow, decospecs=["Labelled"]).steps["end"].decorators == (Labelled(),)


def test_an_unknown_name_lists_the_others_without_the_base_classes():
    with pytest.raises(UnknownStepDecoratorException) as caught:
        definition(Flow, decospecs=["nope:a=1"])

    assert str(caught.value) == (
        "Unknown step decorator nope. The following decorators are supported: Labelled, catch, "
        "environment, label, parallel, resources, retry, secrets, timeout, traced"
    )
    assert UserStepDecorator.__name__ not in str(caught.value)


def test_attributes_that_do_not_fit_are_a_definition_error():
    with pytest.raises(InvalidDecoratorAttribute, match="'tries'"):
        definition(Flow, decospecs=["retry:tries=1"])
    with pytest.raises(DefinitionError, match="@retry: invalid literal"):
        definition(Flow, decospecs=["retry:times=x"])
    with pytest.raises(DefinitionError, match="@environment"):
        definition(Flow, decospecs=["environment:vars=5"])


def test_json_attributes_arrive_as_values():
    described = definition(Flow, decospecs=['environment:vars={"A": 1}'])

    assert described.steps["end"].decorators == (environment(vars={"A": 1}),)
