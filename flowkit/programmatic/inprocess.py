"""``run`` and ``resume``: a flow class, run in this process or in forks of it."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from flowkit import api
from flowkit.authoring.configs import ConfigChoices, read_configs
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.flowspec import FlowSpec, declaration, definition
from flowkit.authoring.parameters import ParameterContext
from flowkit.client.clientobject import Found, Scope
from flowkit.client.namespaces import get_namespace
from flowkit.client.objects import Run
from flowkit.client.session import session_at
from flowkit.config import Settings, flow_config_variables, load_settings
from flowkit.enums import Status
from flowkit.exceptions import RunFailed
from flowkit.launching import RunRequest
from flowkit.model.events import RunEnded, RunEvent, TaskLines

Executor = Literal["inline", "local"]


def run(
    flow: type[FlowSpec],
    *,
    executor: Executor = "inline",
    tags: Sequence[str] = (),
    max_workers: int = 16,
    check: bool = True,
    **params: Any,
) -> Run:
    """Run a flow class to its end and return the run, as the client reads it.

    The run is one like any other: stored, numbered, with all its artifacts. The class may be
    defined in a notebook or in a test.

    Args:
        flow: The flow class.
        executor: "inline" runs one task after the other in this process, where ``breakpoint()``
            works; "local" runs each in a fork of its own.
        tags: User tags of the run.
        max_workers: How many tasks run at once.
        check: Whether a failed run raises.
        params: Values of the flow's parameters by name.

    Raises:
        RunFailed: A step failed, and ``check`` is set; the message ends with its traceback.
        LintError: The flow's graph breaks rules.
        UsageError: A parameter is missing, unknown or doesn't fit.

    Example::

        data = flowkit.run(Train, alpha=0.5).data
    """
    settings = replace(load_settings(), executor=executor)
    request = RunRequest(parameters=params, tags=tags, max_workers=max_workers)
    described = definition(flow, _configs(declaration(flow), settings), settings.decospecs)
    ended = api.run(described, request, settings, [_echo])
    return _run(ended, settings, is_checked=check)


def resume(  # noqa: PLR0913 - what a user may ask for
    flow: type[FlowSpec],
    *,
    origin_run_id: str | None = None,
    step: str | None = None,
    executor: Executor = "inline",
    tags: Sequence[str] = (),
    max_workers: int = 16,
    check: bool = True,
) -> Run:
    """Run a flow class again, taking over from an earlier run what had succeeded.

    Args:
        flow: The flow class, as it is now; parameters and configs are those of the earlier run.
        origin_run_id: The run to resume; your latest one of this flow when None.
        step: Run this step and all after it again, also where they had succeeded.
        executor: As for `run`.
        tags: User tags of the new run.
        max_workers: How many tasks run at once.
        check: Whether a failed run raises.

    Raises:
        RunFailed: A step failed, and ``check`` is set.
        NotFoundError: There is no such run.
        ConflictError: That run is still going on.
        UsageError: There is no such step.
    """
    settings = replace(load_settings(), executor=executor)
    request = RunRequest(tags=tags, max_workers=max_workers)
    configs: Mapping[str, Any] = {}
    if declaration(flow).configs:
        origin_run_id, configs = api.configs_to_resume(declaration(flow), origin_run_id, settings)
    described = definition(flow, configs, settings.decospecs)
    resumption = api.ResumeRequest(origin_run_id, step)
    ended = api.resume(described, resumption, request, settings, [_echo])
    return _run(ended, settings, is_checked=check)


def _configs(flow: FlowDef, settings: Settings) -> Mapping[str, Any]:
    if not flow.configs:
        return {}
    choices = ConfigChoices(*flow_config_variables())
    return read_configs(
        flow.configs, choices, lambda name: ParameterContext(flow.name, settings.user, name)
    )


def _echo(event: RunEvent) -> None:
    """Write what tasks of the local executor print where those of the inline one do."""
    if isinstance(event, TaskLines):
        out = sys.stdout if event.stream == "stdout" else sys.stderr
        out.writelines(f"{line}\n" for line in event.lines)


def _run(ended: RunEnded, settings: Settings, *, is_checked: bool) -> Run:
    pathspec = f"{ended.flow}/{ended.run_id}"
    if is_checked and ended.status is not Status.SUCCEEDED:
        raise _failure(pathspec, ended)
    location = session_at(settings.metadata_url).location
    return Run(pathspec, _found=Found(Scope(location, get_namespace(), is_checked=False)))


def _failure(pathspec: str, ended: RunEnded) -> RunFailed:
    spec, error = ended.failed, ended.error
    if spec is None or error is None:
        return RunFailed(f"run {pathspec} was {ended.status.value}")
    kind = error.type.removeprefix("builtins.")
    reason = f"{kind}: {error.message}" if kind else error.message
    text = f"step '{spec.step}' (task {spec.pathspec}) failed: {reason}"
    return RunFailed(f"{text}\n{error.traceback}" if error.traceback else text)
