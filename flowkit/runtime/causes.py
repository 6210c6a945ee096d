"""Why a step ran though an earlier result was there: what differs from the one most like it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flowkit.model.traces import Trace, TraceBase
from flowkit.runtime.taskinputs import TaskInputs

_SHOWN = 4
_SHORT = 8


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a task ran.

    Attributes:
        differences: In words, the ones of the code first.
        like: Pathspec of the earlier task that was compared; None when there is none.
    """

    differences: tuple[str, ...] = ()
    like: str | None = None

    @property
    def text(self) -> str:
        """One line; "" when there is nothing to compare with."""
        if self.like is None or not self.differences:
            return ""
        shown = ", ".join(self.differences[:_SHOWN])
        more = len(self.differences) - _SHOWN
        rest = f" and {more} more" if more > 0 else ""
        return f"ran because {shown}{rest} (compared with {self.like})"


def find_cause(recent: Sequence[Trace], base: TraceBase, inputs: TaskInputs) -> Cause:
    """Compare a task that is about to run with earlier ones.

    Args:
        recent: Earlier results, the newest first.
        base: What the task's results depend on beside what they read.
        inputs: What it would read.
    """
    compared = []
    for trace in recent:
        now = {token: inputs.identity(token) for token in trace.reads}
        compared.append((differences(trace, base.parts, now), trace))
    return _best(compared)


def compare_traces(trace: Trace, earlier: Sequence[Trace]) -> Cause:
    """Compare the trace of a task that has run with earlier ones."""
    compared = [(differences(one, trace.base.parts, trace.reads), one) for one in earlier]
    return _best(compared)


def differences(
    earlier: Trace, parts: Mapping[str, str], reads: Mapping[str, str | None]
) -> list[str]:
    """Return in words what differs from an earlier result: code first, then what it read."""
    before = earlier.base.parts
    found = [f"{name} changed" for name in parts if name in before and parts[name] != before[name]]
    found += [f"{name} is new" for name in parts if name not in before]
    found += [f"{name} is not used any more" for name in before if name not in parts]
    for token, identity in earlier.reads.items():
        if token in reads and reads[token] != identity:
            found.append(f"{_words(token)} changed ({_short(identity)} -> {_short(reads[token])})")
    if not found and not earlier.hazards:
        found.append("its earlier result is too old or can't be taken over")
    return found


def _best(compared: Sequence[tuple[list[str], Trace]]) -> Cause:
    if not compared:
        return Cause()
    found, trace = min(compared, key=lambda pair: len(pair[0]))
    return Cause(tuple(found), trace.origin)


def _words(token: str) -> str:
    kind, _, rest = token.partition(":")
    if kind == "attr":
        return f"read '{rest}'"
    if kind == "inputs" and rest:
        position, _, name = rest.partition(":")
        return f"read '{name}' of input {position}"
    names = {
        "input": "the foreach item",
        "index": "the foreach index",
        "inputs": "the list of inputs",
        "foreach_stack": "the place in the foreach",
        "depth": "the depth of foreaches",
    }
    return names.get(kind, token)


def _short(identity: str | None) -> str:
    return "nothing" if identity is None else identity[:_SHORT]
