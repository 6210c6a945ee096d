"""Why a task of a finished run ran, from the rows that it and earlier tasks have left."""

from collections.abc import Iterator
from functools import partial

from flowkit.model.records import TaskRecord
from flowkit.model.traces import Trace
from flowkit.ports.metadata import MetadataReader
from flowkit.runtime.causes import Cause, compare_traces

_COMPARED = 200
_DEEPEST = 20
"""Steps that an explanation goes back at most."""


class Explainer:
    """Explains tasks by comparing their traces with earlier ones, and those of what made its reads.

    Args:
        metadata: Where tasks and traces are.
    """

    def __init__(self, metadata: MetadataReader) -> None:
        self._metadata = metadata

    def cause(self, task: TaskRecord, trace: Trace, depth: int = 0) -> Cause:
        """Return why a task ran that has left this trace."""
        others = self._metadata.traces.recent(task.flow, task.step, limit=_COMPARED)
        earlier = [one for one in others if one.created_at < trace.created_at]
        return compare_traces(trace, earlier, partial(self._origin, task, depth))

    def _origin(self, task: TaskRecord, depth: int, token: str) -> str:
        producer = self._producer(task, token)
        if producer is None:
            return ""
        clause = "" if depth >= _DEEPEST else self._clause(producer, depth + 1)
        return f"produced by {producer.step}{f', {clause}' if clause else ''}"

    def _clause(self, task: TaskRecord, depth: int) -> str:
        if task.last.origin is not None:
            return f"taken over from {task.last.origin}"
        trace = self._metadata.traces.of_task(
            f"{task.flow}/{task.run_id}/{task.step}/{task.task_id}"
        )
        return "" if trace is None else self.cause(task, trace, depth).clause

    def _producer(self, task: TaskRecord, token: str) -> TaskRecord | None:
        """Return the task that made what is at a token."""
        kind, _, rest = token.partition(":")
        if kind == "input":
            frames = task.frames
            splitter = frames[int(rest) if rest else -1].step if frames else None
            return next((one for one in self._before(task) if one.step == splitter), None)
        if kind == "attr":
            return next((one for one in self._before(task) if self._wrote(one, rest)), None)
        position, _, name = rest.partition(":")
        if kind != "inputs" or not name or int(position) >= len(task.inputs):
            return None
        first = self._task(task, task.inputs[int(position)])
        if first is None or self._wrote(first, name):
            return first
        return next((one for one in self._before(first) if self._wrote(one, name)), None)

    def _before(self, task: TaskRecord) -> Iterator[TaskRecord]:
        """Yield the tasks before one, the nearest first."""
        pending, seen = list(task.inputs), set[int]()
        while pending:
            number = pending.pop(0)
            if number in seen:
                continue
            seen.add(number)
            found = self._task(task, number)
            if found is not None:
                yield found
                pending.extend(found.inputs)

    def _task(self, near: TaskRecord, task_id: int) -> TaskRecord | None:
        return self._metadata.task(near.flow, near.run_id, task_id)

    def _wrote(self, task: TaskRecord, name: str) -> bool:
        last = task.last
        written = self._metadata.artifacts(task.flow, task.run_id, task.task_id, last.attempt)
        return any(one.name == name for one in written)
