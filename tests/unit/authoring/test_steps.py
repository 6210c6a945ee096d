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


@pytest.mark.parametrize("target", [int, property(lambda self: 1), staticmethod(len)], ids=["class", "property", "staticmethod"])
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
