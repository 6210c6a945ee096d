"""The suites that executors pass: one test per sentence of the port's contract.

Subclass `ExecutorSuite`, or `ProcessExecutorSuite` if each attempt has a process of its own, and
give it an ``open_executor`` fixture.
"""

# ruff: noqa: S101, PLR2004, D102 - a suite is made of assertions, numbers and names that say it all

import os
import pickle
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from flowkit.enums import Cause, Status
from flowkit.model.events import ExecutorEvent, TaskFinished, TaskOutput, TaskStarted
from flowkit.model.manifest import ArtifactRef
from flowkit.model.tasks import AttemptError, Frame, Needs, TaskKey, TaskResult, TaskSpec
from flowkit.ports.executor import Executor
from flowkit.testing.attempts import (
    PATIENCE,
    Log,
    error_of,
    is_alive,
    make_spec,
    run,
    run_all,
    told,
    wait_until_dead,
)
from flowkit.testing.works import LOG_SIZE

WORKS = "flowkit.testing.works"
OpenExecutor = Callable[[str], Executor]
"""Opens an executor whose work is the function that ``"module:function"`` refers to."""


class ExecutorSuite:
    """Tests of the contract of `Executor`, wherever the work runs."""

    many = 1000
    """How many small tasks the tests of many tasks run."""

    @pytest.fixture
    def open_executor(self) -> Iterator[OpenExecutor]:
        """Return a function that opens executors, and close them after the test."""
        raise NotImplementedError

    def test_a_task_gives_the_result_of_its_work(self, open_executor: OpenExecutor) -> None:
        log = run_all(open_executor(f"{WORKS}:succeed"), [make_spec(7)])

        assert log.results == {7: TaskResult(make_spec(7), Status.SUCCEEDED, manifest="7")}

    def test_a_task_is_started_before_it_is_finished(self, open_executor: OpenExecutor) -> None:
        log = run_all(open_executor(f"{WORKS}:succeed"), [make_spec()])

        assert [type(event) for event in log.events] == [TaskStarted, TaskFinished]

    def test_a_result_of_any_size_arrives(self, open_executor: OpenExecutor) -> None:
        assert told(run(open_executor(f"{WORKS}:return_much"))) == "x" * 3_000_000

    def test_a_spec_of_any_size_arrives(self, open_executor: OpenExecutor) -> None:
        inputs = [f"{i:064}" for i in range(20_000)]

        assert told(run(open_executor(f"{WORKS}:count_input"), *inputs)) == 20_000

    def test_a_failed_result_passes_as_it_is(self, open_executor: OpenExecutor) -> None:
        error = error_of(run(open_executor(f"{WORKS}:fail")))

        assert error == AttemptError(Cause.ARTIFACT, "artifact 'x' can't be stored")

    def test_what_the_work_raises_becomes_a_failure(self, open_executor: OpenExecutor) -> None:
        error = error_of(run(open_executor(f"{WORKS}:raise_error")))

        assert error.cause is Cause.EXCEPTION
        assert error.message == "task 1 has no such wine"
        assert error.type == "builtins.ValueError"
        assert "in raise_error" in error.traceback
        assert error.is_charged

    @pytest.mark.parametrize("code", [0, 3, 202])
    def test_sys_exit_is_a_step_that_did_not_finish(
        self, open_executor: OpenExecutor, code: int
    ) -> None:
        error = error_of(run(open_executor(f"{WORKS}:exit_softly"), str(code)))

        assert error.cause is Cause.EXIT
        assert error.message == f"step ended with exit code {code} without finishing"
        assert error.is_retryable is (code != 202)

    def test_many_small_tasks_finish_once_each(self, open_executor: OpenExecutor) -> None:
        executor = open_executor(f"{WORKS}:succeed")
        log = Log(executor)
        for i in range(self.many):
            executor.submit(make_spec(i), Needs())
            while i - len(log.results) >= 16:
                log.poll(PATIENCE)
        log.wait_until(lambda: len(log.results) == self.many)

        finished = [event.spec.task_id for event in log.events if isinstance(event, TaskFinished)]
        assert sorted(finished) == list(range(self.many))
        assert [told(log.results[i]) for i in range(self.many)] == list(range(self.many))

    def test_the_variables_that_it_needs_are_set(self, open_executor: OpenExecutor) -> None:
        needs = Needs(environment={"WINE": "red", "PATH": "/nowhere"})

        result = run(open_executor(f"{WORKS}:tell_environment"), "WINE", "PATH", needs=needs)

        assert told(result) == ["red", "/nowhere"]

    def test_the_variables_of_one_task_are_not_there_in_the_next(
        self, open_executor: OpenExecutor
    ) -> None:
        executor = open_executor(f"{WORKS}:tell_environment")
        run(executor, needs=Needs(environment={"WINE": "red"}))

        assert told(run(executor, "WINE")) == [None]

    def test_poll_returns_at_once_when_nothing_runs(self, open_executor: OpenExecutor) -> None:
        assert list(open_executor(f"{WORKS}:succeed").poll(None)) == []

    def test_cancelling_what_is_unknown_or_finished_is_ignored(
        self, open_executor: OpenExecutor
    ) -> None:
        executor = open_executor(f"{WORKS}:succeed")
        run(executor)
        executor.cancel(1)
        executor.cancel(99)

        assert list(executor.poll(0)) == []

    def test_a_task_that_is_cancelled_at_once_finishes_once(
        self, open_executor: OpenExecutor
    ) -> None:
        executor = open_executor(f"{WORKS}:succeed")
        log = Log(executor)
        for i in range(20):
            executor.submit(make_spec(i), Needs())
            executor.cancel(i)
        log.wait_until(lambda: len(log.results) == 20)
        log.poll(0.05)

        assert sum(isinstance(event, TaskFinished) for event in log.events) == 20
        errors = [result.error for result in log.results.values() if result.error is not None]
        assert all(error.cause is Cause.CANCELLED for error in errors)

    def test_close_may_be_repeated(self, open_executor: OpenExecutor) -> None:
        executor = open_executor(f"{WORKS}:succeed")
        run(executor)
        executor.close()
        executor.close()

    def test_a_spec_is_small(self) -> None:
        item = ArtifactRef("a" * 64, "pickle", "builtins.str", 40, b"x" * 40)
        key = TaskKey("train", (Frame("start", "alphas", 3, 10, item),))
        spec = TaskSpec("TrainFlow", "12", 345, key, False, ("b" * 64,), "c" * 64)

        assert len(pickle.dumps(spec, protocol=5)) < 1000


