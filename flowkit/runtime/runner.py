"""The runner: hands specs to the executor, commits what comes back, feeds the scheduler."""

import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from flowkit.content.presence import Presence
from flowkit.enums import Cause, Status
from flowkit.exceptions import InternalError, Interrupted, VersionExistsError
from flowkit.model.events import (
    Notice,
    RunEnded,
    TaskEnded,
    TaskOutput,
    TaskQueued,
    TaskStarted,
)
from flowkit.model.records import NewTask, RunLease
from flowkit.model.tasks import AttemptError, TaskResult, TaskSpec
from flowkit.ports.executor import Executor
from flowkit.ports.metadata import MetadataWriter
from flowkit.runtime.admission import Admission, Policy
from flowkit.runtime.failure import STORE_FAILURES
from flowkit.runtime.outcomes import (
    Ended,
    chose_version,
    is_told,
    now_micros,
    outcome_of,
    stopped,
)
from flowkit.runtime.reporting import Reporter
from flowkit.runtime.reuse import NoReuse, ResultCache
from flowkit.runtime.scheduler import Outcome

HEARTBEAT = 10.0
"""Seconds between signs of life in the metadata."""
LONGEST_WAIT = 0.5
"""Seconds the executor is waited for at most, so that an interruption is noticed soon."""
HELD_WAIT = 0.2
"""Seconds between two looks for a result that another run is computing."""


