"""The canonical digest of plain values, written down once and for ever."""

import datetime as dt
import hashlib
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path, PurePosixPath

import pytest

from flowkit.content.canonical import canonical_digest
from flowkit.materializers.pickled import PickleMaterializer
from flowkit.testing.materializers import content_of


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, b"n"),
        (True, b"t"),
        (False, b"f"),
        (-15, b"i-15;"),
        (1.5, b"d\x3f\xf8\0\0\0\0\0\0"),
        (-0.0, b"d\x80\0\0\0\0\0\0\0"),
        (float("nan"), b"d\x7f\xf8\0\0\0\0\0\0"),
        (1j, b"cd\0\0\0\0\0\0\0\0d\x3f\xf0\0\0\0\0\0\0"),
        ("é", b"s2:\xc3\xa9"),
        ("\ud800", b"s3:\xed\xa0\x80"),
        (b"x", b"b1:x"),
        ([1, "a"], b"l2:i1;s1:a"),
        ((1,), b"u1:i1;"),
        ({"a": 1, 2: None}, b"m2:s1:ai1;i2;n"),
        ({"b", "a", 1}, b"S3:i1;s1:as1:b"),
        (frozenset([(2,), (1,)]), b"F2:u1:i1;u1:i2;"),
        ([], b"l0:"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_kind_has_its_code(value, code):
    assert canonical_digest(value) == hashlib.sha256(b"fk1" + code).hexdigest()


class Whole(int):
    """An int of a class of its own."""


def doubled(depth, value, pair):
    for _ in range(depth):
        value = pair(value)
    return value


def endless():
    value: list[object] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        object(),
        [object()],
        {"a": Whole(1)},
        {1: {2: bytearray()}},
        10**5000,
        endless(),
        doubled(60, [], lambda value: [value, value]),
        doubled(60, frozenset(), lambda value: frozenset([(value, 1), (value, 2)])),
        [0] * 1_000_000 + [[]],
    ],
    ids=["object", "inside", "class", "bytearray", "digits", "endless", "doubled", "sets", "long"],
)
def test_other_values_have_none(value):
    assert canonical_digest(value) is None


ZOO = """
import datetime as dt, sys, uuid
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from flowkit.materializers.pickled import PickleMaterializer
from flowkit.testing.materializers import content_of

class Colour(Enum):
    RED = 1
    BLUE = 2

for value in (
    {str(number) for number in range(60_000)},
    {dt.date(2020, 1, 1), dt.date(2020, 1, 2), dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)},
    [{Decimal("1.5"), Decimal("2")}, {"x": {Fraction(1, 2), Fraction(1, 3), "y"}}],
    {uuid.UUID(int=1), uuid.UUID(int=2), Path("a/b"), Path("c")},
    {Colour.RED, Colour.BLUE},
    {frozenset({"a", "b"}), frozenset({"c", ("d", 1)})},
):
    digest = content_of(PickleMaterializer(), value)
    assert digest is not None, value
    print(digest)
"""


def test_sets_have_the_same_digest_whatever_the_seed_of_hashes():
    def digests(seed):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", ZOO]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.split()

    first, second = digests("1"), digests("2")

    assert first == second
    assert len(set(first)) == 6


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (dt.date(2020, 1, 1), dt.datetime(2020, 1, 1)),  # noqa: DTZ001 - a naive one, on purpose
        (Decimal("1.0"), Decimal("1.00")),
        (Path("a"), PurePosixPath("a")),
        (dt.date(2020, 1, 1), "2020-01-01"),
    ],
)
def test_values_of_other_types_or_digits_differ(one, other):
    assert canonical_digest([one]) != canonical_digest([other])
    assert canonical_digest([one]) is not None


def test_values_that_share_parts_and_values_that_do_not_are_equal():
    text = "two words"
    shared, apart = [text, text], [text, " ".join(text.split())]
    materializer = PickleMaterializer()

    assert materializer.dump(shared) != materializer.dump(apart)
    assert content_of(materializer, shared) == content_of(materializer, apart) is not None
