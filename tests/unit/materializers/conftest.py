"""A store with everything that flowkit brings along."""

import pytest

from flowkit.content.store import ArtifactStore
from flowkit.materializers.standard import standard_registry
from flowkit.stores.memory import MemoryBlobStore


@pytest.fixture
def blobs():
    return MemoryBlobStore()


@pytest.fixture
def store(blobs):
    return ArtifactStore(blobs, standard_registry())


@pytest.fixture
def preview(store):
    """What is known and shown of a value that was stored."""

    def preview_of(value):
        return store.preview(store.save({"x": value}).refs["x"])

    return preview_of
