"""The commands that read back what was run: ``dump`` and ``logs``."""

import click

from flowkit.cli.context import FlowFile


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
    from flowkit.cli.printing import Dump, dump_tasks, tasks_at

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
    from flowkit.cli.printing import show_logs, tasks_at

    if words[0] == "show" and len(words) > 1:
        words = words[1:]
    if len(words) != 1:
        raise click.UsageError(f"one path is expected, got {len(words)}")
    show_logs(tasks_at(file.flow.name, words[0], attempt), streams, with_times=timestamps)
