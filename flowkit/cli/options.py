"""A flow's parameters and decorators as options of the command line."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.parameters import Parameter
from flowkit.exceptions import ParameterError


class ParameterType(click.ParamType):  # type: ignore[type-arg] # generic since click 8.5 only
    """Parses an option's text the way the parameter does."""

    def __init__(self, parameter: Parameter) -> None:
        self.parameter = parameter
        self.name = parameter.type_name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value, or fail as a usage error that names the option."""
        try:
            return self.parameter.parse(value)
        except ParameterError as error:
            self.fail(error.message, param, ctx)


def parameter_option(parameter: Parameter) -> click.Option:
    """Return the option of a parameter: its value is None unless given."""
    name = parameter.name.replace("-", "_")
    kind = parameter.kind
    is_click_type = isinstance(kind, click.ParamType)
    return click.Option(
        [f"--{parameter.name}", f"parameter_{name}"],
        type=kind if is_click_type else ParameterType(parameter),
        required=parameter.required and parameter.default is None,
        help=_help(parameter),
        envvar=f"FLOWKIT_RUN_{name.upper()}",
    )


def _help(parameter: Parameter) -> str:
    text = parameter.help or ""
    if not parameter.show_default or parameter.default is None:
        return text
    shown = "computed" if callable(parameter.default) else repr(parameter.default)
    return f"{text}  [default: {shown}]".strip()


def decorator_options(flow: FlowDef) -> list[click.Option]:
    """Return the top-level options that the flow's decorators bring along."""
    return [
        click.Option(
            [f"--{option.name}", _key(option.name)],
            is_flag=option.is_flag,
            default=False if option.is_flag else None,
            help=option.help,
        )
        for decorator in flow.decorators
        for option in decorator.cli_options
    ]


def configured(flow: FlowDef, values: Mapping[str, Any]) -> FlowDef:
    """Return the flow with its decorators as their options want them."""
    decorators = tuple(
        decorator.configured({o.name: values[_key(o.name)] for o in decorator.cli_options})
        for decorator in flow.decorators
    )
    return replace(flow, decorators=decorators)


def _key(option: str) -> str:
    return f"decorator_{option}"
