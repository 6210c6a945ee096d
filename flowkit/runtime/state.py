"""The artifacts of one running task: recorded reads, captured writes, detected mutations."""

from collections.abc import Mapping, MappingView, Sequence
from typing import Any

from flowkit.authoring.binding import SavedArtifact
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.inputs import SOURCE
from flowkit.authoring.transition import NextCall
from flowkit.content.hashing import digest_of
from flowkit.content.store import ArtifactStore
from flowkit.exceptions import (
    InvalidNextException,
    MissingInMergeArtifactsException,
    UnhandledInMergeArtifactsException,
    UnpicklableArtifactException,
)
from flowkit.model.manifest import ArtifactRef, Manifest, Read, Transition
from flowkit.model.tasks import Frame, TaskSpec
from flowkit.model.traces import Change
from flowkit.runtime.choosing import choices_of
from flowkit.runtime.products import Products
from flowkit.runtime.templates import task_facts

CHEAP_TO_COMPARE = 1 << 20
"""Bytes up to which two values with different digests are loaded and compared."""
_IMMUTABLE = (int, float, complex, bool, str, bytes, type(None), range)


class InputTask:
    """One finished task before a join: reads go through here and are recorded."""

    def __init__(self, state: "TaskState", position: int, manifest: Manifest) -> None:
        self.flow = state.definition.cls
        self.step = manifest.step
        self.frames = manifest.frames
        self.artifacts = manifest.artifacts
        self._state = state
        self._position = position

    def read(self, name: str) -> Any:
        """Return an artifact of that task."""
        ref = self.artifacts.get(name)
        self._state.note(f"inputs:{self._position}:{name}", ref)
        if ref is None:
            raise AttributeError(
                f"input {self._position} (step '{self.step}') has no artifact '{name}'"
            )
        return self._state.store.load(ref)

    def item(self, frame: Frame) -> Any:
        """Return the foreach item of a frame of that task."""
        depth = self.frames.index(frame)
        level = "" if depth == len(self.frames) - 1 else f":{depth}"
        self._state.note(f"inputs:{self._position}:input{level}", frame.item)
        return self._state.store.load(frame.item)

    def look(self, what: str) -> None:
        """Record that the place of that task in its foreaches is read."""
        self._state.note(f"inputs:{self._position}:{what}", None)

    def names(self) -> Sequence[str]:
        """Return the names of that task's artifacts."""
        self._state.note(f"inputs:{self._position}:names", None)
        return [name for name in self.artifacts if not name.startswith("_")]


