import os

import pytest

from flowkit.content.hashing import digest_of
from flowkit.exceptions import BlobMissing, StorageError
from flowkit.stores import wrapping
from flowkit.stores.memory import MemoryBlobStore
from flowkit.stores.wrapping import BlobCache, ReadThroughStore


class Distant(MemoryBlobStore):
    """A store that notes what it is asked for."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def put_many(self, datas):
        self.asked.append(f"put {len(datas)}")
        return [MemoryBlobStore.put(self, data) for data in datas]

    def put(self, data):
        return self.put_many([data])[0]

    def get_many(self, digests):
        self.asked.append(f"get {len(digests)}")
        return {digest: MemoryBlobStore.get(self, digest) for digest in digests}

    def get(self, digest):
        return self.get_many([digest])[digest]


@pytest.fixture
def distant():
    return Distant()


@pytest.fixture
def root(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def store(distant, root):
    return ReadThroughStore(distant, BlobCache(str(root), 1_000_000))


def files(root):
    return [path for path in root.glob("objects/*/*") if path.is_file()]


def test_what_was_written_here_is_read_without_asking(store, distant):
    digest = store.put(b"data")

    assert bytes(store.get(digest)) == b"data"
    assert store.get_many([digest]) == {digest: b"data"}
    assert distant.asked == ["put 1"]


def test_what_was_read_here_is_read_again_without_asking(store, distant):
    digest = MemoryBlobStore.put(distant, b"data")

    assert [bytes(store.get(digest)) for _ in range(3)] == [b"data"] * 3
    assert distant.asked == ["get 1"]


def test_another_process_of_this_machine_finds_it_too(store, distant, root):
    digest = store.put(b"data")
    other = ReadThroughStore(distant, BlobCache(str(root), 1_000_000))

    assert bytes(other.get(digest)) == b"data"
    other.put(b"data")
    assert distant.asked == ["put 1"]


def test_what_this_machine_has_stored_is_not_stored_again(store, distant):
    digests = store.put_many([b"a", b"b", b"a"])
    assert store.put_many([b"b", b"c", b"a"]) == [digests[1], store.put(b"c"), digests[0]]

    assert distant.asked == ["put 2", "put 1"]


def test_only_what_is_not_here_is_fetched_and_together(store, distant):
    here = [store.put(b"%d" % n) for n in range(3)]
    there = [MemoryBlobStore.put(distant, b"there %d" % n) for n in range(5)]
    distant.asked.clear()

    found = store.get_many([*here, *there, here[0]])

    assert sorted(map(bytes, found.values())) == sorted(
        [*(b"%d" % n for n in range(3)), *(b"there %d" % n for n in range(5))]
    )
    assert distant.asked == ["get 5"]


def test_what_could_not_be_stored_is_not_taken_for_stored(store, distant):
    def fail(_):
        raise StorageError("down")

    distant.put_many, real = fail, distant.put_many
    with pytest.raises(StorageError):
        store.put(b"data")
    distant.put_many = real

    digest = store.put(b"data")

    assert bytes(MemoryBlobStore.get(distant, digest)) == b"data"


def test_a_damaged_file_here_is_fetched_again(store, distant, root):
    digest = store.put(b"data")
    (path,) = files(root)
    path.chmod(0o600)
    path.write_bytes(b"nonsense")

    assert bytes(store.get(digest)) == b"data"
    assert bytes(store.get(digest)) == b"data"
    assert distant.asked == ["put 1", "get 1"]


def test_a_blob_that_the_distant_store_has_lost_is_stored_again(store, distant):
    digest = store.put(b"data")
    distant.delete([digest])

    assert store.exists([digest]) == set()
    store.put(b"data")

    assert store.exists([digest]) == {digest}


def test_a_deleted_blob_is_gone_here_too(store):
    digest = store.put(b"data")
    store.delete([digest])

    with pytest.raises(BlobMissing):
        store.get(digest)


def test_a_cache_that_can_not_be_used_is_no_error(distant, tmp_path):
    (tmp_path / "cache").write_text("I am a file")
    store = ReadThroughStore(distant, BlobCache(str(tmp_path / "cache"), 1_000_000))

    digest = store.put(b"data")

    assert bytes(store.get(digest)) == b"data"
    assert store.get_many([digest, store.put(b"more")]) == {
        digest: b"data",
        digest_of(b"more"): b"more",
    }
    assert store.exists([digest]) == {digest}
    store.delete([digest])


def test_a_cache_keeps_to_its_limit(distant, root, monkeypatch):
    monkeypatch.setattr(wrapping, "_random", lambda: 0.0)  # each write looks for what to delete
    store = ReadThroughStore(distant, BlobCache(str(root), 100_000))
    for _ in range(50):
        store.put(os.urandom(10_000))
        assert sum(path.stat().st_size for path in files(root)) <= 100_000

    assert len(files(root)) >= 7


def test_what_was_not_used_for_longest_makes_room(distant, root, monkeypatch):
    store = ReadThroughStore(distant, BlobCache(str(root), 100_000))
    digests = [store.put(os.urandom(10_000)) for _ in range(9)]
    for age, digest in enumerate(digests):
        path = root / "objects" / digest[:2] / digest
        os.utime(path, (1_000_000_000 + (age or 100), 900_000_000))  # the first: used last
    monkeypatch.setattr(wrapping, "_random", lambda: 0.0)
    store.put(os.urandom(10_000))

    kept = {path.name for path in files(root)}
    assert digests[0] in kept
    assert digests[1] not in kept


def test_trimming_is_rare(distant, root, monkeypatch):
    looked = []

    def note(path):
        looked.append(path)
        return []

    monkeypatch.setattr(wrapping, "_uses", note)
    store = ReadThroughStore(distant, BlobCache(str(root), 1_000_000))
    for number in range(200):
        store.put(b"%d" % number)

    assert len(looked) < 20


def test_a_blob_that_would_push_out_too_much_is_not_kept(distant, root):
    store = ReadThroughStore(distant, BlobCache(str(root), 100_000))
    digest = store.put(bytes(30_000))

    assert files(root) == []
    assert bytes(store.get(digest)) == bytes(30_000)
