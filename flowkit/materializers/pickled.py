"""The default materializer: pickle protocol 5 with large buffers kept apart.

A value is pickled by the plain pickler, and by cloudpickle only when it has parts (lambdas, local
functions and classes) that the plain one can't store.
"""

import io
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any

from flowkit.content.canonical import canonical_digest
from flowkit.exceptions import (
    ArtifactUnloadable,
    Interrupted,
    TimeoutException,
    UnpicklableArtifactException,
)
from flowkit.materializers.parcels import OUT_OF_BAND_FROM, writable
from flowkit.materializers.references import reduction
from flowkit.ports.blobs import Buffer
from flowkit.ports.materializer import Payload, Peeked

_PROTOCOL = 5
_CONTAINERS = frozenset({dict, list, tuple, set, frozenset})
_SETS = frozenset({set, frozenset})
_SHOWN = (str, dict, list, tuple, set, frozenset, bytes, bytearray)
_NUMBERS = frozenset({bool, float, int, type(None)})
_KEYS = _NUMBERS | {str}
_LARGEST_COMPARED = 256 * 1024  # bytes of a pickle; the canonical form of a larger one takes long
_LARGEST_SET = 4 * 1024 * 1024  # two pickles of equal sets are rarely equal, so it is worth more
_NOT_ABOUT_THE_VALUE = (MemoryError, TimeoutException, Interrupted)
_CLOUDPICKLE_MAY = (pickle.PicklingError, AttributeError, TypeError)
_BufferCallback = Callable[[pickle.PickleBuffer], bool]


class PickleMaterializer:
    """Stores whatever pickle or cloudpickle can.

    Args:
        main_module: Importable name of the flow file. Classes and functions of ``__main__`` are
            stored under this name, so that other processes can load them. None: as they are.
    """

    name = "pickle"

    def __init__(self, main_module: str | None = None) -> None:
        self._main_module = main_module

    def claims(self, value: Any) -> bool:  # noqa: ARG002 - the port's signature
        """Claim everything; `dump` says what can't be stored."""
        return True

    def dump(self, value: Any) -> Payload:
        """Serialize; buffers of at least `OUT_OF_BAND_FROM` bytes are returned uncopied."""
        try:
            return self._dump(value)
        except _NOT_ABOUT_THE_VALUE:
            raise
        except Exception as error:  # a user's __reduce__ may raise anything
            from flowkit.materializers.culprit import describe  # noqa: PLC0415 - only on failure

            message = describe(value, error, self._failure)
            raise UnpicklableArtifactException(message) from error

    def load(self, payload: Payload) -> Any:
        """Rebuild the value; its buffers are writable if they were when it was stored."""
        buffers = [writable(buffer) for buffer in payload.buffers]
        try:
            return pickle.loads(payload.inband, buffers=buffers)
        except _NOT_ABOUT_THE_VALUE:
            raise
        except ModuleNotFoundError as error:
            raise ArtifactUnloadable(f"it needs the module {error.name!r}") from error
        except (AttributeError, ImportError) as error:
            raise ArtifactUnloadable(f"its code has changed or is missing: {error}") from error
        except Exception as error:  # user code runs here and may raise anything
            said = f"{type(error).__name__}: {error}"
            raise ArtifactUnloadable(f"unpickling it failed ({said})") from error

    def content_digest(self, value: Any, payload: Payload, digests: Sequence[str]) -> str | None:  # noqa: ARG002 - the port's signature
        """Return the canonical digest of containers of plain values; others have none."""
        limit = _LARGEST_SET if type(value) in _SETS else _LARGEST_COMPARED
        if type(value) not in _CONTAINERS or len(payload.inband) > limit:
            return None
        if _has_one_pickle(value):
            return None
        return canonical_digest(value)

    def shows(self, value: Any) -> bool:
        """Tell whether the pickle shows it: texts and containers."""
        return issubclass(type(value), _SHOWN)

    def peek(self, payload: Payload, type_name: str) -> Peeked:
        """Show a stored value by what its pickle says, without any code of it."""
        from flowkit.materializers.inert import read_inert  # noqa: PLC0415 - only to show values
        from flowkit.materializers.texts import shown  # noqa: PLC0415 - the same

        return Peeked({}, (shown(read_inert(payload), type_name),))

    def _dump(self, value: Any) -> Payload:
        try:
            return _dump_with(self._plain_pickler, value)
        except _CLOUDPICKLE_MAY:
            return _dump_with(self._cloud_pickler, value)

    def _failure(self, value: Any) -> Exception | None:
        """Tell why a value can't be pickled; None if it can."""
        try:
            self._dump(value)
        except _NOT_ABOUT_THE_VALUE:
            raise
        except Exception as error:  # noqa: BLE001 - a user's __reduce__ may raise anything
            return error
        return None

    def _plain_pickler(self, target: io.BytesIO, callback: _BufferCallback) -> pickle.Pickler:
        if self._main_module is None and "torch" not in sys.modules:
            return pickle.Pickler(target, _PROTOCOL, buffer_callback=callback)
        return _PlainPickler(target, callback, self._main_module)

    def _cloud_pickler(self, target: io.BytesIO, callback: _BufferCallback) -> pickle.Pickler:
        from flowkit.materializers.cloudpickled import CloudPickler  # noqa: PLC0415 - 30 ms

        return CloudPickler(target, callback, self._main_module)


def _dump_with(
    new_pickler: Callable[[io.BytesIO, _BufferCallback], pickle.Pickler], value: Any
) -> Payload:
    buffers: list[Buffer] = []

    def stays_in_band(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()  # contiguous: pickle has refused what is not
        if view.nbytes < OUT_OF_BAND_FROM:
            return True
        buffers.append(view)
        return False

    target = io.BytesIO()
    new_pickler(target, stays_in_band).dump(value)
    return Payload(target.getvalue(), tuple(buffers))


def _has_one_pickle(value: Any) -> bool:
    """Whether equal values have equal pickles: true for flat lists and dicts of numbers.

    Nothing in them can occur twice in a way that a pickle tells from two equal objects.
    """
    if type(value) is dict:
        return _KEYS.issuperset(map(type, value)) and _NUMBERS.issuperset(map(type, value.values()))
    return type(value) in (list, tuple) and _NUMBERS.issuperset(map(type, value))


class _PlainPickler(pickle.Pickler):
    """Pickles what is defined at the top of the flow file under the file's importable name."""

    def __init__(
        self, target: io.BytesIO, callback: _BufferCallback, main_module: str | None
    ) -> None:
        super().__init__(target, _PROTOCOL, buffer_callback=callback)
        self._main_module = main_module

    def reducer_override(self, value: Any) -> Any:
        return reduction(value, self._main_module)
