"""The two base classes of decorators, and how one gets onto a step or a flow.

A decorator acts at three moments and no other: definition (`FlowDecorator.rewrite`), decision
(its fields are frozen data that the runner reads), execution (`StepDecorator.wrap`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

from flowkit.authoring.config_values import is_lazy, is_unpacked, resolved
from flowkit.exceptions import (
    BadFlowDecoratorException,
    BadStepDecoratorException,
    DefinitionError,
    DuplicateFlowDecoratorException,
    DuplicateStepDecoratorException,
    FlowkitError,
    InvalidDecoratorAttribute,
)

if TYPE_CHECKING:
    from flowkit.authoring.current import TaskContext
    from flowkit.authoring.flowdef import FlowDef

Call = Callable[[], None]
"""Runs the step, with everything that is nested inside."""


class StepDecorator:
    """Base of step decorators: data about a step, and optionally a wrapper around it.

    Subclasses are usually frozen dataclasses; an instance, called with a step method, attaches
    itself to it.

    Example::

        @dataclass(frozen=True)
        class timed(StepDecorator):
            label: str = ""

            def wrap(self, call, task):
                began = time.perf_counter()
                call()
                print(self.label, time.perf_counter() - began)
    """

    name: ClassVar[str] = ""
    """The word after ``@`` and in ``--with``; the class's own name when empty."""
    allow_multiple: ClassVar[bool] = False
    is_inner: ClassVar[bool] = False
    """Whether ``wrap`` goes inside those of all decorators that are not, wherever they stand."""

    def __new__(cls, function: Callable[..., Any] | None = None, /, **attributes: Any) -> Any:
        """Make a decorator, or decorate at once when used bare: ``@retry`` is ``@retry()``."""
        _check_attributes(cls, attributes)
        if is_lazy(attributes):
            return DeferredStepDecorator(cls, attributes)
        decorator = super().__new__(cls)
        if function is None:
            return decorator
        decorator.__init__()  # type: ignore[misc] # what follows returns no instance of cls
        return decorator(function)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Attach this decorator to a step method and return the method."""
        mark = getattr(function, "__flowkit_step__", None)
        kind = kind_of(self)
        if mark is None:
            raise BadStepDecoratorException(_misplaced(kind, function))
        if not kind.allow_multiple and any(kind_of(deco) is kind for deco in mark.decorators):
            raise DuplicateStepDecoratorException(
                f"step '{function.__name__}' already has a decorator '{kind.title()}'"
            )
        mark.decorators.insert(0, self)
        return function

    @classmethod
    def title(cls) -> str:
        """The decorator's name as users write it."""
        return cls.name or cls.__name__

    def wrap(self, call: Call, task: "TaskContext") -> None:  # noqa: ARG002 - for subclasses
        """Run the step. The outermost decorator's ``wrap`` is on top; the default only calls."""
        call()


@dataclass(frozen=True, slots=True)
class FlowOption:
    """A top-level option of the command line that a flow decorator brings along."""

    name: str
    help: str
    is_flag: bool = False


@dataclass(frozen=True, slots=True)
class FlowFacts:
    """What a flow decorator adds to every run of its flow.

    Attributes:
        current: Further attributes of `current`.
        system_tags: Further tags that nobody removes.
        headline: A line for the header.
    """

    current: Mapping[str, Any] = field(default_factory=dict)
    system_tags: Sequence[str] = ()
    headline: str = ""


class FlowDecorator:
    """Base of flow decorators: rewrites the frozen `FlowDef` before the graph is built."""

    allow_multiple: ClassVar[bool] = False
    cli_options: ClassVar[Sequence[FlowOption]] = ()

    def __new__(cls, *_: Any, **attributes: Any) -> Any:
        """Make a decorator."""
        _check_attributes(cls, attributes)
        if is_lazy(attributes):
            return DeferredFlowDecorator(cls, attributes)
        return super().__new__(cls)

    def __call__(self, flow: type) -> type:
        """Attach this decorator to a flow class and return the class."""
        described = getattr(flow, "_flowkit_definition", None)
        kind = kind_of(self)
        if described is None or not isinstance(flow, type):
            raise BadFlowDecoratorException(
                f"@{kind.title()} must be put on a class derived from FlowSpec, not on {flow!r}"
            )
        if not kind.allow_multiple and any(kind_of(d) is kind for d in described.decorators):
            raise DuplicateFlowDecoratorException(
                f"flow '{flow.__name__}' already has a decorator '{kind.title()}'"
            )
        decorators = (self, *described.decorators)
        flow._flowkit_definition = replace(described, decorators=decorators)  # type: ignore[attr-defined]  # noqa: SLF001
        return flow

    @classmethod
    def title(cls) -> str:
        """The decorator's name as users write it."""
        return cls.__name__

    def configured(self, values: Mapping[str, Any]) -> "FlowDecorator":  # noqa: ARG002
        """Return the decorator as its options on the command line want it."""
        return self

    def facts(self, flow: str, user: str) -> FlowFacts:  # noqa: ARG002 - for subclasses
        """Return what every run of the flow gets from this decorator."""
        return FlowFacts()

    def rewrite(self, flow: "FlowDef") -> "FlowDef":
        """Return the flow as it shall be; the default changes nothing."""
        return flow


