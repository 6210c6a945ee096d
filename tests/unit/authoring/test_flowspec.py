"""A flow instance outside a run: inert, with reserved names, and honest about what it can't do."""

import pickle

import pytest

from flowkit.authoring.flowspec import FlowSpec, importing
from flowkit.authoring.parameters import Parameter
from flowkit.authoring.steps import step
from flowkit.exceptions import InvalidNameError


class Some(FlowSpec):
    limit = 10
    nothing = None
    alpha = Parameter("alpha", default=1)

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass

    def helper(self):
        return self.limit

    @property
    def half(self):
        return self.limit / 2


@pytest.fixture
def flow():
    return Some(use_cli=False)


def test_an_inert_flow_tells_its_name_file_and_steps(flow):
    assert flow.name == "Some"
    assert flow.script_name == "test_flowspec.py"
    assert [each.__name__ for each in flow] == ["start", "end"]
    assert (flow.index, flow.input, flow.foreach_stack()) == (None, None, [])
    assert str(flow) == repr(flow) == "<flow Some>"


def test_a_flow_is_not_started_while_its_file_is_imported():
    with importing():
        assert Some().name == "Some"


def test_methods_that_need_a_task_say_so(flow):
    for method in (lambda: flow.next(flow.end), lambda: flow.merge_artifacts([])):
        with pytest.raises(RuntimeError, match="works only in a step of a running flow"):
            method()


def test_an_unknown_attribute_is_named(flow):
    with pytest.raises(AttributeError, match="Flow Some has no attribute 'nope'"):
        _ = flow.nope
    assert not hasattr(flow, "__nope__")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        *[
            (name, "reserved name")
            for name in (
                "name",
                "script_name",
                "index",
                "input",
                "next",
                "merge_artifacts",
                "foreach_stack",
            )
        ],
        ("start", "it is a step of this flow"),
        ("helper", "it is a method of this flow"),
        ("limit", "Flow level attributes and Parameters are not modifiable"),
        ("nothing", "Flow level attributes and Parameters are not modifiable"),
        ("alpha", "Flow level attributes and Parameters are not modifiable"),
    ],
)
def test_what_can_not_be_assigned_is_refused_by_name(flow, name, message):
    with pytest.raises(AttributeError, match=f"can't set '{name}'.*{message}"):
        setattr(flow, name, 5)


@pytest.mark.parametrize("name", ["limit", "nothing", "alpha", "start", "helper", "input"])
def test_what_can_not_be_assigned_can_not_be_deleted(flow, name):
    with pytest.raises(AttributeError):
        delattr(flow, name)

    assert hasattr(Some, name)


def test_a_property_without_a_setter_can_not_be_assigned(flow):
    with pytest.raises(AttributeError):
        flow.half = 3


def test_names_that_can_not_be_artifacts_are_refused(flow):
    with pytest.raises(InvalidNameError, match="valid artifact name"):
        setattr(flow, "a-b", 1)


def test_an_attribute_comes_and_goes(flow):
    flow.x = 1
    flow._private = 2

    assert (flow.x, flow._private) == (1, 2)
    del flow.x
    with pytest.raises(AttributeError, match="no attribute 'x'"):
        del flow.x


def test_a_flow_can_not_be_serialized(flow):
    with pytest.raises(TypeError, match="flows can't be serialized: was self"):
        pickle.dumps(flow)
