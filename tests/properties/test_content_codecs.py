"""Blobs, records and manifests: whatever is written comes back, whatever is read is judged."""

import contextlib
import string

from hypothesis import given, settings
from hypothesis import strategies as st

from flowkit.content.codec import HEADER_SIZE, Codec, Header, decode, encode, parse_header
from flowkit.content.manifests import (
    encode_items,
    encode_manifest,
    parse_items,
    parse_manifest,
)
from flowkit.content.records import RootRecord, parse_record
from flowkit.exceptions import BlobCorrupted, IntegrityError
from flowkit.model.manifest import ArtifactRef, Frame, Manifest, Read, Transition

FEW = settings(derandomize=True, max_examples=150, deadline=None)

digests = st.text("0123456789abcdef", min_size=64, max_size=64)
counts = st.integers(0, 2**63 - 1)
names = st.text(max_size=20)
refs = st.builds(ArtifactRef, digests, names, names, counts, st.none() | st.binary(max_size=50))
transitions = st.builds(
    Transition,
    st.lists(names, max_size=3).map(tuple),
    st.none() | names,
    st.none(),
    st.none() | counts,
    st.none() | digests,
)
frames = st.builds(Frame, names, st.none() | names, counts, counts, refs)
manifests = st.builds(
    Manifest,
    st.dictionaries(names, refs, max_size=4),
    st.lists(names, max_size=3).map(tuple),
    st.lists(st.builds(Read, names, st.none() | digests), max_size=3).map(tuple),
    st.none() | transitions,
    names,
    st.lists(frames, max_size=2).map(tuple),
)
repetitive = st.builds(
    lambda piece, times, tail: piece * times + tail,
    st.binary(min_size=1, max_size=50),
    st.integers(0, 3000),
    st.binary(max_size=100),
)
records = st.builds(
    RootRecord,
    names,
    names,
    st.lists(st.tuples(digests, st.integers(0, 2**64 - 1)), max_size=4).map(tuple),
    st.binary(max_size=200),
)
headers = st.binary(min_size=56, max_size=56).map(lambda rest: b"FKB1" + rest[:1] + bytes(3) + rest)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | names,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=10,
)


@FEW
@given(st.binary(max_size=2000) | repetitive)
def test_any_bytes_come_back_from_a_blob(data):
    stored = encode(data)

    assert decode(memoryview(stored)) == data
    assert len(stored) <= len(data) + HEADER_SIZE


@FEW
@given(st.binary(max_size=300) | headers | st.binary(max_size=200).map(lambda b: b"FKB1" + b))
def test_any_bytes_are_a_blob_or_refused(stored):
    try:
        assert len(decode(memoryview(stored))) <= 255 * len(stored)
    except BlobCorrupted:
        return
    header = parse_header(stored, len(stored))
    assert header.to_bytes() == stored[:HEADER_SIZE]


@FEW
@given(repetitive, st.data())
def test_a_changed_compressed_payload_is_refused_or_has_the_same_length(data, draw):
    stored = bytearray(encode(data * 5 + bytes(20_000)))
    position = draw.draw(st.integers(HEADER_SIZE, len(stored) - 1))
    stored[position] ^= draw.draw(st.integers(1, 255))
    assert stored[4] == Codec.LZ4
    with contextlib.suppress(BlobCorrupted):
        assert len(decode(memoryview(stored))) == len(data) * 5 + 20_000


@FEW
@given(st.sampled_from(Codec), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_header_is_parsed_exactly_or_refused(codec, raw_size, stored_size):
    header = Header(codec, raw_size, stored_size)
    try:
        assert parse_header(header.to_bytes(), stored_size + HEADER_SIZE) == header
    except BlobCorrupted:
        assert raw_size > 255 * stored_size or (codec is Codec.RAW and raw_size != stored_size)


@FEW
@given(records)
def test_a_record_comes_back_with_the_same_bytes(record):
    data = record.to_bytes()

    assert parse_record(data).to_bytes() == data
    assert parse_record(data).buffers == record.buffers
    assert parse_record(data).inband == record.inband


@FEW
@given(st.binary(max_size=100).map(lambda tail: b"FKR1" + tail) | st.binary(max_size=100))
def test_any_bytes_are_a_record_or_refused(data):
    try:
        record = parse_record(data)
    except IntegrityError:
        return
    assert record.to_bytes() == data


@FEW
@given(manifests)
def test_a_manifest_comes_back_with_the_same_bytes(manifest):
    data = encode_manifest(manifest)

    assert parse_manifest(data) == manifest
    assert encode_manifest(parse_manifest(data)) == data


@FEW
@given(st.binary(max_size=200) | st.text(string.printable, max_size=200).map(str.encode))
def test_any_bytes_are_a_manifest_or_refused(data):
    try:
        manifest = parse_manifest(data)
    except IntegrityError:
        return
    assert parse_manifest(encode_manifest(manifest)) == manifest


@FEW
@given(manifests, st.data(), jsons)
def test_any_field_replaced_by_anything_is_a_manifest_or_refused(manifest, draw, value):
    import json

    document = json.loads(encode_manifest(manifest))
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw.draw(st.sampled_from(keys))
        is_leaf = not isinstance(place[key], (dict, list)) or not place[key]
        if is_leaf or draw.draw(st.booleans()):
            place[key] = value
            break
        place = place[key]
    try:
        parsed = parse_manifest(json.dumps(document).encode())
    except IntegrityError:
        return
    assert parse_manifest(encode_manifest(parsed)) == parsed


@FEW
@given(st.lists(refs, max_size=5).map(tuple))
def test_a_list_of_foreach_items_comes_back(items):
    assert parse_items(encode_items(items)) == items


@FEW
@given(st.binary(max_size=200))
def test_any_bytes_are_a_list_of_items_or_an_integrity_error(data):
    with contextlib.suppress(IntegrityError):
        parse_items(data)
