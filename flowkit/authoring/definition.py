"""Reads a flow class into a `FlowDef`, along its bases, and fills in what comes from configs."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flowkit.authoring.config_values import LazyValue
from flowkit.authoring.configs import Config, ConfigDef, declared
from flowkit.authoring.declarations import check_templates, read_declarations
from flowkit.authoring.decorators import FlowDecorator, settled
from flowkit.authoring.externals import ExternalArtifact
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
        DefinitionError: A parameter or config has a private attribute, a constant would come
            from a config, or an artifact is declared in a way that can't work.
    """
    found: dict[str, Any] = {}
    for cls in reversed(flow.__mro__):
        if cls is object or cls is base:
            continue
        found.update(vars(cls))
    steps = {name: _step(name, value) for name, value in found.items() if hasattr(value, MARK)}
    declarations = read_declarations(flow, base, found)
    parameters, configs = _parameters(found), _configs(found)
    check_templates(flow.__name__, declarations, [*parameters, *configs])
    return FlowDef(
        name=flow.__name__,
        cls=flow,
        file=_file(flow),
        doc=flow.__doc__ or "",
        steps=steps,
        parameters=parameters,
        constants={k: v for k, v in found.items() if _is_constant(k, v)},
        decorators=_inherited_decorators(flow),
        configs=configs,
        declarations=declarations,
        externals={k: v for k, v in found.items() if isinstance(v, ExternalArtifact)},
    )


def resolve(flow: FlowDef, configs: Mapping[str, Any]) -> FlowDef:
    """Return the flow with the values of its configs in decorators and parameters.

    Args:
        flow: The flow.
        configs: Plain values by attribute name; None for those that are missing.

    Raises:
        DefinitionError: A config has no value where one is used, or it doesn't fit.
    """
    values = {name: configs.get(name) for name in flow.configs}
    known = replace(flow, config_values=values)
    by_attribute = known.seen_configs
    by_name = {config.name: by_attribute[name] for name, config in flow.configs.items()}
    seen = {**by_name, **by_attribute}
    return replace(
        known,
        steps={
            name: replace(step, decorators=settled(step.decorators, seen))
            for name, step in flow.steps.items()
        },
        parameters={name: one.resolved(seen) for name, one in flow.parameters.items()},
        decorators=settled(flow.decorators, seen),
    )


def _step(name: str, function: Any) -> StepDef:
    mark: StepMark = getattr(function, MARK)
    decorators = tuple(mark.decorators)
    return StepDef(name, function, decorators, mark.is_start, mark.is_end, mark.options)


def _parameters(found: Mapping[str, Any]) -> dict[str, Parameter]:
    parameters = {name: value for name, value in found.items() if isinstance(value, Parameter)}
    for name, parameter in parameters.items():
        _check_public("parameter", parameter.name, name)
    return parameters


def _configs(found: Mapping[str, Any]) -> dict[str, ConfigDef]:
    configs = {name: declared(value) for name, value in found.items() if isinstance(value, Config)}
    for name, config in configs.items():
        _check_public("config", config.name, name)
    return configs


def _check_public(kind: str, name: str, attribute: str) -> None:
    if attribute.startswith("_"):
        raise DefinitionError(
            f"{kind} '{name}' is bound to '{attribute}': attributes that start with _ are private "
            f"and can't be {kind}s"
        )


def _inherited_decorators(flow: type) -> tuple[FlowDecorator, ...]:
    """Return the decorators of the parents, each once; those of the class itself come later."""
    parents = [vars(cls)[DEFINITION] for cls in flow.__mro__[1:] if DEFINITION in vars(cls)]
    return tuple({id(deco): deco for parent in parents for deco in parent.decorators}.values())


def _is_constant(name: str, value: object) -> bool:
    if name.startswith("_") or isinstance(value, Parameter | type | property):
        return False
    if isinstance(value, LazyValue) and not isinstance(value, Config):
        raise DefinitionError(
            f"class attribute '{name}' would come from a config ({value!r}): use it in decorators "
            "and parameters, and self.<config> in steps"
        )
    is_descriptor = hasattr(type(value), "__get__")
    return not callable(value) and not is_descriptor


def _file(flow: type) -> str:
    module = sys.modules.get(flow.__module__)
    return getattr(module, "__file__", None) or ""
