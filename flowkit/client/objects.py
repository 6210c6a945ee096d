"""Flows, runs, steps, tasks and artifacts: the objects that people look up."""

from collections import namedtuple
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flowkit.client import lookup
from flowkit.client.artifacts import RecordedArtifact
from flowkit.client.clientobject import Container, Found, local_time
from flowkit.client.runs import RecordedRun
from flowkit.client.steps import RecordedStep
from flowkit.client.taskdata import TaskData
from flowkit.client.tasks import RecordedTask
from flowkit.exceptions import NotFoundError
from flowkit.model.records import TaskRecord

if TYPE_CHECKING:
    from flowkit.client.lineagegraph import Lineage


class Flow(Container["Run"]):
    """A flow and its runs in the namespace: ``Flow("Train")``.

    Args:
        pathspec: ``Flow``.

    Raises:
        InvalidPathspecError: The pathspec has another form.
        NotFoundError: The flow has never run.
        NamespaceMismatchError: It has no run in the current namespace.
    """

    _LENGTH = 1
    _WORD = "flow"

    def _look_up(self) -> bool:
        if not lookup.has_run(self._session.metadata, self.id):
            raise self._missing()
        return True

    def _has_tags(self, *tags: str) -> bool:
        return lookup.has_run(self._session.metadata, self.id, tags)

    def _children(self) -> Iterator["Run"]:
        return self.runs()

    def _child(self, name: str) -> "Run":
        return Run(f"{self.id}/{name}", _found=Found(self._scope))

    def runs(self, *tags: str) -> Iterator["Run"]:
        """Yield the runs that have all of these tags, newest first."""
        wanted = (*self._scope.tags, *tags)
        for run in lookup.each_run(self._session.metadata, self.id, wanted):
            yield Run(f"{self.id}/{run.run_id}", _found=Found(self._scope, run, run))

    @property
    def parent(self) -> None:
        """None: nothing is above a flow."""
        return

    @property
    def created_at(self) -> datetime | None:
        """When the flow first ran, in naive local time."""
        flows = self._session.metadata.flows()
        times = [local_time(flow.created_at) for flow in flows if flow.name == self.id]
        return times[0] if times else None

    @property
    def finished_at(self) -> None:
        """None: a flow can always run again."""
        return

    @property
    def latest_run(self) -> "Run | None":
        """The newest run, in whatever state, spins left out; None when the namespace has none."""
        return next((run for run in self.runs() if not run.is_spin), None)

    @property
    def latest_successful_run(self) -> "Run | None":
        """The newest run whose end step ended well; None when there is none."""
        return next((run for run in self.runs() if run.successful and not run.is_spin), None)


class Run(RecordedRun, Container["Step"]):
    """A run and its steps: ``Run("Train/12")``.

    Args:
        pathspec: ``Flow/run``.

    Raises:
        InvalidPathspecError: The pathspec has another form.
        NotFoundError: There is no such run.
        NamespaceMismatchError: It is not in the current namespace.
    """

    _LENGTH = 2
    _WORD = "run"

    def _children(self) -> Iterator["Step"]:
        for step in self._session.metadata.steps(self._address.flow, self.id):
            yield self._child(step.name)

    def _child(self, name: str) -> "Step":
        newest = lookup.newest_task(self._session.metadata, self._run, name)
        if newest is None:
            raise NotFoundError(f"step '{self.pathspec}/{name}' does not exist")
        return Step(f"{self.pathspec}/{name}", _found=Found(self._scope, newest, self._run))

    def steps(self, *tags: str) -> Iterator["Step"]:
        """Yield the steps, the last one to begin first; none if the run lacks one of the tags."""
        return self._children_with(*tags)

    @property
    def parent(self) -> Flow:
        """The flow."""
        return Flow(self._address.flow, _found=Found(self._scope, record=True))

    @property
    def end_task(self) -> "Task | None":
        """The task of the last step; None while the run has not come there."""
        name = str(self._run.info.get("end_step", "end"))
        newest = lookup.newest_task(self._session.metadata, self._run, name)
        if newest is None:
            return None
        pathspec = f"{self.pathspec}/{name}/{newest.task_id}"
        return Task(pathspec, _found=Found(self._scope, newest, self._run))

    @property
    def data(self) -> TaskData | None:
        """The artifacts of the last step as attributes; None while the run has not come there."""
        task = self.end_task
        return None if task is None else task.data

    @property
    def successful(self) -> bool:
        """Whether the last step ended well."""
        task = self.end_task
        return task is not None and task.successful

    @property
    def finished(self) -> bool:
        """Whether the last step has ended; a run that failed before never finishes."""
        task = self.end_task
        return task is not None and task.finished

    @property
    def finished_at(self) -> datetime | None:
        """When the last step ended, in naive local time."""
        task = self.end_task
        return None if task is None else task.finished_at


