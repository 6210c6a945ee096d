"""Copies of blobs are forgotten when the blobs may have been deleted where they come from."""

import pytest

from flowkit.stores.memory import MemoryBlobStore
from flowkit.stores.wrapping import BlobCache, ReadThroughStore


@pytest.fixture
def distant():
    return MemoryBlobStore()


def opened(distant, tmp_path):
    return ReadThroughStore(distant, BlobCache(str(tmp_path / "cache"), 1_000_000))


def test_after_a_collection_what_was_deleted_elsewhere_is_stored_again(distant, tmp_path):
    store = opened(distant, tmp_path)
    digest = store.put(b"data")
    distant.delete([digest])  # by somebody on another machine
    store.renew(1)
    opened(distant, tmp_path).put(b"data")

    assert distant.exists([digest]) == {digest}


def test_without_a_collection_copies_are_kept(distant, tmp_path):
    store = opened(distant, tmp_path)
    store.renew(0)
    digest = store.put(b"data")
    store.renew(0)
    assert bytes(store.get(digest)) == b"data"
    store.renew(1)
    store.put(b"data")
    distant.delete([digest])
    opened(distant, tmp_path).renew(1)

    assert bytes(opened(distant, tmp_path).get(digest)) == b"data"
