"""What a step raised, as text: the user's own frames and one sentence."""

import errno
import os
import traceback
from types import TracebackType

from flowkit.enums import Cause
from flowkit.exceptions import (
    ArtifactError,
    DataMissingError,
    FlowkitError,
    IntegrityError,
    InvalidNextException,
    StorageError,
    TimeoutException,
)
from flowkit.model.tasks import AttemptError

_OWN_FRAMES = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
MAX_TEXT = 1 << 20
"""Characters of a message or traceback that are kept."""
EXIT_DISALLOW_RETRY = 202
"""Exit code of a step that must not be tried again."""

STORE_FAILURES = (StorageError, IntegrityError, DataMissingError)
"""What the content store raises when it can't be used."""
_CONTENT = os.path.join(_OWN_FRAMES, "content", "")
_PASSING = frozenset(
    {
        errno.EIO,
        errno.ENFILE,
        errno.ENOMEM,
        errno.EAGAIN,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
"""What may be over when the next attempt runs. A service has been waited for already."""

_CAUSES: tuple[tuple[type[BaseException], Cause], ...] = (
    (InvalidNextException, Cause.TRANSITION),
    (TimeoutException, Cause.TIMEOUT),
    (ArtifactError, Cause.ARTIFACT),
)


def user_traceback(error: BaseException, *, with_own_frames: bool = False) -> str:
    """Return the traceback as printed, without the frames of flowkit itself.

    Args:
        error: The exception, with its causes and contexts.
        with_own_frames: Keep flowkit's frames as well.
    """
    described = traceback.TracebackException(type(error), error, error.__traceback__)
    pending: list[traceback.TracebackException | None] = [described]
    while pending and not with_own_frames:
        entry = pending.pop()
        if entry is None:
            continue
        kept = [frame for frame in entry.stack if not frame.filename.startswith(_OWN_FRAMES)]
        entry.stack = traceback.StackSummary.from_list(kept)
        pending += [entry.__cause__, entry.__context__, *(entry.exceptions or ())]
    return "".join(described.format())[:MAX_TEXT]


def attempt_error(error: BaseException) -> AttemptError:
    """Return what the driver needs to know of an exception, as text with limits."""
    if isinstance(error, SystemExit):
        return _exit_error(error)
    if is_store_failure(error):
        return _store_error(error)
    cause = next((cause for kind, cause in _CAUSES if isinstance(error, kind)), Cause.EXCEPTION)
    return AttemptError(
        cause=cause,
        message=exception_text(error),
        type=type_name(error),
        traceback=_printed(error),
    )


def is_store_failure(error: BaseException) -> bool:
    """Whether the content store failed: that is not the step's fault.

    A step may use storage of its own, whose failures look the same, and are its own.
    """
    if not isinstance(error, STORE_FAILURES):
        return False
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_filename.startswith(_CONTENT) for frame, _ in frames)


def _store_error(error: BaseException) -> AttemptError:
    return AttemptError(
        cause=Cause.STORAGE,
        message=exception_text(error),
        type=type_name(error),
        traceback=_printed(error),
        is_charged=False,
        is_retryable=getattr(error, "errno", None) in _PASSING,
    )


def _exit_error(error: SystemExit) -> AttemptError:
    code = 0 if error.code is None else error.code
    if isinstance(code, int):
        message = f"step ended with exit code {code} without finishing"
    else:
        message = f"step ended with sys.exit: {str(code)[:MAX_TEXT]}"
    return AttemptError(
        cause=Cause.EXIT,
        message=message,
        type=type_name(error),
        is_retryable=code != EXIT_DISALLOW_RETRY,
    )


def _printed(error: BaseException) -> str:
    try:
        text = user_traceback(error)
    except Exception:  # noqa: BLE001 - a user's exception may fail to describe itself
        return f"{type_name(error)}: {exception_text(error)}\n"
    if isinstance(error, FlowkitError):
        return f"{error.headline}:\n{_last_user_line(error.__traceback__)}    {error}\n"
    return text


def _last_user_line(frames: TracebackType | None) -> str:
    line = ""
    for frame in traceback.extract_tb(frames):
        if not frame.filename.startswith(_OWN_FRAMES):
            line = f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n'
            line += f"    {frame.line}\n" if frame.line else ""
    return line


def exception_text(error: BaseException) -> str:
    """Return the exception's own text, whatever its ``__str__`` does."""
    try:
        return str(error)[:MAX_TEXT]
    except Exception:  # noqa: BLE001 - a user's __str__ may raise anything
        return f"<{type(error).__name__} without a text: its __str__ raised>"


def type_name(error: BaseException) -> str:
    """Return the qualified name of the exception's class."""
    return f"{type(error).__module__}.{type(error).__qualname__}"
