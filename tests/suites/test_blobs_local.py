"""The local store passes the suite."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flowkit.stores.local import LocalBlobStore
from flowkit.testing.blobs import BlobStoreSuite


class TestLocalBlobStore(BlobStoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path):
        self.root = tmp_path / "store"
        return LocalBlobStore(self.root)

    def damage(self, store, digest: str, change: Callable[[bytes], bytes]) -> None:
        path = self.root / "objects" / digest[:2] / digest
        path.chmod(0o600)
        path.write_bytes(change(path.read_bytes()))

    def open_again(self, store):
        return LocalBlobStore(self.root)
