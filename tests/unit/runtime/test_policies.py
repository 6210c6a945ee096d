"""What decorators decide about attempts, as plain data."""

from flowkit import FlowSpec, catch, environment, resources, retry, step, timeout
from flowkit.authoring.flowspec import definition
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
