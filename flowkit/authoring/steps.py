"""``@step``, and the frozen description of a step that everything else reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict, TypeVar, Unpack, overload

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
        options: What else ``@step`` was given, see `StepOptions`; only what was given.
    """

    name: str
    function: Callable[..., Any]
    decorators: tuple[StepDecorator, ...] = ()
    is_start: bool = False
    is_end: bool = False
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

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


class StepOptions(TypedDict, total=False):
    """What ``@step`` can be given beside its place in the graph."""

    enable_cache: bool
    """Whether an earlier result is taken when the code and what it read are the same."""
    cache_ttl: float
    """Seconds after which an earlier result is too old to be taken."""
    cache_depends: Any
    """What the step reads beside artifacts: files as paths or patterns, relative to the working
    directory, and environment variables as ``env:NAME``; one text or several."""
    cache_ignores: Any
    """What the step may look at without its result becoming unfit for reuse: "artifacts" (by the
    client), "clock", "environment", "files", "network", "processes", "run"; one text or several."""
    enable_artifact_visualization: bool
    """False: what the step assigns is described but not shown. True: objects that can show
    themselves in notebooks do so here."""
    output_materializers: Any
    """A class derived from `flowkit.materializers.BaseMaterializer`, or several, for the values of
    their types; or a dict of attribute names to such classes."""


MARK = "__flowkit_step__"


@overload
def step(function: F, /) -> F: ...
@overload
def step(
    *, start: bool = False, end: bool = False, **options: Unpack[StepOptions]
) -> Callable[[F], F]: ...
def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    start: bool = False,
    end: bool = False,
    **options: Unpack[StepOptions],
) -> Callable[..., Any]:
    """Mark a method of a `FlowSpec` as a step.

    Must be the innermost decorator of the method.

    Args:
        function: The method, when used bare.
        start: This step is the first one, whatever its name.
        end: This step is the last one, whatever its name.
        options: See `StepOptions`.

    Raises:
        BadStepDecoratorException: Something that is no function was decorated, or a materializer
            is no class.
        TypeError: There is no such option.

    Example::

        class Hello(FlowSpec):
            @step
            def start(self):
                self.next(self.end)

            @step
            def end(self):
                pass
    """
    given = _checked(dict(options))

    def mark(function: F) -> F:
        if isinstance(function, type | property | staticmethod | classmethod):
            raise BadStepDecoratorException(f"@step can only be put on a method, not {function!r}")
        setattr(function, MARK, StepMark(is_start=start, is_end=end, options=given))
        return function

    return mark if function is None else mark(function)


def is_step(function: object) -> bool:
    """Whether this is a method marked with ``@step``."""
    return isinstance(getattr(function, MARK, None), StepMark)


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    for name in options:
        if name not in StepOptions.__annotations__:
            known = ", ".join(StepOptions.__annotations__)
            raise TypeError(f"@step has no option '{name}'; there are: {known}")
    if options.get("output_materializers") is not None:
        options["output_materializers"] = _classes(options["output_materializers"])
    return options


def _classes(given: Any) -> Mapping[str, tuple[type, ...]] | tuple[type, ...]:
    """Return materializers as classes, those of an attribute under its name."""
    if isinstance(given, Mapping):
        return {name: _classes(one) for name, one in given.items()}  # type: ignore[misc]
    classes = tuple(given) if isinstance(given, list | tuple) else (given,)
    for cls in classes:
        if not isinstance(cls, type):
            raise BadStepDecoratorException(f"output_materializers wants classes, not {cls!r}")
    return classes