def _check_attributes(
    decorator: "type[StepDecorator | FlowDecorator]", attributes: Mapping[str, Any]
) -> None:
    """Raise `InvalidDecoratorAttribute` when a dataclass decorator has no such field."""
    if "__dataclass_fields__" not in vars(decorator):
        return
    legal = [entry.name for entry in fields(decorator)]  # type: ignore[arg-type]
    unknown = [name for name in attributes if name not in legal and not is_unpacked(name)]
    if unknown:
        raise InvalidDecoratorAttribute(
            f"decorator '{decorator.title()}' does not support the attribute '{unknown[0]}'; "
            f"it has: {', '.join(legal) or 'none'}"
        )


def _misplaced(decorator: type[StepDecorator], target: object) -> str:
    """Say what is wrong with a decorator that stands on no step."""
    name = decorator.title()
    above = f"@{name} must be put above @step, on a step method"
    if isinstance(target, type):
        return f"{above}, not on the class '{target.__name__}'"
    if not callable(target):
        known: Mapping[str, object] = getattr(decorator, "__dataclass_fields__", {})
        example = next((f", as in @{name}({first}={target!r})" for first in known), "")
        return f"@{name}({target!r}): arguments are given by name{example}"
    called = getattr(target, "__name__", type(target).__name__)
    return f"{above}: here it is below, or '{called}' has no @step"


# --- decorators whose arguments come from configs -------------------------------------------------


class _Deferred:
    """A decorator to come: its class, and arguments that wait for the configs."""

    def __new__(cls, *_: Any) -> Any:
        """Make one, past the checks of real decorators."""
        return object.__new__(cls)

    def __init__(
        self, kind: Any, attributes: Mapping[str, Any], arguments: Sequence[Any] = ()
    ) -> None:
        self.kind = kind
        self._arguments = tuple(arguments)
        self._attributes = attributes

    def resolved(self, configs: Mapping[str, Any]) -> Any:
        """Return the decorator.

        Args:
            configs: By name, as steps see them.

        Raises:
            DefinitionError: A config has no such value, or it doesn't fit.
        """
        arguments = resolved(self._arguments, configs)
        return made(self.kind, arguments, resolved(self._attributes, configs))


class DeferredStepDecorator(_Deferred, StepDecorator):
    """A step decorator to come."""


class DeferredFlowDecorator(_Deferred, FlowDecorator):
    """A flow decorator to come."""

    @property
    def cli_options(self) -> Sequence[FlowOption]:  # type: ignore[override]
        """The options of the decorator to come."""
        return self.kind.cli_options  # type: ignore[no-any-return]


def kind_of(decorator: StepDecorator | FlowDecorator) -> Any:
    """Return the class of a decorator, also of one whose arguments wait for the configs."""
    return decorator.kind if isinstance(decorator, _Deferred) else type(decorator)


def made(kind: Any, arguments: Iterable[Any], attributes: Mapping[str, Any]) -> Any:
    """Return a decorator of this class, where its arguments don't stand in the flow's source.

    Raises:
        DefinitionError: It doesn't take these arguments.
    """
    # A decorator checks its arguments with code of its own, which may raise anything.
    try:
        return kind(*arguments, **attributes)
    except FlowkitError:
        raise
    except Exception as error:
        raise DefinitionError(f"@{kind.title()}: {error}") from error


def settled(
    decorators: Iterable[StepDecorator | FlowDecorator], configs: Mapping[str, Any]
) -> tuple[Any, ...]:
    """Return the decorators, those to come in their final form.

    Args:
        decorators: Of a step or of a flow.
        configs: By name, as steps see them.

    Raises:
        DefinitionError: A config has no such value, or it doesn't fit.
    """
    return tuple(
        decorator.resolved(configs) if isinstance(decorator, _Deferred) else decorator
        for decorator in decorators
    )
