"""Runs of flows inside the test: the real scheduler and worker, blobs in memory, no metadata."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from flowkit.authoring.flowspec import definition
from flowkit.content.registry import Registry
from flowkit.content.store import ArtifactStore
from flowkit.graph.build import build_graph
from flowkit.graph.rules import check
from flowkit.materializers.pickled import PickleMaterializer
from flowkit.model.manifest import Manifest
from flowkit.model.tasks import TaskResult
from flowkit.runtime.policies import scheduler_policy
from flowkit.runtime.root import RunFacts, save_root
from flowkit.runtime.scheduler import Outcome, Scheduler
from flowkit.runtime.worker import Worker
from flowkit.stores.memory import MemoryBlobStore


@dataclass
class Played:
    """What became of a run: every result in the order of arrival, and how the run ended."""

    store: ArtifactStore
    results: list[TaskResult] = field(default_factory=list)
    outcome: Outcome | None = None

    def of(self, step: str, position: int = -1) -> TaskResult:
        """Return a result of a step; the last one when no position is given."""
        return [result for result in self.results if result.spec.step == step][position]

    def manifest(self, step: str, position: int = -1) -> Manifest:
        digest = self.of(step, position).manifest
        assert digest is not None
        return self.store.get_manifest(digest)

    def values(self, step: str, position: int = -1) -> dict[str, Any]:
        """Return the artifacts visible after a task, without the internal ones."""
        artifacts = self.manifest(step, position).artifacts
        return {
            name: self.store.load(ref)
            for name, ref in artifacts.items()
            if not name.startswith("_") and name != "name"
        }

    def digest(self, step: str, name: str, position: int = -1) -> str:
        return self.manifest(step, position).artifacts[name].digest

    def reads(self, step: str, position: int = -1) -> dict[str, str | None]:
        return {read.token: read.digest for read in self.manifest(step, position).reads}

    @property
    def steps(self) -> list[str]:
        return [result.spec.step for result in self.results]

    @property
    def error(self):
        assert self.outcome is not None
        assert self.outcome.error is not None
        return self.outcome.error


@pytest.fixture
def play():
    """A function that runs a flow class to its end, one attempt after the other."""

    def run(flow: type, *, facts: RunFacts | None = None, max_num_splits: int = 100, **values):
        described = definition(flow)
        graph = build_graph(described)
        assert check(graph) == []
        store = ArtifactStore(MemoryBlobStore(), Registry(PickleMaterializer()))
        root = save_root(store, described, graph, values, facts or RunFacts("tester"))
        worker = Worker(described, graph, store)
        policy = scheduler_policy(described, graph, max_num_splits)
        scheduler = Scheduler(graph, flow=described.name, run_id="1", root=root, policy=policy)
        played = Played(store)
        queue = scheduler.start()
        while queue and scheduler.outcome is None:
            result = worker(queue.pop(0))
            played.results.append(result)
            queue += scheduler.finished(result)
        played.outcome = scheduler.outcome
        return played

    return run
