"""Where command lines start: ``python flow.py ...`` and ``flowkit ...``."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import click

from flowkit.cli.errors import show_error


def main(flow: type, argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line of a flow file and exit with its code.

    Args:
        flow: The flow class that was instantiated.
        argv: The arguments; those of the process when omitted.
    """
    from flowkit.cli.flowfile import flow_group

    arguments = list(sys.argv[1:] if argv is None else argv)
    program = sys.argv[0] or f"{flow.__name__}.py"
    _exit(lambda: flow_group(flow), arguments, program)


def entry() -> NoReturn:
    """Run the ``flowkit`` command and exit with its code."""
    from flowkit.cli.storecli import group

    _exit(lambda: group, sys.argv[1:], "flowkit")


def _exit(make_group: Callable[[], click.Group], arguments: list[str], program: str) -> NoReturn:
    _open_streams()
    # One of the three places that catch everything: the user never sees a framework traceback.
    try:
        code = make_group().main(arguments, prog_name=program, standalone_mode=False)
    except click.exceptions.Exit as end:
        code = end.exit_code
    except BrokenPipeError:
        code = 1
    except Exception as error:  # noqa: BLE001
        code = show_error(error, verbose="--verbose" in arguments)
    except KeyboardInterrupt:
        click.echo("Aborted!", err=True)
        code = 130
    try:
        sys.stdout.flush()
    except OSError:
        # Whoever read our output has gone; nothing is left to say, also not by the interpreter.
        sys.stdout = None
    sys.exit(code if isinstance(code, int) else 0)


def _open_streams() -> None:
    """Open the standard streams that the caller has closed: no other file may get their numbers."""
    streams = {"stdin": 0, "stdout": 1, "stderr": 2}
    for number in streams.values():
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name, number in streams.items():
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - stays
            setattr(sys, name, stream)
