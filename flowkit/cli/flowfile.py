"""The command line of one flow file: ``python flow.py [OPTIONS] COMMAND``."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import click

from flowkit import __version__, api
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.flowspec import definition
from flowkit.authoring.parameters import check_parameters
from flowkit.cli.options import parameter_option
from flowkit.config import Settings, adopt, load_settings
from flowkit.enums import Status
from flowkit.model.events import RunEnded
from flowkit.ports.listener import Listener


@dataclass(frozen=True, slots=True)
class FlowFile:
    """What every command of a flow file works with."""

    flow: FlowDef
    settings: Settings
    is_quiet: bool

    def say(self, text: str, *, bold: bool = False) -> None:
        """Print a header line on stderr, unless quiet."""
        if not self.is_quiet:
            click.secho(text, err=True, bold=bold)


def flow_group(flow: type) -> click.Group:
    """Return the command line of a flow class."""
    described = definition(flow)

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
    @click.pass_context
    def group(context: click.Context, /, quiet: bool, verbose: bool, **flags: str | None) -> None:
        settings = load_settings(flags)
        adopt(settings)
        context.obj = FlowFile(described, settings, quiet)
        context.meta["verbose"] = verbose
        if context.invoked_subcommand is None:
            context.invoke(check)

    for command in (check, show, dump, logs, version, help_command, output_dot):
        group.add_command(command)
    group.add_command(_run_command(described))
    group.add_command(_resume_command())
    return group


def _validated(file: FlowFile) -> None:
    file.say(f"flowkit {__version__} executing {file.flow.name} for user:{file.settings.user}")
    file.say("Validating your flow...")
    api.checked_graph(file.flow)
    file.say("    The graph looks good!")


@click.command()
@click.option("--warnings/--no-warnings", default=False, help="Also show warnings.")
@click.pass_obj
def check(file: FlowFile, warnings: bool) -> None:  # noqa: ARG001 - an option that users know
    """Check the flow's graph without running anything."""
    _validated(file)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the graph as JSON.")
@click.pass_obj
def show(file: FlowFile, as_json: bool) -> None:
    """Show the flow's steps and how they are connected."""
    from flowkit.graph.describe import show_text, to_json

    graph = api.checked_graph(file.flow)
    if as_json:
        click.echo(json.dumps(to_json(graph, file.flow), indent=2))
    else:
        click.echo(show_text(graph))


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


# --- run ------------------------------------------------------------------------------------------


def _run_command(flow: FlowDef) -> click.Command:
    """Return the ``run`` command, with the flow's parameters as options."""

    @click.pass_obj
    def run(file: FlowFile, /, **options: Any) -> None:
        """Run the flow."""
        check_parameters(flow.parameters)
        request, settings = _request(file, options)
        _start(file, settings, lambda told: api.run(flow, request, settings, told))

    command = click.command("run", short_help="Run the flow.")(_with_run_options(run))
    parameters = sorted(flow.parameters.values(), key=lambda parameter: parameter.name)
    command.params = [parameter_option(parameter) for parameter in parameters] + command.params
    return command


def _resume_command() -> click.Command:
    """Return the ``resume`` command."""

    @click.argument("step_to_rerun", required=False)
    @click.option(
        "--origin-run-id", metavar="ID", help="The run to resume; your latest by default."
    )
    @click.option("--clone-only", is_flag=True, help="Take over what had succeeded, then stop.")
    @click.pass_obj
    def resume(
        file: FlowFile,
        /,
        step_to_rerun: str | None,
        origin_run_id: str | None,
        clone_only: bool,
        **options: Any,
    ) -> None:
        """Run again what failed, or STEP_TO_RERUN and all after it; take over the rest."""
        request, settings = _request(file, options)
        resumption = api.ResumeRequest(origin_run_id, step_to_rerun, clone_only)
        _start(
            file, settings, lambda told: api.resume(file.flow, resumption, request, settings, told)
        )

    return click.command("resume")(_with_run_options(resume))


