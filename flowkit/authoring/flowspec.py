"""``FlowSpec``: the class that users derive their flows from."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

from flowkit.authoring.binding import SavedArtifact, TaskBinding
from flowkit.authoring.declarations import ArtifactConfig
from flowkit.authoring.decospecs import attach
from flowkit.authoring.definition import read_definition, resolve
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.steps import is_step
from flowkit.authoring.transition import read_next
from flowkit.authoring.typecheck import check_assigned
from flowkit.exceptions import MergeError
from flowkit.model.pathspec import check_artifact

BINDING = "__flowkit_task__"
RESERVED = frozenset(
    {
        "annotate",
        "foreach_stack",
        "index",
        "input",
        "merge_artifacts",
        "name",
        "next",
        "save_artifact",
        "script_name",
    }
)

_importing: ContextVar[bool] = ContextVar("flowkit_importing", default=False)


@contextmanager
def importing() -> Iterator[None]:
    """While this holds, instantiating a flow class doesn't start the command line.

    A worker imports the flow file, and a file may instantiate its flow without a guard.
    """
    token = _importing.set(True)
    try:
        yield
    finally:
        _importing.reset(token)


class FlowSpec:
    """A flow: a class whose methods marked with ``@step`` are its steps.

    Instantiating it is the program's entry point: the command line is parsed, the command is run
    and the process exits.

    Args:
        use_cli: False gives an inert object, for notebooks and tests.

    Example::

        class Hello(FlowSpec):
            name_of_user = Parameter("user", default="world")

            @step
            def start(self):
                self.greeting = f"hello {self.name_of_user}"
                self.next(self.end)

            @step
            def end(self):
                print(self.greeting)

        if __name__ == "__main__":
            Hello()
    """

    _flowkit_definition: ClassVar[FlowDef]

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls._flowkit_definition = read_definition(cls, FlowSpec)

    def __init__(self, use_cli: bool = True) -> None:
        if use_cli and not _importing.get():
            # The one upward edge of authoring: a flow file is a program, and this starts it.
            from flowkit.cli.main import main  # noqa: PLC0415

            main(type(self))

    @property
    def name(self) -> str:
        """Name of the flow."""
        return type(self).__name__

    @property
    def script_name(self) -> str:
        """Base name of the flow's file."""
        return self._flowkit_definition.file.rpartition("/")[2]

    @property
    def index(self) -> int | None:
        """Position of this task in its innermost foreach; None outside one."""
        task = self._task()
        return None if task is None else task.index()

    @property
    def input(self) -> Any:
        """Item of this task in its innermost foreach; None outside one."""
        task = self._task()
        return None if task is None else task.item()

    def foreach_stack(self) -> list[tuple[int, int, Any]]:
        """Return (index, number of splits, item) of each foreach around, outermost first."""
        task = self._task()
        return [] if task is None else task.foreach_stack()

    def next(self, *targets: Any, **keywords: Any) -> None:
        """Say which step follows; the last statement of every step but the last.

        Forms: ``self.next(self.a)``, ``self.next(self.a, self.b)`` (both, in parallel),
        ``self.next(self.a, foreach="items")`` (once per item of ``self.items``),
        ``self.next(self.a, num_parallel=4)`` (a gang), and
        ``self.next({"x": self.a, "y": self.b}, condition="kind")`` (one of them).

        Raises:
            InvalidNextException: The call is none of these, or the second one in this step.
        """
        task = self._require_task("next")
        steps = self._flowkit_definition.steps
        task.set_next(read_next(task.step, steps, targets, keywords))

    def merge_artifacts(
        self,
        inputs: Any,
        exclude: Sequence[str] | None = None,
        include: Sequence[str] | None = None,
    ) -> None:
        """Take over, in a join, every artifact on which the inputs agree.

        Artifacts that this step has already set are left alone.

        Args:
            inputs: The ``inputs`` of the join.
            exclude: Names not to take.
            include: The only names to take.

        Raises:
            MergeError: This is no join, or both ``exclude`` and ``include`` are given.
            UnhandledInMergeArtifactsException: Inputs differ; nothing was taken.
            MissingInMergeArtifactsException: A name in ``include`` is on no input.
        """
        task = self._require_task("merge_artifacts")
        if not task.is_join:
            raise MergeError("merge_artifacts can only be called in a join step")
        if exclude and include:
            raise MergeError("merge_artifacts takes 'exclude' or 'include', not both")
        task.merge(inputs, tuple(exclude or ()), tuple(include or ()))

    def save_artifact(  # noqa: PLR0913 - what an ArtifactConfig takes
        self,
        artifact: str,
        value: Any,
        *,
        name: str | None = None,
        version: str | int | None = None,
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        artifact_type: Any = None,
        materializer: Any = None,
    ) -> None:
        """Make a version of a named artifact whose name or version only the step knows.

        The version is there when the task has succeeded, never before. An attribute that is
        declared with a name, or gets one here, is assigned as well.

        Args:
            artifact: The attribute, or the name of an artifact that is none.
            value: The value, stored as it is now.
            name: Name of the artifact across flows, where it isn't ``artifact`` or as declared.
            version: The version; the next number when omitted.
            tags: Tags of the version, beside those that are declared.
            metadata: Metadata of the version, likewise.
            artifact_type: What the artifact is to its users.
            materializer: Class that stores the value.
        """
        task = self._require_task("save_artifact")
        declared = self._flowkit_definition.declarations.get(artifact)
        known = name or (declared.artifact if declared else None)
        config = ArtifactConfig(
            name=known or artifact,
            version=version,
            tags=tags,
            artifact_type=artifact_type,
            run_metadata=metadata or {},
            materializer=materializer,
        )
        task.save_artifact(SavedArtifact(artifact, value, config, is_attribute=known is not None))
        if known is not None:
            setattr(self, artifact, value)

    def annotate(self, artifact: str, /, **metadata: Any) -> None:
        """Add to the metadata of an artifact of this step, or of one that it was given.

        Args:
            artifact: The attribute, or the artifact's name; it may be assigned later.
            metadata: Anything; what JSON lacks is turned into what comes close.

        Raises:
            NotFoundError: The step has nothing to do with such an artifact.
        """
        self._require_task("annotate").annotate(artifact, metadata)

    def _task(self) -> TaskBinding | None:
        task: TaskBinding | None = self.__dict__.get(BINDING)
        return task

    def _require_task(self, method: str) -> TaskBinding:
        task = self._task()
        if task is None:
            raise RuntimeError(f"self.{method}() works only in a step of a running flow")
        return task

    def __iter__(self) -> Iterator[Any]:
        """Yield the step methods."""
        return (getattr(self, name) for name in self._flowkit_definition.steps)

    def __getattr__(self, name: str) -> Any:
        task = self.__dict__.get(BINDING)
        if task is None or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(f"Flow {type(self).__name__} has no attribute '{name}'")
        return task.read(name)

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_"):
            _check_assignable(type(self), name)
        task = self.__dict__.get(BINDING)
        if task is not None and not name.startswith("_"):
            declared = self._flowkit_definition.declarations.get(name)
            if declared is not None:
                check_assigned(type(self).__name__, task.step, declared, value)
            task.assigned(name)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if not name.startswith("_"):
            _check_deletable(type(self), name)
        task = self._task()
        was_there = self.__dict__.pop(name, BINDING) is not BINDING
        was_inherited = task is not None and task.deleted(name)
        if not was_there and not was_inherited:
            raise AttributeError(f"Flow {type(self).__name__} has no attribute '{name}'")

    def __str__(self) -> str:
        task = self._task()
        if task is None:
            return f"<flow {type(self).__name__}>"
        stack = task.foreach_stack()
        where = f"[{','.join(str(index) for index, _, _ in stack)}]" if stack else ""
        item = f" (input: {_short(stack[-1][2])})" if stack else ""
        return f"<flow {type(self).__name__} step {task.step}{where}{item}>"

    __repr__ = __str__

    def __getstate__(self) -> object:
        raise TypeError(
            "flows can't be serialized: was self, a method of it or an input of a join assigned to "
            "an attribute?"
        )


