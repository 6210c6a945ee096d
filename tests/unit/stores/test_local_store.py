"""What the local store does beyond the contract of every store."""

import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from flowkit.content.hashing import digest_of
from flowkit.exceptions import BlobCorrupted, BlobMissing, StorageError
from flowkit.stores import local
from flowkit.stores.local import LocalBlobStore

MAPPED = os.urandom(1024 * 1024)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def store(root):
    return LocalBlobStore(root)


def file_of(root, digest):
    return Path(root) / "objects" / digest[:2] / digest


def mark_of(root, digest):
    return Path(root) / "verified" / digest[:2] / digest


def get_until_marked(store, root, digest):
    for _ in range(10_000):  # a file is marked when it is older than a tick of the clock
        store.get(digest)
        if mark_of(root, digest).exists():
            return
    raise AssertionError("never marked")


def change(path, position=-1):
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


def test_reading_creates_nothing(store, root):
    with pytest.raises(BlobMissing):
        store.get("0" * 64)
    assert store.exists(["0" * 64]) == set()
    assert list(store.list()) == []
    store.delete(["0" * 64])

    assert not root.exists()


@pytest.mark.parametrize("mask", [0, 0o077, 0o777], ids=oct)
def test_files_are_0400_and_directories_0700_whatever_the_umask(store, root, mask):
    previous = os.umask(mask)
    try:
        digest = store.put(MAPPED)
        get_until_marked(store, root, digest)
        change(file_of(root, store.put(b"damaged")))
        with pytest.raises(BlobCorrupted):
            store.get(digest_of(b"damaged"))
    finally:
        os.umask(previous)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [root, *root.rglob("*")]}

    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {modes[file_of(root, digest)], modes[root / "format"]} == {0o400}


def test_every_blob_lies_under_its_digest_and_nothing_else_remains(store, root):
    digest = store.put(b"data")

    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert files == {"format", f"objects/{digest[:2]}/{digest}"}


def test_twenty_saves_of_the_same_large_blob_store_it_once(store, root):
    data = os.urandom(8 * 1024 * 1024)
    for _ in range(20):
        LocalBlobStore(root).put(data)

    assert sum(path.stat().st_size for path in root.rglob("*")) < 1.05 * len(data)
    assert os.listdir(root / "tmp") == []


def test_an_existing_blob_is_not_written_again(store, root):
    for data in (b"small", os.urandom(5 * 1024 * 1024)):
        digest = store.put(data)
        before = file_of(root, digest).stat()
        store.put(data)

        assert file_of(root, digest).stat().st_ino == before.st_ino


def test_a_file_that_is_not_whole_is_replaced_when_its_blob_is_put(store, root):
    digest = store.put(b"data")
    path = file_of(root, digest)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])
    store.put(b"data")

    assert bytes(store.get(digest)) == b"data"


def test_every_changed_byte_and_every_truncation_of_a_file_is_reported(store, root):
    data = os.urandom(100)
    digest = store.put(data)
    whole = file_of(root, digest).read_bytes()
    damages = [whole[:length] for length in range(len(whole))]
    for position in range(len(whole)):
        damages.append(bytearray(whole))
        damages[-1][position] ^= 0x10

    for damaged in damages:
        path = file_of(root, store.put(data))
        path.chmod(0o600)
        path.write_bytes(damaged)
        with pytest.raises(BlobCorrupted):
            store.get(digest)


def test_no_changed_byte_of_a_compressed_file_gives_other_bytes(store, root):
    data = b"compress me " * 2000
    digest = store.put(data)
    path = file_of(root, digest)
    whole = path.read_bytes()
    assert len(whole) < 300

    reported = 0
    for position in range(len(whole)):
        path.unlink(missing_ok=True)
        path.write_bytes(whole)
        change(path, position)
        try:
            assert store.get(digest) == data
        except BlobCorrupted:
            reported += 1
    assert reported > 0.9 * len(whole)


def test_a_damaged_file_is_moved_to_quarantine_and_named(store, root):
    digest = store.put(b"data")
    change(file_of(root, digest))

    with pytest.raises(BlobCorrupted) as caught:
        store.get(digest)
    (kept,) = (root / "quarantine").iterdir()

    assert caught.value.digest == digest
    assert caught.value.location == str(kept)
    assert str(file_of(root, digest)) in str(caught.value)


def test_a_link_is_refused(store, root, tmp_path):
    digest = store.put(b"data")
    outside = tmp_path / "outside"
    file_of(root, digest).rename(outside)
    file_of(root, digest).symlink_to(outside)

    with pytest.raises(BlobCorrupted, match="symbolic link"):
        store.get(digest)
    assert outside.exists()


def test_a_link_is_replaced_when_its_blob_is_put(store, root, tmp_path):
    digest = store.put(b"data")
    outside = tmp_path / "outside"
    file_of(root, digest).rename(outside)
    file_of(root, digest).symlink_to(outside)
    store.put(b"data")

    assert bytes(store.get(digest)) == b"data"
    assert not file_of(root, digest).is_symlink()


def test_what_is_no_regular_file_is_refused_and_never_waited_for(store, root):
    digest = store.put(b"data")
    file_of(root, digest).unlink()
    os.mkfifo(file_of(root, digest))

    with pytest.raises(BlobCorrupted, match="no regular file"):
        store.get(digest)


