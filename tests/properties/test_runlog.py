"""The run log and the line splitter, whatever is written and however it is cut into pieces."""

import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from flowkit.content.loglines import MAX_LINE, LineSplitter, LogLimit
from flowkit.content.runlog import LogRecord, LogStream, RunLogReader, RunLogWriter
from flowkit.exceptions import IntegrityError

records = st.tuples(
    st.integers(0, 10**18 - 1),
    st.integers(0, 100),
    st.sampled_from(LogStream),
    st.binary(max_size=200),
    st.integers(-(2**62), 2**62),
)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(st.tuples(records, st.booleans()), max_size=12), st.data())
def test_a_torn_log_gives_the_whole_records_before_the_tear(entries, data):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "run.log"
        writer = RunLogWriter(path)
        ends = []
        for record, flushes in entries:
            ends.append(writer.append(*record)[1])
            if flushes:
                writer.flush()
        writer.close()
        size = data.draw(st.integers(0, path.stat().st_size))
        path.write_bytes(path.read_bytes()[:size])

        found = list(RunLogReader(path).records())

        count = sum(end <= size for end in ends)
        assert [
            (entry.task_id, entry.attempt, entry.stream, entry.data, entry.at) for entry in found
        ] == [record for record, _ in entries[:count]]
        assert [entry.end for entry in found] == ends[:count]


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(records, min_size=1, max_size=5), st.data())
def test_damage_is_never_taken_for_data(entries, data):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "run.log"
        writer = RunLogWriter(path)
        for record in entries:
            writer.append(*record)
        writer.close()
        content = bytearray(path.read_bytes())
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)

        found: list[LogRecord] = []
        try:
            found += RunLogReader(path).records()
        except IntegrityError as error:
            assert str(path) in str(error)  # noqa: PT017 - what was read before it counts as well
        else:
            raise AssertionError(f"damage at byte {position} went unnoticed")
        assert [entry.data for entry in found] == [record[3] for record in entries[: len(found)]]


texts = st.lists(
    st.sampled_from(
        [
            b"a",
            b"\n",
            b"\r\n",
            b"\r",
            "ü✓🎉".encode(),
            b"\xff",
            b"x" * (MAX_LINE - 1),
            b"y" * MAX_LINE,
        ]
    ),
    max_size=12,
).map(b"".join)


def cut(text: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    return [text[a:b] for a, b in pairwise(bounds)]


@settings(max_examples=300, derandomize=True, deadline=None)
@given(texts, st.data())
def test_lines_do_not_depend_on_how_a_stream_is_cut(text, data):
    places = data.draw(st.lists(st.integers(0, len(text)), max_size=6))
    splitter, whole = LineSplitter(), LineSplitter()

    lines = [line for chunk in cut(text, places) for line in splitter.feed(chunk)]

    assert lines + splitter.close() == whole.feed(text) + whole.close()


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_short_lines_are_those_of_a_plain_split(text, places):
    splitter = LineSplitter()
    *whole, rest = text.split(b"\n")
    expected = [line.removesuffix(b"\r") for line in whole] + ([rest] if rest else [])

    lines = [line for chunk in cut(text, places) for line in splitter.feed(chunk)]

    assert lines + splitter.close() == [line.decode(errors="replace") for line in expected]


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.binary(max_size=100), st.lists(st.integers(0, 100), max_size=6), st.integers(0, 100))
def test_the_limit_keeps_the_head_and_counts_the_rest(text, places, max_bytes):
    limit = LogLimit(max_bytes)

    kept = b"".join(limit.feed(chunk) for chunk in cut(text, places))
    last = limit.close()

    assert kept.startswith(text[:max_bytes])
    if len(text) <= max_bytes:
        assert (kept, last) == (text, b"")
    else:
        assert kept.count(b"[flowkit] the log is truncated") == 1 + text.count(b"[flowkit]")
        assert f" {len(text) - max_bytes} bytes".encode() in last
