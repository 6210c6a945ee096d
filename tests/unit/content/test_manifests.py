"""Manifests as bytes: canonical, complete, and strict."""

import json

import pytest

from flowkit.content.manifests import encode_manifest, parse_manifest
from flowkit.exceptions import IntegrityError
from flowkit.model.manifest import ArtifactRef, Frame, Manifest, Read, Transition

DIGEST = "ab" * 32
REF = ArtifactRef(DIGEST, "pickle", "int", 34, b"\0\xff")
FULL = Manifest(
    {"x": REF, "a": ArtifactRef("01" * 32, "pickle", "list", 2**40)},
    ("x", "a"),
    (Read("attr:x", DIGEST), Read("attr:y", None)),
    Transition(("work",), "a", items_blob=REF.digest),
    "start",
    (Frame("start", None, 2, 3, REF),),
)


@pytest.mark.parametrize("manifest", [Manifest(), FULL], ids=["empty", "full"])
def test_a_manifest_comes_back(manifest):
    assert parse_manifest(encode_manifest(manifest)) == manifest
    assert parse_manifest(memoryview(encode_manifest(manifest))) == manifest


def test_equal_manifests_have_equal_bytes_whatever_the_order_of_their_artifacts():
    other = Manifest(
        dict(reversed([*FULL.artifacts.items()])),
        FULL.written,
        FULL.reads,
        FULL.next,
        FULL.step,
        FULL.frames,
    )

    assert list(other.artifacts) != list(FULL.artifacts)
    assert encode_manifest(other) == encode_manifest(FULL)


def test_the_order_of_writing_and_reading_counts():
    one = Manifest(written=("a", "b"), reads=(Read("index", None), Read("names", None)))

    assert encode_manifest(one) != encode_manifest(Manifest(written=("b", "a"), reads=one.reads))
    assert encode_manifest(one) != encode_manifest(
        Manifest(written=one.written, reads=one.reads[::-1])
    )


def test_every_truncation_is_refused():
    data = encode_manifest(FULL)

    for length in range(len(data)):
        with pytest.raises(IntegrityError):
            parse_manifest(data[:length])


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe\xfd",
        b"null",
        b"[]",
        b"{}",
        b"1e999",
        b"NaN",
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"9" * 5000,
        encode_manifest(FULL) + b"{}",
    ],
    ids=range(10),
)
def test_bytes_that_are_no_manifest_are_refused(data):
    with pytest.raises(IntegrityError):
        parse_manifest(data)


def replaced(path, value):
    document = json.loads(encode_manifest(FULL))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["version"], 2),
        (["version"], True),
        (["version"], "1"),
        (["more"], 1),
        (["artifacts"], []),
        (["artifacts", "x"], {}),
        (["artifacts", "x"], [DIGEST, "pickle", "int", 34]),
        (["artifacts", "x", 0], "../../etc/passwd"),
        (["artifacts", "x", 0], DIGEST.upper()),
        (["artifacts", "x", 0], DIGEST + "\n"),
        (["artifacts", "x", 0], None),
        (["artifacts", "x", 1], 5),
        (["artifacts", "x", 2], None),
        (["artifacts", "x", 3], -1),
        (["artifacts", "x", 3], 1.0),
        (["artifacts", "x", 3], True),
        (["artifacts", "x", 3], 2**63),
        (["artifacts", "x", 4], "not base64"),
        (["artifacts", "x", 4], "AAA"),
        (["artifacts", "x", 4], "\u00e9\u00e9\u00e9\u00e9"),
        (["artifacts", "x", 4], 0),
        (["written"], "x"),
        (["written", 0], 5),
        (["reads"], {}),
        (["reads", 0], ["attr:x"]),
        (["reads", 0, 0], None),
        (["reads", 0, 1], "0"),
        (["next"], []),
        (["next"], {}),
        (["next", "targets"], "work"),
        (["next", "targets", 0], 1),
        (["next", "items"], [None]),
        (["next", "items"], "x"),
        (["next", "variable"], 1),
        (["next", "num_parallel"], -1),
        (["next", "num_parallel"], "2"),
        (["step"], None),
        (["frames"], None),
        (["frames", 0], ["start"]),
        (["frames", 0, 0], None),
        (["frames", 0, 1], 5),
        (["frames", 0, 2], -1),
        (["frames", 0, 3], "3"),
        (["frames", 0, 4], DIGEST),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_wrong_field_is_refused(path, value):
    with pytest.raises(IntegrityError):
        parse_manifest(replaced(path, value))


@pytest.mark.parametrize("key", json.loads(encode_manifest(FULL)))
def test_a_missing_field_is_refused(key):
    document = json.loads(encode_manifest(FULL))
    del document[key]

    with pytest.raises(IntegrityError):
        parse_manifest(json.dumps(document).encode())
