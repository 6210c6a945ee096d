"""The memory store passes the suite."""

from collections.abc import Callable

import pytest

from flowkit.stores.memory import MemoryBlobStore
from flowkit.testing.blobs import BlobStoreSuite


class TestMemoryBlobStore(BlobStoreSuite):
    @pytest.fixture
    def store(self):
        self.blobs: dict[str, bytes] = {}
        return MemoryBlobStore(self.blobs)

    def damage(self, store, digest: str, change: Callable[[bytes], bytes]) -> None:
        self.blobs[digest] = change(self.blobs[digest])

    def open_again(self, store):
        return MemoryBlobStore(self.blobs)
