"""``@step`` marks methods, and only methods."""

import pytest

from flowkit.authoring.builtin import retry
from flowkit.authoring.flowspec import FlowSpec, definition
from flowkit.authoring.steps import is_step, step
from flowkit.exceptions import BadStepDecoratorException


def test_step_is_used_bare_or_with_arguments():
    class Named(FlowSpec):
        @step(start=True)
        def first(self):
            self.next(self.last)

        @step(end=True)
        def last(self):
            pass

    steps = definition(Named).steps
    assert (steps["first"].is_start, steps["first"].is_end) == (True, False)
    assert (steps["last"].is_start, steps["last"].is_end) == (False, True)
    assert is_step(Named.first)


@pytest.mark.parametrize(
    "target",
    [int, property(lambda self: 1), staticmethod(len)],
    ids=["class", "property", "staticmethod"],
)
def test_step_refuses_what_is_no_method(target):
    with pytest.raises(BadStepDecoratorException, match="can only be put on a method"):
        step(target)


def test_a_step_finds_its_decorator_by_kind():
    class Tried(FlowSpec):
        @retry(times=2)
        @step
        def start(self):
            pass

    described = definition(Tried).steps["start"]
    assert described.decorator(retry) == retry(times=2)
    assert described.doc == ""


def test_a_step_keeps_the_options_that_it_was_given():
    class First:
        pass

    class Second:
        pass

    class Given(FlowSpec):
        @step(enable_cache=True, cache_ttl=60, output_materializers=First)
        def start(self):
            self.next(self.several)

        @step(output_materializers=[First, Second], enable_artifact_visualization=False)
        def several(self):
            self.next(self.end)

        @step(output_materializers={"a": First, "b": [First, Second]})
        def end(self):
            pass

    steps = definition(Given).steps
    assert steps["start"].options == {
        "enable_cache": True,
        "cache_ttl": 60,
        "output_materializers": (First,),
    }
    assert steps["several"].options == {
        "output_materializers": (First, Second),
        "enable_artifact_visualization": False,
    }
    assert steps["end"].options == {
        "output_materializers": {"a": (First,), "b": (First, Second)},
    }


def test_an_unknown_option_and_a_materializer_that_is_no_class_are_refused():
    with pytest.raises(TypeError, match="@step has no option 'cache'; there are: enable_cache"):
        step(cache=True)  # type: ignore[call-overload]
    with pytest.raises(BadStepDecoratorException, match="wants classes, not 'Own'"):
        step(output_materializers={"a": "Own"})
