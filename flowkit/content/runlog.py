"""The log of one run: one append-only file of framed records, written by the driver alone.

::

    file    = magic (8 bytes, the last one is the version), record*
    record  = header, header_crc (u32), payload
    header  = task id (u64), attempt (u32), stream (u8), UTC microseconds (i64),
              payload length (u32), payload_crc (u32)

All numbers are little endian, both checksums are CRC-32. The header has a checksum of its own, so
that a damaged length is never taken for the torn end of a file.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from flowkit.access import make_directories, open_file
from flowkit.exceptions import IntegrityError, StorageError

MAGIC = b"flowlog\x01"
_HEADER = struct.Struct("<QIBqII")
_CHECKSUM = struct.Struct("<I")
_FRAME = _HEADER.size + _CHECKSUM.size
_BUFFERED = 64 * 1024
"""Bytes that wait for a flush before the writer makes one on its own."""


class LogStream(IntEnum):
    """Where a record's bytes come from; the values are stored."""

    STDOUT = 0
    STDERR = 1
    NOTES = 2
    """What flowkit itself says about the attempt."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """Bytes that one stream of one attempt gave, as they arrived: lines or parts of lines.

    Attributes:
        task_id: Id of the task; 0 for notes about the run.
        attempt: Number of the attempt.
        stream: Where the bytes come from.
        at: When they arrived, UTC microseconds.
        data: The bytes.
        end: Offset in the file where the next record starts.
    """

    task_id: int
    attempt: int
    stream: LogStream
    at: int
    data: bytes
    end: int


class _Header(NamedTuple):
    task_id: int
    attempt: int
    stream: int
    at: int
    length: int
    checksum: int


class RunLogWriter:
    """Appends records to a run's log file.

    Creates the file and its directory. In a file that is there already, an end that was torn by
    the death of its writer is cut off first. There is one writer at a time.

    Args:
        path: The log file.

    Raises:
        StorageError: The file can't be opened or written.
        IntegrityError: The file is no run log, or damaged.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._waiting: list[bytes] = []
        try:
            make_directories(str(self._path.parent))
            end = _whole_end(self._path)
            self._file = open_file(str(self._path), os.O_WRONLY | os.O_APPEND)
            os.ftruncate(self._file, end)
        except OSError as error:
            raise StorageError(f"cannot open the run log {self._path}: {error}") from error
        self._written = self._position = end
        if end == 0:
            self._write(MAGIC)

    @property
    def position(self) -> int:
        """The offset at which the next record will start."""
        return self._position

    def append(
        self, task_id: int, attempt: int, stream: LogStream, data: bytes, at: int
    ) -> tuple[int, int]:
        """Add a record; others can read it after the next `flush`.

        Args:
            task_id: Id of the task; 0 for notes about the run.
            attempt: Number of the attempt.
            stream: Where the bytes come from.
            data: The bytes, as they arrived.
            at: UTC microseconds.

        Returns:
            The offsets where the record starts and where it ends.

        Raises:
            StorageError: See `flush`.
        """
        start = self._position
        header = _HEADER.pack(task_id, attempt, stream, at, len(data), crc32(data))
        self._write(header + _CHECKSUM.pack(crc32(header)) + data)
        return start, self._position

    def flush(self) -> None:
        """Hand everything to the operating system: it outlives this process, not a power loss.

        Raises:
            StorageError: The file can't be written. No part of a record is left in it, and what
                waits is kept for the next flush, so that offsets stay true.
        """
        data = b"".join(self._waiting)
        self._waiting = [data] if data else []
        if not data:
            return
        try:
            _write_all(self._file, data)
        except OSError as error:
            with suppress(OSError):  # a file system that became read-only has not taken anything
                os.ftruncate(self._file, self._written)
            raise StorageError(f"cannot write the run log {self._path}: {error}") from error
        self._written += len(data)
        self._waiting = []

    def close(self) -> None:
        """Flush and close the file. May be repeated.

        Raises:
            StorageError: The last flush failed; the file is closed all the same.
        """
        if self._file < 0:
            return
        try:
            self.flush()
        finally:
            os.close(self._file)
            self._file = -1

    def _write(self, data: bytes) -> None:
        self._waiting.append(data)
        self._position += len(data)
        if self._position - self._written >= _BUFFERED:
            self.flush()


class RunLogReader:
    """Reads a run's log file, also while it is being written.

    Args:
        path: The log file; one that isn't there has no records.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)

    def records(
        self,
        start: int = 0,
        end: int | None = None,
        *,
        task_id: int | None = None,
        attempt: int | None = None,
        stream: LogStream | None = None,
    ) -> Iterator[LogRecord]:
        """Yield the records that are in the file now, in the order of writing.

        A last record that isn't whole ends the iteration: it is being written, or its writer died.

        Args:
            start: Offset of the first record, as `RunLogWriter.append` or a record's ``end`` gave
                it; 0 for all.
            end: Offset where to stop; None reads to the end of the file.
            task_id: Only those of this task.
            attempt: Only those of this attempt number.
            stream: Only those of this stream.

        Raises:
            IntegrityError: The file is no run log, or a record is damaged.
        """
        wanted = (task_id, attempt, stream)
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return
        with file:
            for after, header in _headers(file, self._path, start, end):
                found = (header.task_id, header.attempt, header.stream)
                if any(want not in (None, has) for want, has in zip(wanted, found, strict=True)):
                    continue
                data = file.read(header.length)
                if crc32(data) != header.checksum:
                    raise _damage(self._path, after - header.length)
                source = LogStream(header.stream)
                yield LogRecord(header.task_id, header.attempt, source, header.at, data, after)


def _headers(
    file: BufferedReader, path: Path, start: int, end: int | None
) -> Iterator[tuple[int, _Header]]:
    """Yield where each whole record ends, and its header, with the file placed at its payload."""
    size = os.fstat(file.fileno()).st_size
    magic = file.read(len(MAGIC))
    if magic != MAGIC[: len(magic)]:
        raise IntegrityError(f"{path} is not a run log that this version of flowkit can read")
    stop = size if end is None else min(end, size)
    position = max(start, len(MAGIC))
    while position + _FRAME <= stop:
        file.seek(position)
        packed = file.read(_FRAME)
        if crc32(packed[: _HEADER.size]) != _CHECKSUM.unpack_from(packed, _HEADER.size)[0]:
            raise _damage(path, position)
        header = _Header._make(_HEADER.unpack_from(packed))
        position += _FRAME + header.length
        if position > size:
            return
        yield position, header


def _whole_end(path: Path) -> int:
    """Return where the last whole record of a log file ends; 0 when there is no whole magic."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return 0
    with file:
        end = len(MAGIC) if os.fstat(file.fileno()).st_size >= len(MAGIC) else 0
        for after, _ in _headers(file, path, 0, None):
            end = after
    return end


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _damage(path: Path, position: int) -> IntegrityError:
    return IntegrityError(f"the run log {path} is damaged at byte {position}")
