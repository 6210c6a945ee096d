"""One task spec in, one task result out, in whatever process; touches no metadata."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any

from flowkit.authoring.builtin import retry
from flowkit.authoring.current import Parallel, TaskContext, entered
from flowkit.authoring.decorators import Call
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.flowspec import BINDING
from flowkit.authoring.inputs import Inputs, InputSource
from flowkit.authoring.steps import StepDef
from flowkit.authoring.transition import NextCall, read_next
from flowkit.content.observing import observing
from flowkit.content.store import ArtifactStore
from flowkit.enums import Cause, Status
from flowkit.exceptions import (
    ExceptionWrapper,
    FlowkitError,
    InvalidNextException,
    UnpicklableArtifactException,
)
from flowkit.graph.graph import Graph, Node, NodeType
from flowkit.model.manifest import ArtifactRef, Manifest
from flowkit.model.tasks import AttemptError, TaskResult, TaskSpec
from flowkit.model.traces import Observation
from flowkit.runtime.caching import texts
from flowkit.runtime.failure import (
    attempt_error,
    exception_text,
    is_store_failure,
    type_name,
)
from flowkit.runtime.labels import held_back
from flowkit.runtime.root import GRAPH_INFO, RUN_INFO
from flowkit.runtime.state import InputTask, TaskState


class Worker:
    """Runs attempts of one flow's tasks.

    Args:
        definition: The flow.
        graph: Its graph.
        store: Where values are loaded from and saved to.
    """

    def __init__(self, definition: FlowDef, graph: Graph, store: ArtifactStore) -> None:
        self._definition = definition
        self._graph = graph
        self._store = store
        self._held = held_back(definition, graph)

    def __call__(self, spec: TaskSpec) -> TaskResult:
        """Run one attempt; every failure, also of the store, becomes a failed result."""
        try:
            task = self.open(spec)
            if spec.is_watched:
                return self._watched(task)
            return self.commit(task, task.run())
        except FlowkitError as error:
            return TaskResult(spec, Status.FAILED, error=attempt_error(error))

    def open(self, spec: TaskSpec) -> "OpenTask":
        """Bind an attempt to its inputs, without running it.

        Raises:
            FlowkitError: The inputs can't be read.
        """
        inputs = self._store.get_manifests(spec.inputs)
        root = self._store.get_manifest(spec.root)
        flow: Any = object.__new__(self._definition.cls)
        basis = root if spec.is_join or not inputs else inputs[0]
        inherited = {n: ref for n, ref in basis.artifacts.items() if not n.startswith("_")}
        if spec.is_join:
            read_only = self._definition.read_only
            inherited = {n: ref for n, ref in inherited.items() if n in read_only}
        held = self._held.get(spec.step, frozenset())
        state = TaskState(self._definition, spec, self._store, inherited, flow, held)
        flow.__dict__[BINDING] = state
        node = self._graph[spec.step]
        step = self._definition.steps[spec.step]
        task = OpenTask(step, node, state, flow, _sources(state, inputs))
        task.context = self._context(spec, root, task)
        return task

    def _context(self, spec: TaskSpec, root: Manifest, task: "OpenTask") -> TaskContext:
        info: Mapping[str, Any] = self._load(root, RUN_INFO) or {}
        gang = spec.gang
        return TaskContext(
            flow_name=spec.flow,
            run_id=spec.run_id,
            step_name=spec.step,
            task_id=str(spec.task_id),
            retry_count=spec.attempt,
            origin_run_id=info.get("origin_run_id"),
            namespace=info.get("namespace"),
            username=info.get("user", ""),
            tags=frozenset(info.get("tags", ())),
            parameter_names=_parameter_names(self._definition),
            tempdir=info.get("tempdir", "."),
            graph=partial(self._load, root, GRAPH_INFO),
            flow=task.flow,
            inputs=task.inputs,
            is_last_attempt=spec.attempt + 1 >= spec.max_attempts,
            fallback=spec.fallback,
            handle_failure=task.handle_failure,
            take_transition=task.take_transition,
            parallel=None
            if gang is None
            else Parallel("127.0.0.1", gang.size, gang.rank, str(gang.control_task_id)),
            extras=info.get("current", {}),
        )

    def _with_retry_rule(
        self, spec: TaskSpec, error: AttemptError, raised: BaseException | None
    ) -> AttemptError:
        """Mark a failure that the step's ``@retry(on=...)`` leaves out."""
        policy = self._definition.steps[spec.step].decorator(retry)
        if policy is None or raised is None or not error.is_charged or policy.covers(raised):
            return error
        return replace(error, is_retryable=False)

    def _watched(self, task: "OpenTask") -> TaskResult:
        """Run an attempt and note what it looks at beside its artifacts."""
        from flowkit.runtime.sentinel import Watch, the_sentinel  # noqa: PLC0415 - few are watched

        options = self._definition.steps[task.state.step].options
        with the_sentinel().watching(Watch(texts(options.get("cache_depends")))) as watch:
            task.context = replace(task.context, look=watch.looked)
            raised = task.run()
        result = self.commit(task, raised)
        return replace(result, observation=Observation(task.state.changes, watch.hazards))

    def _load(self, manifest: Manifest, name: str) -> Any:
        ref = manifest.artifacts.get(name)
        return None if ref is None else self._store.load(ref)

    def commit(self, task: "OpenTask", raised: BaseException | None) -> TaskResult:
        """Store what an attempt has left, and return its result.

        Args:
            task: The attempt, after it was run.
            raised: What `OpenTask.run` returned.

        Raises:
            StorageError: The store can't be written.
        """
        spec = task.state.spec
        extra = {} if raised is None else {"_exception": _wrapped(raised)}
        manifest, failures = task.state.commit(extra)
        error = None if raised is None else attempt_error(raised)
        status = Status.SUCCEEDED if error is None and not failures else Status.FAILED
        if error is None and failures:
            error = _unstorable(spec, failures)
            sys.stderr.write(f"{error.message}\n")
        elif error is not None:
            error = self._with_retry_rule(spec, error, raised)
        elif task.handled is not None:
            error = attempt_error(task.handled)
        digest = self._store.put_manifest(manifest)
        products, is_success = task.state.products, status.is_success
        return TaskResult(
            spec=spec,
            status=status,
            manifest=digest,
            next=manifest.next if is_success else None,
            error=error,
            written={name: _bare(manifest.artifacts[name]) for name in manifest.written},
            reads=manifest.reads,
            # What a step leaves that failed is no product, also when @catch took its failure.
            publishes=products.publications(manifest) if is_success and error is None else (),
            annotations=products.annotations(manifest, is_success=is_success),
        )


