"""Runs as files: what is written is read back, and everything else is refused."""

import io
import json
import os
import random
import tarfile
from contextlib import closing
from dataclasses import replace

import pytest

from flowkit.content.hashing import digest_of
from flowkit.content.logfiles import RunLogs
from flowkit.content.registry import Registry
from flowkit.content.store import ArtifactStore
from flowkit.exceptions import IntegrityError, StorageError, UsageError
from flowkit.materializers.pickled import PickleMaterializer
from flowkit.metastore import sqlite
from flowkit.metastore.outgoing import SqlRunSource
from flowkit.model.transfer import RunName, RunRows
from flowkit.upkeep.archive import (
    BLOCK,
    END,
    Archive,
    Index,
    blob_name,
    encode_index,
    header,
)
from flowkit.upkeep.archivesides import ArchiveOrigin, ArchiveTarget
from flowkit.upkeep.rowcheck import check_rows
from flowkit.upkeep.storesides import StoreOrigin
from flowkit.upkeep.transfer import copy_run


@pytest.fixture
def origin(shop):
    shop.run(publish="model", x="x" * 200_000, y=list(range(100)), z=os.urandom(20_000))
    (shop.home / "logs").mkdir()
    with closing(SqlRunSource(*sqlite.snapshots(shop.database))) as source:
        token = source.rows("Train", "1").name.token
        (shop.home / "logs" / f"{token}.log").write_bytes(b"what was said" * 100)
        yield StoreOrigin(source, shop.blobs, shop.store, RunLogs(str(shop.home)))


@pytest.fixture
def exported(origin, tmp_path):
    """The bytes of an archive."""
    path = tmp_path / "run.tar"
    copy_run(origin, ArchiveTarget(str(path)), RunName("Train", "1", "?"), lambda _: None)
    return path.read_bytes()


@pytest.fixture
def read(tmp_path):
    """A function that opens bytes as an archive, and reads all of it."""

    def read_all(data):
        path = tmp_path / "read.tar"
        path.write_bytes(data)
        with closing(Archive(path)) as archive:
            origin = ArchiveOrigin(archive, ArtifactStore(archive, Registry(PickleMaterializer())))
            target = ArchiveTarget(str(tmp_path / "again.tar"))
            check_rows(archive.index.rows)
            copy_run(origin, target, archive.index.rows.name, lambda _: None)
        return (tmp_path / "again.tar").read_bytes()

    return read_all


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return [(member.name, archive.extractfile(member).read()) for member in archive]


def made_of(parts):
    """Return an archive of names and contents."""
    padded = (header(name, len(data)) + data + b"\0" * (-len(data) % BLOCK) for name, data in parts)
    return b"".join(padded) + END


def with_index(data, change):
    """Return an archive whose index was changed, with the digest that it has then."""
    (_, _), (name, index), *rest = members(data)
    document = json.loads(index)
    changed = change(document)
    index = json.dumps(document if changed is None else changed).encode()
    title = f"flowkit run 1\n{digest_of(index)}\n".encode()
    return made_of([("format", title), (name, index), *rest])


def test_an_archive_is_a_tar_of_the_blobs_as_files_of_a_store(exported, shop):
    names = [name for name, _ in members(exported)]

    assert names[:3] == ["format", "index.json", "run.log"]
    assert names[3:] == sorted(names[3:])
    for name, data in members(exported)[3:]:
        digest = name.rpartition("/")[2]
        stored = shop.home / name
        assert name == blob_name(digest)
        assert data == stored.read_bytes()


def test_what_is_read_back_and_written_again_has_the_same_bytes(exported, read):
    assert read(exported) == exported
    assert read(made_of(members(exported))) == exported


def test_the_file_is_its_owner_s_and_appears_when_it_is_whole(origin, tmp_path):
    path = tmp_path / "new" / "run.tar"
    path.parent.mkdir()
    seen = []
    previous = os.umask(0)
    try:
        copy_run(
            origin,
            ArchiveTarget(str(path)),
            RunName("Train", "1", "?"),
            lambda _: seen.append([p.stat().st_mode & 0o777 for p in path.parent.iterdir()]),
        )
    finally:
        os.umask(previous)

    assert all(modes == [0o600] for modes in seen)
    assert [(p.name, p.stat().st_mode & 0o777) for p in path.parent.iterdir()] == [
        ("run.tar", 0o600)
    ]


def test_an_export_that_fails_leaves_what_was_there(origin, shop, tmp_path):
    path = tmp_path / "run.tar"
    path.write_text("before")
    victim = max((shop.home / "objects").rglob("*"), key=lambda p: p.stat().st_size)
    victim.unlink()
    with pytest.raises(IntegrityError, match=r"'Train/1' can't be copied: there is no blob"):
        copy_run(origin, ArchiveTarget(str(path)), RunName("Train", "1", "?"), lambda _: None)

    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".part"] == []


def test_a_directory_that_is_not_there_is_one_error(origin, tmp_path):
    target = ArchiveTarget(str(tmp_path / "none" / "run.tar"))
    with pytest.raises(StorageError, match=r"can't write .*none/run.tar: No such file"):
        copy_run(origin, target, RunName("Train", "1", "?"), lambda _: None)


def test_every_truncation_is_refused(exported, read):
    chosen = random.Random(7).sample(range(len(exported)), 60)
    for length in [0, 1, BLOCK, len(exported) - 1, len(exported) - len(END), *chosen]:
        with pytest.raises(IntegrityError):
            read(exported[:length])


