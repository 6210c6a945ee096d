"""What a spun task starts from: recorded manifests, with what the user wants otherwise."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.parameters import ParameterContext, parameter_values
from flowkit.content.store import ArtifactStore
from flowkit.exceptions import UsageError
from flowkit.graph.graph import Graph
from flowkit.model.manifest import Manifest
from flowkit.model.tasks import TaskSpec
from flowkit.runtime.root import RUN_INFO, RunFacts, save_root

_ITEM = "input"


class SpinInputs:
    """Makes the manifests that a spun task starts from, out of recorded ones.

    Args:
        flow: The flow as it is now.
        graph: Its graph.
        store: Where manifests and values are.
        user: Who spins.
    """

    def __init__(self, flow: FlowDef, graph: Graph, store: ArtifactStore, user: str) -> None:
        self._flow = flow
        self._graph = graph
        self._store = store
        self._user = user

    def prepare(self, spec: TaskSpec, artifacts: Mapping[Any, Any]) -> TaskSpec:
        """Return the spec with what the recorded run didn't have, and with the user's artifacts.

        Args:
            spec: As recorded.
            artifacts: See `SpinRequest`.

        Raises:
            UsageError: The artifacts don't fit the step.
            UnpicklableArtifactException: One of them can't be stored.
        """
        recorded = self._store.get_manifest(spec.root)
        new = self._new_parameters(recorded)
        spec = replace(spec, root=self._root(spec, recorded, new))
        if spec.is_join:
            return replace(spec, inputs=self._joined(spec, artifacts))
        values = dict(artifacts)
        odd = [name for name in values if not isinstance(name, str)]
        if odd:
            raise UsageError(f"artifacts are given by name: {odd[0]!r} is none")
        if _ITEM in values:
            spec = self._with_item(spec, values.pop(_ITEM))
        if not spec.inputs:
            return replace(spec, root=self._changed(spec.root, values))
        values = {**self._flow.config_values, **new, **values}
        return replace(spec, inputs=(self._changed(spec.inputs[0], values),))

    def _new_parameters(self, recorded: Manifest) -> dict[str, Any]:
        """Return the defaults of parameters that the run didn't have yet."""
        new = {n: p for n, p in self._flow.parameters.items() if n not in recorded.artifacts}
        return parameter_values(
            new, {}, lambda name: ParameterContext(self._flow.name, self._user, name)
        )

    def _root(self, spec: TaskSpec, recorded: Manifest, new: Mapping[str, Any]) -> str:
        info = self._store.load(recorded.artifacts[RUN_INFO])
        known = {name: info[name] for name in RunFacts.__slots__ if name in info}
        facts = RunFacts(**{**known, "origin_run_id": spec.run_id})
        inherited = {n: ref for n, ref in recorded.artifacts.items() if not n.startswith("_")}
        return save_root(self._store, self._flow, self._graph, new, facts, inherited)

    def _joined(self, spec: TaskSpec, artifacts: Mapping[Any, Any]) -> tuple[str, ...]:
        manifests = self._store.get_manifests(spec.inputs)
        known = [*dict.fromkeys(manifest.step for manifest in manifests), *range(len(manifests))]
        for key, values in artifacts.items():
            if key not in known or not isinstance(values, Mapping):
                raise UsageError(
                    f"step '{spec.step}' is a join: give artifacts as a dict for a step or "
                    f"position, one of {', '.join(map(repr, known))}"
                )
        changes = [
            {**artifacts.get(manifest.step, {}), **artifacts.get(position, {})}
            for position, manifest in enumerate(manifests)
        ]
        return tuple(map(self._changed, spec.inputs, changes))

    def _with_item(self, spec: TaskSpec, item: Any) -> TaskSpec:
        frames = spec.key.frames
        if not frames:
            raise UsageError(f"step '{spec.step}' is in no foreach and has no input")
        last = replace(frames[-1], item=self._store.save_items([item])[0])
        return replace(spec, key=replace(spec.key, frames=(*frames[:-1], last)))

    def _changed(self, digest: str, values: Mapping[str, Any]) -> str:
        if not values:
            return digest
        saved = self._store.save(values)
        for error in saved.failures.values():
            raise error
        manifest = self._store.get_manifest(digest)
        changed = replace(manifest, artifacts={**manifest.artifacts, **saved.refs})
        return self._store.put_manifest(changed)
