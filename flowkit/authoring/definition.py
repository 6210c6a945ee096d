"""Reads a flow class into a `FlowDef`: steps, parameters, constants, along its bases."""

import sys
from typing import Any

from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.parameters import Parameter
from flowkit.authoring.steps import MARK, StepDef, StepMark

FLOW_DECORATORS = "__flowkit_decorators__"


def read_definition(flow: type, base: type) -> FlowDef:
    """Return the description of a flow class.

    Args:
        flow: The class.
        base: `FlowSpec` itself; its own attributes and those above it are left out.
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
        parameters={k: v for k, v in found.items() if isinstance(v, Parameter)},
        constants={k: v for k, v in found.items() if _is_constant(k, v)},
        decorators=tuple(found.get(FLOW_DECORATORS, ())),
    )


def _step(name: str, function: Any) -> StepDef:
    mark: StepMark = getattr(function, MARK)
    return StepDef(name, function, tuple(mark.decorators), mark.is_start, mark.is_end)


def _is_constant(name: str, value: object) -> bool:
    if name.startswith("_") or isinstance(value, Parameter | type | property):
        return False
    is_descriptor = hasattr(type(value), "__get__")
    return not callable(value) and not is_descriptor


def _file(flow: type) -> str:
    module = sys.modules.get(flow.__module__)
    return getattr(module, "__file__", None) or ""
