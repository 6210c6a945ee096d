"""Logs: what a task printed, by attempt, also through the task whose result was taken over."""

from datetime import UTC, datetime

import pytest

from flowkit.client import Task
from flowkit.enums import Status
from flowkit.exceptions import UsageError

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
MICROS = int(NOON.timestamp()) * 1_000_000
OUT, ERR, NOTES = 0, 1, 2


@pytest.fixture
def run(library):
    """Two tasks that print at the same time, and a retry."""
    run = library.run()
    log = run.log
    run.start(1, "fit")
    start = log.position
    log.append(1, 0, OUT, b"first\nsec", MICROS)
    log.append(2, 0, OUT, b"of another task\n", MICROS)
    log.append(1, 0, ERR, b"warning \xff\n", MICROS + 1)
    log.append(1, 0, OUT, "ond é\r\n".encode(), MICROS + 2)
    log.append(1, 0, OUT, b"tail", MICROS + 3)
    log.append(1, 0, NOTES, b"the process was killed\n", MICROS + 4)
    run.end(1, "fit", status=Status.FAILED, log=(start, log.position))
    run.start(1, "fit", attempt=1)
    start = log.position
    log.append(1, 1, OUT, b"again\n", MICROS + 5)
    run.end(1, "fit", attempt=1, values={}, log=(start, log.position))
    log.flush()
    return run


def test_output_is_that_of_one_attempt_of_one_task(opened, run):
    opened()

    assert Task("Train/1/fit/1").stdout == "again\n"
    assert Task("Train/1/fit/1").stderr == ""
    assert Task("Train/1/fit/1", attempt=0).stdout == "first\nsecond é\r\ntail"


def test_what_flowkit_noted_about_an_attempt_is_in_its_stderr(opened, run):
    opened()

    assert Task("Train/1/fit/1", attempt=0).stderr == "warning \ufffd\nthe process was killed\n"


def test_sizes_are_in_bytes(opened, run):
    opened()
    task = Task("Train/1/fit/1", attempt=0)

    assert task.stdout_size == len("first\nsecond é\r\ntail".encode())
    assert task.stderr_size == len(b"warning \xff\nthe process was killed\n")


def test_lines_come_with_the_time_when_they_began(opened, run):
    opened()
    task = Task("Train/1/fit/1", attempt=0)

    lines = list(task.loglines("stdout"))

    assert [line for _, line in lines] == ["first", "second é", "tail"]
    assert [(at - NOON).microseconds for at, _ in lines] == [0, 0, 3]
    assert all(at.tzinfo is UTC for at, _ in lines)


def test_lines_can_be_bytes(opened, run):
    opened()

    lines = Task("Train/1/fit/1", attempt=0).loglines("stderr", as_unicode=False)

    assert [line for _, line in lines] == [b"warning \xff", b"the process was killed"]


def test_there_are_two_streams(opened, run):
    opened()

    with pytest.raises(UsageError, match="stream must be 'stdout' or 'stderr', not 'both'"):
        Task("Train/1/fit/1").loglines("both")


def test_the_output_of_a_running_task_can_be_read(opened, library):
    run = library.run()
    run.start(1, "fit")
    opened()
    task = Task("Train/1/fit/1")

    assert task.stdout == ""
    run.log.append(1, 0, OUT, b"so far\n", MICROS)
    run.log.flush()
    assert task.stdout == "so far\n"


def test_a_reused_task_shows_the_log_of_the_one_that_ran(opened, run, library):
    second = library.run(origin="1", user="bob")
    second.task(1, "fit", status=Status.CACHED, origin="Train/1/fit/1")
    third = library.run(origin="2")
    third.task(1, "fit", status=Status.CACHED, origin="Train/2/fit/1")
    opened()

    assert Task("Train/3/fit/1").stdout == "again\n"
    assert [line for _, line in Task("Train/3/fit/1").loglines("stdout")] == ["again"]


@pytest.mark.parametrize("origin", ["Train/9/fit/1", "Train/1/fit/9"])
def test_a_reused_task_whose_origin_is_gone_has_no_log(opened, run, library, origin):
    library.run().task(1, "fit", status=Status.CACHED, origin=origin)
    opened()

    assert Task("Train/2/fit/1").stdout == ""


def test_a_log_that_was_deleted_is_empty(opened, run, library):
    for path in (library.home / "logs").iterdir():
        path.unlink()
    opened()

    assert Task("Train/1/fit/1").stdout == ""
