"""What runs in the fresh interpreters of the spawn executor: its keeper, and its tasks."""

import os
import pickle
import socket
import sys
import tempfile
from functools import partial
from typing import Any, NoReturn

from flowkit.enums import Cause
from flowkit.executors.child import Body, ResultPipe, open_streams, perform
from flowkit.executors.work import failure, resolve
from flowkit.model.tasks import TaskResult, TaskSpec


def command(entry: str, *numbers: int) -> list[str]:
    """Return the command line of an interpreter that calls a function of this module.

    It finds modules where this one does; the function gets the numbers as its arguments.
    """
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; "
        f"from {__name__} import {entry}; {entry}({', '.join(map(str, numbers))})"
    )
    return [sys.executable, "-X", "faulthandler", "-c", program]


def hand_over(data: bytes) -> int:
    """Return a descriptor that the next interpreter inherits and can read the data from."""
    with tempfile.TemporaryFile() as file:  # has no name, so nobody has to remove it
        file.write(data)
        file.seek(0)
        return os.dup2(file.fileno(), os.dup(file.fileno()))


def keep_apart(handed: int, driver: int) -> NoReturn:
    """Be the keeper of a spawn executor."""
    from flowkit.executors.keeper import keep  # noqa: PLC0415 - tasks don't need it

    target, arguments, argv, parent = _take_over(handed)
    prepare = partial(_spawning_body, target, arguments, argv)
    keep(socket.socket(fileno=driver), prepare, parent)


def run_task(handed: int) -> NoReturn:
    """Be the process of one task."""
    target, arguments, argv, spec, pipe = _take_over(handed)
    os.set_inheritable(pipe.fd, False)
    sys.argv[:] = argv
    open_streams()
    try:
        work: Any = resolve(target)(*arguments)
    except BaseException as error:  # noqa: BLE001 - the import of user code may raise anything
        perform(_Refusal(error), spec, pipe)
    perform(work, spec, pipe)


def _spawning_body(target: str, arguments: tuple[object, ...], argv: list[str]) -> Body:
    return partial(_become_interpreter, target, arguments, argv)


def _become_interpreter(
    target: str,
    arguments: tuple[object, ...],
    argv: list[str],
    spec: TaskSpec,
    pipe: ResultPipe,
) -> NoReturn:
    """Replace this forked process, all set up, by a fresh interpreter."""
    try:
        handed = hand_over(pickle.dumps((target, arguments, argv, spec, pipe), protocol=5))
        os.set_inheritable(pipe.fd, True)
        line = command("run_task", handed)
        os.execv(line[0], line)  # noqa: S606 - no shell wanted
    except Exception as error:  # noqa: BLE001 - no temporary space, no such interpreter
        perform(_Refusal(error), spec, pipe)


class _Refusal:
    """The work of a process that can't do its work."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __call__(self, spec: TaskSpec) -> TaskResult:
        return failure(spec, self._error, Cause.START)


def _take_over(handed: int) -> Any:
    with open(handed, "rb") as file:
        return pickle.load(file)  # noqa: S301 - from our own driver
