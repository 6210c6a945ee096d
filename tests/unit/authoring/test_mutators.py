"""Mutators: what they see of a flow and its steps, what they may change, and in which order."""

from typing import Any

import pytest

from flowkit.authoring.builtin import catch, environment, resources, retry
from flowkit.authoring.config_values import config_expr
from flowkit.authoring.configs import Config
from flowkit.authoring.flowdecorators import exit_hook, project
from flowkit.authoring.flowspec import FlowSpec, declaration, definition
from flowkit.authoring.mutators import FlowMutator, StepMutator
from flowkit.authoring.parameters import Parameter
from flowkit.authoring.steps import step
from flowkit.authoring.userdecorators import UserStepDecorator
from flowkit.exceptions import (
    BadFlowDecoratorException,
    DefinitionError,
    DuplicateFlowDecoratorException,
    DuplicateStepDecoratorException,
    UnknownFlowDecoratorException,
    UnknownStepDecoratorException,
)


class Tracing(UserStepDecorator):
    def init(self, *args, **kwargs):
        pass


class Base(FlowSpec):
    cfg = Config("cfg")
    alpha = Parameter("alpha", default=1)
    limit = 3

    @retry(times=1)
    @Tracing("a", b=1)
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


def mutator(pre_mutate=lambda _, __: None, mutate=lambda _, __: None, base=FlowMutator):
    """A mutator class with these methods."""
    return type("Mutator", (base,), {"pre_mutate": pre_mutate, "mutate": mutate})


def flow_with(*decorators):
    """A child of the flow with these decorators, the first one outermost."""
    flow = type("Flow", (Base,), {"__module__": __name__})
    for decorator in reversed(decorators):
        flow = decorator(flow)
    return flow


def mutated(change, *, late=False, configs=None, decospecs=()):
    """The description of a flow that a function has changed in one of the phases."""
    call = lambda _, view: change(view)  # noqa: E731
    one = mutator(mutate=call) if late else mutator(pre_mutate=call)
    return definition(flow_with(one), configs, decospecs)


def test_a_mutator_sees_steps_parameters_configs_and_decorators():
    seen: dict[str, Any] = {}

    def look(flow):
        seen["steps"] = [name for name, _ in flow.steps]
        seen["parameters"] = dict(flow.parameters)
        seen["configs"] = dict(flow.configs)
        seen["attributes"] = (flow.alpha, flow.cfg.a, flow.start.flow.end.has_decorator("retry"))
        seen["start"] = list(flow.start.decorator_specs)
        seen["named"] = flow.start.get_decorator_specs("retry")
        seen["flow"] = [spec.name for spec in flow.decorator_specs]
        seen["nope"] = getattr(flow, "nope", None)

    described = mutated(look, configs={"cfg": {"a": 1}})

    assert seen["steps"] == ["start", "end"]
    assert seen["parameters"] == described.parameters == {"alpha": Base.alpha}
    assert seen["configs"] == {"cfg": {"a": 1}}
    assert seen["attributes"] == (Base.alpha, 1, False)
    first, second = seen["start"]
    assert first[:3] == ("retry", "flowkit.authoring.builtin.retry", [])
    assert first.kwargs["times"] == 1
    assert second == ("Tracing", f"{__name__}.Tracing", ["a"], {"b": 1})
    assert seen["named"] == [first]
    assert seen["flow"] == ["Mutator"]
    assert seen["nope"] is None


def test_a_decorator_is_added_by_class_by_name_or_by_text():
    def add(flow):
        flow.start.add_decorator(catch, deco_kwargs={"var": "x"})
        flow.start.add_decorator("environment", deco_kwargs={"vars": {"A": 1}})
        flow.end.add_decorator("resources:cpu=2")
        flow.end.add_decorator(Tracing, [1], {"c": 2})

    steps = mutated(add).steps

    assert steps["start"].decorators[:2] == (environment(vars={"A": 1}), catch(var="x"))
    tracing, needs = steps["end"].decorators
    assert needs == resources(cpu=2)
    assert (tracing.args, tracing.kwargs) == ((1,), {"c": 2})


def test_duplicates_are_left_refused_or_replaced():
    def ignore(flow):
        flow.start.add_decorator("retry", deco_kwargs={"times": 4})

    def override(flow):
        flow.start.add_decorator("retry:times=4", duplicates=flow.OVERRIDE)

    def refuse(flow):
        flow.start.add_decorator(retry, duplicates=flow.ERROR)

    assert mutated(ignore).steps["start"].decorator(retry).times == 1
    assert mutated(override).steps["start"].decorator(retry).times == 4
    with pytest.raises(DuplicateStepDecoratorException, match="step 'start' already has"):
        mutated(refuse)


def test_decorators_are_removed_by_name_class_or_arguments():
    gone = []

    def remove(flow):
        gone.append(flow.start.remove_decorator("Tracing", [], {"b": 1}))
        gone.append(flow.start.remove_decorator(Tracing, ["a"], {"b": 1}))
        gone.append(flow.start.remove_decorator("retry", deco_kwargs={"times": 2}))
        gone.append(flow.start.remove_decorator("retry"))
        gone.append(flow.end.remove_decorator("retry"))

    steps = mutated(remove).steps

    assert gone == [False, True, False, True, False]
    assert steps["start"].decorators == ()
    assert len(definition(Base).steps["start"].decorators) == 2


