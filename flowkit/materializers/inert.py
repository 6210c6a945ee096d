"""Reads pickles without the code that they name: classes and functions become stand-ins.

This is how a stored value is shown where its class is missing, changed or not to be trusted.
Nothing is imported and nothing of the value is called; what comes out is data.
"""

import io
import pickle
import struct
from functools import partial
from typing import Any, Self

from flowkit.ports.materializer import Payload

_SCALARS = {
    "b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I",
    "u8": "Q", "f2": "e", "f4": "f", "f8": "d",
}  # fmt: skip
_NUMPY_SCALAR = ("numpy._core.multiarray.scalar", "numpy.core.multiarray.scalar")
# Types of the standard library that hold data, can't be given work, and are small to make.
_HARMLESS = {
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
}


class StandIn:
    """An object whose class was not imported: how it was to be made, and what was put into it.

    Attributes:
        args: The arguments of its constructor.
        state: Its attributes, or whatever else its class would have restored it from.
        items: What was appended to it, if it is a kind of list or set.
        pairs: What was put into it under keys, if it is a kind of dict.
    """

    name = ""
    """Qualified name of what stands here; set in the class made for it."""

    args: tuple[Any, ...]
    state: Any
    items: list[Any]
    pairs: list[tuple[Any, Any]]

    def __new__(cls, *args: Any, **keywords: Any) -> Self:
        """Take any arguments."""
        made = super().__new__(cls)
        made.args = (*args, *keywords.values())
        made.state = None
        made.items = []
        made.pairs = []
        return made

    def __init__(self, *args: Any, **keywords: Any) -> None:
        """Take any arguments, which ``__new__`` has kept."""

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.pairs.append((key, value))

    def append(self, item: Any) -> None:
        """Take an item."""
        self.items.append(item)

    def extend(self, items: Any) -> None:
        """Take items."""
        self.items.extend(items)

    def add(self, item: Any) -> None:
        """Take an item."""
        self.items.append(item)


def read_inert(payload: Payload) -> Any:
    """Return the value with stand-ins for what would need code.

    Raises:
        Exception: The bytes are no pickle; whatever ``pickle`` raises then.
    """
    missing = [bytearray() for _ in payload.buffers]
    return _InertUnpickler(io.BytesIO(payload.inband), buffers=missing).load()


def scalar_of(stand_in: StandIn) -> Any:
    """Return the number that a scalar of numpy holds; None if it is none."""
    if stand_in.name not in _NUMPY_SCALAR:
        return None
    match stand_in.args:
        case (StandIn(args=(str(code), *_)), bytes(raw)) if code in _SCALARS:
            kind = struct.Struct("<" + _SCALARS[code])
            return kind.unpack(raw)[0] if len(raw) == kind.size else None
    return None


class _InertUnpickler(pickle.Unpickler):
    """Makes a stand-in of every name, but for a few types that are nothing but data."""

    def find_class(self, module: str, name: str) -> Any:
        qualified = f"{module}.{name}"
        if qualified == "builtins.getattr":
            return _attribute
        if qualified == "importlib.import_module":
            return _class_named
        if name in _HARMLESS.get(module, ()):
            return partial(_harmless, module, name)
        return _class_named(qualified.removeprefix("builtins."))


def _class_named(name: str) -> type[StandIn]:
    return type("StandIn", (StandIn,), {"name": str(name)})


def _attribute(owner: Any, name: str) -> type[StandIn]:
    """Return what stands for a class of the flow file, which is pickled as an attribute of it."""
    is_known = isinstance(owner, type) and issubclass(owner, StandIn)
    return _class_named(f"{owner.name}.{name}" if is_known else name)


def _harmless(module: str, name: str, *args: Any) -> Any:
    import importlib  # noqa: PLC0415 - a module of the closed list above

    try:
        return getattr(importlib.import_module(module), name)(*args)
    except (TypeError, ValueError, ArithmeticError):
        if args and isinstance(args[-1], StandIn):  # a time zone, whose class was not imported
            args = (_harmless(module, name, *args[:-1]), args[-1])
        return _class_named(f"{module}.{name}")(*args)
