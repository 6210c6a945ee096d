"""What mutators hold in their hands: views of a flow and its steps that build up the next one.

A `FlowDef` is frozen, and the flow class is never touched: each change replaces the draft.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum, StrEnum
from typing import Any, ClassVar, NamedTuple

from flowkit.authoring import flowdecorators
from flowkit.authoring.decorators import FlowDecorator, StepDecorator, kind_of, made
from flowkit.authoring.decospecs import from_decospec, step_decorator
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.parameters import Parameter
from flowkit.authoring.userdecorators import Initialized
from flowkit.exceptions import (
    DefinitionError,
    DuplicateFlowDecoratorException,
    DuplicateStepDecoratorException,
    UnknownFlowDecoratorException,
)


class Phase(StrEnum):
    """When a mutator acts; the values are the names of its methods."""

    EARLY = "pre_mutate"
    """Before ``--with``; everything can be changed."""
    LATE = "mutate"
    """After it; decorators of steps can be changed."""


class Duplicates(Enum):
    """What becomes of a decorator that is added where there is one of its kind."""

    IGNORE = "ignore"
    """The one that is there stays."""
    ERROR = "error"
    """It is an error."""
    OVERRIDE = "override"
    """The new one takes its place."""


class DecoratorSpec(NamedTuple):
    """A decorator as data: its name, its class's qualified name, and its arguments."""

    name: str
    qualified_name: str
    args: list[Any]
    kwargs: dict[str, Any]


def _spec(decorator: StepDecorator | FlowDecorator) -> DecoratorSpec:
    kind = kind_of(decorator)
    qualified = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(decorator, Initialized):
        return DecoratorSpec(kind.title(), qualified, list(decorator.args), dict(decorator.kwargs))
    names = getattr(decorator, "__dataclass_fields__", None) or vars(decorator)
    return DecoratorSpec(
        kind.title(), qualified, [], {name: getattr(decorator, name) for name in names}
    )


# --- the view -------------------------------------------------------------------------------------


class Draft:
    """The flow as it is so far, shared by the views of it."""

    def __init__(self, flow: FlowDef, phase: Phase) -> None:
        self.flow = flow
        self.phase = phase

    def require_early(self, what: str) -> None:
        """Raise `DefinitionError` when it is too late for this."""
        if self.phase is not Phase.EARLY:
            raise DefinitionError(f"{what} is only allowed in the `pre_mutate` method")