def _request(file: FlowFile, options: Mapping[str, Any]) -> tuple[api.RunRequest, Settings]:
    """Return what the options ask for, and the settings that hold for it."""
    given = {
        name.removeprefix("parameter_"): value
        for name, value in options.items()
        if name.startswith("parameter_") and value is not None
    }
    settings = file.settings
    if options["namespace"] is not None:
        settings = replace(settings, namespace=options["namespace"] or None)
        adopt(settings)
    request = api.RunRequest(
        parameters=given,
        tags=options["tags"],
        max_workers=options["max_workers"],
        max_num_splits=options["max_num_splits"],
        max_log_size=options["max_log_size"],
        run_id_file=options["run_id_file"],
        attribute_file=options["runner_attribute_file"],
    )
    return request, settings


def _start(
    file: FlowFile, settings: Settings, launch: Callable[[list[Listener]], RunEnded]
) -> None:
    """Check the flow, start it and exit with 1 unless it succeeds."""
    from flowkit.cli.console import Console

    _validated(file)
    file.say(f"Using the store in {settings.home}")
    ended = launch([Console()])
    if ended.status is Status.FAILED:
        raise click.exceptions.Exit(1)


def _with_run_options(function: Callable[..., None]) -> Callable[..., None]:
    positive = click.IntRange(min=1)
    options = [
        click.option("--tag", "tags", multiple=True, help="Tag of the run; may be repeated."),
        click.option(
            "--max-workers",
            type=positive,
            default=16,
            show_default=True,
            help="How many tasks run at once.",
        ),
        click.option(
            "--max-num-splits",
            type=positive,
            default=100,
            show_default=True,
            help="How many branches a foreach may have.",
        ),
        click.option(
            "--max-log-size",
            type=positive,
            default=10,
            show_default=True,
            help="Megabytes of log kept of each stream of a task.",
        ),
        click.option(
            "--run-id-file",
            type=click.Path(dir_okay=False, writable=True),
            help="Write the run id to this file before any task starts.",
        ),
        click.option(
            "--runner-attribute-file",
            type=click.Path(dir_okay=False, writable=True),
            help="Write run id, flow and metadata to this file as JSON.",
        ),
        click.option("--namespace", help="The client's namespace inside tasks; '' is global."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


# --- reading back ---------------------------------------------------------------------------------


@click.command()
@click.argument("path")
@click.option("--private", is_flag=True, help="Also show internal artifacts.")
@click.option(
    "--max-value-size",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Bytes up to which values are shown; 0 shows names only.",
)
@click.option("--include", default="", help="Comma-separated names; all when omitted.")
@click.option(
    "--file",
    "output",
    type=click.Path(dir_okay=False, writable=True),
    help="Write the values as a pickle to this file instead.",
)
@click.pass_obj
def dump(
    file: FlowFile, path: str, private: bool, max_value_size: int, include: str, output: str | None
) -> None:
    """Show the artifacts of a task (run/step/task) or of a step's tasks (run/step)."""
    from flowkit.cli.reading import Dump, dump_tasks, tasks_at

    names = tuple(name.strip() for name in include.split(",") if name.strip())
    wanted = Dump(names, private, max_value_size, output)
    dump_tasks(tasks_at(file.flow.name, path), wanted)


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[show] PATH")
@click.option("--stdout", "streams", flag_value="stdout", help="Only what was written to stdout.")
@click.option("--stderr", "streams", flag_value="stderr", help="Only what was written to stderr.")
@click.option("--both", "streams", flag_value="both", default=True, help="Both (default).")
@click.option("--timestamps/--no-timestamps", default=False, help="Put the local time first.")
@click.option("--attempt", type=click.IntRange(min=0), help="The attempt; the latest when omitted.")
@click.pass_obj
def logs(
    file: FlowFile, words: tuple[str, ...], streams: str, timestamps: bool, attempt: int | None
) -> None:
    """Show the logs of a task (run/step/task) or of a step's tasks (run/step)."""
    from flowkit.cli.reading import show_logs, tasks_at

    if words[0] == "show" and len(words) > 1:
        words = words[1:]
    if len(words) != 1:
        raise click.UsageError(f"one path is expected, got {len(words)}")
    show_logs(tasks_at(file.flow.name, words[0], attempt), streams, with_times=timestamps)
