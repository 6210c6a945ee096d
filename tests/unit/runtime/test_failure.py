"""Exceptions become text: the user's frames, one sentence, whatever the exception does."""

import errno
import traceback

import pytest

from flowkit.authoring.transition import read_next
from flowkit.content.registry import Registry
from flowkit.content.store import ArtifactStore
from flowkit.enums import Cause
from flowkit.exceptions import (
    BlobCorrupted,
    BlobMissing,
    InvalidNextException,
    S3AccessDenied,
    StorageError,
    TimeoutException,
    UnpicklableArtifactException,
)
from flowkit.materializers.pickled import PickleMaterializer
from flowkit.model.tasks import AttemptError
from flowkit.runtime.failure import (
    MAX_TEXT,
    attempt_error,
    exception_text,
    type_name,
    user_traceback,
)
from flowkit.stores.memory import MemoryBlobStore


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
        (StorageError("storage of the step's own"), Cause.EXCEPTION),
        (SystemExit(1), Cause.EXIT),
    ],
    ids=repr,
)
def test_every_exception_has_a_cause_of_the_closed_list(error, cause):
    assert attempt_error(error).cause is cause


class FailingBlobs(MemoryBlobStore):
    """Raises the same error for whatever is read."""

    def __init__(self, error):
        super().__init__()
        self._error = error

    def get(self, digest):
        raise self._error


def with_errno(number):
    error = StorageError("the disk")
    error.errno = number
    return error


@pytest.mark.parametrize(
    ("error", "is_retryable", "exit_code"),
    [
        (with_errno(errno.ENOSPC), False, 6),
        (with_errno(errno.EROFS), False, 6),
        (with_errno(errno.EIO), True, 6),
        (S3AccessDenied("no"), False, 6),
        (BlobCorrupted("flipped"), False, 5),
        (BlobMissing("gone"), False, 4),
    ],
    ids=["full", "read-only", "io", "denied", "damaged", "gone"],
)
def test_a_failure_of_the_content_store_is_not_charged_and_has_its_own_exit_code(
    error, is_retryable, exit_code
):
    store = ArtifactStore(FailingBlobs(error), Registry(PickleMaterializer()))
    described = attempt_error(raised(lambda: store.get_manifest("0" * 64)))

    assert described.cause is Cause.STORAGE
    assert (described.is_charged, described.is_retryable) == (False, is_retryable)
    assert described.exit_code == exit_code


def test_a_failure_that_is_no_failure_of_the_store_exits_with_1():
    assert attempt_error(ValueError("x")).exit_code == 1
    assert attempt_error(S3AccessDenied("to the step's own bucket")).exit_code == 1


def test_a_failure_of_a_store_of_somebody_else_exits_with_6():
    assert AttemptError(Cause.STORAGE, "x", type="acme.stores.AcmeError").exit_code == 6


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
