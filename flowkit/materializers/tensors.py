"""Memory of torch's tensors, wherever they are inside a value: out of band, and uncopied.

Left to itself torch pickles the memory of each tensor into bytes of its own, which hides equal
layers of two checkpoints from each other. The tensors themselves are pickled as torch wants it;
what is replaced are the storages that they lie in, ``TypedStorage`` around ``UntypedStorage``.
"""

import pickle
from typing import Any


def reduce_storage(storage: Any) -> Any:
    """Return how to rebuild the memory of a tensor; NotImplemented leaves it to torch."""
    import torch  # noqa: PLC0415 - loaded already, as the value is a tensor

    is_typed = type(storage).__name__ == "TypedStorage"
    # The typed one itself warns when it is asked.
    untyped = storage._untyped_storage if is_typed else storage  # noqa: SLF001
    if untyped.device.type != "cpu" or not untyped.nbytes():
        return NotImplemented
    if is_typed:
        # An object of its own, so that tensors that share memory still do when loaded.
        return rebuild_typed, (untyped, storage.dtype)
    flat = torch.empty(0, dtype=torch.uint8).set_(untyped)
    return rebuild_untyped, (pickle.PickleBuffer(flat.numpy()),)


def rebuild_typed(untyped: Any, dtype: Any) -> Any:
    """Return memory as torch's tensors want it."""
    import torch  # noqa: PLC0415 - an optional dependency

    return torch.storage.TypedStorage(wrap_storage=untyped, dtype=dtype, _internal=True)


def rebuild_untyped(memory: Any) -> Any:
    """Return memory of stored bytes, which it may write into."""
    import torch  # noqa: PLC0415 - an optional dependency

    return torch.frombuffer(memory, dtype=torch.uint8).untyped_storage()
