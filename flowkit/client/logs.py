"""What a task printed, read from the log file of its run."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from flowkit.client.session import Session
from flowkit.content.runlog import LogRecord, RunLogReader
from flowkit.exceptions import UsageError
from flowkit.model.records import AttemptRecord, RunRecord

_STDOUT = (0,)
_STDERR = (1, 2)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_log(
    session: Session, run: RunRecord, attempt: AttemptRecord, stream: str
) -> Iterator[LogRecord]:
    """Yield what one attempt wrote to a stream, piece by piece as it arrived.

    What flowkit itself noted about the attempt, such as why its process died, is part of stderr.

    Args:
        session: Where the run was found.
        run: The run whose driver kept the log.
        attempt: One attempt of that run.
        stream: "stdout" or "stderr".
    """
    # While an attempt runs nobody knows where its part of the file will begin and end.
    start, end = (attempt.log_start, attempt.log_end) if attempt.status.is_terminal else (0, None)
    wanted = _STDOUT if stream == "stdout" else _STDERR
    if start == end:
        return
    reader = RunLogReader(session.logs.find(run.token, end or 0))
    for record in reader.records(start, end, task_id=attempt.task_id, attempt=attempt.attempt):
        if record.stream in wanted:
            yield record


def lost_log(session: Session, run: RunRecord, attempt: AttemptRecord) -> str:
    """Say where the log of an attempt should be that has written something; "" if it is here."""
    if not attempt.status.is_terminal or attempt.log_start == attempt.log_end:
        return ""
    if os.path.exists(session.logs.find(run.token, attempt.log_end)):
        return ""
    return (
        f"the log of run '{run.flow}/{run.run_id}' is neither on this machine nor in the content "
        f"store: {run.holder} has written it, and shares it only when the run has ended"
    )


def check_stream(stream: str) -> str:
    """Return the name of a stream, or raise `UsageError`."""
    if stream not in ("stdout", "stderr"):
        raise UsageError(f"stream must be 'stdout' or 'stderr', not {stream!r}")
    return stream


def split_lines(records: Iterator[LogRecord]) -> Iterator[tuple[datetime, bytes]]:
    """Yield whole lines without their ends, each with the time (UTC) when it began to arrive."""
    began, rest = 0, b""
    for record in records:
        began = began if rest else record.at
        *whole, rest = (rest + record.data).split(b"\n")
        for line in whole:
            yield _utc(began), line.removesuffix(b"\r")
            began = record.at
    if rest:
        yield _utc(began), rest


def _utc(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
