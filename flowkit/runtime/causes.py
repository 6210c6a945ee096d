"""Why a step ran though an earlier result was there: what differs from the one most like it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flowkit.model.traces import Trace, TraceBase
from flowkit.runtime.taskinputs import TaskInputs

_SHOWN = 4
_SHORT = 8
_CODE = {"function": "helper {}()", "class": "class {}", "constant": "constant {}"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was.

    Attributes:
        subject: What it is, in words.
        change: What became of it: "was edited", "changed (1b2c -> 9f3c)".
        token: The read that finds something else; None for code and what is declared.
    """

    subject: str
    change: str
    token: str | None = None

    def __str__(self) -> str:
        return f"{self.subject} {self.change}"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a task ran.

    Attributes:
        differences: Those of the code first.
        like: Pathspec of the earlier task that was compared; None when there is none.
        origin: Where what it read came from: "produced by clean, whose ..."; "" when unknown.
    """

    differences: tuple[Difference, ...] = ()
    like: str | None = None
    origin: str = ""

    @property
    def text(self) -> str:
        """One line; "" when there is nothing to compare with."""
        if self.like is None or not self.differences:
            return ""
        shown = ", ".join(map(str, self.differences[:_SHOWN]))
        more = len(self.differences) - _SHOWN
        rest = f" and {more} more" if more > 0 else ""
        return f"ran because {shown}{rest}{self._of(self.origin)} (compared with {self.like})"

    @property
    def clause(self) -> str:
        """The first difference, said of the step to somebody who reads what it wrote."""
        if self.like is None or not self.differences:
            return ""
        first = self.differences[0]
        word = "where" if first.token is not None else "whose"
        return f"{word} {first}{self._of(self.origin)}"

    @staticmethod
    def _of(origin: str) -> str:
        return f", {origin}" if origin else ""


Origin = Callable[[str], str]
"""Returns where what is at a token came from: "produced by clean, whose ...", or ""."""


def find_cause(
    recent: Sequence[Trace], base: TraceBase, inputs: TaskInputs, origin: Origin
) -> Cause:
    """Compare a task that is about to run with earlier ones.

    Args:
        recent: Earlier results, the newest first.
        base: What the task's results depend on beside what they read.
        inputs: What it would read.
        origin: Knows where values came from.
    """
    compared = []
    for trace in recent:
        now = {token: inputs.identity(token) for token in trace.reads}
        compared.append((differences(trace, base.parts, now), trace))
    return _best(compared, origin)


def compare_traces(trace: Trace, earlier: Sequence[Trace], origin: Origin) -> Cause:
    """Compare the trace of a task that has run with earlier ones."""
    compared = [(differences(one, trace.base.parts, trace.reads), one) for one in earlier]
    return _best(compared, origin)


def differences(
    earlier: Trace, parts: Mapping[str, str], reads: Mapping[str, str | None]
) -> list[Difference]:
    """Return what differs from an earlier result: code first, then what it read."""
    before, step = earlier.base.parts, earlier.base.step
    found = [
        _edited(name, step, before[name], parts[name])
        for name in parts
        if name in before and parts[name] != before[name]
    ]
    found += [Difference(_part(name, step), "is new") for name in parts if name not in before]
    gone = [name for name in before if name not in parts]
    found += [Difference(_part(name, step), "is not used any more") for name in gone]
    for token, identity in earlier.reads.items():
        if token in reads and reads[token] != identity:
            change = _change(identity, reads[token])
            found.append(Difference(_words(token), change, token))
    if not found and not earlier.hazards:
        found.append(Difference("its earlier result", "is too old or can't be taken over"))
    return found


def _best(compared: Sequence[tuple[list[Difference], Trace]], origin: Origin) -> Cause:
    if not compared:
        return Cause()
    found, trace = min(compared, key=lambda pair: len(pair[0]))
    token = found[0].token if found else None
    return Cause(tuple(found), trace.origin, "" if token is None else origin(token))


def _edited(name: str, step: str, before: str, now: str) -> Difference:
    kind = name.partition(" ")[0]
    if kind == "python":
        return Difference("Python", f"changed ({before} -> {now})")
    return Difference(_part(name, step), "was edited" if kind in _CODE else "changed")


def _part(name: str, step: str) -> str:
    """Return a part of a step's code in words."""
    kind, _, rest = name.partition(" ")
    if kind == "function" and rest.rpartition(".")[2] == step:
        return f"code of step {step}"
    return _CODE[kind].format(rest) if kind in _CODE else name


def _words(token: str) -> str:
    kind, _, rest = token.partition(":")
    if kind == "attr":
        return f"read '{rest}'"
    if kind == "inputs" and rest:
        position, _, name = rest.partition(":")
        return f"read '{name}' of input {position}"
    if kind in ("materializer", "version", "record"):
        return f"{kind} {rest}"
    names = {
        "input": "the foreach item",
        "index": "the foreach index",
        "inputs": "the list of inputs",
        "foreach_stack": "the place in the foreach",
        "depth": "the depth of foreaches",
    }
    return names.get(kind, token)


def _change(before: str | None, now: str | None) -> str:
    """Return what became of a read; behind "+" is the code of its type and materializer."""
    if before is not None and now is not None and before.partition("+")[0] == now.partition("+")[0]:
        return "has other code"
    return f"changed ({_short(before)} -> {_short(now)})"


def _short(identity: str | None) -> str:
    return "nothing" if identity is None else identity[:_SHORT]
