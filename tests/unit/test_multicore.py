"""``parallel_map`` and ``parallel_imap_unordered``: forks, results, failures."""

import os
import signal
import threading
from collections.abc import Generator

import pytest

from flowkit.exceptions import MulticoreException, UsageError
from flowkit.multicore import parallel_imap_unordered, parallel_map


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_results_are_in_the_order_of_the_items():
    assert parallel_map(lambda x: x * x, range(7), max_parallel=3) == [x * x for x in range(7)]


def test_nothing_gives_nothing():
    assert parallel_map(len, []) == []


def test_closures_work_and_calls_run_in_other_processes():
    offset = 5
    seen: list[int] = []

    def call(item):
        seen.append(item)
        return item + offset, os.getpid()

    results = parallel_map(call, [1, 2], 2)

    assert [value for value, _ in results] == [6, 7]
    assert os.getpid() not in {pid for _, pid in results}
    assert seen == []


def test_results_larger_than_a_pipe_arrive_whole():
    sizes = [3_000_000, 10, 2_000_000]

    assert [len(value) for value in parallel_map(bytes, sizes, 2)] == sizes


def test_no_more_processes_run_than_allowed(tmp_path):
    def call(item):
        (tmp_path / f"begin{item}").touch()
        running = len(list(tmp_path.glob("begin*"))) - len(list(tmp_path.glob("end*")))
        (tmp_path / f"end{item}").touch()
        return running

    assert parallel_map(call, range(5), max_parallel=1) == [1] * 5


def test_less_than_one_process_is_refused():
    with pytest.raises(UsageError, match="at least 1, not 0"):
        parallel_map(len, ["a"], max_parallel=0)


def test_unordered_results_come_when_they_are_ready(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def call(item):
        if item == "slow":
            fifo.read_text()  # until somebody writes
        return item

    results = parallel_imap_unordered(call, ["slow", "fast"], max_parallel=2)
    first = next(results)
    fifo.write_text("go on")

    assert [first, *results] == ["fast", "slow"]


def test_a_failing_call_gives_the_traceback_of_the_child():
    def broken(item):
        raise ValueError(f"bad item {item}")

    with pytest.raises(MulticoreException) as caught:
        parallel_map(broken, [7])

    assert "Child failed" in str(caught.value)
    assert "ValueError: bad item 7" in str(caught.value)
    assert "in broken" in str(caught.value)


def test_a_result_that_can_not_be_pickled_is_a_failure():
    with pytest.raises(MulticoreException, match="pickle"):
        parallel_map(lambda _: threading.Lock(), [1])


def test_a_killed_child_is_a_failure_that_names_the_signal():
    with pytest.raises(MulticoreException, match="killed by signal 9"):
        parallel_map(lambda _: os.kill(os.getpid(), signal.SIGKILL), [1])


def test_an_exit_of_the_child_is_a_failure():
    with pytest.raises(MulticoreException, match="exited with code 3"):
        parallel_map(lambda _: os._exit(3), [1])


def test_a_failure_stops_the_calls_that_are_going_on(tmp_path):
    os.mkfifo(tmp_path / "fifo")

    def call(item):
        if item == "waits":
            (tmp_path / "new").write_text(str(os.getpid()))
            (tmp_path / "new").rename(tmp_path / "pid")
            os.open(tmp_path / "fifo", os.O_RDONLY)  # for ever: nobody writes
        while not (tmp_path / "pid").exists():
            os.sched_yield()
        raise ValueError(item)

    with pytest.raises(MulticoreException, match="fails"):
        parallel_map(call, ["waits", "fails"], 2)

    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_closing_the_iterator_stops_the_calls_that_are_going_on(tmp_path):
    os.mkfifo(tmp_path / "fifo")

    def call(item):
        if item == "waits":
            os.open(tmp_path / "fifo", os.O_RDONLY)
        return os.getpid()

    before = children()
    results = parallel_imap_unordered(call, ["quick", "waits"], 2)
    assert isinstance(results, Generator)
    next(results)
    assert children() > before
    results.close()

    assert children() == before


def children():
    """The processes that this one has started and not yet reaped."""
    pid = os.getpid()
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return set(file.read().split())


def test_the_text_that_waits_in_buffers_is_written_once(tmp_path, capfd):
    print("before", end="")
    parallel_map(print, ["in the child"])

    assert capfd.readouterr().out == "beforein the child\n"
