"""Stored values are shown without their code: nothing is imported, nothing of theirs is called."""

import datetime as dt
import enum
import pickle
import sys
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from flowkit.content.hashing import digest_of
from flowkit.content.records import RootRecord
from flowkit.materializers.inert import read_inert
from flowkit.materializers.outline import outline
from flowkit.materializers.pickled import PickleMaterializer
from flowkit.model.manifest import ArtifactRef
from flowkit.ports.materializer import Payload, Visualization
from flowkit.types import CSVString, HTMLString, JSONString, MarkdownString

Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - users have such


@dataclass
class Settings:
    rate: float = 0.1
    layers: list[int] = field(default_factory=lambda: [1, 2])


class Colour(enum.Enum):
    RED = "red"


class Slotted:
    __slots__ = ("a",)

    def __init__(self):
        self.a = 1


def shown(value):
    return outline(read_inert(PickleMaterializer().dump(value)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        ("é", "'é'"),
        ([1, {"a": (2.5, None)}], "[1, {'a': (2.5, None)}]"),
        (Settings(), f"{__name__}.Settings(rate=0.1, layers=[1, 2])"),
        (Pair(1, "x"), f"{__name__}.Pair(1, 'x')"),
        (Colour.RED, f"{__name__}.Colour('red')"),
        (Slotted(), f"{__name__}.Slotted(a=1)"),
        (Settings, f"{__name__}.Settings"),
        (OrderedDict(a=1), "collections.OrderedDict('a': 1)"),
        (defaultdict(list, a=[1]), "collections.defaultdict(list, 'a': [1])"),
        (Counter("aab"), "collections.Counter({'a': 2, 'b': 1})"),
        (deque([1, 2]), "collections.deque(1, 2)"),
        (dt.date(2024, 7, 31), "datetime.date(2024, 7, 31)"),
        (dt.timedelta(1), "datetime.timedelta(days=1)"),
        (Decimal("1.10"), "Decimal('1.10')"),
        (Fraction(1, 3), "fractions.Fraction(1, 3)"),
        (Path("/a"), "pathlib.PosixPath('/', 'a')"),
        (UUID(int=5), "uuid.UUID(int=5)"),
        (range(3), "range(0, 3, 1)"),
        (1j, "complex(0.0, 1.0)"),
        (np.float64(0.95), "0.95"),
        (np.int16(-3), "-3"),
        (np.bool_(True), "True"),
        (ValueError("bad"), "ValueError('bad')"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_small_values_are_shown_as_what_they_hold(value, text):
    assert shown(value) == text


def test_a_time_with_a_zone_is_shown_with_it():
    text = shown(dt.datetime(2024, 7, 31, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")))

    assert "datetime.datetime(2024, 7, 31, 0, 0)" in text
    assert "'Europe/Berlin'" in text


def test_classes_of_the_flow_file_are_shown_under_its_name():
    class Local:
        pass

    Local.__module__, Local.__qualname__ = "__main__", "Local"
    main: Any = sys.modules["__main__"]
    main.Local = Local
    try:
        payload = PickleMaterializer("train").dump([Local()])
    finally:
        del main.Local

    assert outline(read_inert(payload)) == "[train.Local()]"


class Bomb:
    """Runs a program when it is unpickled."""

    def __init__(self, call, *arguments):
        self.reduced = (call, arguments)

    def __reduce__(self):
        return self.reduced


def test_nothing_that_a_pickle_names_is_called_or_imported(tmp_path):
    marker = tmp_path / "marker"
    values = [
        Bomb(exec, f"open({str(marker)!r}, 'w')"),
        Bomb(getattr, Path(marker), "touch"),
        Bomb(Path.touch, marker),
    ]
    payload = Payload(pickle.dumps(values, 5))
    unknown = Payload(b"\x80\x05\x8c\x0bno_such_mod\x8c\x01C\x93)\x81.")

    outline(read_inert(payload))

    assert not marker.exists()
    assert outline(read_inert(unknown)) == "no_such_mod.C()"


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\x80\x05\x97.", b"\x80\x05]]R."], ids=repr)
def test_what_is_no_pickle_is_not_shown(store, blobs, data):
    root = RootRecord("pickle", "list", (), data).to_bytes()

    found = store.preview(ArtifactRef(digest_of(root), "pickle", "list", len(root), root))
    assert found.visualizations == ()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (HTMLString("<p>x"), "html"),
        (MarkdownString("# x"), "markdown"),
        (CSVString("a,b"), "csv"),
        (JSONString("{}"), "json"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_marked_texts_are_shown_as_what_they_are(preview, value, kind):
    assert preview(value).visualizations == (Visualization(kind, str(value)),)


def test_a_text_is_shown_as_it_is(preview):
    assert preview("two\nlines").visualizations == (Visualization("text", "two\nlines"),)
