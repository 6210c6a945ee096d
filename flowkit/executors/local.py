"""Tasks as forked children of a server that has the imports done: a task costs a fork."""

import os
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING

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
    """

    def __init__(self, prepare: Prepare, *, grace: float = 5.0) -> None:
        super().__init__(partial(_fork_keeper, prepare), grace=grace)


def _fork_keeper(prepare: Prepare, theirs: socket.socket) -> int:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # or each child would write it again
    driver = os.getpid()
    pid = os.fork()
    if pid == 0:
        from flowkit.executors.keeper import keep  # noqa: PLC0415 - the driver does without it

        keep(theirs, partial(_forked_body, prepare), driver)
    return pid


def _forked_body(prepare: Prepare) -> "Body":
    from flowkit.executors.child import perform  # noqa: PLC0415 - as above

    return partial(perform, prepare())
