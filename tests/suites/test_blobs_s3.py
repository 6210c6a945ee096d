"""The S3 store passes the suite against a real server, alone and behind its local cache."""

from collections.abc import Callable

import pytest

from flowkit.stores.s3 import S3BlobStore
from flowkit.stores.wrapping import BlobCache, ReadThroughStore
from flowkit.testing.blobs import BlobStoreSuite

pytestmark = pytest.mark.s3


class TestS3BlobStore(BlobStoreSuite):
    @pytest.fixture
    def store(self, s3_place):
        self.place = s3_place
        return s3_place.store()

    def damage(self, store, digest: str, change: Callable[[bytes], bytes]) -> None:
        s3 = self.place.client()
        key = f"{self.place.prefix}/objects/{digest[:2]}/{digest}"
        stored = s3.get_object(Bucket=self.place.bucket, Key=key)["Body"].read()
        s3.put_object(Bucket=self.place.bucket, Key=key, Body=change(stored))

    def open_again(self, store):
        return S3BlobStore(self.place.bucket_at(), self.place.prefix)


class TestConditionalS3BlobStore(TestS3BlobStore):
    @pytest.fixture
    def store(self, s3_place, tmp_path):
        self.place = s3_place
        store = s3_place.store(copy=str(tmp_path / "service"))
        assert store.probe() == "conditional writes are honoured"
        return store


class TestCachedS3BlobStore(TestS3BlobStore):
    @pytest.fixture
    def store(self, s3_place, tmp_path):
        self.place = s3_place
        self.root = tmp_path / "cache"
        return self.open_again(None)

    def damage(self, store, digest: str, change: Callable[[bytes], bytes]) -> None:
        super().damage(store, digest, change)
        path = self.root / "objects" / digest[:2] / digest
        path.chmod(0o600)
        path.write_bytes(change(path.read_bytes()))

    def open_again(self, store):
        return ReadThroughStore(self.place.store(), BlobCache(str(self.root), 10**9))
