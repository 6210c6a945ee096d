"""The command line of one flow file: ``python flow.py [OPTIONS] COMMAND``."""

import json
from typing import Any

import click

from flowkit import __version__, api
from flowkit.authoring.configs import ConfigChoices
from flowkit.authoring.flowspec import FlowSpec, declaration
from flowkit.cli.context import FlowFile
from flowkit.cli.describing import options
from flowkit.cli.options import config_choices, config_options, decorator_options, with_option
from flowkit.cli.reading import dump, logs
from flowkit.cli.rehearsing import cache_group
from flowkit.cli.running import resume_command, run_command
from flowkit.cli.spinning import spin
from flowkit.cli.tagging import tag
from flowkit.config import adopt, load_settings
from flowkit.flowmodule import main_module

SETTINGS = ("datastore", "metadata", "executor")


def flow_group(flow: type[FlowSpec]) -> click.Group:
    """Return the command line of a flow class."""
    described = declaration(flow)

    @click.group(
        invoke_without_command=True,
        help=described.doc or None,
        context_settings={"auto_envvar_prefix": "FLOWKIT", "max_content_width": 100},
    )
    @click.option("--quiet/--not-quiet", default=False, help="Leave out the header lines.")
    @click.option("--verbose", is_flag=True, help="Show flowkit's own frames in tracebacks.")
    @click.option("--datastore", metavar="URL", help="Where blobs are: 'local' or a URL.")
    @click.option("--metadata", metavar="URL", help="Where metadata is: sqlite:///PATH or a URL.")
    @click.option("--executor", metavar="NAME", help="Where tasks run: local, inline or spawn.")
    @with_option
    @click.option("--no-pylint", is_flag=True, hidden=True, expose_value=False)  # none is ever run
    @click.pass_context
    def group(context: click.Context, /, quiet: bool, verbose: bool, **flags: Any) -> None:
        settings = load_settings({name: flags[name] for name in SETTINGS})
        adopt(settings)
        main_module(described)  # artifacts of classes of this file are loaded from here
        context.obj = FlowFile(
            flow,
            settings,
            quiet,
            choices=config_choices(flags) if described.configs else ConfigChoices(),
            decospecs=flags["decospecs"],
            flags=flags,
        )
        context.meta["verbose"] = verbose
        if context.invoked_subcommand is None:
            context.invoke(check)

    for command in (check, show, dump, logs, tag, spin, version, help_command, output_dot, options):
        group.add_command(command)
    group.params += config_options(described) + decorator_options(described)
    group.add_command(run_command(flow))
    group.add_command(resume_command())
    group.add_command(cache_group(flow))
    return group


@click.command()
@click.option("--warnings/--no-warnings", default=False, help="Also show warnings.")
@click.pass_obj
def check(file: FlowFile, warnings: bool) -> None:
    """Check the flow's graph without running anything."""
    file.validate()
    if warnings:
        from flowkit.graph.dataflow import Dataflow

        for found in Dataflow(file.flow, api.checked_graph(file.flow)).warnings():
            click.echo(f"{found.file}:{found.line}: warning: {found.message}", err=True)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the graph as JSON.")
@click.pass_obj
def show(file: FlowFile, as_json: bool) -> None:
    """Show the flow's steps, how they are connected, and the artifacts that they make."""
    from flowkit.graph.contract import contract, contract_text, external_artifacts
    from flowkit.graph.dataflow import Dataflow
    from flowkit.graph.describe import show_text, to_json

    graph = api.checked_graph(file.flow)
    dataflow = Dataflow(file.flow, graph)
    if as_json:
        shown = {
            **to_json(graph, file.flow),
            "external_artifacts": external_artifacts(file.flow, dataflow),
            "artifacts": contract(file.flow, dataflow),
        }
        click.echo(json.dumps(shown, indent=2))
    else:
        click.echo(show_text(graph))
        click.echo(f"\n{contract_text(file.flow, dataflow)}".rstrip())


@click.command("output-dot")
@click.pass_obj
def output_dot(file: FlowFile) -> None:
    """Print the graph in GraphViz' dot language."""
    from flowkit.graph.describe import to_dot

    click.echo(to_dot(api.checked_graph(file.flow)))


@click.command()
def version() -> None:
    """Print flowkit's version."""
    click.echo(__version__)


@click.command("help")
@click.pass_context
def help_command(context: click.Context) -> None:
    """Print this help."""
    parent = context.parent or context
    click.echo(parent.get_help())
