import pytest

from flowkit import FlowSpec, exit_hook, project, schedule, step, trigger, trigger_on_finish
from flowkit.authoring.flowspec import definition
from flowkit.exceptions import (
    BadFlowDecoratorException,
    DefinitionError,
    DuplicateFlowDecoratorException,
    InvalidDecoratorAttribute,
    UsageError,
)


def make_flow(*decorators):
    class Flow(FlowSpec):
        @step
        def start(self):
            pass

    for decorator in reversed(decorators):
        decorator(Flow)
    return definition(Flow)


@pytest.mark.parametrize(
    ("given", "branch"),
    [
        ({}, "user.ada_l"),
        ({"branch": "fast"}, "test.fast"),
        ({"production": True}, "prod"),
        ({"production": True, "branch": "v2"}, "prod.v2"),
    ],
)
def test_project_names_its_branch(given, branch):
    facts = project(name="demo").configured(given).facts("Train", "Ada.L")

    assert facts.current["branch_name"] == branch
    assert facts.current["project_flow_name"] == f"demo.{branch}.Train"
    assert facts.current["is_production"] == bool(given.get("production"))
    assert facts.system_tags == ("project:demo", f"project_branch:{branch}")
    assert facts.headline == f"Project: demo, Branch: {branch}"


@pytest.mark.parametrize("name", ["", "Demo", "a-b", "x" * 129, "a\n"])
def test_project_refuses_names_that_are_no_names(name):
    with pytest.raises(DefinitionError, match="a-z"):
        project(name=name)


def test_a_branch_that_is_no_name_is_a_usage_error():
    with pytest.raises(UsageError, match="not valid"):
        project(name="demo").configured({"branch": "UPPER"})


def test_decorators_are_listed_outermost_first():
    flow = make_flow(schedule(hourly=True), project(name="demo"))

    assert [type(each) for each in flow.decorators] == [schedule, project]


def test_a_flow_decorator_may_stand_once():
    with pytest.raises(DuplicateFlowDecoratorException, match="project"):
        make_flow(project(name="a"), project(name="b"))


def test_exit_hooks_may_stand_several_times():
    assert (
        len(make_flow(exit_hook(on_success=[print]), exit_hook(on_error=[print])).decorators) == 2
    )


def test_a_flow_decorator_belongs_on_a_flow():
    with pytest.raises(BadFlowDecoratorException, match="FlowSpec"):
        project(name="demo")(object)


def test_unknown_attributes_are_named():
    with pytest.raises(InvalidDecoratorAttribute, match=r"'crom'.*cron"):
        schedule(crom="* * * * *")  # type: ignore[call-arg]


def test_exit_hook_needs_a_function():
    with pytest.raises(DefinitionError, match="on_success or on_error"):
        exit_hook()
    with pytest.raises(DefinitionError, match="not a function"):
        exit_hook(on_success=[lambda: None])


@pytest.mark.parametrize("given", [{}, {"event": "a", "events": ["b"]}, {"events": ["a", "a"]}])
def test_trigger_refuses_what_it_cannot_mean(given):
    with pytest.raises(DefinitionError):
        trigger(**given)


def test_trigger_on_finish_takes_one_form():
    assert trigger_on_finish(flow="Other").flow == "Other"
    with pytest.raises(DefinitionError):
        trigger_on_finish()
