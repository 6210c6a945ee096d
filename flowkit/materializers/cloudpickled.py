"""Pickling of lambdas, local functions and local classes; imported only when a value has some."""

import io
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle

from flowkit.materializers.references import reduction

_NOT_THE_SAME = (io.TextIOWrapper, memoryview)


class CloudPickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    """cloudpickle, without what it would give back as something else.

    Left to itself it stores an open file as its text and a memoryview as bytes.

    Args:
        target: Where the pickle goes.
        callback: Takes out-of-band buffers.
        main_module: As in `reduction`; None leaves ``__main__`` to cloudpickle.
    """

    def __init__(
        self,
        target: io.BytesIO,
        callback: Callable[[pickle.PickleBuffer], bool],
        main_module: str | None,
    ) -> None:
        super().__init__(target, protocol=5, buffer_callback=callback)
        self._main_module = main_module

    def reducer_override(self, value: Any) -> Any:
        """Refer to the flow file where possible, refuse what would change, else do as usual."""
        if isinstance(value, _NOT_THE_SAME):
            raise TypeError(f"cannot pickle '{type(value).__name__}' object")
        reduced = reduction(value, self._main_module)
        return super().reducer_override(value) if reduced is NotImplemented else reduced
