"""How exceptions become results, and references become functions."""

import pickle

import pytest

from flowkit.enums import Cause, Status
from flowkit.executors.work import failure, resolve
from flowkit.testing.attempts import make_spec


def raised(error: BaseException) -> BaseException:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_a_failure_is_text_that_anybody_can_load():
    result = failure(make_spec(), raised(OSError(2, "no such wine", "cellar")))

    assert result.status is Status.FAILED
    assert result.error is not None
    assert result.error.message == "[Errno 2] no such wine: 'cellar'"
    assert result.error.type == "builtins.FileNotFoundError"
    assert "in raised" in result.error.traceback
    assert pickle.loads(pickle.dumps(result)) == result


def test_an_exception_without_text_is_called_by_its_name():
    error = failure(make_spec(), raised(KeyboardInterrupt())).error

    assert error is not None
    assert error.message == "KeyboardInterrupt"


def test_a_long_message_is_cut_in_its_middle():
    error = failure(make_spec(), raised(ValueError("a" * 1_000_000 + "b" * 1_000_000))).error

    assert error is not None
    assert len(error.message) < 11_000
    assert len(error.traceback) < 110_000
    assert error.message.startswith("aaa")
    assert error.message.endswith("bbb")
    assert "1990000 characters left out" in error.message


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (None, "step ended with exit code 0 without finishing"),
        (3, "step ended with exit code 3 without finishing"),
        (-1, "step ended with exit code 255 without finishing"),
        ("no wine", "step ended with exit code 1 without finishing: no wine"),
    ],
)
def test_system_exit_is_read_as_the_interpreter_reads_it(code, message):
    error = failure(make_spec(), raised(SystemExit(code))).error

    assert error is not None
    assert (error.cause, error.message) == (Cause.EXIT, message)


def test_a_reference_is_resolved():
    assert resolve("flowkit.executors.work:resolve") is resolve


@pytest.mark.parametrize(
    ("reference", "error"),
    [("no.such.module:name", ImportError), ("flowkit.executors.work:no_such", AttributeError)],
)
def test_a_wrong_reference_raises(reference, error):
    with pytest.raises(error):
        resolve(reference)
