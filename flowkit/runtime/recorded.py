"""Tasks of earlier runs as specs: what it takes to run one of them again, alone."""

from flowkit.enums import Cause, Status
from flowkit.exceptions import DataMissingError, UsageError
from flowkit.graph.graph import Graph
from flowkit.model.records import RunRecord, TaskRecord
from flowkit.model.tasks import AttemptError, Gang, TaskKey, TaskResult, TaskSpec
from flowkit.ports.metadata import MetadataReader
from flowkit.runtime.scheduler import Outcome
from flowkit.runtime.transitions import find_problem


def recorded_spec(
    metadata: MetadataReader, graph: Graph, run: RunRecord, task: TaskRecord
) -> TaskSpec:
    """Return the spec of a task of an earlier run: the inputs it had, at the place where it stood.

    Args:
        metadata: Where the run is.
        graph: The flow's graph as it is now; the task's step is in it.
        run: The run.
        task: The task; it need not have succeeded, those before it have.

    Raises:
        UsageError: The run is a spin, which keeps no inputs.
        DataMissingError: A task before it left nothing.
    """
    if run.is_spin:
        raise UsageError(
            f"run {run.flow}/{run.run_id} was made by spin and has no inputs: take the task that "
            f"it was made from, in run {run.origin_run_id}"
        )
    return TaskSpec(
        flow=task.flow,
        run_id=task.run_id,
        task_id=task.task_id,
        key=TaskKey(task.step, task.frames, task.iteration),
        is_join=graph[task.step].is_join,
        inputs=tuple(_manifest(metadata, task, task_id) for task_id in task.inputs),
        root=run.root,
        gang=_gang(task),
    )


def _manifest(metadata: MetadataReader, task: TaskRecord, before: int) -> str:
    found = metadata.task(task.flow, task.run_id, before)
    if found is None or found.last.manifest is None:
        raise DataMissingError(
            f"task {task.flow}/{task.run_id}/{task.step}/{task.task_id} has no inputs: task "
            f"{before} before it left nothing"
        )
    return found.last.manifest


def _gang(task: TaskRecord) -> Gang | None:
    rank = task.gang_rank
    if rank is None:
        return None
    return Gang(rank, task.frames[-1].num_splits, task.task_id - rank)


class OneTask:
    """A source of one attempt of one task; nothing follows.

    Args:
        spec: The attempt.
        graph: The flow's graph, which the task's transition must fit.
        max_num_splits: How many branches a foreach may have.
    """

    def __init__(self, spec: TaskSpec, graph: Graph, max_num_splits: int) -> None:
        self.result: TaskResult | None = None
        self.outcome: Outcome | None = None
        self._spec = spec
        self._graph = graph
        self._max_num_splits = max_num_splits

    def start(self) -> list[TaskSpec]:
        """Return the attempt."""
        return [self._spec]

    def finished(self, result: TaskResult) -> list[TaskSpec]:
        """Take the result; nothing follows."""
        self.result = result
        error = result.error
        if result.status.is_success:
            problem = find_problem(self._graph, self._spec.step, result.next, self._max_num_splits)
            error = AttemptError(Cause.TRANSITION, problem) if problem else None
            if error is None:
                self.outcome = Outcome(Status.SUCCEEDED)
                return []
        self.outcome = Outcome(Status.FAILED, self._spec, error)
        return []

    def inputs_of(self, task_id: int) -> tuple[int, ...]:  # noqa: ARG002
        """Return (): what comes before is in another run."""
        return ()
