"""Works for the executor suite: small tasks that behave well, badly and terribly."""

# ruff: noqa: T201, S311 - tasks print, and random numbers hide nothing

import atexit
import concurrent.futures
import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import threading
from typing import NoReturn

from flowkit.enums import Cause, Status
from flowkit.model.tasks import AttemptError, TaskResult, TaskSpec

LOG_SIZE = 50_000_000
"""Bytes that `print_much` writes."""


def tell(spec: TaskSpec, value: object) -> TaskResult:
    """Return a successful result that carries a value back, as JSON in the place of a digest."""
    return TaskResult(spec, Status.SUCCEEDED, manifest=json.dumps(value))


# --- how a task ends ------------------------------------------------------------------------------


def succeed(spec: TaskSpec) -> TaskResult:
    """Succeed at once."""
    return tell(spec, spec.task_id)


def return_much(spec: TaskSpec) -> TaskResult:
    """Return a result that is larger than any pipe."""
    return tell(spec, "x" * 3_000_000)


def count_input(spec: TaskSpec) -> TaskResult:
    """Tell how many inputs there are."""
    return tell(spec, len(spec.inputs))


def fail(spec: TaskSpec) -> TaskResult:
    """Return a failed result."""
    error = AttemptError(Cause.ARTIFACT, "artifact 'x' can't be stored")
    return TaskResult(spec, Status.FAILED, error=error)


def raise_error(spec: TaskSpec) -> TaskResult:
    """Raise an exception."""
    raise ValueError(f"task {spec.task_id} has no such wine")


class Unspeakable(BaseException):
    """An exception that is no Exception, can't be pickled and has no text."""

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def __str__(self) -> str:
        raise RuntimeError("not even this")


def raise_unspeakable(spec: TaskSpec) -> NoReturn:
    """Raise an exception that resists."""
    del spec
    raise Unspeakable


def exit_hard(spec: TaskSpec) -> NoReturn:
    """Exit at once with the code that is the first input."""
    os._exit(int(spec.inputs[0]))


def exit_softly(spec: TaskSpec) -> NoReturn:
    """Call ``sys.exit`` with the code that is the first input."""
    sys.exit(int(spec.inputs[0]))


def kill_itself(spec: TaskSpec) -> NoReturn:
    """Send the signal that is the first input to the own process."""
    os.kill(os.getpid(), int(spec.inputs[0]))
    wait_for_ever(spec)


def crash(spec: TaskSpec) -> TaskResult:
    """Read address 0."""
    print("before the crash")
    ctypes.string_at(0)
    return tell(spec, "survived")


def wait_for_ever(spec: TaskSpec) -> NoReturn:
    """Print the pid and wait."""
    del spec
    print(os.getpid())
    while True:
        signal.pause()


def ignore_sigterm(spec: TaskSpec) -> NoReturn:
    """Wait, ignoring SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait_for_ever(spec)


def finish_on_sigterm(spec: TaskSpec) -> TaskResult:
    """Come to a good end when SIGTERM comes."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    print("waiting")
    over.wait()
    return tell(spec, "finished")


def fork_through(spec: TaskSpec) -> TaskResult:
    """Return twice: from this process and from a copy of it."""
    mine = os.getpid()
    copy = os.fork()
    if copy:
        os.waitpid(copy, 0)
    return tell(spec, os.getpid() == mine)


def close_everything(spec: TaskSpec) -> TaskResult:
    """Close every descriptor."""
    os.closerange(0, 4096)
    return tell(spec, "done")


def kill_parent(spec: TaskSpec) -> NoReturn:
    """Kill the parent process."""
    os.kill(os.getppid(), signal.SIGKILL)
    wait_for_ever(spec)


# --- output ---------------------------------------------------------------------------------------


def print_lines(spec: TaskSpec) -> TaskResult:
    """Print 100 lines to each stream in turn, and an unfinished one to each."""
    for i in range(100):
        print(f"out {i}")
        print(f"err {i}", file=sys.stderr)
    print("out without end", end="")
    print("err without end", end="", file=sys.stderr)
    return tell(spec, None)


def print_odd(spec: TaskSpec) -> TaskResult:
    """Print text that can't be encoded, and bytes that are no text."""
    print("lone \udc80 surrogate, süß")
    os.write(1, b"\xff\x00\n")
    return tell(spec, None)


