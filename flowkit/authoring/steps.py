"""``@step``, and the frozen description of a step that everything else reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from flowkit.authoring.decorators import StepDecorator
from flowkit.exceptions import BadStepDecoratorException

F = TypeVar("F", bound=Callable[..., Any])
D = TypeVar("D", bound=StepDecorator)


@dataclass(frozen=True, slots=True)
class StepDef:
    """One step of a flow class.

    Attributes:
        name: Name of the method.
        function: The method as the user wrote it.
        decorators: Outermost first, as listed in the source.
        is_start: Marked with ``@step(start=True)``.
        is_end: Marked with ``@step(end=True)``.
    """

    name: str
    function: Callable[..., Any]
    decorators: tuple[StepDecorator, ...] = ()
    is_start: bool = False
    is_end: bool = False

    @property
    def doc(self) -> str:
        """The docstring, "" when there is none."""
        return self.function.__doc__ or ""

    def decorator(self, kind: type[D]) -> D | None:
        """Return the decorator of this kind, if the step has one."""
        return next((deco for deco in self.decorators if isinstance(deco, kind)), None)


@dataclass(slots=True)
class StepMark:
    """What ``@step`` leaves on a method, as ``method.flowkit_step``; decorators add to it."""

    is_start: bool = False
    is_end: bool = False
    decorators: list[StepDecorator] = field(default_factory=list)
    options: Mapping[str, Any] = field(default_factory=dict)


MARK = "__flowkit_step__"


@overload
def step(function: F, /) -> F: ...
@overload
def step(*, start: bool = False, end: bool = False) -> Callable[[F], F]: ...
def step(
    function: Callable[..., Any] | None = None, /, *, start: bool = False, end: bool = False
) -> Callable[..., Any]:
    """Mark a method of a `FlowSpec` as a step.

    Must be the innermost decorator of the method.

    Args:
        function: The method, when used bare.
        start: This step is the first one, whatever its name.
        end: This step is the last one, whatever its name.

    Raises:
        BadStepDecoratorException: Something that is no function was decorated.

    Example::

        class Hello(FlowSpec):
            @step
            def start(self):
                self.next(self.end)

            @step
            def end(self):
                pass
    """

    def mark(function: F) -> F:
        if isinstance(function, type | property | staticmethod | classmethod):
            raise BadStepDecoratorException(f"@step can only be put on a method, not {function!r}")
        setattr(function, MARK, StepMark(is_start=start, is_end=end))
        return function

    return mark if function is None else mark(function)


def is_step(function: object) -> bool:
    """Whether this is a method marked with ``@step``."""
    return isinstance(getattr(function, MARK, None), StepMark)
