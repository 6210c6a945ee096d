"""The reader printed in docs/format.md reads a real store."""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowkit.content.registry import Registry
from flowkit.content.store import ArtifactStore
from flowkit.materializers.pickled import PickleMaterializer
from flowkit.model.manifest import Manifest
from flowkit.stores.local import LocalBlobStore

PAGE = Path(__file__).parents[3] / "docs" / "format.md"


@pytest.fixture
def reader():
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    return names


def test_the_printed_reader_reads_what_flowkit_writes(reader, tmp_path):
    store = ArtifactStore(LocalBlobStore(tmp_path), Registry(PickleMaterializer()))
    values: dict[str, Any] = {
        "small": {"a": [1, 2.5, None]},
        "text": "long enough for a blob of its own " * 2000,
        "array": np.random.default_rng(1).random(300_000),
        "zeros": np.zeros(300_000),
    }
    digest = store.put_manifest(Manifest(store.save(values).refs, tuple(values)))

    manifest = reader["read_manifest"](tmp_path, digest)
    found = {}
    for name, ref in manifest["artifacts"].items():
        materializer, inband, buffers = reader["read_artifact"](tmp_path, ref)
        assert materializer == "pickle"
        found[name] = pickle.loads(inband, buffers=buffers)

    assert found.keys() == values.keys()
    assert all(np.array_equal(found[name], values[name]) for name in values)
    assert manifest["written"] == [*values]


def test_the_printed_reader_notices_damage(reader, tmp_path):
    digest = LocalBlobStore(tmp_path).put(b"data")
    path = tmp_path / "objects" / digest[:2] / digest
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    with pytest.raises(ValueError, match="damaged"):
        reader["read_blob"](tmp_path, digest)
