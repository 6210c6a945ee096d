"""The suite that every blob store passes: one test per sentence of the port's contract.

Subclass `BlobStoreSuite`, give it a ``store`` fixture, and say how blobs of that store are damaged
and opened a second time. That a store which can't be written raises `StorageError` and
acknowledges nothing, and that what it acknowledged survives a power loss, is for the store's own
tests: it depends on what can fail.
"""

# ruff: noqa: S101 - a suite is made of assertions

import hashlib
import os
import threading
from collections.abc import Callable

import pytest

from flowkit.exceptions import BlobCorrupted, BlobMissing
from flowkit.ports.blobs import BlobStore, Buffer, SupportsMany

LARGE = 5 * 1024 * 1024
SAMPLES: dict[str, Buffer] = {
    "empty": b"",
    "one byte": b"x",
    "text": b"The quick brown fox. " * 40,
    "bytearray": bytearray(range(256)) * 300,
    "memoryview of numbers": memoryview(bytes(4 * 5000)).cast("I"),
    "large, compressible": bytes(LARGE),
    "large, random": os.urandom(LARGE),
}
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda _: b"",
    "truncated": lambda stored: stored[: len(stored) // 2],
    "one byte short": lambda stored: stored[:-1],
    "one byte longer": lambda stored: stored + b"\0",
    "first bit flipped": lambda stored: bytes([stored[0] ^ 1]) + stored[1:],
    "last bit flipped": lambda stored: stored[:-1] + bytes([stored[-1] ^ 1]),
    "zeroed": lambda stored: bytes(len(stored)),
}
NO_DIGESTS = ("", "x", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n", "0" * 65)


class BlobStoreSuite:
    """Tests of the contract of `BlobStore`; each name repeats a sentence of it."""

    @pytest.fixture
    def store(self) -> BlobStore:
        """Return an empty store."""
        raise NotImplementedError

    def damage(self, store: BlobStore, digest: str, change: Callable[[bytes], bytes]) -> None:
        """Replace what the store keeps for a blob by ``change`` of it."""
        raise NotImplementedError

    def open_again(self, store: BlobStore) -> BlobStore:
        """Return a second store on the same blobs, as another process would open it."""
        raise NotImplementedError

    @pytest.mark.parametrize("data", SAMPLES.values(), ids=SAMPLES.keys())
    def test_blobs_are_addressed_by_the_sha256_of_their_bytes(
        self, store: BlobStore, data: Buffer
    ) -> None:
        """Equal to what hashlib says, and the bytes come back."""
        digest = store.put(data)

        assert digest == hashlib.sha256(data).hexdigest()
        assert bytes(store.get(digest)) == bytes(data)

    def test_any_number_of_writers_may_use_one_store_at_the_same_time(
        self, store: BlobStore
    ) -> None:
        """Equal and different blobs, written by several threads."""
        blobs = [bytes([number]) * 100_000 for number in range(8)]
        found: list[list[str]] = []
        writers = [
            threading.Thread(target=lambda: found.append([store.put(blob) for blob in blobs]))
            for _ in range(4)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

        assert found == [[hashlib.sha256(blob).hexdigest() for blob in blobs]] * 4
        assert {digest for digest, _ in store.list()} == set(found[0])

    def test_put_is_atomic_nobody_ever_sees_a_part(self, store: BlobStore) -> None:
        """A reader beside the writer finds the blob missing or whole."""
        data = os.urandom(LARGE)
        digest = hashlib.sha256(data).hexdigest()
        seen: list[bool] = []
        is_done = threading.Event()

        def read() -> None:
            while not is_done.is_set():
                try:
                    seen.append(bytes(store.get(digest)) == data)
                except BlobMissing:
                    continue

        reader = threading.Thread(target=read)
        reader.start()
        store.put(data)
        is_done.set()
        reader.join()

        assert all(seen)

    def test_what_is_put_is_there_for_everybody_when_put_returns(self, store: BlobStore) -> None:
        """A store opened afterwards has it."""
        digest = store.put(b"data")

        assert bytes(self.open_again(store).get(digest)) == b"data"

    def test_put_may_be_repeated_and_stores_equal_bytes_once(self, store: BlobStore) -> None:
        """The second time nothing is added."""
        for data in (b"small", bytes(LARGE), os.urandom(LARGE)):
            digest = store.put(data)
            before = sorted(store.list())

            assert store.put(bytearray(data)) == digest
            assert sorted(store.list()) == before

    @pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES.keys())
    @pytest.mark.parametrize("size", [10, 100_000, LARGE])
    def test_get_verifies_and_quarantines_a_damaged_blob(
        self, store: BlobStore, size: int, change: Callable[[bytes], bytes]
    ) -> None:
        """It is reported, then gone, and can be put again."""
        data = os.urandom(size)
        digest = store.put(data)
        store.get(digest)
        self.damage(store, digest, change)

        with pytest.raises(BlobCorrupted, match=digest) as caught:
            store.get(digest)
        assert caught.value.digest == digest
        with pytest.raises(BlobMissing):
            store.get(digest)
        assert store.put(data) == digest
        assert bytes(store.get(digest)) == data

    @pytest.mark.parametrize("size", [10, 100_000, LARGE])
    def test_get_never_returns_a_blob_that_lies_under_the_digest_of_another(
        self, store: BlobStore, size: int
    ) -> None:
        """Two blobs are swapped; both are reported."""
        kept: dict[str, bytes] = {}
        digests = [store.put(os.urandom(size)) for _ in range(2)]
        for digest in digests:
            self.damage(store, digest, lambda stored, key=digest: kept.setdefault(key, stored))  # type: ignore[misc]
        for digest, other in zip(digests, reversed(digests), strict=True):
            self.damage(store, digest, lambda _, key=other: kept[key])  # type: ignore[misc]

        for digest in digests:
            with pytest.raises(BlobCorrupted):
                store.get(digest)

    @pytest.mark.parametrize("data", SAMPLES.values(), ids=SAMPLES.keys())
    def test_writing_into_the_view_of_a_blob_never_reaches_the_store(
        self, store: BlobStore, data: Buffer
    ) -> None:
        """The view is changed where it can be; the blob stays."""
        digest = store.put(data)
        view = store.get(digest)
        if len(view) and not view.readonly:
            view[0] ^= 255

        assert bytes(store.get(digest)) == bytes(data)
        assert bytes(self.open_again(store).get(digest)) == bytes(data)

    @pytest.mark.parametrize("data", SAMPLES.values(), ids=SAMPLES.keys())
    def test_a_view_stays_valid_for_as_long_as_it_is_referenced(
        self, store: BlobStore, data: Buffer
    ) -> None:
        """Also when the blob is deleted meanwhile."""
        digest = store.put(data)
        view = store.get(digest)
        store.delete([digest])

        assert bytes(view) == bytes(data)

    def test_get_reports_a_missing_blob(self, store: BlobStore) -> None:
        """In a store that was never written too."""
        with pytest.raises(BlobMissing) as caught:
            store.get("0" * 64)

        assert caught.value.digest == "0" * 64

    @pytest.mark.parametrize("text", NO_DIGESTS)
    def test_a_string_that_is_no_digest_is_never_found(self, store: BlobStore, text: str) -> None:
        """It never becomes a path either."""
        store.put(b"data")

        with pytest.raises(BlobMissing):
            store.get(text)
        assert store.exists([text]) == set()
        store.delete([text])

    def test_exists_returns_those_that_the_store_has_without_verifying_them(
        self, store: BlobStore
    ) -> None:
        """A damaged one counts until somebody reads it."""
        whole, damaged = store.put(b"whole"), store.put(b"damaged")
        self.damage(store, damaged, DAMAGES["truncated"])

        assert store.exists([whole, damaged, "0" * 64]) == {whole, damaged}
        assert store.exists([]) == set()

    def test_list_yields_digest_and_stored_size_of_every_blob(self, store: BlobStore) -> None:
        """Of an empty store nothing."""
        assert list(store.list()) == []

        digests = {store.put(data) for data in SAMPLES.values()}
        listed = dict(store.list())

        assert listed.keys() == digests
        assert all(0 <= size <= LARGE + 1024 for size in listed.values())

    def test_delete_skips_those_that_are_not_there(self, store: BlobStore) -> None:
        """The others are gone then."""
        gone, kept = store.put(b"gone"), store.put(b"kept")
        store.delete(["0" * 64, gone, gone])

        assert store.exists([gone, kept]) == {kept}
        with pytest.raises(BlobMissing):
            store.get(gone)

    def test_a_deleted_blob_can_be_put_again(self, store: BlobStore) -> None:
        """Deleting leaves nothing that stands in the way."""
        for data in (b"data", os.urandom(LARGE)):
            digest = store.put(data)
            store.get(digest)
            store.delete([digest])

            assert store.put(data) == digest
            assert bytes(store.get(digest)) == data

    def test_many_are_put_and_got_as_if_one_by_one(self, store: BlobStore) -> None:
        """For stores that support it."""
        if not isinstance(store, SupportsMany):
            pytest.skip("the store does not support many blobs at once")
        datas = [*SAMPLES.values(), b"twice", b"twice", *(b"%d" % n for n in range(100))]
        digests = store.put_many(datas)

        assert digests == [hashlib.sha256(data).hexdigest() for data in datas]
        found = self.open_again(store)
        assert isinstance(found, SupportsMany)
        assert {key: bytes(view) for key, view in found.get_many(digests).items()} == {
            digest: bytes(data) for digest, data in zip(digests, datas, strict=True)
        }
        assert store.put_many([]) == []
        assert dict(store.get_many([])) == {}

    def test_of_many_the_first_error_is_raised(self, store: BlobStore) -> None:
        """For stores that support it."""
        if not isinstance(store, SupportsMany):
            pytest.skip("the store does not support many blobs at once")
        digest = store.put(b"data")

        with pytest.raises(BlobMissing):
            store.get_many([digest, "0" * 64])