class Decorated(ABC):
    """What a flow and a step have in common: decorators."""

    IGNORE: ClassVar = Duplicates.IGNORE
    ERROR: ClassVar = Duplicates.ERROR
    OVERRIDE: ClassVar = Duplicates.OVERRIDE

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    @abstractmethod
    def _present(self) -> tuple[Any, ...]:
        """Return the decorators, outermost first."""

    @abstractmethod
    def _put(self, decorators: tuple[Any, ...]) -> None:
        """Make these the decorators."""

    @abstractmethod
    def _made(self, deco: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return the decorator that a class, a name or a text stands for."""

    @abstractmethod
    def _check(self, kind: type, what: str) -> None:
        """Raise `DefinitionError` when decorators of this kind can't be changed now."""

    @abstractmethod
    def _duplicate(self, name: str) -> DefinitionError:
        """Return the error for a decorator that is there already."""

    @property
    def decorator_specs(self) -> Iterator[DecoratorSpec]:
        """The decorators, outermost first."""
        return iter([_spec(decorator) for decorator in self._present()])

    def has_decorator(self, name: str) -> bool:
        """Whether there is a decorator of this name."""
        return bool(self.get_decorator_specs(name))

    def get_decorator_specs(self, name: str) -> list[DecoratorSpec]:
        """Return the decorators of this name."""
        return [spec for spec in self.decorator_specs if name in (spec.name, spec.qualified_name)]

    def add_decorator(
        self,
        deco: Any,
        deco_args: Sequence[Any] | None = None,
        deco_kwargs: Mapping[str, Any] | None = None,
        duplicates: Duplicates = Duplicates.IGNORE,
    ) -> None:
        """Put a decorator on, outermost.

        Args:
            deco: Its class, its name, or for a step a text such as ``"retry:times=2"``.
            deco_args: Its positional arguments.
            deco_kwargs: Its keyword arguments.
            duplicates: What to do where there is one of its kind, and one is the most.

        Raises:
            DefinitionError: There is no such decorator, it doesn't take these arguments, it is
                there already, or it is too late to add one.
        """
        decorator = self._made(deco, deco_args or (), deco_kwargs or {})
        kind = kind_of(decorator)
        self._check(kind, "add_decorator")
        present = self._present()
        others = tuple(one for one in present if kind.allow_multiple or kind_of(one) is not kind)
        if len(others) < len(present) and duplicates is Duplicates.IGNORE:
            return
        if len(others) < len(present) and duplicates is Duplicates.ERROR:
            raise self._duplicate(kind.title())
        self._put((decorator, *others))

    def remove_decorator(
        self,
        deco: Any,
        deco_args: Sequence[Any] | None = None,
        deco_kwargs: Mapping[str, Any] | None = None,
    ) -> bool:
        """Take decorators off.

        Args:
            deco: The class or the name.
            deco_args: Take off only those with these arguments; all when both are None.
            deco_kwargs: Likewise.

        Returns:
            Whether there was one.

        Raises:
            DefinitionError: It is too late to remove one.
        """
        name = deco if isinstance(deco, str) else f"{deco.__module__}.{deco.__qualname__}"
        is_any = deco_args is None and deco_kwargs is None
        wanted = None if is_any else _spec(self._made(deco, deco_args or (), deco_kwargs or {}))
        present = self._present()
        found = [one for one in present if self._matches(one, name, wanted)]
        for one in found:
            self._check(kind_of(one), "remove_decorator")
        self._put(tuple(one for one in present if not any(one is other for other in found)))
        return bool(found)

    @staticmethod
    def _matches(decorator: Any, name: str, wanted: DecoratorSpec | None) -> bool:
        spec = _spec(decorator)
        return name in (spec.name, spec.qualified_name) and wanted in (None, spec)


class MutableStep(Decorated):
    """A step in the hands of a mutator."""

    def __init__(self, draft: Draft, name: str) -> None:
        super().__init__(draft)
        self._name = name

    @property
    def flow(self) -> "MutableFlow":
        """The flow that the step belongs to."""
        return MutableFlow(self._draft)

    def _present(self) -> tuple[Any, ...]:
        return self._draft.flow.steps[self._name].decorators

    def _put(self, decorators: tuple[Any, ...]) -> None:
        steps = dict(self._draft.flow.steps)
        steps[self._name] = replace(steps[self._name], decorators=decorators)
        self._draft.flow = replace(self._draft.flow, steps=steps)

    def _made(self, deco: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if isinstance(deco, str) and not args and not kwargs:
            return from_decospec(self._draft.flow, deco)
        kind = step_decorator(self._draft.flow, deco) if isinstance(deco, str) else deco
        return made(kind, args, kwargs)

    def _check(self, kind: type, what: str) -> None:
        if hasattr(kind, Phase.EARLY):
            self._draft.require_early(f"{what} of a StepMutator")

    def _duplicate(self, name: str) -> DefinitionError:
        return DuplicateStepDecoratorException(
            f"step '{self._name}' already has a decorator '{name}'"
        )


class MutableFlow(Decorated):
    """A flow in the hands of a mutator.

    Steps, parameters and configs are attributes as well: ``mutable_flow.start``.
    """

    @property
    def configs(self) -> Iterator[tuple[str, Any]]:
        """Name and value of each config."""
        return iter(self._draft.flow.seen_configs.items())

    @property
    def parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Attribute name and `Parameter` of each parameter."""
        return iter(dict(self._draft.flow.parameters).items())

    @property
    def steps(self) -> Iterator[tuple[str, MutableStep]]:
        """Name and view of each step, in the order of definition."""
        return iter([(name, MutableStep(self._draft, name)) for name in self._draft.flow.steps])

    def add_parameter(self, name: str, value: Parameter, overwrite: bool = False) -> None:
        """Give the flow another parameter.

        Args:
            name: The attribute that steps read it by.
            value: The parameter.
            overwrite: Whether it may take the place of one that is there.

        Raises:
            DefinitionError: The name is taken, or it is too late.
        """
        self._draft.require_early("add_parameter")
        flow = self._draft.flow
        is_other = name in flow.steps or name in flow.configs or name in flow.constants
        if is_other or (name in flow.parameters and not overwrite):
            raise DefinitionError(f"flow '{flow.name}' already has an attribute '{name}'")
        value.__set_name__(flow.cls, name)
        self._draft.flow = replace(flow, parameters={**flow.parameters, name: value})

    def remove_parameter(self, name: str) -> bool:
        """Take a parameter away; return whether there was one.

        Raises:
            DefinitionError: It is too late.
        """
        self._draft.require_early("remove_parameter")
        flow = self._draft.flow
        left = {known: value for known, value in flow.parameters.items() if known != name}
        self._draft.flow = replace(flow, parameters=left)
        return name in flow.parameters

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        flow = self._draft.flow
        if name in flow.steps:
            return MutableStep(self._draft, name)
        if name in flow.parameters:
            return flow.parameters[name]
        if name in flow.configs:
            return flow.seen_configs[name]
        raise AttributeError(f"flow '{flow.name}' has no step, parameter or config '{name}'")

    def _present(self) -> tuple[Any, ...]:
        return self._draft.flow.decorators

    def _put(self, decorators: tuple[Any, ...]) -> None:
        self._draft.flow = replace(self._draft.flow, decorators=decorators)

    def _made(self, deco: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        kind = getattr(flowdecorators, deco, None) if isinstance(deco, str) else deco
        if not isinstance(kind, type) or not issubclass(kind, FlowDecorator):
            raise UnknownFlowDecoratorException(f"Unknown flow decorator {deco}.")
        return made(kind, args, kwargs)

    def _check(self, kind: type, what: str) -> None:  # noqa: ARG002 - it is the same for all
        self._draft.require_early(f"{what} of a flow decorator")

    def _duplicate(self, name: str) -> DefinitionError:
        return DuplicateFlowDecoratorException(
            f"flow '{self._draft.flow.name}' already has a decorator '{name}'"
        )