def print_much(spec: TaskSpec) -> TaskResult:
    """Write `LOG_SIZE` bytes to stdout."""
    line = b"x" * 99 + b"\n"
    for _ in range(LOG_SIZE // 100_000):
        os.write(1, line * 1000)
    return tell(spec, None)


def print_from_subprocess(spec: TaskSpec) -> TaskResult:
    """Let a program write to both streams."""
    subprocess.run(["/bin/sh", "-c", "echo out; echo err >&2"], check=True)
    return tell(spec, None)


def print_at_exit(spec: TaskSpec) -> TaskResult:
    """Leave output to a thread, a thread pool and an exit handler."""
    released = threading.Event()
    threading.Thread(target=lambda: (released.wait(), print("from a thread"))).start()
    pool = concurrent.futures.ThreadPoolExecutor(1)
    pool.submit(print, "from a pool").result()
    atexit.register(print, "from an exit handler")
    released.set()
    return tell(spec, None)


# --- surroundings ---------------------------------------------------------------------------------


def change_surroundings(spec: TaskSpec) -> TaskResult:
    """Change all that a process can change about itself."""
    os.chdir("/")
    os.umask(0)
    os.environ["LEAKED"] = "1"  # noqa: TID251 - to see that it does not
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    sys.path.append("/leaked")
    return tell(spec, None)


def tell_surroundings(spec: TaskSpec) -> TaskResult:
    """Tell what a process is given."""
    umask = os.umask(0o077)
    return tell(
        spec,
        {
            "cwd": os.getcwd(),
            "umask": umask,
            "leaked": os.environ.get("LEAKED"),  # noqa: TID251 - what it got
            "path": "/leaked" in sys.path,
            "handlers": sorted(
                signal.Signals(number).name
                for number in signal.valid_signals()
                if number < signal.SIGRTMIN
                and signal.getsignal(number) is not signal.SIG_DFL
                and signal.getsignal(number) is not None
            ),
            "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
            "is_leader": os.getsid(0) == os.getpgid(0) == os.getpid(),
            "stdin": sys.stdin.read(),
            "encoding": sys.stdout.encoding,
        },
    )


def change_or_tell(spec: TaskSpec) -> TaskResult:
    """Change the surroundings if there is an input, else tell them."""
    return change_surroundings(spec) if spec.inputs else tell_surroundings(spec)


def tell_environment(spec: TaskSpec) -> TaskResult:
    """Tell the values of the variables that are the inputs."""
    return tell(spec, [os.environ.get(name) for name in spec.inputs])  # noqa: TID251 - what it got


def tell_descriptors(spec: TaskSpec) -> TaskResult:
    """Tell what each open descriptor is."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # the descriptor of the listing itself
            continue
    return tell(spec, found)


def tell_pid(spec: TaskSpec) -> TaskResult:
    """Tell the pids of this process and of its parent."""
    return tell(spec, [os.getpid(), os.getppid()])


def tell_random(spec: TaskSpec) -> TaskResult:
    """Tell a random number of ``random``, and one of ``numpy.random`` if that is loaded."""
    numpy_random = sys.modules.get("numpy.random")
    drawn = None if numpy_random is None else float(numpy_random.random())
    return tell(spec, [random.random(), drawn])


# --- descendants ----------------------------------------------------------------------------------


def leave_processes(spec: TaskSpec) -> TaskResult:
    """Leave a child behind, and a daemon in a session of its own; both hold the streams open."""
    return tell(spec, [_start_child(), _start_daemon()])


def leave_processes_and_wait(spec: TaskSpec) -> NoReturn:
    """Print the pids of a child and a daemon, then wait."""
    print(_start_child(), _start_daemon(), end=" ")
    wait_for_ever(spec)


def use_daemon(spec: TaskSpec) -> TaskResult:
    """Start a daemon, and tell whether it is alive once this file exists: the first input."""
    daemon = _start_daemon()
    print(daemon)
    fifo = os.open(spec.inputs[0], os.O_RDONLY)  # until somebody writes
    os.read(fifo, 1)
    os.kill(daemon, 0)
    return tell(spec, "alive")


def _start_child() -> int:
    pid = os.fork()
    if pid == 0:
        _pause_for_ever()
    return pid


def _start_daemon() -> int:
    """Fork twice, so that the daemon's parent is gone; return the daemon's pid."""
    reading, writing = os.pipe()
    if (middle := os.fork()) == 0:
        os.setsid()
        if (daemon := os.fork()) == 0:
            _pause_for_ever()
        os.write(writing, str(daemon).encode())
        os._exit(0)
    os.waitpid(middle, 0)
    return int(os.read(reading, 32))


def _pause_for_ever() -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        signal.pause()