def test_strangers_in_the_directory_are_not_listed(store, root):
    digest = store.put(b"data")
    (root / "objects" / "stranger").write_text("")
    (root / "objects" / "zz").mkdir()
    (file_of(root, digest).parent / "stranger").write_text("")
    other = "f" if digest[0] != "f" else "e"
    (file_of(root, digest).parent / (other * 64)).write_text("")

    assert [found for found, _ in store.list()] == [digest]


def test_the_listed_size_is_what_the_file_takes(store, root):
    digest = store.put(b"compress me " * 2000)

    assert list(store.list()) == [(digest, file_of(root, digest).stat().st_size)]


def test_a_mapped_array_is_aligned_and_writable(store, root):
    view = store.get(store.put(MAPPED))
    array = np.frombuffer(view, dtype=np.uint8)

    assert array.ctypes.data % 64 == 0
    assert array.flags.writeable


def test_a_blob_is_hashed_once_per_machine(store, root):
    digest = store.put(MAPPED)
    get_until_marked(store, root, digest)
    change(file_of(root, digest))
    info = file_of(root, digest).stat()
    times = f"{info.st_mtime_ns} {info.st_ctime_ns}"
    mark_of(root, digest).unlink()
    mark_of(root, digest).write_text(f"{info.st_ino} {info.st_size} {times}\n")

    assert LocalBlobStore(root).get(digest) != MAPPED  # a true mark is believed, not checked


def test_a_file_that_changed_since_it_was_verified_is_hashed_again(store, root):
    digest = store.put(MAPPED)
    get_until_marked(store, root, digest)
    info = file_of(root, digest).stat()
    change(file_of(root, digest))
    os.utime(file_of(root, digest), ns=(info.st_atime_ns, info.st_mtime_ns))

    with pytest.raises(BlobCorrupted):
        store.get(digest)


@pytest.mark.parametrize("content", [b"", b"garbage", b"1 2 3 4\n", b"\xff" * 1000])
def test_a_damaged_mark_means_not_verified(store, root, content):
    digest = store.put(MAPPED)
    get_until_marked(store, root, digest)
    mark_of(root, digest).chmod(0o600)
    mark_of(root, digest).write_bytes(content)
    change(file_of(root, digest))

    with pytest.raises(BlobCorrupted):
        store.get(digest)


def test_a_file_that_has_just_changed_is_not_marked(store, root, monkeypatch):
    digest = store.put(MAPPED)
    changed_at = file_of(root, digest).stat().st_ctime_ns
    monkeypatch.setattr(local, "now", lambda: changed_at + 1_000_000)
    store.get(digest)

    assert not mark_of(root, digest).exists()


def test_a_mark_goes_with_its_blob(store, root):
    digest = store.put(MAPPED)
    get_until_marked(store, root, digest)
    store.delete([digest])

    assert not mark_of(root, digest).exists()


def test_mappings_are_bounded_since_each_holds_a_descriptor(store, monkeypatch):
    monkeypatch.setattr(local, "_MAX_MAPPINGS", 2)
    digests = [store.put(os.urandom(1024 * 1024)) for _ in range(5)]
    before = len(os.listdir("/proc/self/fd"))
    views = [store.get(digest) for digest in digests]

    assert len(os.listdir("/proc/self/fd")) <= before + 2
    assert [digest_of(view) for view in views] == digests
    assert not any(view.readonly for view in views)


def test_a_store_that_was_deleted_meanwhile_is_not_made_again(store, root):
    store.put(b"data")
    root.rename(root.with_name("elsewhere"))

    with pytest.raises(StorageError, match="deleted or replaced") as caught:
        store.put(b"more")
    assert caught.value.errno == errno.ENOENT
    assert not root.exists()


def test_a_store_of_another_format_is_not_written(root):
    root.mkdir()
    (root / "format").write_text("flowkit content store 2\n")

    with pytest.raises(StorageError, match="format"):
        LocalBlobStore(root).put(b"data")


def test_a_root_that_is_a_file_is_a_storage_error(tmp_path):
    (tmp_path / "store").write_text("")

    with pytest.raises(StorageError):
        LocalBlobStore(tmp_path / "store").put(b"data")
    with pytest.raises(StorageError):
        LocalBlobStore(tmp_path / "store").get("0" * 64)
    with pytest.raises(StorageError):
        LocalBlobStore(tmp_path / "store").exists(["0" * 64])
    with pytest.raises(StorageError):
        list(LocalBlobStore(tmp_path / "store").list())


def test_a_store_that_can_only_be_read_is_readable(store, root):
    digest = store.put(MAPPED)
    change(file_of(root, store.put(b"damaged")))
    paths = [root, *root.rglob("*")]
    before = {path: path.stat() for path in paths}
    (root / "verified").write_text("in the way")
    (root / "quarantine").write_text("in the way")

    reader = LocalBlobStore(root)
    assert reader.get(digest) == MAPPED
    assert len(list(reader.list())) == 2
    with pytest.raises(BlobCorrupted) as caught:
        reader.get(digest_of(b"damaged"))
    assert caught.value.location == str(file_of(root, digest_of(b"damaged")))
    assert {path: path.stat().st_ino for path in paths} == {
        path: info.st_ino for path, info in before.items()
    }


def test_a_relative_root_stays_where_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = LocalBlobStore("store")
    digest = store.put(b"data")
    monkeypatch.chdir("/")

    assert bytes(store.get(digest)) == b"data"