class TaskState:
    """What a flow instance sees of its task; implements `flowkit.authoring.binding.TaskBinding`.

    Args:
        definition: The flow.
        spec: The attempt.
        store: Loads and saves values.
        inherited: The artifacts that the task starts with.
        flow: The instance whose attributes are the task's artifacts.
        held: Named attributes that a later join publishes instead of this task.
    """

    def __init__(
        self,
        definition: FlowDef,
        spec: TaskSpec,
        store: ArtifactStore,
        inherited: Mapping[str, ArtifactRef],
        flow: Any,
        held: frozenset[str] = frozenset(),
    ) -> None:
        self.definition = definition
        self.spec = spec
        self.store = store
        self.step = spec.step
        self.is_join = spec.is_join
        self.transition: NextCall | None = None
        self._flow = flow
        self._artifacts = dict(inherited)
        self._reads: dict[str, str | None] = {}
        self._fingerprints: dict[str, object] = {}
        self._assigned: dict[str, None] = {}
        self._items: list[Any] | None = None
        self._item_cache: dict[int, Any] = {}
        self._changes: list[Change] = []
        self._read_only = definition.read_only
        facts = task_facts(spec, store, self._artifacts)
        self.products = Products(definition, spec, store, facts, held)

    # --- reading and writing ----------------------------------------------------------------------

    def note(self, token: str, ref: ArtifactRef | None) -> None:
        """Record a read, unless it is there already."""
        self.seen(token, None if ref is None else ref.digest)

    def seen(self, token: str, digest: str | None) -> None:
        """Record a read of what has this digest, unless it is there already."""
        self._reads.setdefault(token, digest)

    def read(self, name: str) -> Any:
        """Return an inherited artifact and record the read, also when there is none."""
        attributes = self._flow.__dict__
        if name in attributes:
            return attributes[name]
        ref = self._artifacts.get(name)
        if not name.startswith("_"):
            self.note(f"attr:{name}", ref)
        if ref is None:
            raise AttributeError(self._absent(name))
        value = self.store.load(ref)
        if name not in self._read_only and not _is_immutable(value):
            fingerprint = self.store.fingerprint(value, stored_by=ref.materializer)
            self._fingerprints[name] = fingerprint
        attributes[name] = value
        return value

    def _absent(self, name: str) -> str:
        base = f"Flow {self.definition.name} has no attribute '{name}'"
        if name.startswith("_"):
            return f"{base}: attributes that start with _ are private to a step and not passed on"
        if self.is_join:
            return (
                f"{base}: in a join, take it from one of the inputs or call "
                "self.merge_artifacts(inputs)"
            )
        return base

    def assigned(self, name: str) -> None:
        """Take note that the step assigns this attribute.

        Raises:
            AttributeError: It is the same in every step of the run.
        """
        if name in self._read_only:
            raise AttributeError(
                f"can't set '{name}': Flow level attributes and Parameters are not modifiable"
            )
        self.products.check_assigned(name)
        self._assigned[name] = None

    def deleted(self, name: str) -> bool:
        """Take note of a ``del``; the artifact is gone for this task and those after it."""
        if name not in self._assigned and not name.startswith("_"):
            self.note(f"attr:{name}", self._artifacts.get(name))
        self._changes.append(Change((name,)))
        self._assigned.pop(name, None)
        self._fingerprints.pop(name, None)
        return self._artifacts.pop(name, None) is not None

    # --- foreach ----------------------------------------------------------------------------------

    def index(self) -> int | None:
        """Return the position in the innermost foreach."""
        frames = self.spec.key.frames
        if not frames:
            return None
        self._reads.setdefault("index", digest_of(str(frames[-1].index).encode()))
        return frames[-1].index

    def item(self) -> Any:
        """Return the item of the innermost foreach."""
        frames = self.spec.key.frames
        return self._frame_item(len(frames) - 1) if frames else None

    def foreach_stack(self) -> list[tuple[int, int, Any]]:
        """Return (index, number of splits, item) of each foreach, outermost first."""
        frames = self.spec.key.frames
        if frames:
            self.index()
            self.note("foreach_stack", None)
        return [
            (frame.index, frame.num_splits, self._frame_item(depth))
            for depth, frame in enumerate(frames)
        ]

    def _frame_item(self, depth: int) -> Any:
        frames = self.spec.key.frames
        token = "input" if depth == len(frames) - 1 else f"input:{depth}"
        self.note(token, frames[depth].item)
        if depth not in self._item_cache:
            self._item_cache[depth] = self.store.load(frames[depth].item)
        return self._item_cache[depth]

    # --- joins ------------------------------------------------------------------------------------

    def merge(self, inputs: Any, exclude: Sequence[str], include: Sequence[str]) -> None:
        """Take over what the inputs agree on, by reference."""
        tasks: list[InputTask] = [entry.__dict__[SOURCE] for entry in inputs]
        change = Change(tuple(self._assigned), True, tuple(exclude), tuple(include))
        mine = {*self._assigned, *self._artifacts}
        found: dict[str, dict[str, ArtifactRef]] = {}
        for task in tasks:
            for name, ref in task.artifacts.items():
                if name not in mine and name not in exclude and (not include or name in include):
                    found.setdefault(name, {})[ref.digest] = ref
        missing = [name for name in include if name not in found and name not in mine]
        if missing:
            _note_all(self, tasks)
            raise MissingInMergeArtifactsException(
                f"step '{self.step}': none of the inputs has the artifacts {_quoted(missing)} "
                "named in include",
                missing,
            )
        differing = [
            name for name, refs in found.items() if len(refs) > 1 and not self._are_equal(refs)
        ]
        if differing:
            _note_all(self, tasks)
            raise UnhandledInMergeArtifactsException(
                f"step '{self.step}': the inputs have different values of {_quoted(differing)}: "
                "assign them before merge_artifacts, or name them in exclude",
                differing,
            )
        self._changes.append(change)
        for name, refs in found.items():
            ref = next(iter(refs.values()))
            self.note(f"merge:{name}", ref)
            self._artifacts[name] = ref

    def _are_equal(self, refs: Mapping[str, ArtifactRef]) -> bool:
        if any(ref.size > CHEAP_TO_COMPARE for ref in refs.values()):
            return False
        if len({ref.type for ref in refs.values()}) > 1:
            return False
        first, *others = [self.store.load(ref) for ref in refs.values()]
        try:
            return all(bool(first == other) for other in others)
        except Exception:  # noqa: BLE001 - values that can't say that they are equal differ
            return False

    # --- what is published and logged -------------------------------------------------------------

    def save_artifact(self, saved: SavedArtifact) -> None:
        """Make a version when the task is committed."""
        self.products.save(saved)

    def annotate(self, artifact: str | None, values: Mapping[Any, Any]) -> None:
        """Add to the metadata of an artifact that the step has, or will have assigned."""
        code = getattr(self.definition.steps[self.step].function, "__code__", None)
        to_come = () if code is None else code.co_names
        self.products.annotate(artifact, values, {*self._artifacts, *self._assigned, *to_come})

    def log_metadata(self, subject: str | None, values: Mapping[Any, Any]) -> None:
        """Add to the metadata of the task, or of something else."""
        self.products.log(subject or self.spec.pathspec, values)

    # --- the end ----------------------------------------------------------------------------------

    @property
    def changes(self) -> tuple[Change, ...]:
        """What was done to the inherited artifacts beside assigning, in order."""
        return tuple(self._changes)

    def set_next(self, call: NextCall) -> None:
        """Take the transition; the foreach variable and the condition are read here."""
        if self.transition is not None:
            raise InvalidNextException(
                f"step '{self.step}' calls self.next() twice: multiple transitions are not allowed"
            )
        if call.foreach is not None:
            self._items = self._foreach_items(call.foreach)
        elif call.num_parallel is not None:
            self._items = list(range(call.num_parallel))
        elif call.condition is not None:
            call = self._decide(call, call.condition)
        self.transition = call

    def replace_next(self, call: NextCall | None) -> None:
        """Go on as a handled failure says, whatever the step had asked for."""
        self.transition = call
        self._items = None

    def _foreach_items(self, variable: str) -> list[Any]:
        try:
            values = getattr(self._flow, variable)
        except AttributeError:
            raise InvalidNextException(
                f"step '{self.step}': the foreach variable self.{variable} does not exist"
            ) from None
        if isinstance(values, Mapping):
            return list(values.items())
        try:
            iterator = iter(values)
        except TypeError:
            raise InvalidNextException(
                f"step '{self.step}': the foreach variable self.{variable} is not iterable: it is "
                f"of type {type(values).__name__}"
            ) from None
        items = list(iterator)
        is_consumed = iterator is values or isinstance(values, MappingView)
        if is_consumed and variable not in self._read_only:
            setattr(self._flow, variable, items)  # an iterator can't be stored, its items can
        return items

    def _decide(self, call: NextCall, condition: str) -> NextCall:
        try:
            value = getattr(self._flow, condition)
        except AttributeError:
            raise InvalidNextException(
                f"step '{self.step}': the condition variable self.{condition} does not exist"
            ) from None
        cases = call.cases or {}
        try:
            target = cases[value]
        except (KeyError, TypeError):
            raise InvalidNextException(
                f"step '{self.step}': self.{condition} is {value!r}, which is not in the available "
                f"cases: {list(cases)}"
            ) from None
        return NextCall((target,), condition=condition)

    def commit(
        self, extra: Mapping[str, Any]
    ) -> tuple[Manifest, Mapping[str, UnpicklableArtifactException]]:
        """Store what the step wrote or changed.

        Args:
            extra: Internal artifacts to add.

        Returns:
            The manifest, and what could not be stored by attribute name.
        """
        attributes = self._flow.__dict__
        values = {name: attributes[name] for name in self._assigned if name in attributes}
        for name, before in self._fingerprints.items():
            if name not in values and name in attributes and not self._is_unchanged(name, before):
                values[name] = attributes[name]
        choices = choices_of(self.definition, self.step, self._artifacts)
        saved = self.store.save({**values, **extra}, choices=choices)
        transition, failures = self._transition(dict(saved.failures))
        manifest = Manifest(
            artifacts={**self._artifacts, **saved.refs},
            written=tuple(name for name in values if name in saved.refs),
            reads=tuple(Read(token, digest) for token, digest in self._reads.items()),
            next=transition,
            step=self.step,
            frames=self.spec.key.frames,
        )
        return manifest, failures

    def _is_unchanged(self, name: str, before: object) -> bool:
        stored_by = self._artifacts[name].materializer
        value = self._flow.__dict__[name]
        return before is not None and self.store.fingerprint(value, stored_by=stored_by) == before

    def _transition(
        self, failures: dict[str, UnpicklableArtifactException]
    ) -> tuple[Transition | None, dict[str, UnpicklableArtifactException]]:
        call = self.transition
        if call is None:
            return None, failures
        if self._items is None:
            return Transition(call.targets), failures
        try:
            items = tuple(self.store.save_items(self._items))
        except UnpicklableArtifactException as error:
            return None, {**failures, f"{call.foreach} (an item of the foreach)": error}
        return Transition(call.targets, call.foreach, items, call.num_parallel), failures


def _note_all(state: TaskState, tasks: Sequence[InputTask]) -> None:
    """Record that a merge has failed: that may be due to any of the artifacts."""
    for task in tasks:
        for name in task.names():
            state.note(f"attr:{name}", None)


def _is_immutable(value: object) -> bool:
    if type(value) in _IMMUTABLE:
        return True
    return type(value) is tuple and all(_is_immutable(part) for part in value)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
