"""What results that are taken over from the cache are called by the flow as it is now."""

from collections.abc import Mapping

from flowkit.authoring.flowdef import FlowDef
from flowkit.content.store import ArtifactStore
from flowkit.exceptions import DefinitionError, InvalidNameError
from flowkit.graph.graph import Graph
from flowkit.model.manifest import Manifest
from flowkit.model.tasks import TaskSpec
from flowkit.model.versions import Publication
from flowkit.ports.versions import VersionReader
from flowkit.runtime.products import Products
from flowkit.runtime.templates import task_facts


class Labels:
    """Gives results that are taken over the names, versions and tags that are declared today.

    What a flow declares about its artifacts is no code: when it changes, nothing has to be
    computed again, and yet the change counts.

    Args:
        flow: The flow as it is now.
        graph: Its graph.
        store: Where values are.
        versions: Where versions are looked up.
    """

    def __init__(
        self, flow: FlowDef, graph: Graph, store: ArtifactStore, versions: VersionReader
    ) -> None:
        self._flow = flow
        self._store = store
        self._versions = versions
        self._held = held_back(flow, graph)

    def of(self, spec: TaskSpec, manifest: Manifest) -> tuple[Publication, ...] | None:
        """Return what a result is published as; None if it can't be: then the step has to run.

        Args:
            spec: The task that takes the result over.
            manifest: The result.
        """
        held = self._held.get(spec.step, frozenset())
        facts = task_facts(spec, self._store, manifest.artifacts)
        products = Products(self._flow, spec, self._store, facts, held)
        try:
            found = products.publications(manifest)
        except (DefinitionError, InvalidNameError):
            return None
        return None if any(map(self._is_taken, found)) else found

    def _is_taken(self, wanted: Publication) -> bool:
        """Whether a version exists with other content, so that only a failure can come of it."""
        if wanted.version is None:
            return False
        found = self._versions.find(wanted.name, wanted.version)
        return found is not None and (
            found.deleted_at is not None or found.ref.identity != wanted.ref.identity
        )


def held_back(flow: FlowDef, graph: Graph) -> Mapping[str, frozenset[str]]:
    """Return, by step, the named attributes that the join after it publishes instead."""
    if not flow.named:
        return {}
    from flowkit.graph.dataflow import Dataflow  # noqa: PLC0415 - few flows name artifacts

    return Dataflow(flow, graph).held_back()
