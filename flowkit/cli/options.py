"""A flow's parameters as options of the command line."""

from typing import Any

import click

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
