"""The default materializer: pickle protocol 5 with large buffers kept apart.

A value is pickled by the plain pickler, and by cloudpickle only when it has parts (lambdas, local
functions and classes) that the plain one can't store.
"""

import io
import pickle
from collections.abc import Callable
from typing import Any

from flowkit.exceptions import (
    ArtifactUnloadable,
    Interrupted,
    TimeoutException,
    UnpicklableArtifactException,
)
from flowkit.materializers.references import main_reference
from flowkit.ports.blobs import Buffer
from flowkit.ports.materializer import Payload

OUT_OF_BAND_FROM = 64 * 1024
"""Bytes; a smaller buffer stays in the pickle, as a blob of its own would cost more."""

_PROTOCOL = 5
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
        buffers = [_writable(buffer) for buffer in payload.buffers]
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
        if self._main_module is None:
            return pickle.Pickler(target, _PROTOCOL, buffer_callback=callback)
        return _MainPickler(target, callback, self._main_module)

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


class _MainPickler(pickle.Pickler):
    """Pickles what is defined at the top of the flow file under the file's importable name."""

    def __init__(self, target: io.BytesIO, callback: _BufferCallback, main_module: str) -> None:
        super().__init__(target, _PROTOCOL, buffer_callback=callback)
        self._main_module = main_module

    def reducer_override(self, value: Any) -> Any:
        return main_reference(value, self._main_module) or NotImplemented


def _writable(buffer: Buffer) -> Buffer:
    return bytearray(buffer) if memoryview(buffer).readonly else buffer
