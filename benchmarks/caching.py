"""Measures what deciding about a cached task costs: its fingerprint, and looking for a result.

    python benchmarks/caching.py [--items N] [--json]

A fingerprint is taken of steps that reach functions of a module of their own; the look is one
that finds a result, and one that does not, among the results of a wide foreach, in SQLite.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

from run import Figure
from tabulate import tabulate

from flowkit import wiring
from flowkit.authoring.flowspec import definition
from flowkit.config import Settings
from flowkit.enums import Status
from flowkit.graph.build import build_graph
from flowkit.model.records import AttemptOutcome, NewRun, NewTask
from flowkit.model.tasks import TaskResult, TaskSpec
from flowkit.runtime.caching import CachePolicy
from flowkit.runtime.fingerprint import Fingerprints
from flowkit.runtime.root import RunFacts, save_root
from flowkit.runtime.scheduler import Scheduler, SchedulerPolicy
from flowkit.runtime.tracecache import TraceCache
from flowkit.runtime.worker import Worker

FLOW = Path(__file__).parent / "flows" / "cached.py"
STEPS = frozenset({"start", "each", "join", "end"})


class Bench:
    """A store with the results of one run, and what looks for them."""

    def __init__(self, directory: str, items: int) -> None:
        self.settings = Settings(home=directory)
        cls = wiring.load_class(str(FLOW), "Cached", "cached")
        self.flow = definition(cls)
        self.graph = build_graph(self.flow)
        self.store = wiring.open_store(self.settings, "cached")
        facts = RunFacts(user="bench")
        self.root = save_root(self.store, self.flow, self.graph, {"items": items}, facts)

    def scheduler(self, run_id: str) -> Scheduler:
        rules = SchedulerPolicy(max_num_splits=10**6, watched=STEPS)
        return Scheduler(self.graph, flow="Cached", run_id=run_id, root=self.root, policy=rules)

    def cache(self, reader) -> TraceCache:
        return TraceCache(reader.traces, self.store, self.flow, policy=CachePolicy(STEPS))

    def fill(self) -> None:
        """Run the flow here, and keep its traces as a driver does."""
        worker = Worker(self.flow, self.graph, self.store)
        with (
            closing(wiring.open_writer(self.settings)) as writer,
            closing(wiring.open_reader(self.settings)) as reader,
        ):
            lease = writer.create_run(NewRun("Cached", "bench", self.root))
            cache, scheduler = self.cache(reader), self.scheduler(lease.run_id)
            pending = list(scheduler.start())
            while pending:
                results = [replace(worker(spec), spec=spec) for spec in pending]
                outcomes = [_outcome(result, cache) for result in results]
                writer.record(lease, [], [_new(result.spec) for result in results])
                writer.record(lease, outcomes, [])
                pending = [after for result in results for after in scheduler.finished(result)]
            writer.finish_run(lease, Status.SUCCEEDED)

    def looks(self, *, is_there: bool) -> list[float]:
        """Return the seconds of each look of a whole run for its results."""
        with closing(wiring.open_reader(self.settings)) as reader:
            cache = self.cache(reader)
            scheduler, pending = self.scheduler("again"), []
            pending += scheduler.start()
            seconds = []
            while pending:
                spec = pending.pop()
                wanted = spec if is_there else _elsewhere(spec)
                began = time.perf_counter()
                found = cache.find(wanted)
                seconds.append(time.perf_counter() - began)
                if (found is not None) != is_there and wanted is not spec:
                    raise SystemExit(f"{spec.pathspec}: found {found}")
                if wanted is not spec or found is None:
                    found = self.cache(reader).find(spec)
                pending += scheduler.finished(found)
            return seconds


def _elsewhere(spec: TaskSpec) -> TaskSpec:
    """Return a task of a foreach with another item; others as they are."""
    if not spec.key.frames or spec.is_join:
        return spec
    last = spec.key.frames[-1]
    item = replace(last.item, digest="0" * 64, content="0" * 64)
    frames = (*spec.key.frames[:-1], replace(last, item=item))
    return replace(spec, key=replace(spec.key, frames=frames))


def _new(spec: TaskSpec) -> NewTask:
    return NewTask(spec.task_id, spec.step, spec.attempt, spec.key.frames, 0, (), None)


def _outcome(result: TaskResult, cache: TraceCache) -> AttemptOutcome:
    now = time.time_ns() // 1000
    return AttemptOutcome(
        task_id=result.spec.task_id,
        step=result.spec.step,
        attempt=0,
        status=result.status,
        manifest=result.manifest,
        error=None,
        written=result.written,
        reads=result.reads,
        started_at=now,
        finished_at=now,
        log_start=0,
        log_end=0,
        trace=cache.trace(result),
    )


def fingerprints(bench: Bench) -> list[float]:
    """Return the seconds per step of fingerprints that know nothing before."""
    found = []
    for _ in range(20):
        prints = Fingerprints(bench.flow, "cached")
        began = time.perf_counter()
        for step in bench.flow.steps:
            prints.step(step)
        found.append((time.perf_counter() - began) / len(bench.flow.steps))
    return found


def figures(directory: str, items: int) -> list[Figure]:
    bench = Bench(directory, items)
    bench.fill()
    median: Callable[[list[float]], float] = statistics.median
    there, missing = bench.looks(is_there=True), bench.looks(is_there=False)
    return [
        Figure("fingerprint, per step", median(fingerprints(bench)) * 1e3, "ms", 1, "1 ms"),
        Figure(f"a look that finds, of {items}", median(there) * 1e3, "ms", 2, "2 ms"),
        Figure(f"a look that doesn't, of {items}", median(missing) * 1e3, "ms", 2, "2 ms"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1000, help="tasks in the foreach")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    sys.path.insert(0, str(FLOW.parent))
    with tempfile.TemporaryDirectory() as directory:
        found = figures(directory, arguments.items)
    if arguments.json:
        print(json.dumps([{**asdict(each), "ratio": each.ratio} for each in found], indent=2))
        return
    rows = [(f.workload, f"{f.measured:.3g} {f.unit}", f.basis, f"{f.ratio:.2f}") for f in found]
    print(tabulate(rows, headers=("workload", "measured", "budget", "measured / budget")))


if __name__ == "__main__":
    main()
