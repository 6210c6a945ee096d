"""Random flows, edited between runs: with caching they leave exactly what they leave without."""

import random
import sys
from dataclasses import replace
from types import ModuleType

import pytest

from flowkit import FlowSpec, step
from flowkit.authoring.flowspec import definition
from flowkit.content.registry import Registry
from flowkit.content.store import ArtifactStore
from flowkit.enums import Status
from flowkit.graph.build import build_graph
from flowkit.materializers.pickled import PickleMaterializer
from flowkit.runtime.caching import CachePolicy
from flowkit.runtime.reuse import NoReuse
from flowkit.runtime.root import RunFacts, save_root
from flowkit.runtime.scheduler import Scheduler, SchedulerPolicy
from flowkit.runtime.tracecache import TraceCache, trace_key
from flowkit.runtime.worker import Worker
from flowkit.stores.memory import MemoryBlobStore

CAMPAIGN = 20_000
"""Programs of the whole campaign, ``make cache-campaign``; each is edited twice and runs thrice."""
CHUNK = 500
NAMES = ("p", "q", "r", "s")
STEPS = ("start", "a", "b", "join", "work", "gather", "end")


class Shape(FlowSpec):
    """The graph of every generated flow."""

    @step
    def start(self):
        self.next(self.a, self.b)

    @step
    def a(self):
        self.next(self.join)

    @step
    def b(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


GRAPH = build_graph(definition(Shape))
NEXT = {
    "start": "self.next(self.a, self.b)",
    "a": "self.next(self.join)",
    "b": "self.next(self.join)",
    "join": 'self.next(self.work, foreach="items")',
    "work": "self.next(self.gather)",
    "gather": "self.next(self.end)",
    "end": "pass",
}


class Traces:
    """A `TraceReader` in memory, and where traces are put."""

    def __init__(self):
        self.by_key = {}

    def keep(self, trace):
        self.by_key.pop(trace.key, None)
        self.by_key[trace.key] = replace(trace, created_at=1)

    def shapes(self, base):
        found = [tuple(sorted(t.reads)) for t in self.by_key.values() if t.base.digest == base]
        return list(dict.fromkeys(reversed(found)))[:16]

    def find(self, keys):
        return next((t for key, t in reversed(self.by_key.items()) if key in keys), None)

    def recent(self, flow=None, step=None, *, limit=20):
        found = [t for t in reversed(self.by_key.values()) if t.base.step == step]
        return found[:limit]

    def of_task(self, pathspec):
        return next((t for t in self.by_key.values() if t.origin == pathspec), None)


class Forgetful(TraceCache):
    """The real thing but for negative reads, which it leaves out of its traces."""

    def trace(self, result):
        trace = super().trace(result)
        if trace is None:
            return None
        reads = {token: seen for token, seen in trace.reads.items() if seen is not None}
        return replace(trace, reads=reads, key=trace_key(trace.base.digest, reads))


# --- random flows ---------------------------------------------------------------------------------


class Flows:
    """A random flow that can be edited."""

    def __init__(self, rng):
        self.rng = rng
        self.helper = rng.randrange(3)
        self.constant = rng.randrange(3)
        self.member = rng.randrange(3)
        self.items = rng.randrange(1, 3)
        self.bodies = {name: self._body(name) for name in STEPS}

    def edit(self):
        """Change one thing, or nothing."""
        match self.rng.randrange(7):
            case 0:
                self.helper = self.rng.randrange(3)
            case 1:
                self.constant = self.rng.randrange(3)
            case 2:
                self.member = self.rng.randrange(3)
            case 3:
                self.items = self.rng.randrange(4)
            case 4 | 5:
                name = self.rng.choice(STEPS)
                self.bodies[name] = self._body(name)

    def source(self):
        methods = []
        for name in STEPS:
            is_join = name in ("join", "gather")
            lines = [f"    def {name}(self{', inputs' if is_join else ''}):"]
            lines += [f"        {line}" for line in [*self.bodies[name], NEXT[name]]]
            methods += ["    @step", *lines]
        return "\n".join(
            [
                "from flowkit import FlowSpec, Parameter, step",
                f"CONSTANT = [{self.constant}]",
                f"def helper(x): return x + {self.helper}",
                "class Shape(FlowSpec):",
                "    n = Parameter('n', default=0)",
                f"    member = {self.member}",
                "    def method(self, x): return helper(x) * 2",
                *methods,
            ]
        )

    def _body(self, name):
        lines = []
        if name in ("join", "gather"):
            lines += self._merge()
        for _ in range(self.rng.randrange(4)):
            lines += self._statement(name)
        if name == "join":
            lines.append(
                f"self.items = [{self.rng.choice(['i', 'i * 2', '7'])} "
                f"for i in range({self.items})]"
            )
        return lines

    def _merge(self):
        x, y = self.rng.sample(NAMES, 2)
        merge = self.rng.choice(
            ["inputs", f"inputs, exclude=['{x}', '{y}']", f"inputs, include=['{x}']"]
        )
        failed = f"self.{y} = len(error.artifacts) if hasattr(error, 'artifacts') else -1"
        lines = [
            "try:",
            f"    self.merge_artifacts({merge})",
            "except Exception as error:",
            f"    {failed}",
        ]
        first = self.rng.choice(
            [
                [],
                [f"self.{x} = sum(getattr(i, '{x}', 0) for i in inputs)"],
                [f"self.{y} = [i.index for i in inputs]"],
                [f"self.{y} = [getattr(i, '{x}', None) for i in inputs][:1]"],
                [f"if hasattr(self, '{x}'): self.{y} = 8"],
            ]
        )
        return self.rng.choice([first + lines, lines + first, first])

    def _statement(self, name):
        rng = self.rng
        x, y, z = rng.sample(NAMES, 3)
        k = rng.randrange(3)
        options = [
            [f"self.{x} = {k}"],
            [f"self.{x} = self.{y} if hasattr(self, '{y}') else {k}"],
            [f"if hasattr(self, '{x}'): del self.{x}"],
            [f"if getattr(self, '{x}', 0) == {k}: self.{y} = 1", f"else: self.{z} = {k}"],
            [f"if isinstance(getattr(self, '{x}', None), list): self.{x}.append({k})"],
            [f"self.{x} = [{k}]"],
            [f"self.{x} = helper({k})"],
            [f"self.{x} = self.method(CONSTANT[0])"],
            [f"self.{x} = self.n"],
            [f"self.{x} = self.member"],
            [f"if self.n: self.{x} = str(getattr(self, '{y}', {k}))"],
            [f"getattr(self, '{x}', None)"],
        ]
        if name == "work":
            options += [[f"self.{x} = self.input"], [f"self.{x} = self.index"]] * 2
            options += [[f"self.{x} = len(self.foreach_stack())"]]
        return rng.choice(options)


def load(source):
    module = ModuleType("random_flow")
    module.__file__ = __file__
    sys.modules["random_flow"] = module
    exec(compile(source, __file__, "exec"), vars(module))
    return definition(module.Shape)


def run(flow, n, run_id, store, cache_of=None, traces=None):
    """Run a flow; return what each task left, by its place, and how many were reused."""
    facts = RunFacts(user="ada")
    root = save_root(store, flow, GRAPH, {"n": n}, facts)
    steps = frozenset(STEPS)
    policy = SchedulerPolicy(watched=steps if cache_of else frozenset())
    scheduler = Scheduler(GRAPH, flow="Shape", run_id=run_id, root=root, policy=policy)
    reuse = NoReuse()
    if cache_of:
        reuse = cache_of(traces, store, flow, policy=CachePolicy(steps))
    worker = Worker(flow, GRAPH, store)
    pending, left, reused = list(scheduler.start()), {}, 0
    while pending:
        spec = pending.pop(0)
        result = reuse.find(spec)
        if result is None:
            result = replace(worker(spec), spec=spec)
            trace = reuse.trace(result)
            if trace is not None:
                traces.keep(trace)
        else:
            reused += 1
        place = (spec.step, tuple((f.step, f.index) for f in spec.key.frames))
        left[place] = _left(store, result)
        pending += scheduler.finished(result)
    return left, reused


def _left(store, result):
    if result.manifest is None:
        return result.error
    manifest = store.get_manifest(result.manifest)
    artifacts = {n: ref.digest for n, ref in manifest.artifacts.items() if n[0] != "_"}
    taken = manifest.next
    if not result.status.is_success:
        return Status.FAILED
    return artifacts, None if taken is None else (taken.targets, taken.items_blob)


def differences(programs, seed, cache_of):
    """Return how many runs differ from plain ones, and how many tasks were reused, of how many."""
    wrong = reused = tasks = 0
    for number in range(programs):
        rng = random.Random(seed * 1_000_003 + number)
        store = ArtifactStore(MemoryBlobStore(), Registry(PickleMaterializer()))
        flows, traces = Flows(rng), Traces()
        for run_id in range(1, 4):
            flow = load(flows.source())
            n = rng.randrange(2)
            plain, _ = run(flow, n, str(run_id), store)
            cached, hits = run(flow, n, f"c{run_id}", store, cache_of, traces)
            wrong += plain != cached
            reused += hits
            tasks += len(cached)
            flows.edit()
    return wrong, reused, tasks


def test_caching_changes_no_result_of_random_flows():
    wrong, reused, tasks = differences(100, 1, TraceCache)

    assert wrong == 0
    assert reused > tasks / 4


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1000 + CAMPAIGN // CHUNK))
def test_the_same_of_twenty_thousand(seed):
    wrong, reused, tasks = differences(CHUNK, seed, TraceCache)

    assert wrong == 0
    assert reused > tasks / 4


def test_leaving_negative_reads_out_would_change_results():
    runs = (differences(10, seed, Forgetful)[0] for seed in range(100))

    assert any(runs)
