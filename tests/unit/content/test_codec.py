"""The blob format: which codec, which header, and what is refused."""

import os
import struct
from typing import Any

import lz4.frame
import pytest

from flowkit.content import codec
from flowkit.content.codec import HEADER_SIZE, Codec, Header, decode, encode, flat, parse_header
from flowkit.exceptions import BlobCorrupted

RANDOM = os.urandom(1_000_000)
HALF = (b"abc" * 100_000 + RANDOM[:300_000]) * 20


def header_of(data):
    stored = encode(data)
    return parse_header(stored[:HEADER_SIZE], len(stored))


def test_a_raw_payload_starts_at_a_multiple_of_64_bytes():
    assert encode(RANDOM)[HEADER_SIZE:] == RANDOM
    assert HEADER_SIZE % 64 == 0


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Codec.RAW),
        (b"a" * 16_383, Codec.RAW),
        (b"a" * 16_384, Codec.LZ4),
        (RANDOM[:16_384], Codec.RAW),
        (RANDOM, Codec.RAW),
        (b"a" * 1_000_000, Codec.LZ4),
        (HALF, Codec.LZ4),
    ],
    ids=["empty", "small", "pages", "random pages", "random", "constant", "mixed"],
)
def test_lz4_is_chosen_where_it_pays(data, expected):
    assert header_of(data) == Header(expected, len(data), len(encode(data)) - HEADER_SIZE)


def test_a_raw_payload_is_not_copied():
    stored = bytearray(encode(RANDOM))
    view = decode(memoryview(stored))
    stored[HEADER_SIZE] ^= 255

    assert view[0] == stored[HEADER_SIZE]


def test_a_decompressed_blob_is_writable():
    assert not decode(memoryview(encode(bytes(100_000)))).readonly


def test_pieces_of_a_large_payload_make_one_frame():
    data = bytes(9 * 1024 * 1024)

    assert len(list(codec.payload(memoryview(data), Codec.LZ4))) > 3
    assert decode(memoryview(encode(data))) == data


@pytest.mark.parametrize("data", [RANDOM[:5000], HALF[:5000], b"tiny", b""], ids=len)
def test_every_truncation_is_refused(data):
    stored = memoryview(encode(data))

    for length in range(len(stored)):
        with pytest.raises(BlobCorrupted):
            decode(stored[:length])


@pytest.mark.parametrize("data", [RANDOM[:5000], HALF[:5000], b"tiny", b""], ids=len)
def test_every_change_of_the_header_is_refused(data):
    stored = encode(data)

    for position in range(HEADER_SIZE):
        for bit in range(8):
            damaged = bytearray(stored)
            damaged[position] ^= 1 << bit
            with pytest.raises(BlobCorrupted):
                decode(memoryview(damaged))


def test_bytes_after_the_payload_are_refused():
    for data in (b"tiny", HALF[:5000]):
        with pytest.raises(BlobCorrupted, match="payload should be"):
            decode(memoryview(encode(data) + b"x"))


@pytest.mark.parametrize("raw_size", [0, 1, 2**40, 2**64 - 1])
def test_a_length_that_the_payload_does_not_have_is_refused(raw_size):
    stored = bytearray(encode(bytes(5000)))
    struct.pack_into("<Q", stored, 8, raw_size)

    with pytest.raises(BlobCorrupted):
        decode(memoryview(stored))


def test_header_and_frame_together_can_not_make_the_reader_allocate_what_they_claim():
    compressor = lz4.frame.LZ4FrameCompressor()
    body = compressor.begin(2**50) + compressor.compress(bytes(100_000))
    stored = Header(Codec.LZ4, 2**50, len(body)).to_bytes() + body

    with pytest.raises(BlobCorrupted, match=f"can't hold {2**50}"):
        decode(memoryview(stored))


def test_what_follows_the_frame_inside_the_payload_is_refused():
    stored = bytearray(encode(bytes(50_000)) + b"x")
    struct.pack_into("<Q", stored, 16, len(stored) - HEADER_SIZE)

    with pytest.raises(BlobCorrupted, match="does not fill"):
        decode(memoryview(stored))


def test_flat_views_do_not_copy():
    numbers: Any = memoryview(bytearray(80)).cast("d")

    assert len(flat(numbers)) == 80
    flat(numbers)[0] = 1
    assert numbers[0] != 0
    assert len(flat(memoryview(b"").cast("B"))) == 0
