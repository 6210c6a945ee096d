"""What the records of a task say and what it printed, without its artifacts' values."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, overload

from flowkit.client import lookup
from flowkit.client.clientobject import PartOfRun, local_time
from flowkit.client.code import RunCode, code_of
from flowkit.client.contents import Contents
from flowkit.client.facts import task_facts
from flowkit.client.internal import is_finished, is_successful
from flowkit.client.logged import logged_metadata
from flowkit.client.logs import check_stream, lost_log, read_log, split_lines
from flowkit.content.runlog import LogRecord
from flowkit.enums import Status
from flowkit.model.pathspec import parse_pathspec
from flowkit.model.records import AttemptRecord, RunRecord, TaskRecord

_RUNTIME_TAG = "runtime:"


class Metadatum(NamedTuple):
    """One fact about a task."""

    name: str
    value: str
    created_at: datetime
    type: str
    task: "RecordedTask"


class RecordedTask(PartOfRun):
    """A task as far as its own records go: one attempt of it, the latest unless one was named."""

    _HAS_ATTEMPTS = True
    _contents: Contents | None = None

    def _look_up(self) -> TaskRecord:
        step, task_id = str(self._address.step), int(self._address.task or 0)
        record = lookup.find_task(self._session.metadata, self._run, step, task_id)
        if record is None:
            raise self._missing()
        return record

    def _task(self) -> TaskRecord:
        """Return the record as it is now; one that ended well never changes again."""
        record: TaskRecord = self._record
        if not record.last.status.is_success:
            record = self._record = self._look_up()
        return record

    def _visible(self) -> AttemptRecord | None:
        """Return the attempt that is looked at; None when there was no such attempt."""
        task = self._task()
        if self._attempt is None:
            return task.last
        return lookup.find_attempt(self._session.metadata, task, self._attempt)

    def _attempts(self) -> Sequence[AttemptRecord]:
        """Return the attempts that are looked at."""
        task = self._task()
        if self._attempt is None and task.attempts > 1:
            return self._session.metadata.attempts(task.flow, task.run_id, task.task_id)
        visible = self._visible()
        return [] if visible is None else [visible]

    def contents(self) -> Contents:
        """Return what the attempt left behind. Not for users: they have ``data``."""
        visible = self._visible()
        if self._contents is None or self._contents.attempt != visible:
            self._contents = Contents(self._session, self._run, self._task(), visible)
        return self._contents

    def artifact_names(self, *, private: bool = False) -> list[str]:
        """Return the names of the task's stored artifacts.

        Args:
            private: Also those that begin with ``_``, which ``data`` and iteration hide.
        """
        return self.contents().names(private=private)

    @property
    def name(self) -> str:
        """Name of the task's step."""
        return str(self._address.step)

    @property
    def run_metadata(self) -> Mapping[str, Any]:
        """What the step has logged about its task, by key; `metadata` has flowkit's own facts."""
        return logged_metadata(self._session, self.pathspec)

    @property
    def status(self) -> Status:
        """The state of the attempt now; "created" when there was no such attempt."""
        visible = self._visible()
        return Status.CREATED if visible is None else visible.status

    @property
    def successful(self) -> bool:
        """Whether the step ended well; False also when ``@catch`` took its failure."""
        return is_successful(self._visible())

    @property
    def finished(self) -> bool:
        """Whether the flow could go on after the task, be it thanks to ``@catch``."""
        return is_finished(self._visible())

    @property
    def exception(self) -> Any:
        """What the attempt raised, as an `ExceptionWrapper`; None if it raised nothing."""
        contents = self.contents()
        return contents.load("_exception") if contents.find("_exception") else None

    @property
    def created_at(self) -> datetime:
        """When the task was created, in naive local time."""
        return local_time(self._task().created_at)

    @property
    def finished_at(self) -> datetime | None:
        """When the attempt ended, well or not, in naive local time; None while it runs."""
        visible = self._visible()
        if visible is None or visible.finished_at is None:
            return None
        return local_time(visible.finished_at)

    @property
    def current_attempt(self) -> int:
        """Number of the attempt that is looked at, counted from 0."""
        return self._task().last.attempt if self._attempt is None else self._attempt

    @property
    def index(self) -> int | None:
        """Position in the innermost foreach; None outside of any."""
        frames = self._task().frames
        return frames[-1].index if frames else None

    @property
    def is_control(self) -> bool:
        """Whether the task leads a gang (``num_parallel``)."""
        return self._task().gang_rank == 0

    @property
    def runtime_name(self) -> str | None:
        """What ran the task: "dev" for local runs."""
        names = [tag for tag in self._run.system_tags if tag.startswith(_RUNTIME_TAG)]
        return names[0].removeprefix(_RUNTIME_TAG) if names else None

    @property
    def environment_info(self) -> dict[str, object]:
        """Facts about the run that the task belongs to: versions, command, flow file."""
        return dict(self._run.info)

    @property
    def origin_pathspec(self) -> str | None:
        """The task whose result was taken over; None if this one ran itself."""
        visible = self._visible()
        return None if visible is None else visible.origin

    @property
    def code(self) -> RunCode | None:
        """The flow's own source files as they were; None when it was made from no file."""
        return code_of(self._session, self._run)

    @property
    def metadata(self) -> list[Metadatum]:
        """What is known about the task, of all its attempts unless one was named."""
        return [
            Metadatum(fact.name, fact.value, local_time(fact.at), fact.type, self)
            for fact in task_facts(self._run, self._task(), self._attempts())
        ]

    @property
    def metadata_dict(self) -> dict[str, str]:
        """The same by name; of several facts with one name, the latest."""
        return {fact.name: fact.value for fact in self.metadata}

    @property
    def stdout(self) -> str:
        """What the attempt wrote to standard output; undecodable bytes are replaced."""
        return self._text("stdout")

    @property
    def stderr(self) -> str:
        """What the attempt wrote to standard error; undecodable bytes are replaced."""
        return self._text("stderr")

    @property
    def stdout_size(self) -> int:
        """Bytes that the attempt wrote to standard output."""
        return sum(len(record.data) for record in self._log("stdout"))

    @property
    def stderr_size(self) -> int:
        """Bytes that the attempt wrote to standard error."""
        return sum(len(record.data) for record in self._log("stderr"))

    @overload
    def loglines(
        self, stream: str, as_unicode: Literal[True] = True
    ) -> Iterator[tuple[datetime, str]]: ...
    @overload
    def loglines(
        self, stream: str, as_unicode: Literal[False]
    ) -> Iterator[tuple[datetime, bytes]]: ...
    def loglines(
        self, stream: str, as_unicode: bool = True
    ) -> Iterator[tuple[datetime, str]] | Iterator[tuple[datetime, bytes]]:
        """Iterate over the lines that the attempt wrote, without their ends.

        Args:
            stream: "stdout" or "stderr".
            as_unicode: Whether lines are text; bytes otherwise.

        Returns:
            For each line, when it began to arrive (aware, in UTC) and the line.

        Raises:
            UsageError: There is no such stream.
        """
        lines = split_lines(self._log(check_stream(stream)))
        if not as_unicode:
            return lines
        return ((at, line.decode("utf-8", "replace")) for at, line in lines)

    def lost_log(self) -> str:
        """Say where the log is if the attempt wrote lines that can't be read here; "" if not.

        Not for users: the command line says it to them.
        """
        logged = self._logged()
        return lost_log(self._session, *logged) if logged else ""

    def _text(self, stream: str) -> str:
        return b"".join(record.data for record in self._log(stream)).decode("utf-8", "replace")

    def _log(self, stream: str) -> Iterator[LogRecord]:
        """Yield what was printed by the attempt, or by the one whose result it took over."""
        logged = self._logged()
        return read_log(self._session, *logged, stream) if logged else iter(())

    def _logged(self) -> tuple[RunRecord, AttemptRecord] | None:
        """Return the attempt that has printed: this one, or the one whose result it took over."""
        run, attempt = self._run, self._visible()
        while attempt is not None and attempt.origin is not None:
            found = self._origin(attempt.origin)
            if found is None:
                return None
            run, attempt = found
        return None if attempt is None else (run, attempt)

    def _origin(self, pathspec: str) -> tuple[RunRecord, AttemptRecord] | None:
        address = parse_pathspec(pathspec, 4)
        reader = self._session.metadata
        run = reader.run(address.flow, str(address.run))
        if run is None:
            return None
        task = lookup.find_task(reader, run, str(address.step), int(address.task or 0))
        return None if task is None else (run, task.last)
