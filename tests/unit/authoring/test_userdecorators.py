"""Step decorators in Metaflow's way: the protocol of the generator and of the class."""

from functools import partial
from typing import Any

import pytest

from flowkit.authoring.config_values import config_expr
from flowkit.authoring.configs import Config
from flowkit.authoring.current import TaskContext
from flowkit.authoring.flowspec import FlowSpec, definition
from flowkit.authoring.steps import step
from flowkit.authoring.userdecorators import (
    USER_SKIP_STEP,
    UserStepDecorator,
    user_step_decorator,
)
from flowkit.exceptions import (
    BadStepDecoratorException,
    DuplicateStepDecoratorException,
    InvalidDecoratorAttribute,
)


class Stage:
    """A task of which only the transition matters: what ran, and where it went."""

    def __init__(self, *, is_join=False, fails=None):
        self.log = []
        self.taken: list[Any] = []
        self.flow = object()
        self.fails = fails
        self.task = TaskContext(
            flow_name="F", run_id="1", step_name="s", task_id="1", retry_count=0,
            origin_run_id=None, namespace=None, username="u", tags=frozenset(),
            parameter_names=(), tempdir=".", graph=dict, flow=self.flow,
            inputs=["i"] if is_join else None, take_transition=self.taken.append,
        )  # fmt: skip

    def body(self):
        self.log.append("body")
        if self.fails:
            raise self.fails

    def play(self, *decorators):
        """Run the body in these decorators, outermost first."""
        call = self.body
        for decorator in reversed(decorators):
            call = partial(decorator.wrap, call, self.task)
        call()
        return self


@pytest.fixture
def yielding():
    """A function that makes a decorator which yields a value and returns another one."""

    def make(wanted=None, returned=None, log=None):
        @user_step_decorator
        def decorator(step_name, flow, inputs):
            if log is not None:
                log.append(f"before {step_name}")
            yield wanted
            if log is not None:
                log.append(f"after {step_name}")
            return returned

        return decorator()

    return make


@pytest.fixture
def catching():
    """A function that makes a decorator which catches at its yield and returns a value."""

    def make(returned=None):
        @user_step_decorator
        def decorator(step_name, flow, inputs):
            try:
                yield
            except ValueError:
                return returned

        return decorator()

    return make


def test_what_is_before_the_yield_runs_before_the_step(yielding):
    stage = Stage()

    stage.play(yielding(log=stage.log))

    assert stage.log == ["before s", "body", "after s"]
    assert stage.taken == []


def test_the_generator_gets_the_step_the_flow_the_inputs_and_the_attributes():
    got = []

    @user_step_decorator
    def decorator(step_name, flow, inputs, attributes):
        got.append((step_name, flow, inputs, attributes))
        yield

    stage = Stage(is_join=True).play(decorator(a=1))

    assert got == [("s", stage.flow, ["i"], {"a": 1})]


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [(USER_SKIP_STEP, {}), ({}, {}), ({"foreach": "items"}, {"foreach": "items"})],
)
def test_a_yielded_dict_leaves_the_body_out(yielding, wanted, taken):
    stage = Stage()

    stage.play(yielding(wanted, log=stage.log))

    assert stage.log == ["before s", "after s"]
    assert stage.taken == [taken]


@pytest.mark.parametrize(
    ("returned", "taken"),
    [(None, []), (False, []), (True, [{}]), ({"foreach": "x"}, [{"foreach": "x"}])],
)
def test_a_yielded_function_runs_instead_of_the_step(yielding, returned, taken):
    called = []
    stage = Stage()

    def instead(flow):
        called.append(flow)
        return returned

    stage.play(yielding(instead))

    assert called == [stage.flow]
    assert stage.log == []
    assert stage.taken == taken


def test_in_a_join_the_function_gets_the_inputs_as_well(yielding):
    called = []
    stage = Stage(is_join=True).play(yielding(lambda flow, inputs: called.append((flow, inputs))))

    assert called == [(stage.flow, ["i"])]


def test_an_exception_of_the_step_arrives_at_the_yield_and_goes_on(yielding):
    stage = Stage(fails=ValueError("x"))

    with pytest.raises(ValueError, match="x"):
        stage.play(yielding(log=stage.log))

    assert stage.log == ["before s", "body"]


def test_an_exception_caught_at_the_yield_is_swallowed_and_the_graph_decides(catching):
    stage = Stage(fails=ValueError("x")).play(catching())

    assert stage.taken == [{}]


def test_what_the_generator_returns_decides(catching, yielding):
    moved = Stage(fails=ValueError("x")).play(catching((None, {"foreach": "a"})))
    overridden = Stage().play(yielding(returned=(None, {"foreach": "b"})))

    assert moved.taken == [{"foreach": "a"}]
    assert overridden.taken == [{"foreach": "b"}]
    error = ValueError("x")
    with pytest.raises(KeyError) as caught:
        Stage(fails=error).play(catching(KeyError("y")))
    assert caught.value.__cause__ is error
    with pytest.raises(KeyError):
        Stage().play(yielding(returned=(KeyError("y"), {})))


