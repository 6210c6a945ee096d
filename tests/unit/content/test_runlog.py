"""The log file of a run: what is appended comes back, and what is torn or damaged is told apart."""

import os
import resource
import stat
import subprocess
import sys

import pytest

from flowkit.content.runlog import LogRecord, LogStream, RunLogReader, RunLogWriter
from flowkit.exceptions import IntegrityError, StorageError

OUT, ERR, NOTES = LogStream.STDOUT, LogStream.STDERR, LogStream.NOTES


@pytest.fixture
def path(tmp_path):
    return tmp_path / "logs" / "run.log"


@pytest.fixture
def written(path):
    """A closed log of three records; gives where each of them starts and ends."""
    writer = RunLogWriter(path)
    places = [
        writer.append(1, 0, OUT, b"first\n", 10),
        writer.append(2, 0, ERR, b"second\n", 20),
        writer.append(1, 1, NOTES, b"third\n", 30),
    ]
    writer.close()
    return places


def texts(path, *args, **filters):
    return [record.data for record in RunLogReader(path).records(*args, **filters)]


def test_records_come_back_as_they_were_appended(path, written):
    first, second, third = RunLogReader(path).records()

    assert first == LogRecord(1, 0, OUT, 10, b"first\n", written[0][1])
    assert second == LogRecord(2, 0, ERR, 20, b"second\n", written[1][1])
    assert third == LogRecord(1, 1, NOTES, 30, b"third\n", written[2][1])


def test_offsets_are_contiguous_and_end_at_the_end_of_the_file(path, written):
    assert [end for _, end in written[:-1]] == [start for start, _ in written[1:]]
    assert written[-1][1] == path.stat().st_size


def test_a_missing_file_has_no_records(path):
    assert texts(path) == []


def test_a_range_bounds_what_is_read(path, written):
    start, end = written[1]

    assert texts(path, start) == [b"second\n", b"third\n"]
    assert texts(path, 0, end) == [b"first\n", b"second\n"]
    assert texts(path, start, end) == [b"second\n"]
    assert texts(path, start, start) == []


def test_records_are_chosen_by_task_attempt_and_stream(path, written):
    assert texts(path, task_id=1) == [b"first\n", b"third\n"]
    assert texts(path, task_id=1, attempt=0) == [b"first\n"]
    assert texts(path, stream=OUT) == [b"first\n"]
    assert texts(path, stream=ERR) == [b"second\n"]


def test_a_record_may_be_empty_binary_or_large(path):
    datas = [b"", b"\x00\xff\r\n" * 3, os.urandom(1_000_000)]
    writer = RunLogWriter(path)
    for data in datas:
        writer.append(10**18 - 1, 2**32 - 1, OUT, data, -1)
    writer.close()

    assert texts(path) == datas


def test_file_and_directory_are_private(path):
    RunLogWriter(path).close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_records_are_readable_after_a_flush(path):
    writer = RunLogWriter(path)
    writer.append(1, 0, OUT, b"waits", 0)
    assert texts(path) == []
    writer.flush()
    assert texts(path) == [b"waits"]

    writer.append(1, 0, OUT, b"x" * 100_000, 0)
    assert len(texts(path)) == 2  # more than the buffer holds is written at once
    writer.close()
    writer.close()


def test_a_follower_goes_on_where_it_stopped(path):
    writer = RunLogWriter(path)
    writer.append(1, 0, OUT, b"one", 0)
    writer.flush()
    [seen] = RunLogReader(path).records()
    writer.append(1, 0, OUT, b"two", 0)
    writer.close()

    assert texts(path, seen.end) == [b"two"]


def test_a_second_writer_goes_on_at_the_end(path, written):
    writer = RunLogWriter(path)
    assert writer.position == written[-1][1]
    writer.append(3, 0, OUT, b"fourth\n", 40)
    writer.close()

    assert texts(path) == [b"first\n", b"second\n", b"third\n", b"fourth\n"]


def test_a_torn_end_is_no_record_wherever_it_tears(path, written):
    whole = path.read_bytes()
    ends = [end for _, end in written]

    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert len(texts(path)) == sum(end <= size for end in ends)


@pytest.mark.parametrize("lost", [1, 10, 38])
def test_a_writer_cuts_off_a_torn_end(path, written, lost):
    os.truncate(path, path.stat().st_size - lost)
    writer = RunLogWriter(path)
    assert writer.position == written[1][1]
    writer.append(3, 0, OUT, b"after\n", 40)
    writer.close()

    assert texts(path) == [b"first\n", b"second\n", b"after\n"]


@pytest.mark.parametrize("size", [0, 3])
def test_a_file_that_was_torn_in_its_magic_is_begun_anew(path, written, size):
    os.truncate(path, size)
    assert texts(path) == []
    writer = RunLogWriter(path)
    writer.append(1, 0, OUT, b"again", 0)
    writer.close()

    assert texts(path) == [b"again"]


def test_any_damaged_byte_of_a_record_is_noticed(path, written):
    whole = path.read_bytes()

    for position in range(written[0][0], len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(IntegrityError, match=r"the run log .*/run\.log is damaged at byte \d+"):
            texts(path)


def test_what_lies_before_the_damage_is_still_read(path, written):
    damaged = bytearray(path.read_bytes())
    damaged[written[1][1] - 1] ^= 1
    path.write_bytes(damaged)

    records = RunLogReader(path).records()
    assert next(records).data == b"first\n"
    with pytest.raises(IntegrityError):
        next(records)
    assert texts(path, written[2][0]) == [b"third\n"]


@pytest.mark.parametrize("data", [b"flowlog\x02rest", b"something else"])
def test_another_kind_or_version_of_file_is_refused(path, data):
    path.parent.mkdir()
    path.write_bytes(data)

    with pytest.raises(IntegrityError, match="is not a run log that this version"):
        texts(path)
    with pytest.raises(IntegrityError):
        RunLogWriter(path)
    assert path.read_bytes() == data


def test_a_log_that_cannot_be_opened_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StorageError, match="cannot open the run log"):
        RunLogWriter(tmp_path / "file" / "run.log")


def test_a_failed_write_leaves_no_part_of_a_record_and_loses_nothing(path):
    writer = RunLogWriter(path)
    writer.append(1, 0, OUT, b"before", 0)
    writer.flush()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (writer.position + 50, hard))
    try:
        start, end = writer.append(1, 0, OUT, b"too much" * 20, 0)
        with pytest.raises(StorageError, match="cannot write the run log"):
            writer.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert path.stat().st_size == start
    assert texts(path) == [b"before"]
    writer.close()
    assert texts(path, start, end) == [b"too much" * 20]


def test_flushed_records_outlive_a_killed_writer(path):
    program = (
        "import os, signal, sys\n"
        "from flowkit.content.runlog import LogStream, RunLogWriter\n"
        "writer = RunLogWriter(sys.argv[1])\n"
        "writer.append(1, 0, LogStream.STDOUT, b'safe', 0)\n"
        "writer.flush()\n"
        "writer.append(1, 0, LogStream.STDOUT, b'not flushed', 0)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    assert subprocess.run([sys.executable, "-c", program, path], check=False).returncode == -9
    assert texts(path) == [b"safe"]