class ProcessExecutorSuite(ExecutorSuite):
    """What holds in addition where each attempt has a process of its own on this machine."""

    def test_each_task_has_a_process_of_its_own(self, open_executor: OpenExecutor) -> None:
        log = run_all(open_executor(f"{WORKS}:tell_pid"), [make_spec(1), make_spec(2)])

        pids = {e.spec.task_id: e.pid for e in log.events if isinstance(e, TaskStarted)}
        assert [told(log.results[i])[0] for i in (1, 2)] == [pids[1], pids[2]]  # type: ignore[index]
        assert len({*pids.values(), os.getpid()}) == 3

    # --- ends ---

    def test_an_exception_of_any_kind_becomes_a_failure(self, open_executor: OpenExecutor) -> None:
        error = error_of(run(open_executor(f"{WORKS}:raise_unspeakable")))

        assert error.cause is Cause.EXCEPTION
        assert error.type == f"{WORKS}.Unspeakable"
        assert error.message == "Unspeakable, whose text raised RuntimeError"

    @pytest.mark.parametrize("code", [0, 3, 202])
    def test_an_exit_without_a_result_is_a_failure(
        self, open_executor: OpenExecutor, code: int
    ) -> None:
        error = error_of(run(open_executor(f"{WORKS}:exit_hard"), str(code)))

        assert error.cause is Cause.EXIT
        assert error.message == f"step ended with exit code {code} without finishing"
        assert error.is_charged
        assert error.is_retryable is (code != 202)

    @pytest.mark.parametrize(
        ("number", "words"),
        [
            (signal.SIGKILL, "SIGKILL (possibly out of memory)"),
            (signal.SIGABRT, "SIGABRT (aborted)"),
            (signal.SIGUSR1, "SIGUSR1"),
        ],
        ids=["SIGKILL", "SIGABRT", "SIGUSR1"],
    )
    def test_a_task_that_is_killed_is_a_failure(
        self, open_executor: OpenExecutor, number: int, words: str
    ) -> None:
        error = error_of(run(open_executor(f"{WORKS}:kill_itself"), str(int(number))))

        assert (error.cause, error.message) == (Cause.SIGNAL, f"step was killed by {words}")
        assert error.is_charged

    def test_a_crash_names_the_fault_and_shows_the_frames(
        self, open_executor: OpenExecutor
    ) -> None:
        log = run_all(open_executor(f"{WORKS}:crash"), [make_spec()])

        assert error_of(log.result()).message == "step was killed by SIGSEGV (segmentation fault)"
        assert log.output() == b"before the crash\n"
        assert b"in crash" in log.output(stream="stderr")

    def test_only_the_process_that_was_started_gives_a_result(
        self, open_executor: OpenExecutor
    ) -> None:
        log = run_all(open_executor(f"{WORKS}:fork_through"), [make_spec()])

        assert told(log.result()) is True
        assert b"forked by the step" in log.output(stream="stderr")

    def test_a_task_that_closes_every_descriptor_still_succeeds(
        self, open_executor: OpenExecutor
    ) -> None:
        assert told(run(open_executor(f"{WORKS}:close_everything"))) == "done"

    # --- stopping ---

    def test_a_cancelled_task_is_terminated(self, open_executor: OpenExecutor) -> None:
        executor = open_executor(f"{WORKS}:wait_for_ever")
        log = Log(executor)
        executor.submit(make_spec(), Needs())
        log.wait_for_output(b"\n")
        executor.cancel(1)

        assert error_of(log.result()).cause is Cause.CANCELLED
        wait_until_dead([int(log.output())])

    def test_a_cancelled_task_that_ignores_sigterm_is_killed(
        self, open_executor: OpenExecutor
    ) -> None:
        executor = open_executor(f"{WORKS}:ignore_sigterm")
        log = Log(executor)
        executor.submit(make_spec(), Needs())
        log.wait_for_output(b"\n")
        executor.cancel(1)

        assert error_of(log.result()).cause is Cause.CANCELLED
        wait_until_dead([int(log.output())])

    def test_a_cancelled_task_may_come_to_a_good_end(self, open_executor: OpenExecutor) -> None:
        executor = open_executor(f"{WORKS}:finish_on_sigterm")
        log = Log(executor)
        executor.submit(make_spec(), Needs())
        log.wait_for_output(b"waiting")
        executor.cancel(1)

        assert told(log.result()) == "finished"

    @pytest.mark.parametrize("work", ["wait_for_ever", "ignore_sigterm"])
    def test_a_task_is_stopped_at_its_timeout(self, open_executor: OpenExecutor, work: str) -> None:
        log = run_all(open_executor(f"{WORKS}:{work}"), [make_spec()], Needs(timeout=0.5))

        error = error_of(log.result())
        assert error.cause is Cause.TIMEOUT
        assert error.message == f"step {make_spec().step} timed out after 0.5 seconds"
        wait_until_dead([int(log.output() or b"0")])

    def test_a_task_within_its_timeout_succeeds(self, open_executor: OpenExecutor) -> None:
        assert told(run(open_executor(f"{WORKS}:succeed"), needs=Needs(timeout=30))) == 1

    def test_close_leaves_nothing_alive(self, open_executor: OpenExecutor) -> None:
        executor = open_executor(f"{WORKS}:leave_processes_and_wait")
        log = Log(executor)
        for i in range(3):
            executor.submit(make_spec(i), Needs())
        for i in range(3):
            log.wait_for_output(b"\n", i)
        pids = [int(pid) for i in range(3) for pid in log.output(i).split()]
        executor.close()

        assert len(pids) == 9
        assert [pid for pid in pids if is_alive(pid)] == []

    def test_what_a_task_leaves_behind_is_killed(self, open_executor: OpenExecutor) -> None:
        pids = told(run(open_executor(f"{WORKS}:leave_processes")))

        assert isinstance(pids, list)
        wait_until_dead(pids)

    def test_a_daemon_lives_as_long_as_its_task(
        self, open_executor: OpenExecutor, tmp_path: Path
    ) -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        executor = open_executor(f"{WORKS}:use_daemon")
        log = Log(executor)
        executor.submit(make_spec(1, str(fifo)), Needs())
        log.wait_for_output(b"\n")
        for i in range(2, 5):  # fail, and are cleaned up after
            executor.submit(make_spec(i, "/nowhere"), Needs())
            assert error_of(log.result(i)).type == "builtins.FileNotFoundError"
        fifo.write_text("go on")

        assert told(log.result(1)) == "alive"
        wait_until_dead([int(log.output())])

    # --- output ---

    def test_output_comes_in_order_and_before_the_end(self, open_executor: OpenExecutor) -> None:
        log = run_all(open_executor(f"{WORKS}:print_lines"), [make_spec()])

        for stream, word in (("stdout", "out"), ("stderr", "err")):
            lines = [f"{word} {i}" for i in range(100)]
            expected = "\n".join([*lines, f"{word} without end"])
            assert log.output(stream=stream).decode() == expected
        assert isinstance(log.events[0], TaskStarted)
        assert isinstance(log.events[-1], TaskFinished)

    def test_output_is_bytes_and_never_fails(self, open_executor: OpenExecutor) -> None:
        log = run_all(open_executor(f"{WORKS}:print_odd"), [make_spec()])

        assert told(log.result()) is None
        assert log.output() == "lone \\udc80 surrogate, süß\n".encode() + b"\xff\x00\n"

    def test_output_of_programs_is_captured(self, open_executor: OpenExecutor) -> None:
        log = run_all(open_executor(f"{WORKS}:print_from_subprocess"), [make_spec()])

        assert (log.output(), log.output(stream="stderr")) == (b"out\n", b"err\n")

    def test_output_of_threads_and_exit_handlers_is_captured(
        self, open_executor: OpenExecutor
    ) -> None:
        log = run_all(open_executor(f"{WORKS}:print_at_exit"), [make_spec()])

        assert sorted(log.output().splitlines()) == [
            b"from a pool",
            b"from a thread",
            b"from an exit handler",
        ]

    def test_much_output_passes_in_small_pieces(self, open_executor: OpenExecutor) -> None:
        executor = open_executor(f"{WORKS}:print_much")
        executor.submit(make_spec(), Needs())
        size = 0
        events: Sequence[ExecutorEvent] = ()
        while not any(isinstance(event, TaskFinished) for event in events):
            events = executor.poll(PATIENCE)
            assert events, "nothing happened for too long"
            written = sum(len(event.data) for event in events if isinstance(event, TaskOutput))
            assert written < 10_000_000
            size += written

        assert size == LOG_SIZE

    # --- surroundings ---

    def test_a_task_sees_its_own_descriptors_only(self, open_executor: OpenExecutor) -> None:
        found = told(run(open_executor(f"{WORKS}:tell_descriptors")))

        assert isinstance(found, Mapping)
        kinds = {name: path.split(":")[0] for name, path in found.items() if int(name) < 100}
        assert kinds == {"0": "/dev/null", "1": "pipe", "2": "pipe"}
        assert len(found) == 4  # and the pipe of the result

    def test_a_task_is_set_up_as_if_it_were_the_first(self, open_executor: OpenExecutor) -> None:
        surroundings = told(run(open_executor(f"{WORKS}:tell_surroundings")))

        assert surroundings == {
            "cwd": os.getcwd(),
            "umask": 0o077,
            "leaked": None,
            "path": False,
            "handlers": sorted({"SIGINT", "SIGPIPE", "SIGXFSZ"} | _ignored_signals()),
            "blocked": [],
            "is_leader": True,
            "stdin": "",
            "encoding": "utf-8",
        }

    def test_changes_of_one_task_do_not_reach_the_next(self, open_executor: OpenExecutor) -> None:
        before = told(run(open_executor(f"{WORKS}:tell_surroundings")))
        executor = open_executor(f"{WORKS}:change_or_tell")
        run(executor, "change")

        assert told(run(executor)) == before


def _ignored_signals() -> set[str]:
    """Return the signals that this process ignores: what was ignored stays so in tasks."""
    numbers = signal.valid_signals()
    ignored = [number for number in numbers if signal.getsignal(number) is signal.SIG_IGN]
    return {signal.Signals(number).name for number in ignored}
