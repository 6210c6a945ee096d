"""Values that have no column of their own survive the way through text."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from flowkit.enums import Cause
from flowkit.metastore import rows
from flowkit.model.manifest import ArtifactRef
from flowkit.model.records import NewTask
from flowkit.model.tasks import AttemptError, Frame

# With lone surrogates: an error's message may have them.
texts = st.text(st.characters(exclude_categories=()), max_size=20)
refs = st.builds(
    ArtifactRef, texts, texts, texts, st.integers(0, 2**62), st.none() | st.binary(max_size=40)
)
frames = st.builds(Frame, texts, st.none() | texts, st.integers(0), st.integers(0), refs)
errors = st.builds(
    AttemptError, st.sampled_from(Cause), texts, texts, texts, st.booleans(), st.booleans()
)


@given(st.lists(frames, max_size=3).map(tuple))
@settings(derandomize=True, max_examples=50)
def test_frames_survive(before):
    row = rows.task_row(1, NewTask(1, "s", 0, before, 0, ()), 0)
    after = tuple(rows._frame_from_list(fields) for fields in json.loads(str(row["frames"])))

    assert after == before
    assert str(row["frames"]).isascii()


@given(errors)
@settings(derandomize=True, max_examples=50)
def test_errors_survive(before):
    text = rows.error_to_json(before)

    assert rows._error_from_json(text) == before
    assert text.isascii()


def test_a_frame_takes_little_room():
    item = ArtifactRef("d" * 64, "pickle", "builtins.int", 5, b"\x80\x05K\x01.")
    frame = Frame("start", "items", 99_999, 100_000, item)
    row = rows.task_row(1, NewTask(100_001, "work", 0, (frame,), 0, (1,)), 0)

    assert len(str(row["frames"])) < 150