def test_the_topmost_is_outermost_and_who_was_not_entered_sees_nothing(yielding):
    stage = Stage()
    outer, inner = yielding(log=stage.log), yielding(USER_SKIP_STEP, log=stage.log)
    never = yielding(log=["never"])

    stage.play(outer, inner, never)

    assert stage.log == ["before s", "before s", "after s", "after s"]


def test_an_inner_one_that_swallows_hides_the_exception_from_the_outer_one(catching):
    class Watching(UserStepDecorator):
        def post_step(self, step_name, flow, exception=None):
            seen.append(exception)

    seen: list[Any] = []
    Stage(fails=ValueError("x")).play(Watching(), catching())

    assert seen == [None]


@pytest.mark.parametrize(
    ("generator", "message"),
    [
        (lambda: (yield 5), "it yields 5"),
        (lambda: iter(()), "it never yields"),
        (lambda: iter((None, None)), "it yields more than once"),
    ],
)
def test_a_generator_that_does_not_yield_once_what_it_may_is_an_error(generator, message):
    @user_step_decorator
    def decorator(step_name, flow, inputs):
        yield from generator()

    with pytest.raises(BadStepDecoratorException, match=message):
        Stage().play(decorator())


def test_only_generators_with_three_or_four_parameters_are_taken():
    def no_generator(step_name, flow, inputs):
        pass

    def too_few(step_name, flow):
        yield

    wrong: list[Any] = [no_generator, too_few, 5]
    for function in wrong:
        with pytest.raises(BadStepDecoratorException, match="@user_step_decorator goes on"):
            user_step_decorator(function)


def test_attributes_need_a_fourth_parameter_and_positional_arguments_are_refused():
    @user_step_decorator
    def three(step_name, flow, inputs):
        yield

    @user_step_decorator
    def four(step_name, flow, inputs, attributes):
        yield

    assert (three.title(), four(a=1).kwargs) == ("three", {"a": 1})
    with pytest.raises(InvalidDecoratorAttribute, match="'three' takes no attributes"):
        three(a=1)
    with pytest.raises(InvalidDecoratorAttribute, match="'four' takes no positional"):
        four(1)


# --- classes --------------------------------------------------------------------------------------


class Counting(UserStepDecorator):
    def init(self, start=0, *, by=1):
        self.count = start
        self.by = by

    def pre_step(self, step_name, flow, inputs=None):
        self.count += self.by
        self.skip_step = self.count > 5


def test_a_class_takes_arguments_and_may_skip_the_step():
    ran, skipped = Stage().play(Counting(1)), Stage().play(Counting(1, by=9))

    assert (ran.log, ran.taken) == (["body"], [])
    assert (skipped.log, skipped.taken) == ([], [{}])


def test_the_state_of_one_task_does_not_reach_the_next_one():
    decorator = Counting(4)

    stages = [Stage().play(decorator) for _ in range(3)]

    assert [stage.log for stage in stages] == [["body"]] * 3


def test_a_class_may_replace_the_step_and_let_it_fail():
    class Replacing(UserStepDecorator):
        def pre_step(self, step_name, flow, inputs=None):
            return lambda _: {"foreach": "x"}

    class Failing(UserStepDecorator):
        def post_step(self, step_name, flow, exception=None):
            return RuntimeError("no")

    assert Stage().play(Replacing()).taken == [{"foreach": "x"}]
    with pytest.raises(RuntimeError, match="no"):
        Stage().play(Failing())


def test_without_methods_of_its_own_a_class_changes_nothing():
    class Nothing(UserStepDecorator):
        pass

    error = ValueError("x")
    assert Stage().play(Nothing()).log == ["body"]
    with pytest.raises(ValueError, match="x") as caught:
        Stage(fails=error).play(Nothing())
    assert caught.value is error
    assert caught.value.__cause__ is None
    with pytest.raises(InvalidDecoratorAttribute, match="define init"):
        Nothing(a=1)


def test_they_stand_on_steps_bare_called_or_with_arguments_from_configs():
    class Flow(FlowSpec):
        cfg = Config("cfg")

        @Counting
        @step
        def start(self):
            self.next(self.middle)

        @Counting(config_expr("cfg.n"), by=cfg.by)
        @step
        def middle(self):
            self.next(self.end)

        @Counting()
        @step
        def end(self):
            pass

    steps: Any = definition(Flow, {"cfg": {"n": 3, "by": 2}}).steps

    made = {name: (deco.count, deco.by) for name, s in steps.items() for deco in s.decorators}
    assert made == {"start": (0, 1), "middle": (3, 2), "end": (0, 1)}
    with pytest.raises(BadStepDecoratorException, match="@Counting must be put above @step"):
        Counting(print)
    with pytest.raises(DuplicateStepDecoratorException):
        Counting(Flow.start)
