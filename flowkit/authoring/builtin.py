"""The step decorators that come with flowkit: data that the runner reads, wrappers for the worker.

Their names are lower case since users write them after ``@``.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from flowkit.authoring.current import TaskContext
from flowkit.authoring.decorators import Call, StepDecorator
from flowkit.enums import Cause
from flowkit.exceptions import (
    DefinitionError,
    ExceptionWrapper,
    FailureHandledByCatch,
    TimeoutException,
)
from flowkit.model.tasks import AttemptError

MAX_RETRIES = 4


@dataclass(frozen=True, kw_only=True)
class retry(StepDecorator):  # noqa: N801
    """Try a failing step again.

    Attributes:
        times: How many further attempts there are, 0 to 4; 0 switches ``--with retry`` off.
        minutes_between_retries: Minutes to wait before the first further attempt.
        backoff: Factor by which the wait grows from attempt to attempt.
        on: Exception classes, or their qualified names, that are worth another attempt; every
            failure when empty. A process that died is always tried again.
    """

    times: int = 3
    minutes_between_retries: float = 2
    backoff: float = 1
    on: Sequence[type[BaseException] | str] = ()

    def __post_init__(self) -> None:
        if not 0 <= int(self.times) <= MAX_RETRIES:
            raise DefinitionError(
                f"@retry(times={self.times}): The maximum number of retries is "
                f"@retry(times={MAX_RETRIES})."
            )
        if self.minutes_between_retries < 0 or self.backoff <= 0:
            raise DefinitionError("@retry: the wait can't be negative, nor the backoff 0 or less")

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait before this attempt (1 is the first further one)."""
        return float(self.minutes_between_retries) * 60 * self.backoff ** (attempt - 1)

    def covers(self, error: BaseException) -> bool:
        """Whether an exception is worth another attempt."""
        if not self.on:
            return True
        kinds = type(error).__mro__
        names = {f"{kind.__module__}.{kind.__qualname__}" for kind in kinds}
        names |= {kind.__qualname__ for kind in kinds}
        return any(
            entry in names if isinstance(entry, str) else entry in kinds for entry in self.on
        )


@dataclass(frozen=True, kw_only=True)
class catch(StepDecorator):  # noqa: N801
    """Let the flow go on when a step has failed for good.

    Attributes:
        var: Name of the artifact that gets the failure as an `ExceptionWrapper`; None on success.
        print_exception: Whether the traceback is printed.
    """

    var: str | None = None
    print_exception: bool = True

    def wrap(self, call: Call, task: TaskContext) -> None:
        """Take the last attempt's failure, whether it is an exception or a process's death."""
        try:
            if task.fallback is not None:
                raise _as_exception(task.fallback)  # noqa: TRY301 - one handler for both
            call()
        except Exception as error:
            if not task.is_last_attempt:
                raise
            wrapped: ExceptionWrapper = task.handle_failure(error)
            if self.print_exception:
                self._print(task, wrapped)
        else:
            wrapped = None  # type: ignore[assignment]
        if self.var:
            setattr(task.flow, self.var, wrapped)

    def _print(self, task: TaskContext, wrapped: ExceptionWrapper) -> None:
        text = wrapped.stacktrace or f"{wrapped.type}: {wrapped.exception}"
        lines = "\n".join(f">  {line}" for line in text.splitlines())
        sys.stderr.write(f"@catch caught an exception from {task.flow}\n{lines}\n")


def _as_exception(error: AttemptError) -> Exception:
    """Return what stands for the death of a process."""
    is_timeout = error.cause is Cause.TIMEOUT
    return (TimeoutException if is_timeout else FailureHandledByCatch)(error.message)


@dataclass(frozen=True, kw_only=True)
class timeout(StepDecorator):  # noqa: N801
    """Fail a step that runs too long; the time counts from the start of its process.

    Attributes:
        seconds: Added to the other two.
        minutes: Added to the other two.
        hours: Added to the other two.
    """

    seconds: float = 0
    minutes: float = 0
    hours: float = 0

    def __post_init__(self) -> None:
        if self.total <= 0:
            raise DefinitionError("@timeout: give seconds, minutes or hours, more than 0 in all")

    @property
    def total(self) -> float:
        """The limit in seconds."""
        return float(self.seconds) + 60 * float(self.minutes) + 3600 * float(self.hours)


@dataclass(frozen=True, kw_only=True)
class resources(StepDecorator):  # noqa: N801
    """What a task needs of its machine; tasks that don't fit together wait for each other.

    Attributes:
        cpu: Processors.
        gpu: Accelerators.
        memory: Megabytes.
        disk: Megabytes; for executors that place tasks on other machines.
        shared_memory: Megabytes; likewise.
    """

    cpu: float = 1
    gpu: float | None = None
    memory: int | None = None
    disk: int | None = None
    shared_memory: int | None = None

    def __post_init__(self) -> None:
        for name in ("cpu", "gpu", "memory"):
            value = getattr(self, name)
            if value is not None and float(value) < 0:
                raise DefinitionError(f"@resources({name}={value}): it can't be negative")


@dataclass(frozen=True, kw_only=True)
class environment(StepDecorator):  # noqa: N801
    """Set environment variables before a step's code runs.

    A variable that a library reads when it is imported at the top of the flow file comes too
    late: import that library inside the step, or use ``--executor spawn``.

    Attributes:
        vars: Name to value; values become text.
    """

    vars: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.vars.items():
            if not name or "=" in name or "\0" in name:
                raise DefinitionError(f"@environment: {name!r} can't name a variable")
            if not isinstance(value, str | int | float | bool):
                kind = type(value).__name__
                raise DefinitionError(f"@environment: the value of {name} is of type {kind}")


@dataclass(frozen=True, kw_only=True)
class parallel(StepDecorator):  # noqa: N801
    """Mark the step that ``self.next(..., num_parallel=N)`` runs as a gang."""

    is_parallel: ClassVar[bool] = True


BUILTIN: Mapping[str, type[StepDecorator]] = {
    kind.__name__: kind for kind in (retry, catch, timeout, resources, environment, parallel)
}
