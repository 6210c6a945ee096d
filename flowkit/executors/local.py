"""Tasks as forked children of a server that has the imports done: a task costs a fork."""

import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from flowkit.executors.processes import ProcessExecutor
from flowkit.executors.work import Prepare

if TYPE_CHECKING:
    from flowkit.executors.child import Body


class LocalExecutor(ProcessExecutor):
    """Runs each attempt in a forked child on this machine.

    Create it from the main thread before anything else is opened: the fork server is forked at
    once, and a fork copies locks that other threads hold and connections that others use.

    Args:
        prepare: Imports what tasks need and returns the work; called once, in the server. If it
            raises, every attempt fails with cause START.
        grace: Seconds between SIGTERM and SIGKILL when an attempt is cancelled.
        unseeded: What ``random.getstate()`` returned before any user code ran; by that it is seen
            whether user code has seeded ``random``, and the seed holds in each task. None: only
            a seed that ``prepare`` sets does.
    """

    def __init__(
        self, prepare: Prepare, *, grace: float = 5.0, unseeded: tuple[Any, ...] | None = None
    ) -> None:
        states = None if unseeded is None else (unseeded, sys.modules["random"].getstate())
        super().__init__(partial(_fork_keeper, partial(_body, prepare, states)), grace=grace)


def _fork_keeper(body: Callable[[], "Body"], theirs: socket.socket) -> int:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # or each child would write it again
    driver = os.getpid()
    pid = os.fork()
    if pid == 0:
        from flowkit.executors.keeper import keep  # noqa: PLC0415 - the driver does without it

        keep(theirs, body, driver)
    return pid


def _body(prepare: Prepare, states: tuple[Any, Any] | None) -> "Body":
    """Prepare what each task does; called in the fork server."""
    from flowkit.executors.child import perform  # noqa: PLC0415 - as above
    from flowkit.executors.randomness import hold_seed  # noqa: PLC0415 - as above

    if states is not None:
        hold_seed(*states)
    return partial(perform, prepare())
