"""How an error reaches the user: one clear message on stderr and an exit code."""

import sys
import traceback

import click

from flowkit.exceptions import FlowkitError, Interrupted, LintError

INDENT = "    "


def show_error(error: BaseException, *, verbose: bool = False) -> int:
    """Print an error and return the exit code that goes with it.

    Args:
        error: What was raised.
        verbose: Also print the traceback with flowkit's own frames.
    """
    if verbose:
        traceback.print_exception(error)
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, click.Abort):
        _say("Aborted!")
        return 1
    if isinstance(error, LintError):
        _show_problems(error)
        return error.exit_code
    if isinstance(error, Interrupted):
        _say(f"{INDENT}Workflow interrupted.")
        return error.exit_code
    if isinstance(error, FlowkitError):
        _say(f"{INDENT}{error.headline}:", bold=True)
        said = "\n".join((str(error), *getattr(error, "__notes__", ())))
        _say("\n".join(INDENT + line for line in said.splitlines()))
        return error.exit_code
    # What gets here is a bug: say so, and keep the evidence.
    _say(f"{INDENT}Internal error:", bold=True)
    traceback.print_exception(error)
    _say(f"{INDENT}This is a bug in flowkit. Please report it with the lines above.")
    return 1


def _show_problems(error: LintError) -> None:
    for problem in error.problems:
        where = f"in file {getattr(problem, 'file', '?')} on line {getattr(problem, 'line', '?')}"
        _say(f"{INDENT}{error.headline} {where}:", bold=True)
        _say(f"{INDENT}{getattr(problem, 'message', problem)}")
    if not error.problems:
        _say(f"{INDENT}{error}")


def _say(text: str, *, bold: bool = False) -> None:
    click.secho(text, err=True, fg="red" if bold else None, bold=bold or None)
    sys.stderr.flush()
