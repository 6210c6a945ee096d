"""What holds for forked tasks in particular: the fork server, its keeper, randomness, deaths."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, closing

import pytest

from flowkit.enums import Cause, Status
from flowkit.executors import child
from flowkit.executors.local import LocalExecutor
from flowkit.model.events import TaskStarted
from flowkit.model.tasks import Needs, TaskResult
from flowkit.testing import works
from flowkit.testing.attempts import (
    Log,
    error_of,
    is_alive,
    make_spec,
    run,
    run_all,
    told,
    wait_until_dead,
)


@pytest.fixture
def open_local():
    with ExitStack() as stack:
        yield lambda prepare, **options: stack.enter_context(
            closing(LocalExecutor(prepare, grace=0.3, **options))
        )


def run_program(program: str, *, wait: bool = True) -> subprocess.Popen[str]:
    """Start a driver of its own."""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    if wait:
        assert process.wait(60) == 0
    return process


# --- the fork server ------------------------------------------------------------------------------


def test_what_is_prepared_is_prepared_once(open_local):
    def prepare():
        prepared = os.getpid()
        return lambda spec: works.tell(spec, [prepared, os.getppid()])

    log = run_all(open_local(prepare), [make_spec(i) for i in range(3)])

    assert log.results[0].manifest not in (None, f"[{os.getpid()}, {os.getpid()}]")
    assert len({result.manifest for result in log.results.values()}) == 1


def test_a_failing_import_fails_each_task_at_its_start(open_local):
    def prepare():
        raise ImportError("no module named wine")

    log = run_all(open_local(prepare), [make_spec(i) for i in range(3)])

    for result in log.results.values():
        error = error_of(result)
        assert (error.cause, error.message) == (Cause.START, "no module named wine")
        assert "in prepare" in error.traceback


def test_an_import_that_kills_the_server_fails_the_tasks_that_wait_for_it(open_local):
    executor = open_local(lambda: os._exit(3))
    first = error_of(run(executor))
    second = error_of(run(executor))

    assert first == second
    assert first.cause is Cause.START
    assert first.message == ("the fork server exited with code 3 before it could start a task")


def test_close_does_not_wait_for_an_import_that_hangs():
    executor = LocalExecutor(lambda: threading.Event().wait())  # type: ignore[arg-type, return-value]
    executor.submit(make_spec(), Needs())
    executor.close()


def test_a_task_can_be_cancelled_while_the_import_hangs(open_local):
    executor = open_local(lambda: threading.Event().wait())
    executor.submit(make_spec(), Needs())
    executor.cancel(1)

    assert error_of(Log(executor).result()).cause is Cause.CANCELLED


def test_tasks_of_a_server_that_is_killed_are_lost_and_the_next_server_goes_on(open_local):
    executor = open_local(lambda: lambda spec: getattr(works, spec.inputs[0])(spec))
    log = Log(executor)
    executor.submit(make_spec(1, "leave_processes_and_wait"), Needs())
    log.wait_for_output(b"\n")
    executor.submit(make_spec(2, "kill_parent"), Needs())

    for task_id in (1, 2):
        error = error_of(log.result(task_id))
        assert (error.cause, error.message) == (
            Cause.LOST,
            "the fork server was killed by SIGKILL",
        )
        assert not error.is_charged
        assert error.is_retryable
    assert [pid for pid in map(int, log.output().split()) if is_alive(pid)] == []
    assert told(run(executor, "succeed")) == 1


def test_tasks_are_lost_for_good_without_a_keeper(open_local):
    executor = open_local(lambda: works.wait_for_ever)
    log = Log(executor)
    executor.submit(make_spec(), Needs())
    log.wait_for_output(b"\n")
    os.kill(executor._server._pid, signal.SIGKILL)

    assert not error_of(log.result()).is_retryable
    wait_until_dead([int(log.output())])
    error = error_of(run(executor))
    assert (error.cause, error.is_charged, error.is_retryable) == (Cause.LOST, False, False)


def test_threads_left_by_imports_are_noticed(open_local):
    def prepare():
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        return works.succeed

    executor = open_local(prepare)
    run(executor)

    assert len(executor.notices) == 1
    assert "left 1 thread(s) running" in executor.notices[0]


def test_without_threads_there_is_no_notice(open_local):
    executor = open_local(lambda: works.succeed)
    run(executor)

    assert executor.notices == []


def test_a_file_that_was_opened_by_an_import_is_open_in_each_task(open_local, tmp_path):
    def prepare():
        file = (tmp_path / "log").open("a")

        def work(spec):
            file.write(f"{spec.task_id}\n")
            file.flush()
            return TaskResult(spec, Status.SUCCEEDED)

        return work

    executor = open_local(prepare)
    for i in range(3):
        run_all(executor, [make_spec(i)])

    assert (tmp_path / "log").read_text() == "0\n1\n2\n"


def test_threads_that_do_not_end_are_waited_for_in_vain_but_not_for_ever(open_local):
    def work(spec):
        vars(child)["THREADS_TIMEOUT"] = 0.1  # in the task's process only
        threading.Thread(target=threading.Event().wait).start()
        return works.tell(spec, "done")

    log = run_all(open_local(lambda: work), [make_spec()])

    assert told(log.result()) == "done"
    assert b"threads of the step still ran" in log.output(stream="stderr")


def test_a_signal_handler_of_the_driver_is_not_inherited(open_local):
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        executor = open_local(lambda: works.kill_itself)
        error = error_of(run(executor, str(int(signal.SIGUSR1))))
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert error.message == "step was killed by SIGUSR1"


def test_a_thousand_tasks_with_sixteen_in_flight(open_local):
    executor = open_local(lambda: works.succeed)
    log = Log(executor)
    for i in range(1000):
        executor.submit(make_spec(i), Needs())
        while i + 1 - len(log.results) >= 16:
            log.poll(60)
    log.wait_until(lambda: len(log.results) == 1000)

    assert len([event for event in log.events if isinstance(event, TaskStarted)]) == 1000
    assert len(executor._selector.get_map()) == 1  # the server; no pipe is left


def test_hundreds_of_tasks_may_be_submitted_without_a_poll(open_local):
    log = run_all(open_local(lambda: works.succeed), [make_spec(i) for i in range(300)])

    assert all(result.error is None for result in log.results.values())


def test_no_descriptor_is_left_open_in_the_driver():
    before = os.listdir("/proc/self/fd")
    with closing(LocalExecutor(lambda: works.wait_for_ever, grace=0.3)) as executor:
        log = Log(executor)
        executor.submit(make_spec(), Needs())
        log.wait_for_output(b"\n")

    assert os.listdir("/proc/self/fd") == before


# --- the driver's death ---------------------------------------------------------------------------

DRIVER = """
import sys
from flowkit.executors.local import LocalExecutor
from flowkit.model.tasks import Needs
from flowkit.testing import works
from flowkit.testing.attempts import Log, make_spec

