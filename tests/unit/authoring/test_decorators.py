"""Decorators attach themselves to steps and flows, and say what they don't accept."""

from dataclasses import dataclass

import pytest

from flowkit.authoring.builtin import BUILTIN, catch, environment, resources, retry, timeout
from flowkit.authoring.decorators import FlowDecorator, StepDecorator
from flowkit.authoring.flowspec import FlowSpec, definition
from flowkit.authoring.steps import step
from flowkit.exceptions import (
    BadFlowDecoratorException,
    BadStepDecoratorException,
    DefinitionError,
    DuplicateFlowDecoratorException,
    DuplicateStepDecoratorException,
    InvalidDecoratorAttribute,
)


class plain(StepDecorator):  # noqa: N801 - as users write decorators
    pass


class often(StepDecorator):  # noqa: N801 - as users write decorators
    allow_multiple = True


@dataclass(frozen=True)
class labelled(FlowDecorator):  # noqa: N801 - as users write decorators
    text: str = ""


def some_step(self):
    pass


def test_step_decorators_are_listed_outermost_first():
    class Decorated(FlowSpec):
        @retry  # type: ignore[call-arg, arg-type] # bare
        @catch(var="failed")
        @step
        def start(self):
            pass

    decorators = definition(Decorated).steps["start"].decorators
    assert decorators == (retry(), catch(var="failed"))


def test_a_decorator_may_be_used_bare():
    assert retry(step(some_step)) is some_step  # type: ignore[call-arg, arg-type]


def test_a_step_decorator_below_step_is_refused():
    with pytest.raises(BadStepDecoratorException, match="@plain must be put above @step"):

        class Wrong(FlowSpec):
            @step
            @plain
            def start(self):
                pass


def test_a_misplaced_decorator_says_where_it_stands():
    with pytest.raises(BadStepDecoratorException, match=r"above @step.*, or 'len' has no @step$"):
        retry()(len)
    with pytest.raises(BadStepDecoratorException, match="not on the class 'int'"):
        retry()(int)


def test_an_argument_without_its_name_is_refused_with_an_example():
    with pytest.raises(BadStepDecoratorException, match=r"given by name, as in @retry\(times=3\)$"):
        retry(3)  # type: ignore[arg-type]
    with pytest.raises(BadStepDecoratorException, match=r"^@plain\(3\): .* by name$"):
        plain(3)  # type: ignore[arg-type]


def test_a_decorator_stands_on_a_step_once_unless_it_allows_more():
    marked = step(some_step)
    plain()(marked)
    often()(often()(marked))

    with pytest.raises(DuplicateStepDecoratorException, match="already has a decorator 'plain'"):
        plain()(marked)


def test_an_unknown_attribute_is_refused_with_the_legal_ones():
    with pytest.raises(InvalidDecoratorAttribute, match=r"'retry'.*'tries'.*times, minutes"):
        retry(tries=3)  # type: ignore[call-arg]


def test_a_flow_decorator_stands_on_a_flow_class_once():
    @labelled(text="a")
    class Flow(FlowSpec):
        pass

    assert definition(Flow).decorators == (labelled(text="a"),)
    with pytest.raises(DuplicateFlowDecoratorException, match="already has a decorator"):
        labelled(text="b")(Flow)
    with pytest.raises(BadFlowDecoratorException, match="derived from FlowSpec"):
        labelled()(int)
    with pytest.raises(InvalidDecoratorAttribute, match="'label'"):
        labelled(label="b")  # type: ignore[call-arg]


def test_subclasses_inherit_flow_decorators():
    @labelled(text="a")
    class Parent(FlowSpec):
        pass

    class Child(Parent):
        pass

    assert definition(Child).decorators == (labelled(text="a"),)


@pytest.mark.parametrize(
    "make",
    [
        lambda: retry(times=5),
        lambda: retry(times=-1),
        lambda: retry(minutes_between_retries=-1),
        timeout,
        lambda: timeout(seconds=-1),
        lambda: resources(cpu=-1),
        lambda: environment(vars={"A=B": 1}),
        lambda: environment(vars={"A": object()}),
    ],
)
def test_arguments_that_can_not_work_are_refused(make):
    with pytest.raises(DefinitionError):
        make()


def test_waits_between_attempts_grow_by_the_backoff():
    policy = retry(minutes_between_retries=1, backoff=2)

    assert [policy.delay(attempt) for attempt in (1, 2, 3)] == [60, 120, 240]


def test_retry_covers_what_it_names_by_class_or_by_name():
    policy = retry(on=[ValueError, "LookupError", "builtins.OSError"])

    assert policy.covers(UnicodeError())
    assert policy.covers(KeyError())
    assert policy.covers(FileNotFoundError())
    assert not policy.covers(TypeError())
    assert retry().covers(TypeError())


def test_the_parts_of_a_timeout_add_up():
    assert timeout(hours=1, minutes=1, seconds=1.5).total == 3661.5


def test_built_in_decorators_are_known_by_their_names():
    assert BUILTIN["retry"] is retry
    assert vars(BUILTIN["parallel"])["is_parallel"]