def test_every_flipped_bit_is_refused(exported, read):
    generator = random.Random(7)
    headers = [at for at in range(0, len(exported), BLOCK) if b"ustar" in exported[at : at + BLOCK]]
    places = [at + generator.randrange(BLOCK) for at in headers for _ in range(4)]
    places += generator.sample(range(len(exported)), 100)
    for place in places:
        damaged = bytearray(exported)
        damaged[place] ^= 1 << generator.randrange(8)
        with pytest.raises(IntegrityError):
            read(bytes(damaged))


def link(name, kind):
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = "/etc/passwd"
    return member.tobuf(tarfile.GNU_FORMAT)


def renamed(data, position, name):
    parts = members(data)
    parts[position] = (name, parts[position][1])
    return made_of(parts)


def swapped(data, left, right):
    parts = members(data)
    parts[left], parts[right] = (parts[left][0], parts[right][1]), (parts[right][0], parts[left][1])
    return made_of(parts)


def claimed(data, size):
    """Return an archive whose last blob claims to have so many bytes, once decoded."""
    *parts, (name, blob) = members(data)
    return made_of([*parts, (name, blob[:8] + size.to_bytes(8, "little") + blob[16:])])


HOSTILE = {
    "empty": lambda _: b"",
    "text": lambda _: b"hello\n" * 1000,
    "no tar": lambda data: b"format\0" + data[7:BLOCK][::-1] + data[BLOCK:],
    "another tar": lambda _: made_of([("a.txt", b"a")]),
    "pickle": lambda _: b"\x80\x05cos\nsystem\n",
    "zeros": lambda _: bytes(10_240),
    "outside": lambda data: renamed(data, 3, "../../outside"),
    "absolute": lambda data: renamed(data, 3, "/tmp/outside"),
    "dots": lambda data: renamed(data, 3, "objects/../../x"),
    "other name": lambda data: renamed(data, 3, blob_name("0" * 64)),
    "other digest": lambda data: swapped(data, 3, 4),
    "no log": lambda data: made_of([part for part in members(data) if part[0] != "run.log"]),
    "no blob": lambda data: made_of(members(data)[:-1]),
    "twice": lambda data: made_of([*members(data), members(data)[-1]]),
    "more": lambda data: data + b"more",
    "gap": lambda data: data.replace(END, b"x" * len(END)),
    "symlink": lambda data: link("format", tarfile.SYMTYPE) + data[BLOCK:],
    "hard link": lambda data: data[: -len(END)] + link("x", tarfile.LNKTYPE) + END,
    "device": lambda data: link("format", tarfile.CHRTYPE) + data[BLOCK:],
    "huge": lambda data: header("format", 2**62) + data[BLOCK:],
    "huge index": lambda data: data[: 2 * BLOCK] + header("index.json", 2**40) + data[3 * BLOCK :],
    "bomb": lambda data: claimed(data, 2**50),
    "longer": lambda data: claimed(data, 1),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_no_export_has_written_is_refused(exported, read, make):
    with pytest.raises(IntegrityError, match=r"read.tar can't be imported: "):
        read(make(exported))


def test_another_text_in_the_index_is_noticed(exported, read):
    assert exported.count(b'"ada"') > 0
    with pytest.raises(IntegrityError, match="its index is damaged"):
        read(exported.replace(b'"ada"', b'"eda"'))


def test_a_blob_that_would_fill_the_memory_is_refused(exported, tmp_path):
    path = tmp_path / "large.tar"
    path.write_bytes(exported)
    with pytest.raises(IntegrityError, match="larger than this machine's memory"):
        Archive(path, largest=100_000)


def test_a_newer_format_is_refused_with_its_name(exported, read):
    parts = members(exported)
    parts[0] = ("format", parts[0][1].replace(b"run 1\n", b"run 2\n"))
    with pytest.raises(IntegrityError, match="format '2': a newer flowkit may be able to read it"):
        read(made_of(parts))


@pytest.mark.parametrize("kind", ["directory", "pipe", "nothing"])
def test_what_is_no_file_is_refused(tmp_path, kind):
    path = tmp_path / kind
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(StorageError if kind == "nothing" else UsageError):
        Archive(path)


INDEXES = {
    "list": lambda _: [],
    "nothing": lambda _: {"blobs": []},
    "more": lambda index: index.update(more=1),
    "blobs": lambda index: index.update(blobs=["../x"]),
    "blob twice": lambda index: index["blobs"].append(index["blobs"][0]),
    "log": lambda index: index.update(log=7),
    "table": lambda index: index["tables"].pop("tag"),
    "more tables": lambda index: index["tables"].update(more=[]),
    "short row": lambda index: index["tables"]["task"][0].pop(),
    "row": lambda index: index["tables"].update(task=[{}]),
    "run": lambda index: index.update(run="Train"),
}


@pytest.mark.parametrize("change", INDEXES.values(), ids=INDEXES.keys())
def test_an_index_of_another_form_is_refused(exported, read, change):
    with pytest.raises(IntegrityError):
        read(with_index(exported, change))


def test_a_blob_that_the_run_needs_and_the_archive_lacks_is_missed(exported, read):
    *parts, (last, _) = members(exported)
    digest = last.rpartition("/")[2]
    lacking = made_of(parts)
    with pytest.raises(IntegrityError, match=f"no blob {digest}"):
        read(with_index(lacking, lambda index: index["blobs"].remove(digest)))


def test_equal_indexes_have_equal_bytes(exported, tmp_path):
    (tmp_path / "x.tar").write_bytes(exported)
    with closing(Archive(tmp_path / "x.tar")) as archive:
        index = archive.index
    shuffled = RunRows(dict(reversed(index.rows.run.items())), index.rows.tables)

    assert encode_index(replace(index, rows=shuffled)) == encode_index(index)
    assert isinstance(index, Index)