executor = LocalExecutor(lambda: works.leave_processes_and_wait)
log = Log(executor)
executor.submit(make_spec(), Needs())
log.wait_for_output(b"\\n")
print(log.output().decode().strip(), flush=True)
executor.poll(None)
"""


def parent_of(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


def test_kill_9_of_the_driver_ends_every_process_within_two_seconds():
    with run_program(DRIVER, wait=False) as driver:
        assert driver.stdout is not None
        child, daemon, task = map(int, driver.stdout.readline().split())
        server = parent_of(task)
        keeper = parent_of(server)
        assert parent_of(keeper) == driver.pid
        driver.kill()

    wait_until_dead([child, daemon, task, server, keeper], seconds=2)


def test_kill_9_of_the_driver_ends_a_server_that_is_importing():
    program = """
import os, threading
from flowkit.executors.local import LocalExecutor

def prepare():
    os.write(1, f"{os.getpid()}\\n".encode())
    threading.Event().wait()

executor = LocalExecutor(prepare)
threading.Event().wait()
"""
    with run_program(program, wait=False) as driver:
        assert driver.stdout is not None
        server = int(driver.stdout.readline())
        keeper = parent_of(server)
        driver.kill()

    wait_until_dead([server, keeper], seconds=2)


# --- randomness -----------------------------------------------------------------------------------


def drawn(executor) -> list[list[float]]:
    log = run_all(executor, [make_spec(i) for i in range(2)])
    return [told(log.results[i]) for i in range(2)]  # type: ignore[misc]


def test_unseeded_generators_differ_between_tasks(open_local):
    first, second = drawn(open_local(lambda: works.tell_random))

    assert first[0] != second[0]


def test_a_seed_that_is_set_by_an_import_holds_in_each_task(open_local):
    def prepare():
        import random

        import numpy as np

        random.seed(42)
        np.random.seed(42)  # noqa: NPY002 - what users write
        return works.tell_random

    first, second = drawn(open_local(prepare))

    assert first == second == [0.6394267984578837, 0.3745401188473625]


@pytest.mark.parametrize(
    ("seed", "is_held"), [("random.seed(42); numpy.random.seed(42)", True), ("", False)]
)
def test_a_seed_that_is_set_in_the_driver_holds_in_each_task(seed, is_held):
    program = f"""
import random
unseeded = random.getstate()
import numpy
{seed}
random.random(), numpy.random.random()
from flowkit.executors.local import LocalExecutor
from flowkit.testing import works
from flowkit.testing.attempts import make_spec, run_all, told

executor = LocalExecutor(lambda: works.tell_random, unseeded=unseeded)
log = run_all(executor, [make_spec(i) for i in range(2)])
first, second = (told(log.results[i]) for i in range(2))
print(*(a == b for a, b in zip(first, second)))
executor.close()
"""
    with run_program(program) as driver:
        assert driver.stdout is not None
        assert driver.stdout.read().split() == [str(is_held)] * 2
