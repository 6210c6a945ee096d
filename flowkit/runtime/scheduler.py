"""The scheduler: results of attempts in, the next task specs out; no I/O, no clock, no values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from flowkit.enums import Cause, Status
from flowkit.exceptions import InternalError
from flowkit.graph.graph import Graph, NodeType
from flowkit.model.manifest import ArtifactRef, Frame, Transition
from flowkit.model.tasks import AttemptError, Gang, TaskKey, TaskResult, TaskSpec
from flowkit.runtime.barriers import Barrier, Branch, Inputs
from flowkit.runtime.transitions import find_problem

FREE_RETRIES = 3
"""How many failures of one task that are not the user's fault are retried without charge."""

_BEYOND_CATCH = frozenset({Cause.ARTIFACT, Cause.EXIT, Cause.LOST, Cause.SIGNAL, Cause.TIMEOUT})
"""Failures that strike outside the step's own code, where its ``@catch`` can't see them."""


@dataclass(frozen=True, slots=True)
class SchedulerPolicy:
    """What the user decided about a run, as plain data.

    Attributes:
        max_num_splits: How many branches one foreach may have.
        max_attempts: Step to the number of its attempts in total; 1 for steps not named here.
        caught: Steps with ``@catch``. When the process of such a step dies for good, one more
            attempt runs with ``fallback`` set, so that the handler can take the failure.
        watched: Steps whose results may be reused; what they look at is noted.
    """

    max_num_splits: int = 100
    max_attempts: Mapping[str, int] = field(default_factory=dict)
    caught: frozenset[str] = frozenset()
    watched: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        status: SUCCEEDED or FAILED.
        failed: The attempt that failed terminally; None after success.
        error: Why it did; None after success.
    """

    status: Status
    failed: TaskSpec | None = None
    error: AttemptError | None = None


class _Task(NamedTuple):
    """A task whose current attempt has no result yet."""

    spec: TaskSpec
    branch: Branch | None
    input_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Members:
    """The members of a gang by task id: each in its newest attempt, and who has succeeded."""

    tasks: dict[int, _Task] = field(default_factory=dict)
    results: dict[int, TaskResult] = field(default_factory=dict)


class Scheduler:
    """Decides which attempts a run needs, from the results of those before.

    Tasks are numbered 1, 2, 3, ... in the order of creation; a retry keeps the number. Nothing
    is kept of a task that has ended but its id and digest, until the join that receives them.

    The members of a gang talk to each other: when an attempt of one fails, all start again, those
    that have succeeded too, and nothing follows from one before all have succeeded.

    Args:
        graph: A graph without lint problems.
        flow: Name of the flow.
        run_id: Id of the run.
        root: Digest of the manifest of parameters and constants.
        policy: The user's decisions.
    """

    def __init__(
        self, graph: Graph, *, flow: str, run_id: str, root: str, policy: SchedulerPolicy
    ) -> None:
        self._graph = graph
        self._flow = flow
        self._run_id = run_id
        self._root = root
        self._policy = policy
        self._tasks: dict[int, _Task] = {}
        self._gangs: dict[int, _Members] = {}
        self._last_id = 0
        self._outcome: Outcome | None = None

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended; None while it goes on.

        Set at the first terminal failure, when other tasks may still be running: their results
        are still accepted, and change nothing.
        """
        return self._outcome

    def start(self) -> list[TaskSpec]:
        """Return the spec of the first task; it has no inputs, only the root."""
        if self._last_id:
            raise InternalError(f"run {self._flow}/{self._run_id} was started twice")
        return [self._create(TaskKey(self._graph.start), None, Inputs())]

    def finished(self, result: TaskResult) -> list[TaskSpec]:
        """Take the result of an attempt and return the attempts that can run now.

        Those of a gang that starts again are for all its members, also for those whose attempt has
        no result yet: the caller stops them, and their results change nothing.

        Raises:
            InternalError: No such attempt is outstanding, or the result contradicts itself.
        """
        task = self._take(result)
        if task is None or self._outcome is not None:
            return []
        if not result.status.is_success:
            return self._after_failure(task, result.error)
        taken = result.next
        problem = find_problem(
            self._graph, task.spec.step, taken, max_num_splits=self._policy.max_num_splits
        )
        if problem:
            return self._fail(task.spec, AttemptError(Cause.TRANSITION, problem))
        if task.spec.gang is not None:
            return self._gather(task.spec, task.spec.gang, result)
        if taken is not None:
            return self._follow(task, _output(result), taken)
        if task.branch is not None:
            raise InternalError(f"{task.spec.pathspec} ended the run inside a split")
        self._outcome = Outcome(Status.SUCCEEDED)
        return []

    def inputs_of(self, task_id: int) -> tuple[int, ...]:
        """Return the ids of the tasks that precede one without a result yet, as in ``inputs``.

        Raises:
            InternalError: There is no such task, or its result was taken.
        """
        task = self._tasks.get(task_id)
        if task is None:
            raise InternalError(f"task {self._flow}/{self._run_id}/{task_id} is not outstanding")
        return task.input_ids

    def _take(self, result: TaskResult) -> _Task | None:
        """Return the task that has ended; None for a member whose gang has started again."""
        task = self._tasks.get(result.spec.task_id)
        if task and task.spec.gang and result.spec.attempt < task.spec.attempt:
            return None
        if task is None or task.spec.attempt != result.spec.attempt:
            raise InternalError(
                f"attempt {result.spec.attempt} of {result.spec.pathspec} has ended, "
                "but it was not outstanding"
            )
        del self._tasks[task.spec.task_id]
        return task

    # --- failure ----------------------------------------------------------------------------------

    def _after_failure(self, task: _Task, error: AttemptError | None) -> list[TaskSpec]:
        if error is None:
            raise InternalError(f"{task.spec.pathspec} failed without an error")
        again = self._next_attempt(task.spec, error)
        if again is None:
            return self._fail(task.spec, error)
        if again.gang is not None and again.fallback is None:
            return self._restart(self._gangs[again.gang.control_task_id], again)
        return [self._repeat(task, again)]

    def _repeat(self, task: _Task, again: TaskSpec) -> TaskSpec:
        following = task._replace(spec=again)
        self._tasks[again.task_id] = following
        if again.gang is not None:
            self._gangs[again.gang.control_task_id].tasks[again.task_id] = following
        return again

    def _restart(self, members: _Members, again: TaskSpec) -> list[TaskSpec]:
        """Return the next attempt of all members of a gang, under the number none has had yet."""
        members.results.clear()
        attempt = max(task.spec.attempt for task in members.tasks.values()) + 1
        allowed = again.max_attempts + attempt - again.attempt
        return [
            self._repeat(
                task, replace(task.spec, attempt=attempt, max_attempts=allowed, fallback=None)
            )
            for task in list(members.tasks.values())
        ]

    def _next_attempt(self, spec: TaskSpec, error: AttemptError) -> TaskSpec | None:
        """Return the attempt that follows a failed one; None when the failure is terminal.

        A free retry raises ``max_attempts`` along with ``attempt``: so the user's own attempts
        stay, and ``attempt + 1 == max_attempts`` always marks the last of them.
        """
        if not error.is_retryable or error.cause is Cause.CANCELLED:
            return None
        attempt = spec.attempt + 1
        used_for_free = spec.max_attempts - self._max_attempts(spec.step)
        if not error.is_charged and used_for_free < FREE_RETRIES:
            return replace(spec, attempt=attempt, max_attempts=spec.max_attempts + 1)
        if attempt < spec.max_attempts:
            return replace(spec, attempt=attempt)
        is_caught = spec.step in self._policy.caught and error.cause in _BEYOND_CATCH
        if is_caught and spec.fallback is None:
            return replace(spec, attempt=attempt, fallback=error)
        return None

    def _fail(self, spec: TaskSpec, error: AttemptError) -> list[TaskSpec]:
        self._outcome = Outcome(Status.FAILED, spec, error)
        return []

    def _max_attempts(self, step: str) -> int:
        return self._policy.max_attempts.get(step, 1)

    # --- success ----------------------------------------------------------------------------------

    def _gather(self, spec: TaskSpec, gang: Gang, result: TaskResult) -> list[TaskSpec]:
        """Keep a member's result until all have succeeded; then go on from each."""
        members = self._gangs[gang.control_task_id]
        members.results[spec.task_id] = result
        if len(members.results) < gang.size:
            return []
        del self._gangs[gang.control_task_id]
        following: list[TaskSpec] = []
        for task_id, task in members.tasks.items():
            ended = members.results[task_id]
            if ended.next is not None:
                following += self._follow(task, _output(ended), ended.next)
        return following

    def _follow(self, task: _Task, output: Inputs, taken: Transition) -> list[TaskSpec]:
        spec = task.spec
        node = self._graph[spec.step]
        if taken.items is not None:
            return self._fan_out(task, output, taken, taken.items)
        if node.type is not NodeType.SPLIT:
            return self._advance(spec, output, taken.targets[0], task.branch)
        barrier = Barrier(len(node.targets), spec.key.frames, task.branch)
        return [
            following
            for index, target in enumerate(node.targets)
            for following in self._advance(spec, output, target, Branch(barrier, index))
        ]

    def _advance(
        self, spec: TaskSpec, output: Inputs, target: str, branch: Branch | None
    ) -> list[TaskSpec]:
        """Go from a finished task to one of its targets, as part of a branch."""
        if not self._graph[target].is_join:
            iteration = spec.key.iteration + 1 if target == spec.step else 0
            return [self._create(TaskKey(target, spec.key.frames, iteration), branch, output)]
        if branch is None:
            raise InternalError(f"{spec.pathspec} leads to join '{target}' outside any split")
        branch.barrier.arrive(branch.number, spec.task_id, output.digests[0])
        return [self._join(target, branch.barrier)] if branch.barrier.is_complete else []

    def _fan_out(
        self, task: _Task, output: Inputs, taken: Transition, items: tuple[ArtifactRef, ...]
    ) -> list[TaskSpec]:
        """Start one task per foreach item or gang member; without any, go on with the join."""
        step, frames = task.spec.step, task.spec.key.frames
        size = len(items)
        barrier = Barrier(size, frames, task.branch)
        if size == 0:
            return [self._join(self._matching_join(step), barrier)]
        target = taken.targets[0]
        control = self._last_id + 1
        specs = []
        for index, item in enumerate(items):
            frame = Frame(step, taken.variable, index, size, item)
            gang = None if taken.num_parallel is None else Gang(index, size, control)
            key = TaskKey(target, (*frames, frame))
            specs.append(self._create(key, Branch(barrier, index), output, gang))
        return specs

    def _matching_join(self, step: str) -> str:
        join = self._graph[step].matching_join
        if join is None:
            raise InternalError(f"step '{step}' of flow '{self._flow}' has no matching join")
        return join

    def _join(self, target: str, barrier: Barrier) -> TaskSpec:
        return self._create(TaskKey(target, barrier.frames), barrier.outer, barrier.inputs())

    def _create(
        self, key: TaskKey, branch: Branch | None, inputs: Inputs, gang: Gang | None = None
    ) -> TaskSpec:
        self._last_id += 1
        spec = TaskSpec(
            flow=self._flow,
            run_id=self._run_id,
            task_id=self._last_id,
            key=key,
            is_join=self._graph[key.step].is_join,
            inputs=inputs.digests,
            root=self._root,
            max_attempts=self._max_attempts(key.step),
            gang=gang,
            is_watched=gang is None and key.step in self._policy.watched,
        )
        task = _Task(spec, branch, inputs.ids)
        self._tasks[spec.task_id] = task
        if gang is not None:
            self._gangs.setdefault(gang.control_task_id, _Members()).tasks[spec.task_id] = task
        return spec


def _output(result: TaskResult) -> Inputs:
    """Return what a finished task hands on, as the only input of those that follow."""
    if result.manifest is None:
        raise InternalError(f"{result.spec.pathspec} succeeded without a manifest")
    return Inputs((result.spec.task_id,), (result.manifest,))
