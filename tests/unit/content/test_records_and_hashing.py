"""Digests and root records: what is one, and what is refused."""

import hashlib

import pytest

from flowkit.content.hashing import digest_of, is_digest
from flowkit.content.records import RootRecord, parse_record
from flowkit.exceptions import IntegrityError

RECORD = RootRecord("pickle", "numpy.ndarray", (("ab" * 32, 5), ("01" * 32, 2**40)), b"in-band")


def test_a_digest_is_the_sha256_in_lower_case_hexadecimal():
    assert digest_of(b"data") == hashlib.sha256(b"data").hexdigest()
    assert is_digest(digest_of(b""))


@pytest.mark.parametrize(
    "text",
    ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 64 + "\n", "\u0661" * 64, b"a" * 64, None],
)
def test_nothing_else_is_a_digest(text):
    assert not is_digest(text)


def test_a_record_comes_back():
    data = RECORD.to_bytes()

    assert parse_record(data) == RECORD
    assert RECORD.size == len(data) + 5 + 2**40


def test_equal_records_have_equal_bytes_whatever_holds_the_in_band_bytes():
    same = RootRecord("pickle", "numpy.ndarray", RECORD.buffers, memoryview(b"in-band"))

    assert same.to_bytes() == RECORD.to_bytes()


def test_every_field_counts_for_the_bytes():
    others = [
        RootRecord("other", RECORD.type, RECORD.buffers, RECORD.inband),
        RootRecord("pickle", "int", RECORD.buffers, RECORD.inband),
        RootRecord("pickle", RECORD.type, RECORD.buffers[::-1], RECORD.inband),
        RootRecord("pickle", RECORD.type, RECORD.buffers, b"in-bans"),
    ]

    assert len({record.to_bytes() for record in [RECORD, *others]}) == 5


def test_the_in_band_bytes_of_a_parsed_record_are_not_a_copy():
    data = bytearray(RECORD.to_bytes())
    record = parse_record(data)
    data[-1] ^= 255

    assert record.inband != RECORD.inband


def test_every_truncation_and_every_addition_is_refused():
    data = RECORD.to_bytes()

    for length in range(len(data)):
        with pytest.raises(IntegrityError):
            parse_record(data[:length])
    with pytest.raises(IntegrityError):
        parse_record(data + b"x")


def test_a_record_of_another_version_is_refused():
    with pytest.raises(IntegrityError, match="no root record"):
        parse_record(b"FKR2" + RECORD.to_bytes()[4:])


def test_a_name_that_is_not_utf8_is_refused():
    data = RECORD.to_bytes().replace(b"pickle", b"pick\xff\xff")

    with pytest.raises(IntegrityError, match="UTF-8"):
        parse_record(data)


def test_names_of_types_may_be_odd_and_long():
    long = RootRecord("pickle", "x" * 100_000, (), b"")
    odd = RootRecord("pickle", "a\ud800b", (), b"")

    assert parse_record(long.to_bytes()).type == "x" * 1024
    assert parse_record(odd.to_bytes()).type == "a?b"
    assert long.size == len(long.to_bytes())
