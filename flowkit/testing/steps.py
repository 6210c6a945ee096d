"""``call_step``: one step of a flow called in a unit test, with values instead of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowkit.api import checked_graph
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.flowspec import FlowSpec, definition
from flowkit.authoring.parameters import ParameterContext, parameter_values
from flowkit.content.store import ArtifactStore
from flowkit.exceptions import ArtifactError, InvalidNextException, UsageError
from flowkit.graph.graph import Graph, Node
from flowkit.materializers.standard import standard_registry
from flowkit.model.manifest import Frame, Manifest
from flowkit.model.tasks import TaskKey, TaskSpec
from flowkit.runtime.root import RunFacts, save_root
from flowkit.runtime.transitions import find_problem
from flowkit.runtime.worker import Worker
from flowkit.stores.memory import MemoryBlobStore

_INPUT = "input"
_USER = "tester"
_NOT_GIVEN = object()
_MAX_NUM_SPLITS = 100

Artifacts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What a step left behind.

    Attributes:
        artifacts: Every artifact that the next step would see, by name, with its value.
        written: Names of those that the step assigned or changed.
        targets: Names of the steps that follow; () after the last step.
        items: The items of the foreach that the step starts; None when it starts none.
    """

    artifacts: Artifacts
    written: tuple[str, ...]
    targets: tuple[str, ...]
    items: Sequence[Any] | None = None


def call_step(
    flow: type[FlowSpec],
    step: str,
    *,
    artifacts: Artifacts | None = None,
    inputs: Sequence[Artifacts] | Mapping[str, Artifacts] | None = None,
    input: Any = _NOT_GIVEN,  # noqa: A002 - the name that steps see it by
    params: Mapping[str, Any] | None = None,
) -> StepOutcome:
    """Call one step of a flow as a run would, in this process and without a store on disk.

    The same code runs as in a task: values are stored and loaded, decorators wrap the step,
    `current` is set, and the transition is compared with the graph.

    Args:
        flow: The flow class.
        step: Name of the step.
        artifacts: What earlier steps have left on ``self``, by name.
        inputs: For a join: the artifacts of each preceding task, in order; or by name of the
            preceding step. In a foreach, "input" among them is the item of that task.
        input: The foreach item, ``self.input``.
        params: Values of the flow's parameters by name; the others have their defaults.

    Raises:
        BaseException: Whatever the step raises, as it was raised.
        ArtifactError: A value can't be stored.
        InvalidNextException: The step went another way than the graph says.
        LintError: The flow's graph breaks rules.
        UsageError: There is no such step, or the arguments don't fit its kind.

    Example::

        outcome = call_step(Train, "fit", artifacts={"rows": [1, 2]}, params={"alpha": 0.1})
        assert outcome.artifacts["model"] == 3
        assert outcome.targets == ("end",)
    """
    described = definition(flow)
    graph = checked_graph(described)
    if step not in graph:
        known = ", ".join(graph.nodes)
        raise UsageError(f"flow '{described.name}' has no step '{step}'; it has: {known}")
    _check_kind(graph[step], artifacts, inputs)
    store = ArtifactStore(MemoryBlobStore(), standard_registry())
    root = save_root(store, described, graph, _parameters(described, params), RunFacts(_USER))
    spec = TaskSpec(
        flow=described.name,
        run_id="1",
        task_id=1,
        key=TaskKey(step, _frames(store, graph[step], input)),
        is_join=graph[step].is_join,
        inputs=_Inputs(store, root, graph[step]).put(artifacts, inputs),
        root=root,
    )
    return _outcome(described, graph, store, spec)


def _outcome(flow: FlowDef, graph: Graph, store: ArtifactStore, spec: TaskSpec) -> StepOutcome:
    worker = Worker(flow, graph, store)
    task = worker.open(spec)
    raised = task.run()
    if raised is not None:
        raise raised
    result = worker.commit(task, None)
    if result.manifest is None or not result.status.is_success:
        raise ArtifactError(result.error.message if result.error else "")
    problem = find_problem(graph, spec.step, result.next, _MAX_NUM_SPLITS)
    if problem is not None:
        raise InvalidNextException(problem)
    manifest = store.get_manifest(result.manifest)
    values = {n: store.load(ref) for n, ref in manifest.artifacts.items() if not n.startswith("_")}
    taken = result.next  # a stored manifest has not the items themselves
    return StepOutcome(
        artifacts=values,
        written=manifest.written,
        targets=() if taken is None else taken.targets,
        items=None if taken is None or taken.items is None else list(map(store.load, taken.items)),
    )


def _parameters(flow: FlowDef, given: Mapping[str, Any] | None) -> dict[str, Any]:
    return parameter_values(
        flow.parameters, given or {}, lambda name: ParameterContext(flow.name, _USER, name)
    )


def _check_kind(node: Node, artifacts: object, inputs: object) -> None:
    if node.is_join and artifacts is not None:
        raise UsageError(f"step '{node.name}' is a join: give 'inputs', not 'artifacts'")
    if node.is_join and inputs is None:
        raise UsageError(f"step '{node.name}' is a join: give the artifacts of its 'inputs'")
    if not node.is_join and inputs is not None:
        raise UsageError(f"step '{node.name}' is no join: give 'artifacts', not 'inputs'")


def _frames(store: ArtifactStore, node: Node, item: Any) -> tuple[Frame, ...]:
    if item is _NOT_GIVEN:
        return ()
    split = node.split_parents[-1] if node.split_parents else ""
    return (Frame(split, None, 0, 1, store.save_items([item])[0]),)


class _Inputs:
    """Stores the manifests of the tasks that a step would come after."""

    def __init__(self, store: ArtifactStore, root: str, node: Node) -> None:
        self._store = store
        self._node = node
        self._inherited = store.get_manifest(root).artifacts

    def put(
        self,
        artifacts: Artifacts | None,
        inputs: Sequence[Artifacts] | Mapping[str, Artifacts] | None,
    ) -> tuple[str, ...]:
        """Return the digests of the manifests."""
        if inputs is None:
            return (self._put(artifacts or {}, "", ()),)
        if isinstance(inputs, Mapping):
            return tuple(self._put(values, step, ()) for step, values in inputs.items())
        before = self._node.predecessors
        if len(before) == len(inputs) > 1:  # a join of a static split
            return tuple(self._put(*pair, ()) for pair in zip(inputs, before, strict=True))
        items = self._store.save_items([values.get(_INPUT) for values in inputs])
        return tuple(
            self._put(values, before[0], (Frame("", None, index, len(inputs), item),))
            for index, (values, item) in enumerate(zip(inputs, items, strict=True))
        )

    def _put(self, values: Artifacts, step: str, frames: tuple[Frame, ...]) -> str:
        saved = self._store.save({n: value for n, value in values.items() if n != _INPUT})
        for error in saved.failures.values():
            raise error
        artifacts = {**self._inherited, **saved.refs}
        return self._store.put_manifest(Manifest(artifacts, step=step, frames=frames))
