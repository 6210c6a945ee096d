"""What decorators decide about attempts, as plain data."""

import pytest

from flowkit import FlowSpec, catch, environment, resources, retry, step, timeout
from flowkit.authoring.flowspec import definition
from flowkit.exceptions import DefinitionError
from flowkit.graph.build import build_graph
from flowkit.model.tasks import Needs
from flowkit.runtime.policies import retry_delay, scheduler_policy, step_needs


class Decorated(FlowSpec):
    @retry(times=2, minutes_between_retries=1, backoff=3)
    @catch()
    @step
    def start(self):
        self.next(self.end)

    @timeout(minutes=1)
    @resources(cpu=2, gpu=1, memory=100)
    @environment(vars={"A": 1, "B": True})
    @step
    def end(self):
        pass


FLOW = definition(Decorated)


def test_attempts_and_caught_steps():
    policy = scheduler_policy(FLOW, build_graph(FLOW), 7)

    assert policy.max_num_splits == 7
    assert policy.max_attempts == {"start": 3, "end": 1}
    assert policy.caught == {"start"}


def test_the_wait_before_an_attempt():
    assert [retry_delay(FLOW, "start", attempt) for attempt in (0, 1, 2)] == [0, 60, 180]
    assert retry_delay(FLOW, "end", 1) == 0


def test_what_attempts_need():
    assert step_needs(FLOW) == {
        "start": Needs(),
        "end": Needs(
            {"A": "1", "B": "True"}, timeout=60, cpu=2, gpu=1, memory=100, is_declared=True
        ),
    }


class CaughtForeach(FlowSpec):
    @catch()
    @step
    def start(self):
        self.xs = []
        self.next(self.each, foreach="xs")

    @step
    def each(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.kind = 1
        self.next(self.choose)

    @step
    def choose(self):
        self.next({1: self.a, 2: self.end}, condition="kind")

    @step
    def a(self):
        self.next(self.end)

    @step
    def end(self):
        pass


class CaughtSwitch(CaughtForeach):
    @step
    def start(self):
        self.xs = []
        self.next(self.each, foreach="xs")

    @catch()
    @step
    def choose(self):
        self.next({1: self.a, 2: self.end}, condition="kind")


@pytest.mark.parametrize(
    ("flow", "step_name", "word"),
    [(CaughtForeach, "start", "foreach split"), (CaughtSwitch, "choose", "switch")],
)
def test_catch_is_not_supported_where_the_transition_can_not_be_made_up(flow, step_name, word):
    described = definition(flow)

    expected = f"@catch is defined for the step '{step_name}' but @catch is not supported in {word}"
    with pytest.raises(DefinitionError, match=expected):
        scheduler_policy(described, build_graph(described), 100)
