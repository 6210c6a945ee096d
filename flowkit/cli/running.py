"""The commands that start a run: ``run`` and ``resume``."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from flowkit import api
from flowkit.authoring.flowdecorators import exit_hook
from flowkit.authoring.flowspec import FlowSpec, definition
from flowkit.authoring.parameters import check_parameters
from flowkit.cli.context import FlowFile
from flowkit.cli.options import ParameterOption, with_option
from flowkit.config import Settings, adopt
from flowkit.enums import Status
from flowkit.launching import RunRequest
from flowkit.model.events import RunEnded
from flowkit.ports.listener import Listener


class RunCommand(click.Command):
    """Has the flow's parameters as options, which may depend on configs."""

    def __init__(self, name: str, *, flow: type[FlowSpec], **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self._flow = flow

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; say which parameters can't be options before click stumbles."""
        check_parameters(ctx.obj.flow.parameters)
        return super().parse_args(ctx, list(_with_cache_words(args)))

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the options: those of parameters in alphabetical order, then the others."""
        # Without an object the help is only looked at.
        flow = ctx.obj.flow if isinstance(ctx.obj, FlowFile) else definition(self._flow)
        parameters = sorted(flow.parameters.values(), key=lambda parameter: parameter.name)
        options = [ParameterOption(parameter) for parameter in parameters]
        return [*options, *super().get_params(ctx)]


def run_command(flow: type[FlowSpec]) -> click.Command:
    """Return the ``run`` command, with the flow's parameters as options."""

    @click.pass_obj
    def run(file: FlowFile, /, **options: Any) -> None:
        """Run the flow."""
        file = _decorated(file, options["decospecs"])
        request, settings = request_of(file, options)
        _start(file, settings, lambda told: api.run(file.flow, request, settings, told))

    return click.command("run", RunCommand, flow=flow)(with_run_options(with_cache_options(run)))


def resume_command() -> click.Command:
    """Return the ``resume`` command."""

    @click.argument("step_to_rerun", required=False)
    @click.option(
        "--origin-run-id", metavar="ID", help="The run to resume; your latest by default."
    )
    @click.option("--run-id", metavar="ID", help="Id of the new run, no number.")
    @click.option("--reentrant", is_flag=True, help="Wait for the run of this id if it is there.")
    @click.option("--clone-only", is_flag=True, help="Take over what had succeeded, then stop.")
    @click.pass_obj
    def resume(
        file: FlowFile,
        /,
        step_to_rerun: str | None,
        origin_run_id: str | None,
        clone_only: bool,
        run_id: str | None,
        reentrant: bool,
        **options: Any,
    ) -> None:
        """Run again what failed, or STEP_TO_RERUN and all after it; take over the rest."""
        if any(file.flags.get(option) for option in ("config", "config_value")):
            raise click.UsageError("configs can't be changed: a resumed run keeps those it had")
        file = _decorated(file, options["decospecs"])
        if file.declared.configs:
            origin_run_id, configs = api.configs_to_resume(
                file.declared, origin_run_id, file.settings
            )
            file = replace(file, configs=configs)
        request, settings = request_of(file, options)
        resumption = api.ResumeRequest(origin_run_id, step_to_rerun, clone_only, run_id, reentrant)
        _start(
            file, settings, lambda told: api.resume(file.flow, resumption, request, settings, told)
        )

    return click.command("resume", cls=_Resume)(with_run_options(resume))


class _Resume(click.Command):
    """Says why it has no options for the flow's parameters."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; see `click.Command.parse_args`."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = error.option_name.removeprefix("--")
            if name not in {one.name for one in ctx.obj.declared.parameters.values()}:
                raise
            text = f"parameter '{name}' can't be changed: a resumed run keeps those it had"
            raise click.UsageError(text, ctx) from None


def _decorated(file: FlowFile, decospecs: tuple[str, ...]) -> FlowFile:
    """Return the flow with further decorators from the command line."""
    return replace(file, decospecs=(*file.decospecs, *decospecs)) if decospecs else file


def request_of(file: FlowFile, options: Mapping[str, Any]) -> tuple[RunRequest, Settings]:
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
    request = RunRequest(
        parameters=given,
        tags=options["tags"],
        max_workers=options["max_workers"],
        max_num_splits=options["max_num_splits"],
        max_log_size=options["max_log_size"],
        run_id_file=options["run_id_file"],
        attribute_file=options["runner_attribute_file"],
        cache="off" if options.get("cache_off") else options.get("cache"),
        cache_refresh=options.get("cache_refresh", ()),
        pins=dict(_pin(text) for text in options["pins"]),
    )
    return request, settings


def _start(
    file: FlowFile, settings: Settings, launch: Callable[[list[Listener]], RunEnded]
) -> None:
    """Check the flow, start it and exit with what says why unless it succeeds."""
    file.validate()
    file.say(f"Using the store in {settings.home}")
    ended = launch(_listeners(file, settings))
    if ended.status is Status.FAILED:
        raise click.exceptions.Exit(ended.error.exit_code if ended.error else 1)


def _listeners(file: FlowFile, settings: Settings) -> list[Listener]:
    from flowkit.cli.console import Console

    console = Console()
    if not any(isinstance(decorator, exit_hook) for decorator in file.flow.decorators):
        return [console]
    from flowkit.exithooks import ExitHooks

    return [
        ExitHooks(file.flow, settings, console),
        console,
    ]  # what hooks print goes before "Done!"


def with_cache_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options about reusing results."""
    options = [
        click.option(
            "--cache/--no-cache",
            default=None,
            help="Reuse earlier results of steps whose code and inputs are the same, or of none. "
            "Also: --cache refresh=STEP, and --cache off to keep no results for later either.",
        ),
        click.option("--cache-off", is_flag=True, hidden=True),
        click.option(
            "--cache-refresh",
            metavar="STEP",
            multiple=True,
            help="Run this step even so; may be repeated.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def _with_cache_words(args: Sequence[str]) -> Iterator[str]:
    """Yield arguments with ``--cache refresh=STEP`` and ``--cache off`` as options of their own."""
    rest = iter(args)
    for argument in rest:
        option, equals, word = argument.partition("=")
        if option != "--cache":
            yield argument
            continue
        following = word if equals else next(rest, None)
        if following == "off":
            yield "--cache-off"
        elif following is not None and following.startswith("refresh="):
            yield option
            yield from (f"--cache-{one}" for one in _refreshed(following))
        elif equals:
            raise click.UsageError(
                f"{argument}: write --cache, --cache refresh=STEP or --cache off"
            )
        else:
            yield from (option,) if following is None else (option, following)


def _refreshed(word: str) -> Iterator[str]:
    name, _, steps = word.partition("=")
    yield from (f"{name}={step}" for step in steps.split(","))


def _pin(text: str) -> tuple[str, str]:
    attribute, equals, version = text.partition("=")
    if not equals or not attribute or not version:
        raise click.UsageError(f"--pin {text}: write ATTRIBUTE=NAME@VERSION")
    return attribute, version


def with_run_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that every run has."""
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
        click.option(
            "--pin",
            "pins",
            multiple=True,
            metavar="ATTRIBUTE=VERSION",
            help="Take this version for an external artifact: model=trained@3; may be repeated.",
        ),
        click.option("--namespace", help="The client's namespace inside tasks; '' is global."),
        with_option,
    ]
    for option in reversed(options):
        function = option(function)
    return function
