"""A flow class is read once into a frozen description: steps, parameters, constants."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from flowkit.authoring.decorators import FlowDecorator
from flowkit.authoring.flowspec import FlowSpec, definition
from flowkit.authoring.parameters import Parameter
from flowkit.authoring.steps import step
from flowkit.exceptions import DefinitionError


class Mixin:
    next: Any
    end: Any
    rate = Parameter("rate", default=0.5)
    colours = ("red", "green")

    @step
    def middle(self):
        self.next(self.end)


class Base(FlowSpec):
    """The base."""

    alpha = Parameter("alpha", default=1)
    limit = 10

    @step
    def start(self):
        self.next(self.middle)

    @step
    def end(self):
        pass


class Derived(Mixin, Base):
    limit = 20

    @step
    def end(self):
        """Overridden."""


def test_a_flow_is_described_by_its_steps_parameters_and_constants():
    described = definition(Base)

    assert (described.name, described.cls, described.doc) == ("Base", Base, "The base.")
    assert described.file == __file__
    assert list(described.steps) == ["start", "end"]
    assert list(described.parameters) == ["alpha"]
    assert described.constants == {"limit": 10}


def test_a_flow_inherits_from_flows_and_from_plain_mixins():
    described = definition(Derived)

    assert list(described.steps) == ["start", "end", "middle"]
    assert set(described.parameters) == {"alpha", "rate"}
    assert described.constants == {"limit": 20, "colours": ("red", "green")}


def test_a_subclass_overrides_a_step():
    assert definition(Derived).steps["end"].doc == "Overridden."
    assert definition(Base).steps["end"].doc == ""


def test_functions_properties_classes_and_private_attributes_are_no_constants():
    class Some(FlowSpec):
        kept = {"a": 1}  # noqa: RUF012 - a constant, as users write it
        nothing = None
        _private = 3

        class Inner:
            pass

        def helper(self):
            return 1

        @property
        def computed(self):
            return 2

        @staticmethod
        def static():
            return 3

    assert definition(Some).constants == {"kept": {"a": 1}, "nothing": None}


def test_a_parameter_with_a_private_attribute_is_an_error_at_class_creation():
    with pytest.raises(DefinitionError, match=r"parameter 'x' is bound to '_x'.*private"):

        class Bad(FlowSpec):
            _x = Parameter("x")


def test_a_private_parameter_of_a_mixin_is_an_error_as_well():
    class Hidden:
        _x = Parameter("x")

    with pytest.raises(DefinitionError, match="bound to '_x'"):

        class Bad(Hidden, FlowSpec):
            pass


@dataclass(frozen=True)
class renamed(FlowDecorator):  # noqa: N801 - as users write decorators
    to: str = ""

    def rewrite(self, flow):
        return replace(flow, name=flow.name + self.to)


def test_flow_decorators_rewrite_the_description_outermost_first():
    class Plain(FlowSpec):
        pass

    @renamed(to="B")
    class Once(Plain):
        pass

    assert definition(Once).name == "OnceB"
    assert definition(Plain).name == "Plain"