class Step(RecordedStep, Container["Task"]):
    """A step of a run and its tasks: ``Step("Train/12/fit")``.

    Args:
        pathspec: ``Flow/run/step``.

    Raises:
        InvalidPathspecError: The pathspec has another form.
        NotFoundError: There is no such run, or it has not come to that step.
        NamespaceMismatchError: The run is not in the current namespace.
    """

    _LENGTH = 3
    _WORD = "step"

    def _wrap(self, task: TaskRecord) -> "Task":
        pathspec = f"{self.pathspec}/{task.task_id}"
        return Task(pathspec, _found=Found(self._scope, task, self._run))

    def _children(self) -> Iterator["Task"]:
        return map(self._wrap, lookup.each_task(self._session.metadata, self._run, self.id))

    def _child(self, name: str) -> "Task":
        return Task(f"{self.pathspec}/{name}", _found=Found(self._scope, run=self._run))

    def tasks(self, *tags: str) -> Iterator["Task"]:
        """Yield the tasks, newest first; none if the run lacks one of the tags."""
        return self._children_with(*tags)

    @property
    def task(self) -> "Task":
        """The newest task."""
        return self._wrap(self._newest())

    def control_tasks(self, *tags: str) -> Iterator["Task"]:
        """Yield the tasks that lead a gang (``num_parallel``), newest first."""
        return (task for task in self.tasks(*tags) if task.is_control)

    @property
    def control_task(self) -> "Task | None":
        """The newest task that leads a gang; None when there is none."""
        return next(self.control_tasks(), None)

    @property
    def parent(self) -> Run:
        """The run."""
        return Run(
            f"{self._address.flow}/{self._address.run}",
            _found=Found(self._scope, self._run, self._run),
        )

    @property
    def finished_at(self) -> datetime | None:
        """When the last of its tasks ended, in naive local time; None while one runs."""
        times = [task.finished_at for task in self]
        ended = [time for time in times if time is not None]
        return max(ended) if ended and len(ended) == len(times) else None

    @property
    def parent_steps(self) -> Iterator["Step"]:
        """The steps that lead to this one in the graph, as far as the run has come to them."""
        graph = self._graph()
        return self._siblings(name for name in graph if self.id in graph[name])

    @property
    def child_steps(self) -> Iterator["Step"]:
        """The steps that follow this one in the graph, as far as the run has come to them."""
        return self._siblings(self._graph().get(self.id, ()))

    def _graph(self) -> dict[str, list[str]]:
        info = self.task.contents().load("_graph_info")
        return {name: node["next"] for name, node in info["steps"].items()}

    def _siblings(self, names: Iterable[str]) -> Iterator["Step"]:
        run = self.parent
        return (run[name] for name in names if name in run)


