"""The hidden command ``options``: what the commands of a flow file accept, for programs."""

import json
from typing import Any

import click

from flowkit.cli.options import ParameterOption


@click.command(hidden=True)
@click.pass_context
def options(context: click.Context) -> None:
    """Print the options of all commands as JSON, on one line."""
    root = context.find_root()
    described = {"": _described(root.command, root)}
    for name, command in getattr(root.command, "commands", {}).items():
        inner = click.Context(command, info_name=name, parent=root)
        described[name] = _described(command, inner)
    click.echo(json.dumps(described))


def _described(command: click.Command, context: click.Context) -> list[dict[str, Any]]:
    help_option = command.get_help_option(context)
    parameters = command.get_params(context)
    return [_option(parameter) for parameter in parameters if parameter is not help_option]


def _option(parameter: click.Parameter) -> dict[str, Any]:
    is_option = isinstance(parameter, click.Option)
    name = (parameter.name or "").removeprefix("parameter_").removeprefix("decorator_")
    kind: Any = parameter.type.name
    separator = ""
    if isinstance(parameter, ParameterOption):
        kind = parameter.parameter.type_name
        separator = parameter.parameter.separator or ""
    choices = parameter.type.choices if isinstance(parameter.type, click.Choice) else ()
    return {
        "name": name,
        "flag": max(parameter.opts, key=len) if is_option else "",
        "off_flag": max(parameter.secondary_opts, key=len, default=""),
        "kind": kind,
        "is_flag": isinstance(parameter, click.Option) and parameter.is_flag,
        "is_multiple": parameter.multiple,
        "nargs": parameter.nargs,
        "choices": [str(choice) for choice in choices],
        "separator": separator,
    }
