"""Every system call of the local store fails once: nothing is acknowledged, nothing is left."""

import errno
import itertools
import os
from pathlib import Path

import pytest

from flowkit.exceptions import StorageError
from flowkit.stores import local
from flowkit.stores.local import LocalBlobStore

WRITING = ("open", "write", "lseek", "fsync", "fchmod", "rename", "mkdir", "chmod", "close")
ERRORS = (errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EACCES)
SMALL = [b"one", b"two", b"three" * 5000]
LARGE = [os.urandom(100_000), bytes(100_000)]


class FailNth:
    """Makes the nth of the named calls fail; ``was_hit`` tells whether there were as many."""

    def __init__(self, patch, names, nth, number):
        self.left = nth
        self.number = number
        self.was_hit = False
        for name in names:
            patch.setattr(os, name, self.wrap(name, getattr(os, name)))

    def wrap(self, name, real):
        def call(*arguments, **keywords):
            self.left -= 1
            if self.left == 0:
                self.was_hit = True
                if name == "close":
                    real(*arguments)
                raise OSError(self.number, os.strerror(self.number))
            return real(*arguments, **keywords)

        return call


def attempt(work, argument):
    try:
        return work(argument), None
    except StorageError as error:
        return None, error


def leftovers(root):
    return [path for path in Path(root).glob("tmp/*") if path.is_file()]


@pytest.mark.parametrize("number", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize(
    ("datas", "large"), [(SMALL, 1 << 22), (LARGE, 1000)], ids=["small", "large"]
)
def test_a_failing_call_while_writing_acknowledges_nothing_and_leaves_nothing(
    tmp_path, monkeypatch, datas, large, number
):
    monkeypatch.setattr(local, "_LARGE", large)
    for nth in itertools.count(1):
        root = tmp_path / str(nth) / "store"
        store = LocalBlobStore(root)
        with pytest.MonkeyPatch.context() as patch:
            fault = FailNth(patch, WRITING, nth, number)
            digests, error = attempt(store.put_many, datas)
        if not fault.was_hit:
            break

        assert leftovers(root) == []
        if error is None:  # the parent of an existing directory need not be readable
            assert number == errno.EACCES
        else:
            assert digests is None
            assert error.errno == number
            assert str(root) in str(error)
            assert os.strerror(number) in str(error)
        assert all(bytes(store.get(digest)) in datas for digest, _ in store.list())
        assert [bytes(store.get(key)) for key in store.put_many(datas)] == datas
    assert nth > 30


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.EACCES], ids=errno.errorcode.get)
def test_a_failing_call_while_reading_is_a_storage_error(tmp_path, number):
    store = LocalBlobStore(tmp_path)
    digest = store.put(b"data")
    for nth in itertools.count(1):
        with pytest.MonkeyPatch.context() as patch:
            fault = FailNth(patch, ("open", "fstat", "readv", "close"), nth, number)
            data, error = attempt(store.get, digest)
        if not fault.was_hit:
            break
        # a mark that can't be looked at only means: not verified
        assert data == b"data" if error is None else error.errno == number
    assert nth > 4
    assert bytes(store.get(digest)) == b"data"


def test_the_error_names_path_reason_free_space_and_a_remedy(tmp_path, monkeypatch):
    store = LocalBlobStore(tmp_path)
    store.put(b"first")
    FailNth(monkeypatch, ["write"], 1, errno.ENOSPC)

    with pytest.raises(StorageError) as caught:
        store.put(b"second")
    message = str(caught.value)

    assert message.startswith(f"can't write to the store {tmp_path}: No space left on device")
    assert "bytes are free" in message
    assert "free some space" in message


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP], ids=errno.errorcode.get)
def test_a_file_system_that_can_not_sync_directories_is_tolerated(tmp_path, monkeypatch, number):
    real = os.fsync

    def fsync(descriptor):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    store = LocalBlobStore(tmp_path / "store")

    assert bytes(store.get(store.put(b"data"))) == b"data"


def test_a_file_that_can_not_be_synced_is_never_synced_again(tmp_path, monkeypatch):
    store = LocalBlobStore(tmp_path)
    store.put(b"first")
    failed = []

    def fsync(descriptor):
        failed.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        raise OSError(errno.EIO, "lost")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StorageError):
        store.put(b"second")

    assert len(failed) == 1
    assert leftovers(tmp_path) == []


def test_short_writes_are_continued(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:7]))
    store = LocalBlobStore(tmp_path)
    data = os.urandom(1000)

    assert bytes(store.get(store.put(data))) == data


def test_short_reads_are_continued(tmp_path, monkeypatch):
    store = LocalBlobStore(tmp_path)
    digest = store.put(os.urandom(1000))
    real = os.readv
    monkeypatch.setattr(os, "readv", lambda descriptor, views: real(descriptor, [views[0][:7]]))

    assert len(store.get(digest)) == 1000


def test_a_failing_write_of_a_large_blob_waits_for_its_hash(tmp_path, monkeypatch):
    import threading

    monkeypatch.setattr(local, "_LARGE", 1000)
    store = LocalBlobStore(tmp_path)
    store.put(b"first")
    FailNth(monkeypatch, ["write"], 1, errno.ENOSPC)

    with pytest.raises(StorageError):
        store.put(bytes(100_000))
    assert not any(thread.name == "flowkit-hash" for thread in threading.enumerate())