class Task(RecordedTask, Container["DataArtifact"]):
    """A task and its artifacts: ``Task("Train/12/fit/7")``.

    Args:
        pathspec: ``Flow/run/step/task``.
        attempt: 0 to 5; the latest attempt when not given. An attempt that never ran has no data.

    Raises:
        InvalidPathspecError: The pathspec has another form.
        NotFoundError: There is no such task, or the attempt's number is out of range.
        NamespaceMismatchError: The run is not in the current namespace.
    """

    _LENGTH = 4
    _WORD = "task"

    def _children(self) -> Iterator["DataArtifact"]:
        return map(self._wrap, self.contents().names())

    def _child(self, name: str) -> "DataArtifact":
        if self.contents().find(name) is None:
            raise NotFoundError(f"artifact '{self.pathspec}/{name}' does not exist")
        return self._wrap(name)

    def _wrap(self, name: str) -> "DataArtifact":
        found = Found(self._scope, self, self._run)
        return DataArtifact(f"{self.pathspec}/{name}", self._attempt, _found=found)

    @property
    def data(self) -> TaskData:
        """The artifacts as attributes: ``task.data.model`` loads one of them."""
        return TaskData(self.pathspec, self.artifact_names(), self._load)

    def _load(self, name: str) -> Any:
        return self.contents().load(name)

    @property
    def artifacts(self) -> Any:
        """A named tuple of the artifacts as `DataArtifact`, without loading one of them."""
        artifacts = list(self)
        names = [artifact.id for artifact in artifacts]
        # A name can be a keyword (set by setattr), which no field can be: that one is numbered.
        kind = namedtuple("TaskArtifacts", names, rename=True)  # type: ignore[misc]  # noqa: PYI024 - fields known only now
        return kind._make(artifacts)

    @property
    def parent(self) -> Step:
        """The step."""
        pathspec = self.pathspec.rpartition("/")[0]
        return Step(pathspec, _found=Found(self._scope, run=self._run))

    @property
    def parent_tasks(self) -> Iterator["Task"]:
        """The tasks that came directly before this one, in the order of ``inputs``."""
        task, reader = self._task(), self._session.metadata
        records = (reader.task(task.flow, task.run_id, task_id) for task_id in task.inputs)
        return (self._relative(record) for record in records if record is not None)

    @property
    def child_tasks(self) -> Iterator["Task"]:
        """The tasks that came directly after this one, oldest first."""
        task = self._task()
        children = self._session.metadata.children(task.flow, task.run_id, task.task_id)
        return map(self._relative, children)

    def _relative(self, task: TaskRecord) -> "Task":
        pathspec = f"{task.flow}/{task.run_id}/{task.step}/{task.task_id}"
        return Task(pathspec, _found=Found(self._scope, task, self._run))

    @property
    def parent_task_pathspecs(self) -> Iterator[str]:
        """The pathspecs of ``parent_tasks``."""
        return (task.pathspec for task in self.parent_tasks)

    @property
    def child_task_pathspecs(self) -> Iterator[str]:
        """The pathspecs of ``child_tasks``."""
        return (task.pathspec for task in self.child_tasks)


class DataArtifact(RecordedArtifact):
    """One artifact of a task: ``DataArtifact("Train/12/fit/7/model")``.

    Args:
        pathspec: ``Flow/run/step/task/artifact``.
        attempt: 0 to 5; the latest attempt when not given.

    Raises:
        InvalidPathspecError: The pathspec has another form.
        NotFoundError: There is no such artifact, or the attempt's number is out of range.
        NamespaceMismatchError: The run is not in the current namespace.
    """

    _LENGTH = 5
    _WORD = "artifact"

    def _look_up(self) -> Task:
        pathspec = self.pathspec.rpartition("/")[0]
        task = Task(pathspec, self._attempt, _found=Found(self._scope))
        # An attempt that never ran is no error before its data are asked for.
        if task.contents().attempt is not None and self.id not in task:
            raise self._missing()
        return task

    @property
    def parent(self) -> Task:
        """The task."""
        task: Task = self._record
        return task

    @property
    def task(self) -> Task:
        """The task, which made the artifact or got it from the one before it."""
        return self.parent

    @property
    def step(self) -> Step:
        """The step of its task."""
        return self.parent.parent

    @property
    def run(self) -> Run:
        """The run of its task."""
        return self.step.parent

    def consumers(self) -> Iterator[Task]:
        """Yield the tasks of the run that have read it, oldest first."""
        address, versions = self._address, self._session.metadata.versions
        flow, run_id = address.flow, str(address.run)
        for use in versions.readers(flow, run_id, self.id, self.sha):
            yield Task(use.pathspec, _found=Found(self._scope))

    def lineage(self, *, up: int | None = None, down: int | None = None) -> "Lineage":
        """Return what it was made of and what was made of it.

        Args:
            up: How many tasks to go back; None goes to the beginning.
            down: How many tasks to follow; None goes to the end.
        """
        from flowkit.client.lineage import trace_attribute  # noqa: PLC0415 - rarely needed

        record, metadata = self._task._task(), self._session.metadata  # noqa: SLF001 - of its task
        return trace_attribute(metadata, record, self.id, self.sha, up=up, down=down)
