"""What follows from a task's records without being stored: its outcome, its internal names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from flowkit.content.store import ArtifactStore
from flowkit.model.manifest import ArtifactRef, Manifest
from flowkit.model.records import AttemptRecord, TaskRecord

Load = Callable[[ArtifactRef], Any]
_LONGEST_REPR = 64


class ForeachFrame(NamedTuple):
    """One level of foreach around a task; ``value`` is the item, shortened for reading."""

    step: str
    var: str | None
    num_splits: int
    index: int  # type: ignore[assignment]  # hides a method of tuples, on purpose
    value: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A value that follows from the records; it is computed when it is read."""

    type: str
    compute: Callable[[], Any]


def is_finished(attempt: AttemptRecord | None) -> bool:
    """Whether the flow could go on after the attempt, be it thanks to ``@catch``."""
    return attempt is not None and attempt.status.is_success


def is_successful(attempt: AttemptRecord | None) -> bool:
    """Whether the step itself ended well."""
    return attempt is not None and attempt.status.is_success and attempt.error is None


def answer(
    name: str,
    task: TaskRecord,
    attempt: AttemptRecord | None,
    manifest: Manifest,
    store: ArtifactStore,
) -> Answer | None:
    """Return the value of an internal name that no manifest holds; None when there is none.

    Args:
        name: A name that starts with ``_``.
        task: The task.
        attempt: The attempt that is looked at; None when there was no such attempt.
        manifest: The attempt's manifest, an empty one when it left none.
        store: Foreach items are only loaded from there when the answer is computed.
    """
    # An attempt whose process died has left no manifest: nobody knows how it would have ended.
    has_outcome = attempt is not None and attempt.manifest is not None
    taken = manifest.next
    if name == "_success" and has_outcome:
        return Answer("bool", lambda: is_successful(attempt))
    if name == "_task_ok" and has_outcome:
        return Answer("bool", lambda: is_finished(attempt))
    if name == "_exception" and has_outcome:
        return Answer("NoneType", lambda: None)
    if name == "_foreach_stack":
        return Answer("list", lambda: _foreach_stack(task, store.load))
    if name == "_foreach_values" and taken is not None and taken.is_foreach:
        return Answer(
            "list",
            lambda: [_short(store.load(item)) for item in store.with_items(taken).items or ()],
        )
    return None


def _foreach_stack(task: TaskRecord, load: Load) -> list[ForeachFrame]:
    return [
        ForeachFrame(
            frame.step, frame.variable, frame.num_splits, frame.index, _short(load(frame.item))
        )
        for frame in task.frames
    ]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST_REPR else f"{text[: _LONGEST_REPR - 3]}..."
