"""Exceptions become text: the user's frames, one sentence, whatever the exception does."""

import traceback

import pytest

from flowkit.authoring.transition import read_next
from flowkit.enums import Cause
from flowkit.exceptions import (
    BlobMissing,
    InvalidNextException,
    StorageError,
    TimeoutException,
    UnpicklableArtifactException,
)
from flowkit.runtime.failure import (
    MAX_TEXT,
    attempt_error,
    exception_text,
    type_name,
    user_traceback,
)


class Silent(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class Unpicklable(Exception):
    def __init__(self, *, needed):
        super().__init__(lambda: needed)


def raised(function):
    try:
        function()
    except BaseException as error:  # noqa: BLE001 - the subject of these tests
        return error
    raise AssertionError


def divide():
    return 1 / 0


def test_a_traceback_has_the_users_frames_only():
    error = raised(lambda: read_next("s", {"a"}, (), {}))

    text = user_traceback(error)
    assert "authoring/transition.py" not in text
    assert "in <lambda>" in text
    assert text.endswith("needs a step to go to\n")
    assert "authoring/transition.py" in user_traceback(error, with_own_frames=True)


def test_a_traceback_of_user_code_is_left_as_python_prints_it():
    error = raised(divide)

    assert user_traceback(error) == "".join(traceback.format_exception(error))
    assert "    return 1 / 0\n" in user_traceback(error)


def test_causes_contexts_and_groups_are_cleaned_as_well():
    def fails():
        try:
            read_next("s", {"a"}, (), {})
        except InvalidNextException as inner:
            group = ExceptionGroup("several", [inner, ValueError("other")])
            raise KeyError("x") from group

    text = user_traceback(raised(fails))

    assert "transition.py" not in text
    assert "several (2 sub-exceptions)" in text
    assert "ValueError: other" in text
    assert "KeyError: 'x'" in text


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ValueError("x"), Cause.EXCEPTION),
        (KeyboardInterrupt(), Cause.EXCEPTION),
        (GeneratorExit(), Cause.EXCEPTION),
        (InvalidNextException("x"), Cause.TRANSITION),
        (TimeoutException("x"), Cause.TIMEOUT),
        (UnpicklableArtifactException("x"), Cause.ARTIFACT),
        (StorageError("x"), Cause.STORAGE),
        (BlobMissing("x"), Cause.STORAGE),
        (SystemExit(1), Cause.EXIT),
    ],
    ids=repr,
)
def test_every_exception_has_a_cause_of_the_closed_list(error, cause):
    assert attempt_error(error).cause is cause


@pytest.mark.parametrize(
    ("code", "message", "is_retryable"),
    [
        (0, "step ended with exit code 0 without finishing", True),
        (None, "step ended with exit code 0 without finishing", True),
        (3, "step ended with exit code 3 without finishing", True),
        (202, "step ended with exit code 202 without finishing", False),
        ("no more", "step ended with sys.exit: no more", True),
    ],
)
def test_an_exit_is_described_by_its_code(code, message, is_retryable):
    error = attempt_error(SystemExit(code))

    assert (error.message, error.is_retryable) == (message, is_retryable)
    assert error.traceback == ""


def test_an_exception_without_words_is_described_by_its_type():
    error = attempt_error(raised(lambda: (_ for _ in ()).throw(Silent())))

    assert error.message == "<Silent without a text: its __str__ raised>"
    assert error.type == f"{__name__}.Silent"
    assert "Silent" in error.traceback


def test_an_exception_that_can_not_be_pickled_is_no_problem():
    error = attempt_error(Unpicklable(needed=1))

    assert error.type == f"{__name__}.Unpicklable"


def test_long_texts_are_cut():
    long = ValueError("x" * (MAX_TEXT + 10))

    assert len(exception_text(long)) == MAX_TEXT
    assert len(attempt_error(long).traceback) == MAX_TEXT


def test_a_wrong_use_of_flowkit_shows_the_users_line_and_no_traceback():
    error = attempt_error(raised(lambda: read_next("s", {"a"}, (), {})))

    assert error.traceback.startswith("Invalid self.next() transition detected:\n")
    assert "test_failure.py" in error.traceback
    assert "Traceback" not in error.traceback


def test_types_are_named_with_their_module():
    assert type_name(ValueError()) == "builtins.ValueError"
    assert type_name(Silent()) == f"{__name__}.Silent"
