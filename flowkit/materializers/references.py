"""How a pickle refers to what the flow file defines, and other objects with a way of their own."""

import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

_STORAGES = "torch.storage"  # the module of the memory of torch's tensors
_Reduced = tuple[Callable[..., Any], tuple[Any, ...]]


def reduction(value: Any, main_module: str | None) -> Any:
    """Return how to pickle a value; NotImplemented if it has no way of its own here.

    Args:
        value: What is being pickled.
        main_module: As in `main_reference`; None leaves ``__main__`` as it is.
    """
    if type(value).__module__ == _STORAGES:
        from flowkit.materializers.tensors import reduce_storage  # noqa: PLC0415 - only for torch

        return reduce_storage(value)
    if main_module is None:
        return NotImplemented
    return main_reference(value, main_module) or NotImplemented


def main_reference(value: Any, main_module: str) -> _Reduced | None:
    """Return how to find a class or function of the flow file from another process.

    Args:
        value: What is being pickled.
        main_module: The name that the flow file is importable under.

    Returns:
        A call in the sense of ``__reduce__``, made of ``getattr`` and ``import_module`` only;
        None if the value is nothing that other processes find in the flow file.
    """
    if isinstance(value, ModuleType):
        is_main = value is sys.modules["__main__"] or value is sys.modules.get(main_module)
        return (_import_module(), (main_module,)) if is_main else None
    if not isinstance(value, (type, FunctionType)):
        return None
    if value.__module__ not in ("__main__", main_module):
        return None
    parent: Any = sys.modules.get(value.__module__)
    *outer, name = value.__qualname__.split(".")
    for step in outer:
        parent = getattr(parent, step, None)
    if parent is None or getattr(parent, name, None) is not value:
        return None
    return getattr, (parent, name)


def _import_module() -> Callable[[str], ModuleType]:
    import importlib  # noqa: PLC0415 - only values with classes of the flow file need it

    return importlib.import_module