def _check_assignable(flow: type, name: str) -> None:
    if name in RESERVED:
        raise AttributeError(f"can't set '{name}': it is a reserved name of FlowSpec")
    check_artifact(name)
    on_class = getattr(flow, name, None)
    if on_class is None and not _is_on_class(flow, name):
        return
    if isinstance(on_class, property) or (
        hasattr(type(on_class), "__set__") and not callable(on_class)
    ):
        return  # a property or a Parameter decides for itself
    if is_step(on_class):
        raise AttributeError(f"can't set '{name}': it is a step of this flow")
    if callable(on_class) and not isinstance(on_class, type):
        raise AttributeError(f"can't set '{name}': it is a method of this flow")  # noqa: TRY004
    raise AttributeError(
        f"can't set '{name}': Flow level attributes and Parameters are not modifiable"
    )


def _check_deletable(flow: type, name: str) -> None:
    if _is_on_class(flow, name):
        raise AttributeError(
            f"can't delete '{name}': Flow level attributes and Parameters are not modifiable"
        )


def _is_on_class(flow: type, name: str) -> bool:
    return any(name in vars(base) for base in flow.__mro__)


def _short(value: object, length: int = 20) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a user's __repr__ may raise anything
        return f"<{type(value).__name__}>"
    return text if len(text) <= length else text[: length - 3] + "..."


def declaration(flow: type[FlowSpec]) -> FlowDef:
    """Return the frozen description of a flow class as it is written."""
    return flow._flowkit_definition  # noqa: SLF001 - its own module


def definition(
    flow: type[FlowSpec],
    configs: Mapping[str, Any] | None = None,
    decospecs: Sequence[str] = (),
) -> FlowDef:
    """Return the frozen description of a flow class, as configs and decorators leave it.

    Args:
        flow: The class.
        configs: Plain values of the configs by attribute name; None for those that are missing.
        decospecs: Step decorators for every step that lacks them, such as ``retry:times=2``.

    Raises:
        DefinitionError: A config is missing where it is used, or a decorator can't be made.
    """
    values = configs or {}
    described = _mutated(resolve(declaration(flow), values), "pre_mutate")
    for decorator in described.decorators:
        described = decorator.rewrite(described)
    described = _mutated(attach(described, decospecs), "mutate")
    return resolve(described, values)  # decorators that mutators added may use configs as well


def _mutated(flow: FlowDef, phase: str) -> FlowDef:
    of_steps = [decorator for step in flow.steps.values() for decorator in step.decorators]
    if not any(hasattr(decorator, phase) for decorator in (*flow.decorators, *of_steps)):
        return flow
    from flowkit.authoring.mutators import mutated  # noqa: PLC0415 - few flows need it

    return mutated(flow, phase)
