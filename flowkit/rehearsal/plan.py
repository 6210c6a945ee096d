"""What a run with caching would do: what it would take over, what would run, why and how long."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from statistics import fmean

from flowkit import wiring
from flowkit.api import checked_graph
from flowkit.authoring.flowdef import FlowDef
from flowkit.config import Settings
from flowkit.content.store import ArtifactStore
from flowkit.flowmodule import main_module
from flowkit.graph.graph import Graph
from flowkit.launching import Launch, RunRequest, caching_of, facts_of, trace_cache, values_of
from flowkit.model.pathspec import parse_pathspec
from flowkit.model.records import TaskRecord
from flowkit.model.traces import Trace
from flowkit.pinning import externals_of
from flowkit.ports.metadata import MetadataReader
from flowkit.runtime.causes import differences
from flowkit.runtime.root import save_root
from flowkit.runtime.scheduler import Scheduler, SchedulerPolicy
from flowkit.runtime.tracecache import TraceCache

_RECENT = 50
"""Earlier results of a step from which its duration is estimated."""
_MANY = 10**9


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """What would become of a step's tasks.

    Attributes:
        step: Name of the step.
        cached: Tasks whose results would be taken over.
        runs: Tasks that would run, as far as their number is known.
        seconds: How long these take together, by earlier ones; None when there are none.
        why: Why they run; "" when none does.
        is_certain: False where it depends on what the steps before leave.
    """

    step: str
    cached: int = 0
    runs: int = 0
    seconds: float | None = 0.0
    why: str = ""
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do, step by step in the order of the graph."""

    steps: Sequence[PlannedStep]

    @property
    def seconds(self) -> float:
        """Work of all that would run, by earlier tasks; side by side it takes less."""
        return sum(step.seconds or 0.0 for step in self.steps)


def plan_run(flow: FlowDef, request: RunRequest, settings: Settings) -> Plan:
    """Return what a run would do; nothing is run and nothing is written.

    Args:
        flow: The flow as it is now.
        request: As for a run.
        settings: Where results are.

    Raises:
        LintError: The flow's graph breaks rules.
        UsageError: A parameter or another part of the request can't be used.
    """
    launch = Launch(flow, checked_graph(flow), request, settings, ())
    values = values_of(launch, flow.parameters)
    store = wiring.open_scratch_store(settings, main_module(flow))
    found = externals_of(launch, store, values)
    facts = facts_of(launch, None)
    root = save_root(store, flow, launch.graph, found.values, facts, found.refs)
    caching = caching_of(launch)
    with closing(wiring.open_reader(settings)) as metadata:
        cache = trace_cache(launch, caching, metadata, store)
        watched = caching.steps - caching.refresh if caching.is_read else frozenset[str]()
        planner = _Planner(launch.graph, cache, metadata, store, watched)
        rules = SchedulerPolicy(max_num_splits=_MANY)
        scheduler = Scheduler(
            launch.graph, flow=flow.name, run_id="planned", root=root, policy=rules
        )
        return planner.plan(flow.name, scheduler)


