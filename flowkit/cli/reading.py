"""The commands that read back what was run: ``dump`` and ``logs``."""

from typing import Any

import click

from flowkit.cli.context import FlowFile
from flowkit.cli.logoptions import with_log_options


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
    from flowkit.cli.printing import Dump, address_at, dump_tasks, tasks_of

    names = tuple(name.strip() for name in include.split(",") if name.strip())
    wanted = Dump(names, private, max_value_size, output)
    dump_tasks(tasks_of(address_at(file.declared.name, path)), wanted)


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[show] PATH")
@with_log_options
@click.pass_obj
def logs(file: FlowFile, /, words: tuple[str, ...], **options: Any) -> None:
    """Show the logs of a task (run/step/task) or of a step's tasks (run/step).

    With --follow, also those of a whole run (run).
    """
    from flowkit.cli.printing import address_at
    from flowkit.cli.tasklogs import LogView, print_logs

    if words[0] == "show" and len(words) > 1:
        words = words[1:]
    if len(words) != 1:
        raise click.UsageError(f"one path is expected, got {len(words)}")
    view = LogView(**options)
    print_logs(address_at(file.declared.name, words[0], may_be_run=view.follow), view)
