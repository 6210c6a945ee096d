"""``current``: facts about the task that is running, for user code."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flowkit import plugins
from flowkit.exceptions import ExceptionWrapper
from flowkit.model.tasks import AttemptError


class Parallel(NamedTuple):
    """Where a task stands in its gang (``num_parallel``)."""

    main_ip: str
    num_nodes: int
    node_index: int
    control_task_id: str


def _nothing_handles(error: BaseException) -> ExceptionWrapper:
    raise error


def _goes_nowhere(keywords: Mapping[str, Any]) -> None:
    """Stand in for the task's way on, outside of one."""


@dataclass(frozen=True, slots=True)
class TaskContext:
    """Everything `current` can tell about one attempt; set once per task by the worker.

    Attributes:
        flow_name: Name of the flow.
        run_id: Id of the run.
        step_name: Name of the step.
        task_id: Id of the task.
        retry_count: Number of the attempt, from 0.
        origin_run_id: The run that this one resumes.
        namespace: The client's namespace inside tasks; None is the global one.
        username: Who runs the flow.
        tags: User tags given at the start of the run.
        parameter_names: The attributes that hold the flow's parameters and configs.
        tempdir: A directory for scratch files.
        graph: Returns the ``_graph_info`` of the run.
        flow: The flow instance whose step runs.
        inputs: The inputs of a join; None elsewhere.
        parallel: Place in the gang; None outside one.
        is_last_attempt: Whether no further attempt follows a failure.
        fallback: Why the process of the last attempt died, when this one only handles that.
        handle_failure: Takes an exception as handled: the flow goes on as the graph says.
        take_transition: Goes on as the graph says, whatever the step asked for, with these
            keywords of ``self.next``.
        extras: Further attributes that decorators contribute.
        look: Takes note that the step reads an attribute of `current`.
    """

    flow_name: str
    run_id: str
    step_name: str
    task_id: str
    retry_count: int
    origin_run_id: str | None
    namespace: str | None
    username: str
    tags: frozenset[str]
    parameter_names: tuple[str, ...]
    tempdir: str
    graph: Callable[[], Any]
    flow: Any = None
    inputs: Any = None
    parallel: Parallel | None = None
    is_last_attempt: bool = True
    fallback: AttemptError | None = None
    handle_failure: Callable[[BaseException], ExceptionWrapper] = _nothing_handles
    take_transition: Callable[[Mapping[str, Any]], None] = _goes_nowhere
    extras: Mapping[str, Any] = field(default_factory=dict)
    look: Callable[[str], None] = lambda _name: None

    @property
    def pathspec(self) -> str:
        """``Flow/run/step/task``."""
        return f"{self.flow_name}/{self.run_id}/{self.step_name}/{self.task_id}"


_task: ContextVar[TaskContext | None] = ContextVar("flowkit_task", default=None)
_extras: ContextVar[Mapping[str, Any] | None] = ContextVar("flowkit_extras", default=None)

_PLAIN = frozenset(
    {
        "flow_name",
        "run_id",
        "step_name",
        "task_id",
        "origin_run_id",
        "pathspec",
        "namespace",
        "username",
        "parameter_names",
    }
)


@contextmanager
def entered(context: TaskContext) -> Iterator[None]:
    """Make this the context that `current` speaks of."""
    token = _task.set(context)
    try:
        yield
    finally:
        _task.reset(token)


@contextmanager
def extended(extras: Mapping[str, Any]) -> Iterator[None]:
    """Give `current` further attributes, inside a decorator's ``wrap`` or before a run starts."""
    token = _extras.set({**(_extras.get() or {}), **extras})
    try:
        yield
    finally:
        _extras.reset(token)


def running_task() -> TaskContext | None:
    """Return the context of the task that is running; None outside of one."""
    return _task.get()


class Current:
    """The task that is running: ``current.run_id``, ``current.task_id``, ...

    Outside a task the plain attributes are None and ``is_running_flow`` is False.

    Example::

        from flowkit import current
        print(current.pathspec, current.retry_count)
    """

    @property
    def is_running_flow(self) -> bool:
        """Whether this code runs inside a task."""
        return _task.get() is not None

    @property
    def retry_count(self) -> int:
        """Number of the attempt, from 0."""
        context = self._seen("retry_count")
        return 0 if context is None else context.retry_count

    @property
    def tags(self) -> set[str]:
        """User tags given at the start of the run."""
        context = self._seen("tags")
        return set() if context is None else set(context.tags)

    @property
    def graph(self) -> Any:
        """The flow's graph as JSON-like data (``_graph_info``).

        Raises:
            RuntimeError: No task is running.
        """
        context = self._seen("graph")
        if context is None:
            raise RuntimeError("current.graph is only there while a flow is running")
        return context.graph()

    @property
    def tempdir(self) -> str:
        """A directory for scratch files; "." outside a task."""
        context = _task.get()
        return "." if context is None else context.tempdir

    @property
    def parallel(self) -> Parallel:
        """Place in the gang; a gang of one elsewhere."""
        context = _task.get()
        alone = Parallel("127.0.0.1", 1, 0, "0")
        return alone if context is None else context.parallel or alone

    @property
    def is_parallel(self) -> bool:
        """Whether this task is one of a gang."""
        context = _task.get()
        return context is not None and context.parallel is not None

    @property
    def run(self) -> Any:
        """The client's `Run` of this task, or None."""
        context = self._seen("run")
        if context is None:
            return None
        run = plugins.load("flowkit.client.objects:Run")
        return run(f"{context.flow_name}/{context.run_id}", _namespace_check=False)

    @property
    def task(self) -> Any:
        """The client's `Task` of this task, or None."""
        context = self._seen("task")
        if context is None:
            return None
        return plugins.load("flowkit.client.objects:Task")(context.pathspec, _namespace_check=False)

    @property
    def trigger(self) -> Any:
        """What triggered the run; None when nothing did."""
        self._seen("trigger")
        return self._extras().get("trigger")

    def get(self, key: str, default: Any = None) -> Any:
        """Return the attribute, or the default when there is none or it is None."""
        value = getattr(self, key, None)
        return default if value is None else value

    def __contains__(self, key: str) -> bool:
        return getattr(self, key, None) is not None

    def __getattr__(self, name: str) -> Any:
        context = self._seen(name)
        if name in _PLAIN:
            return None if context is None else getattr(context, name)
        extras = self._extras()
        if name in extras:
            return extras[name]
        raise AttributeError(
            f"'current' has no attribute '{name}': is it provided by a decorator that the step "
            "or flow doesn't have?"
        )

    @staticmethod
    def _seen(name: str) -> TaskContext | None:
        """Return the running task's context, after telling it what is read."""
        context = _task.get()
        if context is not None:
            context.look(name)
        return context

    @staticmethod
    def _extras() -> Mapping[str, Any]:
        context = _task.get()
        own = {} if context is None else context.extras
        return {**own, **(_extras.get() or {})}


current = Current()
