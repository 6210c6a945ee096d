"""The flow decorators that come with flowkit: projects, exit hooks, and data for schedulers."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from flowkit.authoring.decorators import FlowDecorator, FlowFacts, FlowOption
from flowkit.exceptions import DefinitionError, UsageError

_NAME = re.compile(r"[a-z0-9_]{1,128}")
_BRANCH = re.compile(r"[a-z0-9_.]{1,128}")


@dataclass(frozen=True, kw_only=True)
class project(FlowDecorator):  # noqa: N801
    """Put the runs of related flows, and of their branches, into namespaces of their own.

    The branch is ``user.<name>`` by default, ``test.<branch>`` with ``--branch``, and ``prod`` or
    ``prod.<branch>`` with ``--production``. ``current`` gets project_name, branch_name,
    project_flow_name, is_production and is_user_branch; runs get the tags ``project:`` and
    ``project_branch:``.

    Attributes:
        name: Name of the project: a-z, 0-9 and _.
        branch: Like ``--branch``.
        production: Like ``--production``.
    """

    cli_options: ClassVar[Sequence[FlowOption]] = (
        FlowOption("branch", "Run in this branch of the project."),
        FlowOption("production", "Run in the production branch.", is_flag=True),
        FlowOption("name", "Use this name of the project instead of the flow's own."),
    )

    name: str
    branch: str | None = None
    production: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise DefinitionError(
                f"@project(name={self.name!r}): use a-z, 0-9 and _, at most 128 characters"
            )
        if self.branch is not None and not _BRANCH.fullmatch(self.branch):
            raise DefinitionError(
                f"@project: branch {self.branch!r} is not valid: use a-z, 0-9, _ and ."
            )

    def configured(self, values: Mapping[str, Any]) -> "project":
        """Return the decorator as the command line wants it."""
        given = {name: value for name, value in values.items() if value not in (None, False)}
        try:
            return replace(self, **given)
        except DefinitionError as error:
            raise UsageError(error.message) from None

    def branch_name(self, user: str) -> str:
        """Return the full name of the branch that a user's runs belong to."""
        if self.production:
            return f"prod.{self.branch}" if self.branch else "prod"
        if self.branch:
            return f"test.{self.branch}"
        return "user." + re.sub(r"[^a-z0-9_]", "_", user.lower())

    def facts(self, flow: str, user: str) -> FlowFacts:
        """Return what runs get from their project."""
        branch = self.branch_name(user)
        return FlowFacts(
            current={
                "project_name": self.name,
                "branch_name": branch,
                "project_flow_name": f"{self.name}.{branch}.{flow}",
                "is_production": self.production,
                "is_user_branch": branch.startswith("user."),
            },
            system_tags=(f"project:{self.name}", f"project_branch:{branch}"),
            headline=f"Project: {self.name}, Branch: {branch}",
        )


@dataclass(frozen=True, kw_only=True)
class exit_hook(FlowDecorator):  # noqa: N801
    """Call functions when a run has ended, each in a process of its own.

    Attributes:
        on_success: Functions of the flow's module to call after a successful run. One that has a
            parameter ``run`` gets the client's `Run`.
        on_error: Functions to call after any other run.
        options: Kept for executors that need them.
    """

    allow_multiple: ClassVar[bool] = True

    on_success: Sequence[Callable[..., Any]] = ()
    on_error: Sequence[Callable[..., Any]] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        hooks = [*self.on_success, *self.on_error]
        if not hooks:
            raise DefinitionError("@exit_hook: give on_success or on_error, or both")
        for hook in hooks:
            if not getattr(hook, "__name__", "").isidentifier():
                raise DefinitionError(
                    f"@exit_hook: {hook!r} is not a function defined at the top of a module"
                )


@dataclass(frozen=True, kw_only=True)
class schedule(FlowDecorator):  # noqa: N801
    """When a scheduler shall run the flow; data only, locally nothing follows from it.

    Attributes:
        cron: A cron expression.
        weekly: Once a week.
        daily: Once a day; so it is unless something else is given.
        hourly: Once an hour.
        timezone: Name of the time zone for ``cron``.
    """

    cron: str | None = None
    weekly: bool = False
    daily: bool = True
    hourly: bool = False
    timezone: str | None = None


@dataclass(frozen=True, kw_only=True)
class trigger(FlowDecorator):  # noqa: N801
    """Which events shall start the flow; data only, locally nothing follows from it.

    Attributes:
        event: One event: its name, or a dict with name and parameters.
        events: Several of them.
        options: Kept for schedulers that need them.
    """

    event: str | Mapping[str, Any] | None = None
    events: Sequence[str | Mapping[str, Any]] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_one_of("trigger", "event", self.event, self.events)
        names = [_event_name(event) for event in self.events]
        if len(set(names)) != len(names):
            raise DefinitionError("@trigger: an event is named twice")


@dataclass(frozen=True, kw_only=True)
class trigger_on_finish(FlowDecorator):  # noqa: N801
    """After which flows the flow shall run; data only, locally nothing follows from it.

    Attributes:
        flow: One flow: "Flow", "project.branch.Flow", or a dict with name, project, branch.
        flows: Several of them.
        options: Kept for schedulers that need them.
    """

    flow: str | Mapping[str, Any] | None = None
    flows: Sequence[str | Mapping[str, Any]] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_one_of("trigger_on_finish", "flow", self.flow, self.flows)


def _check_one_of(decorator: str, name: str, one: object, several: Sequence[object]) -> None:
    if (one is None) == (not several):
        raise DefinitionError(f"@{decorator}: give either {name} or {name}s")


def _event_name(event: str | Mapping[str, Any]) -> str:
    name = event if isinstance(event, str) else event.get("name")
    if not isinstance(name, str) or not name:
        raise DefinitionError(f"@trigger: the event {event!r} has no name")
    return name