class OpenTask:
    """One attempt about to run: the step's call, nested in its decorators.

    ``flow`` is the instance whose step is called, ``context`` what `current` tells about it.
    """

    context: TaskContext

    def __init__(
        self, step: StepDef, node: Node, state: TaskState, flow: Any, inputs: list[InputSource]
    ) -> None:
        self.state = state
        self.flow = flow
        self.handled: BaseException | None = None
        self._step = step
        self._node = node
        self._targets = node.targets
        self._inputs = inputs

    def run(self) -> BaseException | None:
        """Run the step; return what it raised, which has been printed to stderr."""
        call: Call = self._call_step
        outermost_first = sorted(self._step.decorators, key=attrgetter("is_inner"))
        for decorator in reversed(outermost_first):
            call = partial(decorator.wrap, call, self.context)
        with entered(self.context), observing(self.state.seen):
            # One of the three places that catch everything: user code may raise anything.
            try:
                call()
                self._check_transition()
            except BaseException as error:  # noqa: BLE001
                if _is_finished_exit(error, has_next=not self._targets or self._has_next()):
                    return None
                self._report(error)
                return error
        return None

    @property
    def inputs(self) -> Inputs | None:
        """The inputs of a join; None for other steps."""
        return Inputs(self._inputs) if self.state.is_join else None

    def _call_step(self) -> None:
        inputs = self.context.inputs
        arguments = () if inputs is None else (inputs,)
        self._step.function(self.flow, *arguments)

    def handle_failure(self, error: BaseException) -> ExceptionWrapper:
        """Take an exception as handled: the flow goes on as its graph says.

        A failure of the store is raised again: it is not the step's, and nothing could be kept.
        """
        if is_store_failure(error):
            raise error
        self.handled = error
        self.state.replace_next(NextCall(self._targets) if self._targets else None)
        return _wrapped(error)

    def take_transition(self, keywords: Mapping[str, Any]) -> None:
        """Go on as the graph says, whatever the step asked for.

        Args:
            keywords: Of ``self.next``; these go before what the graph says.

        Raises:
            InvalidNextException: The keywords don't fit, or the step has not set what they name.
        """
        self.state.replace_next(None)
        if not self._targets:
            return
        node, steps = self._node, self.state.definition.steps
        targets: tuple[Any, ...] = tuple(steps[name].function for name in node.targets)
        if node.type is NodeType.SWITCH:
            targets = ({case: steps[name].function for case, name in node.cases.items()},)
        asked = {"foreach": node.foreach, "condition": node.condition, **keywords}
        self.state.set_next(read_next(node.name, steps, targets, asked))

    def _has_next(self) -> bool:
        return self.state.transition is not None

    def _check_transition(self) -> None:
        if not self._targets and self._has_next():
            raise InvalidNextException(
                f"step '{self.state.step}' is the last one and can't call self.next()"
            )
        if self._targets and not self._has_next():
            raise InvalidNextException(
                f"step '{self.state.step}' ended without calling self.next()"
            )

    def _report(self, error: BaseException) -> None:
        described = attempt_error(error)
        text = described.traceback or f"{described.message}\n"
        sys.stdout.flush()
        sys.stderr.write(f"{self.flow} failed:\n{text}")


def _sources(state: TaskState, manifests: list[Manifest]) -> list[InputSource]:
    if not state.is_join:
        return []
    return [InputTask(state, position, manifest) for position, manifest in enumerate(manifests)]


def _parameter_names(flow: FlowDef) -> tuple[str, ...]:
    return (*flow.parameters, *flow.configs)


def _is_finished_exit(error: BaseException, *, has_next: bool) -> bool:
    return isinstance(error, SystemExit) and not error.code and has_next


def _wrapped(error: BaseException) -> ExceptionWrapper:
    described = attempt_error(error)
    return ExceptionWrapper(exception_text(error), type_name(error), described.traceback)


def _unstorable(
    spec: TaskSpec, failures: Mapping[str, UnpicklableArtifactException]
) -> AttemptError:
    reasons = "\n".join(f"    {error}" for error in failures.values())
    return AttemptError(
        cause=Cause.ARTIFACT,
        message=f"step '{spec.step}' has artifacts that can't be stored:\n{reasons}",
        type=type_name(next(iter(failures.values()))),
    )


def _bare(ref: ArtifactRef) -> ArtifactRef:
    return replace(ref, inline=None)
