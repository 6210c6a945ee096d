"""What a flow's decorators decide about attempts, read once and handed on as plain data."""

from collections.abc import Mapping

from flowkit.authoring.builtin import environment, resources, retry, timeout
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.steps import StepDef
from flowkit.graph.graph import Graph
from flowkit.model.tasks import Needs
from flowkit.runtime.scheduler import SchedulerPolicy


def scheduler_policy(flow: FlowDef, graph: Graph, max_num_splits: int) -> SchedulerPolicy:
    """Return how often steps are tried and which failures are caught."""
    return SchedulerPolicy(
        max_num_splits=max_num_splits,
        max_attempts={name: _max_attempts(step) for name, step in flow.steps.items()},
        caught=frozenset(name for name in flow.steps if graph[name].is_caught),
    )


def _max_attempts(step: StepDef) -> int:
    policy = step.decorator(retry)
    return 1 if policy is None else 1 + int(policy.times)


def retry_delay(flow: FlowDef, step: str, attempt: int) -> float:
    """Return the seconds to wait before an attempt of a step."""
    policy = flow.steps[step].decorator(retry)
    return 0.0 if policy is None or not attempt else policy.delay(attempt)


def step_needs(flow: FlowDef) -> Mapping[str, Needs]:
    """Return what each step's attempts need of the machine that runs them."""
    return {name: _needs(step) for name, step in flow.steps.items()}


def _needs(step: StepDef) -> Needs:
    limit = step.decorator(timeout)
    declared = step.decorator(resources)
    machine = declared or resources()
    variables = step.decorator(environment) or environment()
    return Needs(
        environment={name: str(value) for name, value in variables.vars.items()},
        timeout=limit.total if limit else None,
        cpu=machine.cpu,
        gpu=machine.gpu or 0,
        memory=machine.memory,
        is_declared=declared is not None,
    )
