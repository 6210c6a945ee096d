"""What the end of a process says about the attempt that it ran."""

import os
import signal

from flowkit.enums import Cause
from flowkit.model.tasks import AttemptError

NEVER_RETRY = 202
"""The exit code by which a step says that another attempt can't help."""

_MEANINGS = {
    signal.SIGKILL: "possibly out of memory",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGBUS: "bad memory access",
    signal.SIGABRT: "aborted",
}


def ended(wait_status: int) -> AttemptError:
    """Describe the end of a process that left no result, from what ``waitpid`` returned."""
    code = os.waitstatus_to_exitcode(wait_status)
    return exited(code) if code >= 0 else _killed(-code)


def exited(code: int, said: str = "") -> AttemptError:
    """Describe a step that exited with a code of its own instead of coming to its end."""
    because = f": {said}" if said else ""
    return AttemptError(
        Cause.EXIT,
        f"step ended with exit code {code} without finishing{because}",
        is_retryable=code != NEVER_RETRY,
    )


def signal_name(number: int) -> str:
    """Return the name of a signal, such as "SIGKILL"."""
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have none
        return f"signal {number}"


def _killed(number: int) -> AttemptError:
    meaning = _MEANINGS.get(signal.Signals(number)) if number in _MEANINGS else None
    because = f" ({meaning})" if meaning else ""
    return AttemptError(Cause.SIGNAL, f"step was killed by {signal_name(number)}{because}")