class _Planner:
    """Walks through the tasks of a run whose results are there, and guesses at the others."""

    def __init__(
        self,
        graph: Graph,
        cache: TraceCache,
        metadata: MetadataReader,
        store: ArtifactStore,
        watched: frozenset[str],
    ) -> None:
        self._graph = graph
        self._cache = cache
        self._metadata = metadata
        self._store = store
        self._watched = watched

    def plan(self, flow: str, scheduler: Scheduler) -> Plan:
        cached: dict[str, int] = {}
        runs: dict[str, int] = {}
        why: dict[str, str] = {}
        pending = deque(scheduler.start())
        while pending:
            spec = pending.popleft()
            result = self._cache.find(spec)
            if result is not None:
                cached[spec.step] = cached.get(spec.step, 0) + 1
                pending.extend(scheduler.finished(result))
                continue
            runs[spec.step] = runs.get(spec.step, 0) + 1
            if spec.step not in why:
                why[spec.step] = self._why(flow, spec.step, self._cache.cause(spec).text)
        planned = {
            step: self._step(flow, step, cached.get(step, 0), runs.get(step, 0), why.get(step, ""))
            for step in (*cached, *runs)
        }
        for step in self._behind(runs):
            if step not in planned:
                planned[step] = self._guess(flow, step, runs)
        return Plan([planned[step] for step in self._graph.nodes if step in planned])

    def _why(self, flow: str, step: str, text: str) -> str:
        if step not in self._watched:
            return "runs in any case"
        newest = next(iter(self._recent(flow, step)), None)
        if text or newest is None:
            return text or "has no earlier result"
        return (
            f"its results can't be reused: it looks at {newest.hazards[0]}"
            if newest.hazards
            else ""
        )

    def _step(self, flow: str, step: str, cached: int, runs: int, why: str) -> PlannedStep:
        mean = self._mean(flow, step) if runs else 0.0
        return PlannedStep(step, cached, runs, None if mean is None else mean * runs, why)

    # --- behind what runs -------------------------------------------------------------------------

    def _behind(self, runs: Mapping[str, int]) -> list[str]:
        """Return the steps that come after one that runs, in the order of the graph."""
        found: set[str] = set()
        pending = [target for step in runs for target in self._graph[step].targets]
        while pending:
            step = pending.pop()
            if step not in found:
                found.add(step)
                pending.extend(self._graph[step].targets)
        return [step for step in self._graph.nodes if step in found]

    def _guess(self, flow: str, step: str, runs: dict[str, int]) -> PlannedStep:
        """Say what becomes of a step whose inputs are not known yet.

        If it is likely to run, those after it are told by ``runs``.
        """
        newest = next(iter(self._recent(flow, step)), None)
        if step not in self._watched or newest is None:
            runs[step] = 1
            return self._step(flow, step, 0, 1, self._why(flow, step, ""))
        tasks = self._tasks_beside(newest)
        base = self._cache.base(step, is_join=self._graph[step].is_join)
        edited = differences(newest, base.parts, {})
        read = {token.rpartition(":")[2] for token in newest.reads}
        wanted = sorted(read & self._written(flow, runs))
        if newest.hazards or base.digest != newest.base.digest:
            why = self._why(flow, step, f"ran because {edited[0]}" if edited else "")
            runs[step] = tasks
            return self._step(flow, step, 0, tasks, why)
        if not wanted and "input" not in newest.reads:
            return PlannedStep(step, tasks)
        runs[step] = tasks
        names = ", ".join(f"'{name}'" for name in wanted) or "the foreach items"
        planned = self._step(flow, step, 0, tasks, f"if {names} changes")
        return PlannedStep(step, 0, tasks, planned.seconds, planned.why, is_certain=False)

    def _written(self, flow: str, steps: Mapping[str, int]) -> set[str]:
        """Return what steps have written the last time."""
        found: set[str] = set()
        for step in steps:
            for trace in self._recent(flow, step)[:1]:
                found.update(self._store.get_manifest(trace.manifest).written)
        return found

    # --- earlier tasks ----------------------------------------------------------------------------

    def _recent(self, flow: str, step: str) -> Sequence[Trace]:
        return self._metadata.traces.recent(flow, step, limit=_RECENT)

    def _mean(self, flow: str, step: str) -> float | None:
        """Return how many seconds a task of a step takes, None if none has run with caching."""
        seconds = list(self._seconds(self._recent(flow, step)))
        return fmean(seconds) if seconds else None

    def _seconds(self, traces: Sequence[Trace]) -> Iterator[float]:
        for trace in traces:
            task = self._task(trace)
            if task is not None and task.last.finished_at is not None:
                yield (task.last.finished_at - task.last.started_at) / 1e6

    def _task(self, trace: Trace) -> TaskRecord | None:
        flow, run_id, _, task_id = parse_pathspec(trace.origin, 4).parts
        return self._metadata.task(flow, run_id, int(task_id))

    def _tasks_beside(self, trace: Trace) -> int:
        """Return how many tasks of the step there were in the run of a result."""
        flow, run_id, step, _ = parse_pathspec(trace.origin, 4).parts
        return max(1, len(self._metadata.tasks(flow, run_id, step)))
