"""Previews in a terminal: readable, and without anything that a terminal would obey."""

import json

import pytest

from flowkit.content.preview import Preview
from flowkit.enums import ArtifactType
from flowkit.ports.materializer import Visualization
from flowkit.previews.terminal import preview_text


def text_of(*shown, **summary):
    return preview_text(Preview(ArtifactType.DATA, summary, shown))


def test_what_is_known_comes_first_line_by_line():
    text = text_of(
        Visualization("text", "the value"),
        shape=[2, 3],
        mean=0.12345678,
        nan={"$float": "nan"},
        nulls={"a": 1, "b": 2},
    )

    assert text == "shape: 2, 3\nmean: 0.123457\nnan: nan\nnulls: a 1, b 2\n\nthe value"


def test_a_table_is_drawn_with_its_title_and_note():
    table = {"columns": ["", "a"], "rows": [["0", "007"], ["1", "x\ny"]], "note": "2 of 5 rows"}

    assert text_of(Visualization("table", json.dumps(table), "rows")) == (
        "rows\n    a\n--  ---\n0   007\n1   x y\n2 of 5 rows"
    )


def test_csv_is_drawn_as_a_table_of_its_first_rows():
    text = text_of(Visualization("csv", "a,b\n" + "1,2\n" * 100))

    assert text.splitlines()[0].split() == ["a", "b"]
    assert text.splitlines()[-1] == "the first 50 rows"


def test_html_is_shown_as_its_text():
    page = "<title>t</title><script>bad()</script><h1>Report</h1> <p>All\n is <b>well</b> &amp; ok"

    assert text_of(Visualization("html", page)) == "Report\nAll is\nwell\n& ok"


def test_json_is_indented_and_what_is_none_is_shown_as_it_is():
    assert text_of(Visualization("json", '{"a":[1]}')) == '{\n  "a": [\n    1\n  ]\n}'
    assert text_of(Visualization("json", "{oops")) == "{oops"


def test_images_are_told_by_their_size():
    assert text_of(Visualization("image/png", bytes(2048))) == "[image/png, 2,048 bytes]"


@pytest.mark.parametrize(
    "shown",
    [
        Visualization("text", "a\x1b[2Jb\x07\r\u202e"),
        Visualization("markdown", "a\x1b]0;title\x07"),
        Visualization("csv", "\x1b[31m,b\n\x9b2J,c"),
        Visualization("table", json.dumps({"columns": ["\x1b"], "rows": [["\x1b[2J"]]})),
        Visualization("html", "&#27;[2J"),
        Visualization("json", '"\\u001b"'),
        Visualization("text", "x", "\x1b title"),
        Visualization("\x1b", b""),
    ],
    ids=lambda shown: shown.kind,
)
def test_control_sequences_never_reach_the_terminal(shown):
    text = text_of(shown, **{"key\x1b": "\x1b"})

    assert all(char.isprintable() or char == "\n" for char in text)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"columns": 5, "rows": []}',
        '{"columns": [], "rows": [5]}',
        "[" * 9999,
    ],
    ids=lambda data: data[:30],
)
def test_a_text_that_is_no_table_is_shown_as_it_is(data):
    assert text_of(Visualization("table", data)) == data


def test_long_texts_are_cut():
    assert len(text_of(Visualization("text", "x" * 1_000_000))) < 21_000
