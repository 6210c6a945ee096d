"""Reads a flow class into a `FlowDef`: steps, parameters, constants, along its bases."""

import sys
from collections.abc import Mapping
from typing import Any

from flowkit.authoring.decorators import FlowDecorator
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.parameters import Parameter
from flowkit.authoring.steps import MARK, StepDef, StepMark
from flowkit.exceptions import DefinitionError

DEFINITION = "_flowkit_definition"
"""The class attribute that holds what `read_definition` returned."""


def read_definition(flow: type, base: type) -> FlowDef:
    """Return the description of a flow class.

    Args:
        flow: The class.
        base: `FlowSpec` itself; its own attributes and those above it are left out.

    Raises:
        DefinitionError: A parameter has a private attribute.
    """
    found: dict[str, Any] = {}
    for cls in reversed(flow.__mro__):
        if cls is object or cls is base:
            continue
        found.update(vars(cls))
    steps = {name: _step(name, value) for name, value in found.items() if hasattr(value, MARK)}
    return FlowDef(
        name=flow.__name__,
        cls=flow,
        file=_file(flow),
        doc=flow.__doc__ or "",
        steps=steps,
        parameters=_parameters(found),
        constants={k: v for k, v in found.items() if _is_constant(k, v)},
        decorators=_inherited_decorators(flow),
    )


def _step(name: str, function: Any) -> StepDef:
    mark: StepMark = getattr(function, MARK)
    return StepDef(name, function, tuple(mark.decorators), mark.is_start, mark.is_end)


def _parameters(found: Mapping[str, Any]) -> dict[str, Parameter]:
    parameters = {name: value for name, value in found.items() if isinstance(value, Parameter)}
    for name, parameter in parameters.items():
        if name.startswith("_"):
            raise DefinitionError(
                f"parameter '{parameter.name}' is bound to '{name}': attributes that start with _ "
                "are private and can't be parameters"
            )
    return parameters


def _inherited_decorators(flow: type) -> tuple[FlowDecorator, ...]:
    """Return the decorators of the parents, each once; those of the class itself come later."""
    parents = [vars(cls)[DEFINITION] for cls in flow.__mro__[1:] if DEFINITION in vars(cls)]
    return tuple({id(deco): deco for parent in parents for deco in parent.decorators}.values())


def _is_constant(name: str, value: object) -> bool:
    if name.startswith("_") or isinstance(value, Parameter | type | property):
        return False
    is_descriptor = hasattr(type(value), "__get__")
    return not callable(value) and not is_descriptor


def _file(flow: type) -> str:
    module = sys.modules.get(flow.__module__)
    return getattr(module, "__file__", None) or ""