class TaskSource(Protocol):
    """Decides what is run, from the results of what was; `Scheduler` is the one for whole runs."""

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended; None while it goes on."""

    def start(self) -> Sequence[TaskSpec]:
        """Return what is run first."""

    def finished(self, result: TaskResult) -> Sequence[TaskSpec]:
        """Take a result and return what can run now."""

    def inputs_of(self, task_id: int) -> tuple[int, ...]:
        """Return the ids of the tasks that precede one without a result yet."""


@dataclass(frozen=True, slots=True)
class _Active:
    """An attempt that the executor has."""

    spec: TaskSpec
    began_at: int


class Runner:
    """Drives one run from its first task to its terminal state.

    Args:
        lease: The right to write to the run.
        scheduler: Knows what comes next.
        metadata: Where results are committed.
        executor: Where tasks run.
        reporter: Log and listeners.
        policy: The user's decisions.
        reuse: Asked for an equal result before anything is run.
        presence: Asked whether the blobs of a result are there; None where nobody deletes any.
    """

    def __init__(  # noqa: PLR0913 - the one place where everything comes together
        self,
        lease: RunLease,
        scheduler: TaskSource,
        *,
        metadata: MetadataWriter,
        executor: Executor,
        reporter: Reporter,
        policy: Policy,
        reuse: ResultCache | None = None,
        presence: Presence | None = None,
    ) -> None:
        self._lease = lease
        self._scheduler = scheduler
        self._metadata = metadata
        self._executor = executor
        self._reporter = reporter
        self._policy = policy
        self._admission = Admission(policy.max_workers, policy.machine, policy.needs_of)
        self._reuse = reuse or NoReuse()
        self._presence = presence
        self._queue: deque[TaskSpec] = deque()
        self._delayed: list[tuple[float, TaskSpec]] = []
        self._ended: list[Ended] = []
        self._queued: list[TaskSpec] = []
        self._active: dict[int, _Active] = {}
        self._attempts: dict[int, int] = {}  # of tasks that are retried: the newest one
        self._reused = 0
        self._tasks = 0
        self._last_sign = time.monotonic()
        self._signal: int | None = None
        self._told_notices = 0
        self._woken: SimpleQueue[int] = SimpleQueue()

    def interrupt(self, signal_number: int) -> None:
        """Ask the run to stop; safe to call from a signal handler."""
        self._signal = signal_number
        self._woken.put(signal_number)  # unlike an event, it may be used in a signal handler

    def run(self) -> RunEnded:
        """Run until nothing is left and return how it ended.

        Raises:
            Interrupted: `interrupt` was called; every task is dead and the run is CANCELLED.
            FencedError: Another driver has taken the run over.
            MetadataError: Nothing can be committed any more; what was stays as it is.
            StorageError: The driver itself can't use the content store; the run is FAILED. Also
                IntegrityError and DataMissingError: what it needs is damaged, or gone.
        """
        began = time.monotonic()
        try:
            for spec in self._scheduler.start():
                self._schedule(self._enqueue(spec))
            self._commit()
            while self._scheduler.outcome is None and self._policy.max_workers:
                self._turn()
        except Interrupted:
            self._stop_active("the run was interrupted")
            self._end(Status.CANCELLED, began)
            raise
        except STORE_FAILURES:
            self._executor.close()  # nobody waits for results that can't be looked at
            self._end(Status.FAILED, began)
            raise
        self._stop_active("the run has failed")
        outcome = self._scheduler.outcome
        return self._end(outcome.status if outcome else Status.CANCELLED, began)

    def _end(self, status: Status, began: float) -> RunEnded:
        self._reporter.flush()
        self._metadata.finish_run(self._lease, status)
        outcome = self._scheduler.outcome
        ended = RunEnded(
            flow=self._lease.flow,
            run_id=self._lease.run_id,
            status=status,
            seconds=time.monotonic() - began,
            failed=outcome.failed if outcome else None,
            error=outcome.error if outcome else None,
            tasks=self._tasks,
            reused=self._reused,
        )
        self._reporter.tell(ended)
        return ended

    # --- one turn of the loop ---------------------------------------------------------------------

    def _turn(self) -> None:
        """Wait for events, then commit what has ended with what starts, in one transaction."""
        if self._signal is not None:
            raise Interrupted(f"interrupted by signal {self._signal}", self._signal)
        if not self._active and not self._queue and not self._delayed:
            raise InternalError(f"run {self._lease.run_id} has nothing to do and has not ended")
        self._schedule(self._poll())
        self._commit()
        self._sign_of_life()

    def _poll(self) -> list[Ended]:
        if not self._active:
            if self._delayed:
                with suppress(Empty):
                    self._woken.get(timeout=self._longest_wait())
            return []
        results: list[TaskResult] = []
        for event in self._executor.poll(self._longest_wait()):
            if isinstance(event, TaskOutput):
                self._reporter.output(event)
            elif isinstance(event, TaskStarted):
                self._reporter.tell(event)
            else:
                results.append(event.result)
        self._reporter.flush()
        while len(self._executor.notices) > self._told_notices:
            self._reporter.tell(Notice(self._executor.notices[self._told_notices]))
            self._told_notices += 1
        # Those that are committed at once come first: that write lets a garbage collection begin.
        results.sort(key=lambda result: not chose_version(result))
        return [self._received(self._present(result)) for result in results]

    def _longest_wait(self) -> float:
        now = time.monotonic()
        due = min((at for at, _ in self._delayed), default=now + LONGEST_WAIT)
        return max(0.0, min(LONGEST_WAIT, due - now))

    def _schedule(self, ended: Sequence[Ended]) -> None:
        """Feed results to the scheduler; what can be reused counts as ended at once."""
        pending = deque(ended)
        while pending:
            entry = pending.popleft()
            following = self._scheduler.finished(entry.result)
            self._retry([after for after in following if after.attempt])
            self._ended.append(self._retried(entry))
            for after in following:
                if not after.attempt:
                    pending.extend(self._enqueue(after))

    def _enqueue(self, spec: TaskSpec) -> list[Ended]:
        """Queue a new task, or return its result when there is an equal one to reuse."""
        self._tasks += 1
        reused = self._reuse.find(spec)
        if reused is not None and self._is_whole(reused):
            return [self._taken_over(reused)]
        self._queue.append(spec)
        self._queued.append(spec)
        return []

    def _is_whole(self, reused: TaskResult) -> bool:
        return self._presence is None or not self._presence.lost_found(reused)

    def _taken_over(self, reused: TaskResult) -> Ended:
        self._reused += 1
        outcome = outcome_of(reused, now_micros(), now_micros(), (0, 0))
        ended = Ended(reused, outcome, self._new(reused.spec))
        return self._published(ended) if chose_version(reused) else ended

    def _commit(self) -> None:
        """Commit, then tell, then submit: nothing is acknowledged before it is durable."""
        started = self._begin()
        ended, queued = self._ended, self._queued
        self._ended, self._queued = [], []
        if ended or started:
            reused = [entry.new for entry in ended if entry.new is not None]
            new = [*reused, *(self._new(spec) for spec in started)]
            outcomes = [entry.outcome for entry in ended]
            self._saw(self._metadata.record(self._lease, outcomes, new))
        for entry in ended:
            self._reporter.tell(TaskEnded(entry.result, entry.seconds, entry.will_retry))
        for spec in queued:
            frames = spec.key.frames
            self._reporter.tell(TaskQueued(spec, frames[-1].num_splits if frames else None))
        for spec in started:
            self._active[spec.task_id] = _Active(spec, now_micros())
            if self._presence is not None:
                self._presence.began(spec.task_id)
            self._reporter.started(spec)
            self._executor.submit(spec, self._policy.needs_of(spec))

    def _begin(self) -> list[TaskSpec]:
        """Take what starts now, without what another run is computing or has computed since."""
        started: list[TaskSpec] = []
        while self._scheduler.outcome is None and (ready := self._ready()):
            begun = self._reuse.begin(ready)
            found = {result.spec.task_id: result for result in begun.found}
            for spec in ready:
                if spec.task_id in begun.held:
                    self._hold(spec)
                elif spec.task_id in found and self._is_whole(found[spec.task_id]):
                    self._admission.ended(spec)
                    self._schedule([self._taken_over(found[spec.task_id])])
                else:
                    started.append(spec)
            if not begun.held and not found:
                break  # otherwise there is room for others
        return started

    def _hold(self, spec: TaskSpec) -> None:
        """Look again soon for a result that another run is computing."""
        self._admission.ended(spec)
        wait = max(HELD_WAIT, 0.005 * len(self._delayed))  # many are looked for less often
        self._delayed.append((time.monotonic() + wait, spec))

    def _ready(self) -> list[TaskSpec]:
        """Take from the queue what may start now."""
        now = time.monotonic()
        for entry in [entry for entry in self._delayed if entry[0] <= now]:
            self._delayed.remove(entry)
            self._queue.append(entry[1])
        return self._admission.take(self._queue)

    def _retry(self, specs: Sequence[TaskSpec]) -> None:
        """Start a task again, or a whole gang, of which those that still run are stopped."""
        for spec in specs:
            self._attempts[spec.task_id] = spec.attempt
            if spec.task_id in self._active:
                self._executor.cancel(spec.task_id)
        wait = max((self._policy.retry_delay(spec.step, spec.attempt) for spec in specs), default=0)
        if wait > 0:
            due = time.monotonic() + wait
            self._delayed.extend((due, spec) for spec in specs)
        else:
            self._queue.extendleft(reversed(specs))

    def _retried(self, entry: Ended) -> Ended:
        """Return an ended attempt with whether another one follows."""
        if self._attempts.get(entry.result.spec.task_id, 0) <= entry.result.spec.attempt:
            return entry
        outcome = stopped(entry.outcome, "another member of its gang has failed")
        return replace(entry, outcome=outcome, will_retry=True)

    def _new(self, spec: TaskSpec) -> NewTask:
        return NewTask(
            task_id=spec.task_id,
            step=spec.step,
            attempt=spec.attempt,
            frames=spec.key.frames,
            iteration=spec.key.iteration,
            inputs=self._scheduler.inputs_of(spec.task_id),
            gang_rank=spec.gang.rank if spec.gang else None,
        )

    def _received(self, result: TaskResult) -> Ended:
        spec = result.spec
        active = self._active.pop(spec.task_id)
        self._admission.ended(spec)
        error = None if result.status.is_success else result.error
        log = self._reporter.ended(spec, "" if error is None or is_told(error) else error.message)
        outcome = outcome_of(result, active.began_at, now_micros(), log)
        if result.observation is not None:
            outcome = replace(outcome, trace=self._reuse.trace(result))
        ended = Ended(result, outcome)
        return self._published(ended) if chose_version(result) else ended

    def _published(self, ended: Ended) -> Ended:
        """Commit an attempt before anything follows from it: a version it chose may be taken."""
        try:
            new = [] if ended.new is None else [ended.new]
            self._saw(self._metadata.record(self._lease, [ended.outcome], new))
        except VersionExistsError as taken:
            name = f"{type(taken).__module__}.{type(taken).__qualname__}"
            error = AttemptError(Cause.ARTIFACT, taken.message, name, is_retryable=False)
            failed: dict[str, Any] = {"status": Status.FAILED, "error": error, "publishes": ()}
            result = replace(ended.result, next=None, **failed)
            return replace(ended, result=result, outcome=replace(ended.outcome, **failed))
        return ended

    def _present(self, result: TaskResult) -> TaskResult:
        """Return a result, as a failure when garbage collection deleted a part of it."""
        if self._presence is None or result.manifest is None:
            return result
        published = [one.ref for one in result.publishes]
        if not self._presence.lost(result.spec.task_id, result.manifest, published):
            return result
        message = "a blob that the task found in the store was deleted before it could be kept"
        error = AttemptError(Cause.LOST, message, is_charged=False)
        return TaskResult(result.spec, Status.FAILED, error=error)

    def _saw(self, sweeps: int | None) -> None:
        if self._presence is not None:
            self._presence.saw(sweeps)

    # --- the end ----------------------------------------------------------------------------------

    def _stop_active(self, reason: str) -> None:
        """Cancel what still runs, wait until it is dead, and commit what became of it."""
        self._queue.clear()  # what waits for a worker starts no more
        self._delayed.clear()
        for task_id in self._active:
            self._executor.cancel(task_id)
        while self._active:
            for entry in self._poll():
                self._ended.append(replace(entry, outcome=stopped(entry.outcome, reason)))
            self._commit()
            self._sign_of_life()

    def _sign_of_life(self) -> None:
        now = time.monotonic()
        if now - self._last_sign >= HEARTBEAT:
            self._saw(self._metadata.heartbeat(self._lease))
            self._last_sign = now
