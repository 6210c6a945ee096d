"""The canonical digest of plain values, written down once and for ever."""

import hashlib

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


def test_values_that_share_parts_and_values_that_do_not_are_equal():
    text = "two words"
    shared, apart = [text, text], [text, " ".join(text.split())]
    materializer = PickleMaterializer()

    assert materializer.dump(shared) != materializer.dump(apart)
    assert content_of(materializer, shared) == content_of(materializer, apart) is not None
