"""Tensors of torch: their memory is kept out of band, wherever it is in a value."""

import pickle
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from flowkit.materializers.pickled import PickleMaterializer
from flowkit.testing.materializers import stored


class UntypedStorage:
    """As much of torch's memory as is used."""

    __module__ = "torch.storage"
    __qualname__ = "UntypedStorage"

    def __init__(self, memory, device="cpu"):
        self.memory = memory
        self.device = SimpleNamespace(type=device)

    def nbytes(self):
        return self.memory.nbytes

    def __reduce__(self):
        return UntypedStorage, (self.memory.copy(), self.device.type)


class TypedStorage:
    """What torch's tensors refer to their memory by."""

    __module__ = "torch.storage"
    __qualname__ = "TypedStorage"

    def __init__(self, wrap_storage, dtype, _internal):
        assert _internal
        self._untyped_storage = wrap_storage
        self.dtype = dtype

    @property
    def device(self):
        raise DeprecationWarning("torch says so when it is asked")

    def nbytes(self):
        raise DeprecationWarning("torch says so when it is asked")

    def __reduce__(self):
        raise TypeError("torch would copy the memory here")


class FlatTensor:
    def __init__(self, memory=None):
        self.memory = memory

    def set_(self, storage):
        return FlatTensor(storage.memory)

    def numpy(self):
        return self.memory

    def untyped_storage(self):
        return UntypedStorage(self.memory)


@pytest.fixture
def torch(monkeypatch):
    module: Any = ModuleType("torch")
    storage: Any = ModuleType("torch.storage")
    storage.UntypedStorage = UntypedStorage
    storage.TypedStorage = TypedStorage
    module.storage = storage
    module.uint8 = "uint8"
    module.empty = lambda size, dtype: FlatTensor()
    module.frombuffer = lambda memory, dtype: FlatTensor(np.frombuffer(memory, np.uint8))
    monkeypatch.setitem(sys.modules, "torch", module)
    monkeypatch.setitem(sys.modules, "torch.storage", storage)
    return module


@pytest.mark.parametrize("main_module", [None, "train"])
def test_memory_is_a_buffer_and_shared_memory_stays_shared(torch, main_module):
    layer = UntypedStorage(np.arange(100_000, dtype=np.uint8))
    typed = [TypedStorage(layer, kind, True) for kind in ("float32", "int8")]
    materializer = PickleMaterializer(main_module)

    payload = stored(materializer.dump({"layers": typed}))
    one, other = materializer.load(payload)["layers"]

    assert [len(buffer) for buffer in payload.buffers] == [100_000]
    assert (one.dtype, other.dtype) == ("float32", "int8")
    assert one._untyped_storage is other._untyped_storage
    assert np.array_equal(one._untyped_storage.memory, layer.memory)


def test_memory_elsewhere_is_left_to_torch(torch):
    elsewhere = UntypedStorage(np.arange(10, dtype=np.uint8), "cuda")

    loaded = PickleMaterializer().load(PickleMaterializer().dump(elsewhere))

    assert loaded.device.type == "cuda"


def test_real_tensors_come_back_and_share_layers():
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(300, 300), torch.nn.Linear(300, 2))
    tensor = torch.arange(100_000, dtype=torch.float32)
    value = {"model": model, "state": model.state_dict(), "views": (tensor, tensor[5:])}
    materializer = PickleMaterializer()

    payload = materializer.dump(value)
    loaded = materializer.load(stored(payload))

    assert len(payload.buffers) == 2  # the large layer once, the tensor once
    assert all(torch.equal(one, loaded["state"][name]) for name, one in model.state_dict().items())
    first, view = loaded["views"]
    view[0] = -1
    assert first[5] == -1
    assert torch.equal(loaded["model"](tensor[:300]), model(tensor[:300]))
    assert pickle.dumps(loaded)
