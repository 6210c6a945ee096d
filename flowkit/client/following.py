"""The log of a run while it grows: the lines of its tasks, as they come, until they have ended."""

from collections.abc import Iterator
from dataclasses import replace
from threading import Event
from typing import NamedTuple

from flowkit.client.logs import split_lines
from flowkit.client.session import Session, current_session
from flowkit.content.runlog import LogRecord, LogStream, RunLogReader
from flowkit.exceptions import InvalidPathspecError, NotFoundError
from flowkit.model.pathspec import Pathspec, parse_pathspec
from flowkit.model.records import RunRecord

INTERVAL = 0.2
"""Seconds between two looks at the log."""


class FollowedLine(NamedTuple):
    """One line that a task wrote, without its end; what flowkit noted counts as stderr."""

    step: str
    task_id: int
    stream: str
    at: int
    """When it began to arrive, UTC microseconds."""
    text: str


def follow_log(pathspec: str, interval: float = INTERVAL) -> Iterator[FollowedLine]:
    """Yield the lines of a run, a step or a task in the order of their arrival.

    Begins with what is there already, and ends when the run has ended, or the one task. Lines of
    tasks that were taken over from another run are not among them. Those of a run that is driven
    on another machine come all at once, when it has ended.

    Args:
        pathspec: ``Flow/run``, ``Flow/run/step`` or ``Flow/run/step/task``.
        interval: Seconds between two looks at the log.

    Raises:
        InvalidPathspecError: The pathspec has another form.
        NotFoundError: There is no such run.
    """
    address = parse_pathspec(pathspec)
    if address.run is None or address.artifact is not None:
        raise InvalidPathspecError(f"{pathspec!r}: a run, a step or a task can be followed")
    log = _GrowingLog(current_session(), address)
    between = Event()
    while not log.has_ended():
        yield from log.new_lines()
        between.wait(interval)
    log.look_elsewhere()
    yield from log.new_lines()
    yield from log.unfinished_lines()


class _GrowingLog:
    """Where a reader of a run's log is, and the beginnings of lines that it has."""

    def __init__(self, session: Session, address: Pathspec) -> None:
        self._metadata = session.metadata
        self._address = address
        self._logs = session.logs
        self._log = RunLogReader(self._logs.path(self._run().token))
        self._position = 0
        self._steps: dict[int, str | None] = {}
        self._begun: dict[tuple[int, int, LogStream], LogRecord] = {}

    def _run(self) -> RunRecord:
        flow, run_id = self._address.flow, str(self._address.run)
        run = self._metadata.run(flow, run_id)
        if run is None:
            raise NotFoundError(f"run '{flow}/{run_id}' does not exist")
        return run

    def has_ended(self) -> bool:
        """Whether nothing comes any more; what came until now may still have to be read."""
        run = self._run()
        if run.status.is_terminal:
            return True
        if self._address.task is None:
            return False
        task = self._metadata.task(run.flow, run.run_id, self._address.task)
        return task is not None and task.last.status.is_success

    def look_elsewhere(self) -> None:
        """Go on with the log that was fetched from the store, unless the driver's own is here."""
        self._log = RunLogReader(self._logs.find(self._run().token))

    def new_lines(self) -> Iterator[FollowedLine]:
        for record in self._log.records(self._position, task_id=self._address.task):
            self._position = record.end
            key = (record.task_id, record.attempt, record.stream)
            begun = self._begun.pop(key, record)
            data = record.data if begun is record else begun.data + record.data
            whole, newline, rest = data.rpartition(b"\n")
            if newline:
                yield from self._lines(replace(begun, data=whole + newline))
            if rest:
                self._begun[key] = replace(record if newline else begun, data=rest)

    def unfinished_lines(self) -> Iterator[FollowedLine]:
        for record in self._begun.values():
            yield from self._lines(record)

    def _lines(self, record: LogRecord) -> Iterator[FollowedLine]:
        step = self._step(record.task_id)
        if step is None or self._address.step not in (None, step):
            return
        stream = "stdout" if record.stream is LogStream.STDOUT else "stderr"
        for _, line in split_lines(iter([record])):
            text = line.decode("utf-8", "replace")
            yield FollowedLine(step, record.task_id, stream, record.at, text)

    def _step(self, task_id: int) -> str | None:
        """Return the step of a task; None for notes about the run, which have no task."""
        if task_id not in self._steps:
            task = self._metadata.task(self._address.flow, str(self._address.run), task_id)
            self._steps[task_id] = None if task is None else task.step
        return self._steps[task_id]
