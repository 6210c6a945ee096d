"""Mutators: classes that change a flow's parameters and decorators before its graph is built."""

from typing import Any

from flowkit.authoring.config_values import is_lazy
from flowkit.authoring.decorators import DeferredFlowDecorator, FlowDecorator
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.mutable import Decorated, Draft, MutableFlow, MutableStep, Phase
from flowkit.authoring.userdecorators import Initialized, InitializedStepDecorator
from flowkit.exceptions import DefinitionError, FlowkitError


class StepMutator(InitializedStepDecorator):
    """Changes the decorators of the step that it stands on.

    Example::

        class patient(StepMutator):
            def mutate(self, mutable_step):
                mutable_step.add_decorator("retry", deco_kwargs={"times": 4})
    """

    def pre_mutate(self, mutable_step: MutableStep) -> None:
        """Change the step before ``--with`` is looked at."""

    def mutate(self, mutable_step: MutableStep) -> None:
        """Change the step after that."""


class FlowMutator(Initialized, FlowDecorator):
    """Changes the parameters and decorators of the flow that it stands on, and of its steps.

    Example::

        class sized(FlowMutator):
            def pre_mutate(self, mutable_flow):
                for name, step in mutable_flow.steps:
                    step.add_decorator(resources, deco_kwargs=mutable_flow.cfg.get(name, {}))
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make a mutator, or decorate at once when used bare."""
        if is_lazy((args, kwargs)):
            return DeferredFlowDecorator(cls, kwargs, args)
        mutator: Any = object.__new__(cls)
        if kwargs or len(args) != 1 or not isinstance(args[0], type):
            return mutator
        mutator.__init__()  # what follows returns no instance of cls
        return mutator(args[0])

    def pre_mutate(self, mutable_flow: MutableFlow) -> None:
        """Change the flow before ``--with`` is looked at."""

    def mutate(self, mutable_flow: MutableFlow) -> None:
        """Change the steps after that."""


def mutated(flow: FlowDef, phase: str) -> FlowDef:
    """Return the flow as its mutators leave it: those of the flow first, then those of its steps.

    Args:
        flow: The flow.
        phase: The method to call, "pre_mutate" or "mutate".

    Raises:
        DefinitionError: A mutator fails.
    """
    draft = Draft(flow, Phase(phase))
    for of_flow in flow.decorators:
        if isinstance(of_flow, FlowMutator):
            _act(of_flow, phase, MutableFlow(draft))
    for name in flow.steps:
        for of_step in draft.flow.steps[name].decorators:
            if isinstance(of_step, StepMutator):
                _act(of_step, phase, MutableStep(draft, name))
    return draft.flow


def _act(mutator: FlowMutator | StepMutator, phase: str, view: Decorated) -> None:
    # A mutator is the user's code and may raise anything.
    try:
        getattr(mutator, phase)(view)
    except FlowkitError:
        raise
    except Exception as error:
        raise DefinitionError(
            f"@{mutator.title()}.{phase} failed: {type(error).__name__}: {error}"
        ) from error
