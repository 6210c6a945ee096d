"""What the end of a process says."""

import os
import signal

import pytest

from flowkit.enums import Cause
from flowkit.executors.exits import ended, exited, signal_name


@pytest.mark.parametrize("code", [0, 1, 202, 255])
def test_an_exit_code_is_named(code):
    error = ended(code << 8)

    assert error.cause is Cause.EXIT
    assert error.message == f"step ended with exit code {code} without finishing"


def test_only_code_202_forbids_a_retry():
    assert [code for code in range(256) if not exited(code).is_retryable] == [202]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (signal.SIGKILL, "step was killed by SIGKILL (possibly out of memory)"),
        (signal.SIGSEGV, "step was killed by SIGSEGV (segmentation fault)"),
        (signal.SIGUSR2, "step was killed by SIGUSR2"),
        (40, "step was killed by signal 40"),
    ],
)
def test_a_signal_is_named(number, message):
    error = ended(number)

    assert (error.cause, error.message) == (Cause.SIGNAL, message)


def test_a_core_dump_changes_nothing():
    assert ended(signal.SIGSEGV | 0x80) == ended(signal.SIGSEGV)


def test_every_status_of_a_wait_has_a_description():
    statuses = [code << 8 for code in range(256)] + list(range(1, 65))

    assert all(ended(status).message for status in statuses if not os.WIFSTOPPED(status))


def test_a_signal_without_a_name_has_a_number():
    assert (signal_name(9), signal_name(40)) == ("SIGKILL", "signal 40")
