"""The options that say which lines of a log are shown."""

from collections.abc import Callable

import click


def with_log_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every command that shows logs."""
    options = [
        click.option("--stdout", "streams", flag_value="stdout", help="Only stdout."),
        click.option("--stderr", "streams", flag_value="stderr", help="Only stderr."),
        click.option(
            "--both", "streams", flag_value="both", default=True, help="Both streams (default)."
        ),
        click.option(
            "--timestamps/--no-timestamps", default=False, help="Put the local time first."
        ),
        click.option(
            "--attempt", type=click.IntRange(min=0), help="The attempt; the latest when omitted."
        ),
        click.option("--follow", "-f", is_flag=True, help="Go on until the tasks have ended."),
    ]
    for option in reversed(options):
        function = option(function)
    return function
