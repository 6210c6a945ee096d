"""Parcels and directories: what was packed comes out, and nothing gets out of its directory."""

import os

import pytest

from flowkit.content.hashing import digest_of
from flowkit.exceptions import ArtifactUnloadable
from flowkit.materializers.parcels import OUT_OF_BAND_FROM, pack, parcel_digest, unpack
from flowkit.materializers.trees import read_tree, write_tree
from flowkit.ports.materializer import Payload

SMALL, LARGE = b"small", bytes(OUT_OF_BAND_FROM)


def test_small_parts_stay_in_band_and_large_ones_are_buffers():
    payload = pack({"a": [1]}, [SMALL, LARGE, b"", SMALL])

    assert list(payload.buffers) == [LARGE]
    head, parts = unpack(payload)
    assert (head, [bytes(part) for part in parts]) == ({"a": [1]}, [SMALL, LARGE, b"", SMALL])
    assert not any(memoryview(part).readonly for part in parts)


def test_the_digest_tells_head_and_parts_apart():
    payloads = [
        pack({"a": 1}, [SMALL, LARGE]),
        pack({"a": 2}, [SMALL, LARGE]),
        pack({"a": 1}, [LARGE, SMALL]),
        pack({"a": 1}, [SMALL + b"x", LARGE]),
        pack({"a": 1}, [SMALL, LARGE + b"x"]),
        pack({"a": 1}, []),
    ]
    digests = {parcel_digest(p, [digest_of(buffer) for buffer in p.buffers]) for p in payloads}

    assert len(digests) == len(payloads)


@pytest.mark.parametrize(
    "payload",
    [
        Payload(pack(None, [SMALL]).inband[:-1]),
        Payload(pack(None, [LARGE]).inband),
        Payload(pack(None, [LARGE]).inband, (LARGE[:-1],)),
        Payload(b"\xff\xff\xff\xff[]"),
        Payload(b"\4\0\0\0null"),
    ],
    ids=["short", "no buffer", "short buffer", "long head", "another head"],
)
def test_what_is_no_parcel_is_unloadable(payload):
    with pytest.raises(ArtifactUnloadable, match="malformed"):
        unpack(payload)


def test_a_directory_comes_back_file_by_file(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    for path, content in {"a": b"1", "b/c/d": LARGE, "b/ä": b""}.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(content)
    (source / "empty" / "too").mkdir(parents=True)
    target.mkdir()

    write_tree(str(target), *read_tree(str(source)))

    found = {path.relative_to(target).as_posix() for path in target.rglob("*")}
    assert found == {"a", "b", "b/c", "b/c/d", "b/ä", "empty", "empty/too"}
    assert (target / "b/c/d").read_bytes() == LARGE
    assert (target / "a").stat().st_mode & 0o777 == 0o400


def test_what_is_neither_file_nor_directory_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(OSError, match="pipe is neither a file nor a directory"):
        read_tree(str(tmp_path))


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../b", "", "a//b", ".", "a\0"])
def test_no_path_of_a_tree_leads_out_of_its_directory(tmp_path, path):
    inside = tmp_path / "inside"
    inside.mkdir()

    with pytest.raises(ArtifactUnloadable, match="has the path"):
        write_tree(str(inside), {"files": [path], "empty": []}, [b"x"])
    with pytest.raises(ArtifactUnloadable, match="has the path"):
        write_tree(str(inside), {"files": [], "empty": [path]}, [])
    assert list(tmp_path.iterdir()) == [inside]


def test_a_tree_without_its_contents_is_unloadable(tmp_path):
    with pytest.raises(ArtifactUnloadable, match="another number of files"):
        write_tree(str(tmp_path), {"files": ["a"], "empty": []}, [])