def test_parameters_are_added_replaced_and_removed():
    new, other = Parameter("new"), Parameter("alpha", default=5)

    def change(flow):
        flow.add_parameter("beta", new)
        flow.add_parameter("alpha", other, overwrite=True)

    described = mutated(change)

    assert described.parameters == {"alpha": other, "beta": new}
    assert new.attribute == "beta"
    assert "beta" in described.read_only
    assert mutated(lambda flow: flow.remove_parameter("alpha")).parameters == {}
    assert declaration(Base).parameters == {"alpha": Base.alpha}


@pytest.mark.parametrize("name", ["alpha", "cfg", "start", "limit"])
def test_a_parameter_can_not_take_a_name_that_is_taken(name):
    with pytest.raises(DefinitionError, match=f"already has an attribute '{name}'"):
        mutated(lambda flow: flow.add_parameter(name, Parameter(name)))


def test_flow_decorators_are_added_and_removed():
    def add(flow):
        flow.add_decorator("project", deco_kwargs={"name": "p"})
        flow.add_decorator(exit_hook, deco_kwargs={"on_error": [print]})
        flow.add_decorator(exit_hook, deco_kwargs={"on_success": [print]})
        assert flow.remove_decorator("exit_hook", deco_kwargs={"on_error": [print]})

    decorators = mutated(add).decorators

    assert decorators[:-1] == (exit_hook(on_success=[print]), project(name="p"))
    with pytest.raises(UnknownFlowDecoratorException, match="nope"):
        mutated(lambda flow: flow.add_decorator("nope"))


def test_a_flow_decorator_that_is_there_already_may_be_refused():
    def add_twice(flow):
        for _ in range(2):
            flow.add_decorator(project, deco_kwargs={"name": "p"}, duplicates=flow.ERROR)

    with pytest.raises(DuplicateFlowDecoratorException, match="flow 'Flow' already has"):
        mutated(add_twice)


@pytest.mark.parametrize(
    "change",
    [
        lambda flow: flow.add_parameter("x", Parameter("x")),
        lambda flow: flow.remove_parameter("alpha"),
        lambda flow: flow.add_decorator(project, deco_kwargs={"name": "p"}),
        lambda flow: flow.remove_decorator("Mutator"),
        lambda flow: flow.start.add_decorator(mutator(base=StepMutator)),
    ],
)
def test_what_belongs_into_pre_mutate_is_refused_later(change):
    mutated(change)

    with pytest.raises(DefinitionError, match="only allowed in the `pre_mutate`"):
        mutated(change, late=True)


def test_all_pre_mutate_come_before_with_and_all_mutate_after_it():
    log = []

    def noting(name, base):
        def note(phase):
            def call(_, view):
                step_view = view.end if base is FlowMutator else view
                log.append((name, phase, step_view.has_decorator("catch")))

            return call

        return type(name, (base,), {"pre_mutate": note("pre"), "mutate": note("late")})

    upper, lower = noting("upper", FlowMutator), noting("lower", FlowMutator)

    def add(_, flow):
        flow.end.add_decorator(noting("of step", StepMutator))

    definition(flow_with(mutator(pre_mutate=add), upper, lower), decospecs=["catch"])

    assert log == [
        ("upper", "pre", False),
        ("lower", "pre", False),
        ("of step", "pre", False),
        ("upper", "late", True),
        ("lower", "late", True),
        ("of step", "late", True),
    ]


def test_a_step_mutator_changes_its_step():
    class Patient(StepMutator):
        def init(self, times):
            self.times = times

        def mutate(self, mutable_step):
            mutable_step.add_decorator("retry", deco_kwargs={"times": self.times})

    class Flow(FlowSpec):
        cfg = Config("cfg")

        @Patient(cfg.times)
        @step
        def start(self):
            self.next(self.end)

        @Patient(times=config_expr("cfg.times + 1"))
        @step
        def end(self):
            pass

    steps = definition(Flow, {"cfg": {"times": 2}}).steps

    assert steps["start"].decorators[0] == retry(times=2)
    assert steps["end"].decorators[0] == retry(times=3)


def test_a_flow_mutator_takes_arguments_also_from_configs_and_stands_on_flows_only():
    class Adding(FlowMutator):
        def init(self, name="x"):
            self.attribute = name

        def pre_mutate(self, mutable_flow):
            mutable_flow.add_parameter(self.attribute, Parameter(self.attribute))

    lazy = config_expr("cfg.name")

    assert "x" in definition(flow_with(Adding)).parameters
    assert "y" in definition(flow_with(Adding("y"))).parameters
    assert "z" in definition(flow_with(Adding(lazy)), {"cfg": {"name": "z"}}).parameters
    with pytest.raises(BadFlowDecoratorException, match="@Adding must be put on a class derived"):
        Adding(int)


def test_configs_may_be_used_in_what_a_mutator_adds():
    def add(flow):
        flow.end.add_decorator(retry, deco_kwargs={"times": config_expr("cfg.n")})
        flow.add_parameter("late", Parameter("late", default=config_expr("cfg.n")))

    described = mutated(add, configs={"cfg": {"n": 2}})

    assert described.steps["end"].decorators == (retry(times=2),)
    assert described.parameters["late"].default == 2


def test_a_mutator_that_fails_is_named():
    with pytest.raises(DefinitionError, match=r"@Mutator.pre_mutate failed: ZeroDivisionError"):
        mutated(lambda _: 1 / 0)
    with pytest.raises(UnknownStepDecoratorException, match="Unknown step decorator nope"):
        mutated(lambda flow: flow.start.add_decorator("nope"))
    with pytest.raises(DefinitionError, match="@retry: invalid literal"):
        mutated(lambda flow: flow.end.add_decorator(retry, deco_kwargs={"times": "x"}))
