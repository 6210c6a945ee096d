"""Step decorators in Metaflow's way: generators, and classes with ``pre_step`` and ``post_step``.

They are a door for those who have such decorators; a plain subclass of `StepDecorator` with a
``wrap`` does the same with less.
"""

import copy
import inspect
from collections.abc import Callable, Generator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from flowkit.authoring.config_values import is_lazy
from flowkit.authoring.current import TaskContext
from flowkit.authoring.decorators import Call, DeferredStepDecorator, StepDecorator
from flowkit.authoring.steps import is_step
from flowkit.exceptions import BadStepDecoratorException, FlowkitError, InvalidDecoratorAttribute

USER_SKIP_STEP: Mapping[str, Any] = MappingProxyType({})
"""Yielded by a generator: leave the step's body out and go on as the graph says."""

_WITH_ATTRIBUTES = 4
"""Parameters of a generator that takes the decorator's attributes."""


class Initialized:
    """A decorator whose arguments go to its method ``init``.

    Attributes:
        args: The positional arguments.
        kwargs: The keyword arguments.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args = args
        self.kwargs = kwargs
        self.init(*args, **kwargs)

    def init(self, *args: Any, **kwargs: Any) -> None:
        """Take the arguments; override this to accept some.

        Raises:
            InvalidDecoratorAttribute: There are any.
        """
        if args or kwargs:
            raise InvalidDecoratorAttribute(
                f"'{type(self).__name__}' takes no arguments: define init(self, ...) to accept some"
            )


class InitializedStepDecorator(Initialized, StepDecorator):
    """A step decorator of this kind; used bare, called, or with arguments."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make a decorator, or decorate at once when used bare."""
        if is_lazy((args, kwargs)):
            return DeferredStepDecorator(cls, kwargs, args)
        decorator: Any = object.__new__(cls)
        if kwargs or len(args) != 1 or not callable(args[0]):
            return decorator
        decorator.__init__()  # what follows returns no instance of cls
        return decorator(args[0])


class UserStepDecorator(InitializedStepDecorator):
    """Code before and after a step, or instead of it.

    Goes inside `catch` and all other decorators that are not of this kind; among its own, the
    topmost one is outermost.

    Attributes:
        skip_step: Set to True in ``pre_step`` to leave the step's body out and go on as the graph
            says, or to a dict of keywords for ``self.next``.

    Example::

        class announced(UserStepDecorator):
            def init(self, text="begins"):
                self.text = text

            def pre_step(self, step_name, flow, inputs=None):
                print(step_name, self.text)
    """

    is_inner: ClassVar[bool] = True
    skip_step: bool | Mapping[str, Any] = False

    def pre_step(self, step_name: str, flow: Any, inputs: Any = None) -> Callable[..., Any] | None:
        """Do what comes before the step.

        Args:
            step_name: Name of the step.
            flow: The ``self`` of the step.
            inputs: Of a join; None elsewhere.

        Returns:
            None, or a function to call instead of the step, with the flow (and the inputs of a
            join). That function calls ``flow.next`` itself, or returns True to go on as the graph
            says, or a dict of keywords for ``self.next``.
        """

    def post_step(self, step_name: str, flow: Any, exception: Exception | None = None) -> Any:  # noqa: ARG002 - for subclasses
        """Do what comes after the step.

        Args:
            step_name: Name of the step.
            flow: The ``self`` of the step.
            exception: What the step raised.

        Returns:
            The exception that the step shall fail with; None for none, which swallows one that it
            raised. Or a pair of that and a dict of keywords for ``self.next``.
        """
        return exception

    def wrap(self, call: Call, task: TaskContext) -> None:
        """Run the step between ``pre_step`` and ``post_step``."""
        # A copy: in an executor without processes, the next task must not see this one's state.
        entered = copy.copy(self)
        replacement = entered.pre_step(task.step_name, task.flow, task.inputs)
        raised: Exception | None = None
        try:
            if _is_asking(entered.skip_step):
                task.take_transition(_keywords(entered.skip_step))
            elif replacement is not None:
                _replace(replacement, task)
            else:
                call()
        except Exception as error:  # noqa: BLE001 - it goes to post_step, which mostly returns it
            raised = error
        outcome = entered.post_step(task.step_name, task.flow, raised)
        failure, keywords = outcome if isinstance(outcome, tuple) else (outcome, None)
        if failure is raised and raised is not None:
            raise raised
        if failure is not None:
            raise failure from raised
        if raised is not None or keywords:
            task.take_transition(keywords or {})


