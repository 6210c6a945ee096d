"""Tasks as fresh interpreters, for code that can't live through a fork."""

import os
import socket
import sys
from functools import partial

from flowkit.executors.processes import ProcessExecutor


class SpawnExecutor(ProcessExecutor):
    """Runs each attempt in an interpreter of its own.

    Even the server that starts the interpreters is one, so nothing of the driver is ever forked.

    Args:
        target: ``"module:function"``; the function is called with the arguments in each task's
            process and returns the work. If it can't be imported or raises, the attempt fails
            with cause START.
        arguments: Picklable values.
        grace: Seconds between SIGTERM and SIGKILL when an attempt is cancelled.
    """

    def __init__(
        self, target: str, arguments: tuple[object, ...] = (), *, grace: float = 5.0
    ) -> None:
        super().__init__(partial(_spawn_keeper, target, arguments), grace=grace)


def _spawn_keeper(target: str, arguments: tuple[object, ...], theirs: socket.socket) -> int:
    import pickle  # noqa: PLC0415 - loaded by the first submit anyway

    from flowkit.executors.spawned import command, hand_over  # noqa: PLC0415 - not for local

    handed = hand_over(pickle.dumps((target, arguments, sys.argv, os.getpid()), protocol=5))
    os.set_inheritable(theirs.fileno(), True)
    line = command("keep_apart", handed, theirs.fileno())
    try:
        return os.posix_spawn(line[0], line, os.environ)  # noqa: TID251 - handed on, not read
    finally:
        os.close(handed)
