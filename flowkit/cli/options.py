"""A flow's parameters, configs and decorators as options of the command line."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from flowkit.authoring.configs import ConfigChoices
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.parameters import Parameter
from flowkit.config import flow_config_variables
from flowkit.exceptions import ParameterError


class ParameterOption(click.Option):
    """The option of a parameter: its value is the text as given, which the parameter can parse."""

    def __init__(self, parameter: Parameter) -> None:
        name = parameter.name.replace("-", "_")
        is_click_type = isinstance(parameter.kind, click.ParamType)
        super().__init__(
            [f"--{parameter.name}", f"parameter_{name}"],
            type=parameter.kind if is_click_type else str,
            metavar=None if is_click_type else parameter.type_name.upper(),
            required=parameter.required and parameter.default is None,
            help=_help(parameter),
            envvar=f"FLOWKIT_RUN_{name.upper()}",
        )
        self.parameter = parameter

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Return the text, or fail as a usage error that names the option."""
        try:
            self.parameter.parse(value)
        except ParameterError as error:
            raise click.BadParameter(error.message, ctx, self) from None
        return value


def _help(parameter: Parameter) -> str:
    text = parameter.help or ""
    if not parameter.show_default or parameter.default is None:
        return text
    shown = "computed" if callable(parameter.default) else repr(parameter.default)
    return f"{text}  [default: {shown}]".strip()


with_option = click.option(
    "--with",
    "decospecs",
    multiple=True,
    allow_from_autoenv=False,  # FLOWKIT_DECOSPECS is a setting
    metavar="NAME:ATTR=VALUE,...",
    help="Put this decorator on every step that lacks it; may be repeated.",
)


def config_options(flow: FlowDef) -> list[click.Option]:
    """Return the top-level options that give the flow its configs; none when it has no config."""
    if not flow.configs:
        return []
    names = ", ".join(config.name for config in flow.configs.values())
    kinds = {
        "--config": ("NAME FILE", f"Read a config ({names}) from a file; may be repeated."),
        "--config-value": ("NAME JSON", "Give a config as a value; may be repeated."),
    }
    return [
        click.Option(
            [option],
            nargs=2,
            multiple=True,
            allow_from_autoenv=False,
            metavar=metavar,
            help=text,
        )
        for option, (metavar, text) in kinds.items()
    ]


def config_choices(values: Mapping[str, Any]) -> ConfigChoices:
    """Return where the options, and then the environment, want configs to come from."""
    given = ConfigChoices(dict(values.get("config", ())), dict(values.get("config_value", ())))
    return given.over(ConfigChoices(*flow_config_variables()))


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
        decorator.configured({o.name: values.get(_key(o.name)) for o in decorator.cli_options})
        for decorator in flow.decorators
    )
    return replace(flow, decorators=decorators)


def _key(option: str) -> str:
    return f"decorator_{option}"