def _is_asking(wanted: object) -> bool:
    """Whether this asks for a transition: True for the graph's, a dict for one with keywords."""
    return wanted is True or isinstance(wanted, Mapping)


def _keywords(wanted: object) -> Mapping[str, Any]:
    return wanted if isinstance(wanted, Mapping) else {}


def _replace(function: Callable[..., Any], task: TaskContext) -> None:
    """Call a function instead of the step, and take the transition that it asks for."""
    arguments = () if task.inputs is None else (task.inputs,)
    wanted = function(task.flow, *arguments)
    if _is_asking(wanted):
        task.take_transition(_keywords(wanted))


# --- generators -----------------------------------------------------------------------------------


class _GeneratorDecorator(UserStepDecorator):
    """A decorator that is a generator: what is before its yield, and what is after."""

    function: ClassVar[Callable[..., Generator[Any, None, Any]]]
    takes_attributes: ClassVar[bool]

    def init(self, *args: Any, **kwargs: Any) -> None:
        """Refuse what the generator has no parameter for."""
        if args or (kwargs and not self.takes_attributes):
            raise InvalidDecoratorAttribute(
                f"decorator '{self.title()}' takes no "
                + ("positional arguments" if args else "attributes: give it a fourth parameter")
            )

    def pre_step(self, step_name: str, flow: Any, inputs: Any = None) -> Callable[..., Any] | None:
        """Run the generator up to its yield."""
        attributes = (dict(self.kwargs),) if self.takes_attributes else ()
        self._generator = type(self).function(step_name, flow, inputs, *attributes)
        try:
            wanted = next(self._generator)
        except StopIteration:
            raise self._misuse("it never yields") from None
        if isinstance(wanted, Mapping):
            self.skip_step = wanted
        elif wanted is not None and not callable(wanted):
            raise self._misuse(f"it yields {wanted!r}, which is no function, no dict and not None")
        return None if isinstance(wanted, Mapping) else wanted

    def post_step(self, step_name: str, flow: Any, exception: Exception | None = None) -> Any:  # noqa: ARG002
        """Run the rest of the generator."""
        try:
            if exception is None:
                next(self._generator)
            else:
                self._generator.throw(exception)
        except StopIteration as end:
            return end.value
        except Exception as error:  # noqa: BLE001 - the caller raises what is returned
            return error
        return self._misuse("it yields more than once")

    def _misuse(self, what: str) -> FlowkitError:
        return BadStepDecoratorException(
            f"decorator '{self.title()}' must be a generator that yields exactly once, but {what}"
        )


def user_step_decorator(function: Callable[..., Any]) -> type[UserStepDecorator]:
    """Turn a generator function into a step decorator.

    The generator has the parameters ``step_name, flow, inputs`` and, to take the decorator's
    keyword arguments as a dict, ``attributes``. It yields once. What is before the yield runs
    before the step, what is after it runs after the step. It may yield

    - None: the step runs;
    - a function: it is called instead, see `UserStepDecorator.pre_step`;
    - a dict: the step's body is left out, and these are keywords for ``self.next``; an empty one
      (``USER_SKIP_STEP``) goes on as the graph says.

    An exception of the step is raised at the yield; the step succeeds if it is caught there. The
    generator may return an exception that the step shall fail with, or a pair of that (or None)
    and keywords for ``self.next``.

    Raises:
        BadStepDecoratorException: This is no generator function, or it has other parameters.

    Example::

        @user_step_decorator
        def timed(step_name, flow, inputs):
            began = time.perf_counter()
            yield
            print(step_name, time.perf_counter() - began)
    """
    code = function.__code__ if inspect.isgeneratorfunction(function) else None
    if code is None or is_step(function) or code.co_argcount not in (3, _WITH_ATTRIBUTES):
        raise BadStepDecoratorException(
            "@user_step_decorator goes on a generator function with the parameters step_name, "
            f"flow, inputs and maybe attributes, not on {function!r}"
        )
    body = {
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
        "function": staticmethod(function),
        "takes_attributes": code.co_argcount == _WITH_ATTRIBUTES,
    }
    return type(function.__name__, (_GeneratorDecorator,), body)
