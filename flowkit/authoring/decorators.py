"""The two base classes of decorators, and how one gets onto a step or a flow.

A decorator acts at three moments and no other: definition (`FlowDecorator.rewrite`), decision
(its fields are frozen data that the runner reads), execution (`StepDecorator.wrap`).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from flowkit.exceptions import BadStepDecoratorException, DuplicateStepDecoratorException

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

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Attach this decorator to a step method and return the method."""
        mark = getattr(function, "__flowkit_step__", None)
        if mark is None:
            raise BadStepDecoratorException(
                f"@{self.title()} must be put above @step, on a step method, not on {function!r}"
            )
        if not self.allow_multiple and any(type(deco) is type(self) for deco in mark.decorators):
            raise DuplicateStepDecoratorException(
                f"step '{function.__name__}' already has a decorator '{self.title()}'"
            )
        mark.decorators.insert(0, self)
        return function

    @classmethod
    def title(cls) -> str:
        """The decorator's name as users write it."""
        return cls.name or cls.__name__

    def wrap(self, call: Call, task: "TaskContext") -> None:
        """Run the step. The outermost decorator's ``wrap`` is on top; the default only calls."""
        call()


class FlowDecorator:
    """Base of flow decorators: rewrites the frozen `FlowDef` before the graph is built."""

    name: ClassVar[str] = ""
    allow_multiple: ClassVar[bool] = False

    @classmethod
    def title(cls) -> str:
        """The decorator's name as users write it."""
        return cls.name or cls.__name__

    def rewrite(self, flow: "FlowDef") -> "FlowDef":
        """Return the flow as it shall be; the default changes nothing."""
        return flow
