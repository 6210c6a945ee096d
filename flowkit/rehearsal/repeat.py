"""Whether results that may be reused can be trusted: some are computed again and compared."""

import random
from contextlib import closing
from dataclasses import dataclass

from flowkit import wiring
from flowkit.api import checked_graph
from flowkit.authoring.flowdef import FlowDef
from flowkit.config import Settings
from flowkit.content.store import ArtifactStore
from flowkit.enums import Status
from flowkit.flowmodule import main_module
from flowkit.launching import Launch, RunRequest, caching_of, trace_cache
from flowkit.model.traces import Trace
from flowkit.runtime.tracecache import TraceCache
from flowkit.spinning import SpinEnded, SpinRequest, spin


@dataclass(frozen=True, slots=True)
class Repeated:
    """One result, and what came of computing it again.

    Attributes:
        origin: Pathspec of the task that left it.
        problem: How the new one differs, in words; "" when it is the same.
    """

    origin: str
    problem: str = ""


def repeat_sample(flow: FlowDef, settings: Settings, count: int, seed: int) -> list[Repeated]:
    """Compute some of the results again that runs may reuse now; nothing of it is kept.

    Args:
        flow: The flow as it is now; results of other code are left out.
        settings: Where results are.
        count: How many at most.
        seed: Which ones.
    """
    launch = Launch(flow, checked_graph(flow), RunRequest(cache=True), settings, ())
    store = wiring.open_store(settings, main_module(flow))
    with closing(wiring.open_reader(settings)) as metadata:
        cache = trace_cache(launch, caching_of(launch), metadata, store)
        usable = [
            trace
            for trace in metadata.traces.recent(flow.name, limit=2**31)
            if not trace.hazards and trace.base.step in flow.steps and _is_current(cache, trace)
        ]
    chosen = random.Random(seed).sample(usable, min(count, len(usable)))  # noqa: S311 - a sample
    return [_repeated(flow, settings, store, trace) for trace in chosen]


def _is_current(cache: TraceCache, trace: Trace) -> bool:
    """Whether the code of a result is that of now."""
    base = cache.base(trace.base.step, is_join="inputs" in trace.reads)
    return base.digest == trace.base.digest


def _repeated(flow: FlowDef, settings: Settings, store: ArtifactStore, trace: Trace) -> Repeated:
    path = trace.origin.partition("/")[2]
    spun = spin(flow, SpinRequest(path), settings)
    return Repeated(trace.origin, _problem(store, trace, spun))


def _problem(store: ArtifactStore, trace: Trace, spun: SpinEnded) -> str:
    if spun.ended.status is not Status.SUCCEEDED:
        return f"failed: {spun.ended.error.message if spun.ended.error else 'for no known reason'}"
    earlier = store.get_manifest(trace.manifest)
    before = {name: earlier.artifacts[name].identity for name in earlier.written}
    now = {name: ref.identity for name, ref in spun.artifacts.items()}
    differing = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    return f"has other values of {', '.join(map(repr, differing))}" if differing else ""
