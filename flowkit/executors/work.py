"""What an executor runs, and how that which it raises becomes a result."""

from collections.abc import Callable
from typing import Any

from flowkit.enums import Cause, Status
from flowkit.executors.exits import exited
from flowkit.model.tasks import AttemptError, TaskResult, TaskSpec

Work = Callable[[TaskSpec], TaskResult]
"""Runs one attempt in the process it is called in; what it raises becomes a failed result."""

Prepare = Callable[[], Work]
"""Imports what the work needs and returns it; called once, in the process that forks the tasks.

It must not load data: whatever is in memory makes each fork slower.
"""

_MESSAGE_LIMIT = 10_000
_TRACEBACK_LIMIT = 100_000


def failed(spec: TaskSpec, error: AttemptError) -> TaskResult:
    """Return the result of an attempt that failed."""
    return TaskResult(spec, Status.FAILED, error=error)


def failure(spec: TaskSpec, error: BaseException, cause: Cause = Cause.EXCEPTION) -> TaskResult:
    """Turn what the work raised into a failed result, in text of bounded length.

    ``SystemExit`` means what it means in a process of its own: the step exited before its end.
    """
    if isinstance(error, SystemExit):
        return failed(spec, _exit_request(error))
    import traceback  # noqa: PLC0415 - costly to import, and only failures need it

    kind = type(error)
    try:
        message = str(error)
        trace = "".join(traceback.format_exception(error))
    except Exception as broken:  # noqa: BLE001 - the exception's own code may raise anything
        message = f"{kind.__qualname__}, whose text raised {type(broken).__qualname__}"
        trace = "".join(traceback.format_tb(error.__traceback__))
    attempt_error = AttemptError(
        cause=cause,
        message=_clip(message or kind.__qualname__, _MESSAGE_LIMIT),
        type=f"{kind.__module__}.{kind.__qualname__}",
        traceback=_clip(trace, _TRACEBACK_LIMIT),
    )
    return failed(spec, attempt_error)


def resolve(reference: str) -> Any:
    """Import what ``"module:name"`` refers to.

    Raises:
        ImportError: There is no such module.
        AttributeError: The module has no such name.
    """
    import importlib  # noqa: PLC0415 - only processes that start from a reference need it

    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def _exit_request(error: SystemExit) -> AttemptError:
    """Read the code of ``sys.exit`` as the interpreter does."""
    if error.code is None:
        return exited(0)
    if isinstance(error.code, int):
        return exited(error.code & 0xFF)
    return exited(1, said=_clip(str(error.code), _MESSAGE_LIMIT))


def _clip(text: str, limit: int) -> str:
    """Shorten a text in its middle."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
