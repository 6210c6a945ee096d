"""Files written once stay readable, and what is written today has the same bytes."""

import hashlib
import importlib.util
import json
from pathlib import Path

import pytest

from flowkit.content.codec import decode
from flowkit.content.manifests import encode_manifest, parse_manifest
from flowkit.content.preview import parse_preview
from flowkit.content.records import parse_record
from flowkit.materializers.parcels import unpack
from flowkit.ports.materializer import Payload

GOLDEN = Path(__file__).parents[2] / "golden"
_spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
assert _spec is not None
assert _spec.loader is not None
make = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(make)


@pytest.mark.parametrize("name", make.FILES)
def test_what_is_written_today_has_the_golden_bytes(name):
    assert make.FILES[name] == (GOLDEN / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "data"), [("raw.blob", make.RAW), ("empty.blob", b""), ("lz4.blob", make.COMPRESSED)]
)
def test_golden_blobs_are_readable(name, data):
    assert bytes(decode(memoryview((GOLDEN / name).read_bytes()))) == data


def test_the_golden_record_is_readable():
    record = parse_record((GOLDEN / "record.bin").read_bytes())

    assert record == make.RECORD
    assert record.size == (GOLDEN / "record.bin").stat().st_size + sum(map(len, make.BUFFERS))


@pytest.mark.parametrize(
    ("name", "manifest"), [("manifest.json", make.MANIFEST), ("end.json", make.END)]
)
def test_golden_manifests_are_readable(name, manifest):
    data = (GOLDEN / name).read_bytes()

    assert parse_manifest(data) == manifest
    assert encode_manifest(parse_manifest(data)) == data


def test_the_golden_preview_is_readable():
    data = (GOLDEN / "preview.json").read_bytes()

    assert parse_preview(data) == make.PREVIEW


def test_the_golden_parcel_is_readable():
    inband = (GOLDEN / "parcel.bin").read_bytes()

    head, parts = unpack(Payload(inband, make.PARCEL.buffers))
    assert head == make.PARCEL_HEAD
    assert [bytes(part) for part in parts] == [make.RAW, bytes(100_000), b""]


def test_the_golden_files_agree_with_each_other():
    manifest = json.loads((GOLDEN / "manifest.json").read_bytes())
    record = (GOLDEN / "record.bin").read_bytes()

    assert manifest["artifacts"]["größe"][0] == hashlib.sha256(record).hexdigest()
