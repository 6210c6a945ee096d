"""The root manifest of a run: parameters, constants and facts, the artifacts of every task."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowkit.authoring.flowdef import FlowDef
from flowkit.content.store import ArtifactStore
from flowkit.graph.describe import graph_info
from flowkit.graph.graph import Graph
from flowkit.model.manifest import ArtifactRef, Manifest
from flowkit.runtime.codepack import pack_code

GRAPH_INFO = "_graph_info"
RUN_INFO = "_run_info"
CODE = "_code"


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a task may know about its run, beside the artifacts.

    Attributes:
        user: Who runs it.
        tags: User tags given at the start.
        namespace: The client's namespace inside tasks; None is the global one.
        tempdir: Directory for scratch files.
        origin_run_id: The run that this one resumes.
        current: Further attributes of `current`, from flow decorators.
    """

    user: str
    tags: tuple[str, ...] = ()
    namespace: str | None = None
    tempdir: str = "."
    origin_run_id: str | None = None
    current: Mapping[str, Any] | None = None

    def to_info(self) -> dict[str, Any]:
        """Return the facts as plain data, the artifact ``_run_info``."""
        info = {name: getattr(self, name) for name in self.__slots__}
        return {**info, "tags": sorted(self.tags), "current": dict(self.current or {})}


def save_root(
    store: ArtifactStore,
    flow: FlowDef,
    graph: Graph,
    values: Mapping[str, Any],
    facts: RunFacts,
    inherited: Mapping[str, ArtifactRef] | None = None,
) -> str:
    """Store the root manifest of a run and return its digest.

    Args:
        store: Where to.
        flow: The flow; its constants and configs become artifacts.
        graph: The flow's graph.
        values: Parameter values by attribute name.
        facts: About the run.
        inherited: Parameters taken over from another run, by reference.

    Raises:
        UnpicklableArtifactException: A parameter or constant can't be stored.
    """
    public = {**flow.constants, **flow.config_values, **values, "name": flow.name}
    internal = {
        CODE: pack_code(flow.file),
        GRAPH_INFO: graph_info(flow, graph),
        RUN_INFO: facts.to_info(),
    }
    saved = store.save({**public, **internal})
    for error in saved.failures.values():
        raise error
    taken = dict(inherited or {})
    artifacts = {**taken, **saved.refs}
    return store.put_manifest(Manifest(artifacts=artifacts, written=(*taken, *public)))
