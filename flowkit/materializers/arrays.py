"""Arrays of numpy: their memory as it is, so that large ones are mapped and never unpickled."""

import ast
import hashlib
from collections.abc import Sequence
from typing import Any

from flowkit.exceptions import ArtifactUnloadable
from flowkit.materializers.parcels import head_digest, pack, parcel_digest, unpack
from flowkit.ports.materializer import Payload, Peeked

_SIMPLE_KINDS = "biufcmMSU"
_DEFINED_BY_USER = 2  # what numpy says of data types of other packages, such as bfloat16
_LARGEST_COPY = 256 * 1024 * 1024  # bytes; a larger array of another order is not compared


class ArrayMaterializer:
    """Stores plain arrays of any type but Python objects; what is unusual it leaves to others."""

    name = "numpy"

    def claims(self, value: Any) -> bool:
        """Claim arrays that are no subclass and whose type can be written down."""
        import numpy as np  # noqa: PLC0415 - loaded already, as the value is an array

        return type(value) is np.ndarray and _is_describable(value.dtype)

    def dump(self, value: Any) -> Payload:
        """Serialize; contiguous memory is returned uncopied."""
        order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
        return pack(_head(value, order), [_memory(value.T if order == "F" else value)])

    def load(self, payload: Payload) -> Any:
        """Rebuild the array on the stored memory; it may be written into."""
        import numpy as np  # noqa: PLC0415 - an optional dependency
        from numpy.lib.format import descr_to_dtype  # noqa: PLC0415 - the same

        head, parts = unpack(payload)
        try:
            dtype = descr_to_dtype(ast.literal_eval(head["dtype"]))
            return np.ndarray(tuple(head["shape"]), dtype, parts[0], order=head["order"])
        except (TypeError, ValueError, KeyError, IndexError, SyntaxError) as error:
            raise ArtifactUnloadable(f"its array is malformed: {error}") from error

    def shows(self, value: Any) -> bool:  # noqa: ARG002 - the port's signature
        """Tell that the stored numbers show all there is."""
        return True

    def peek(self, payload: Payload, type_name: str) -> Peeked:  # noqa: ARG002 - the port's signature
        """Describe and show a stored array: it is data and nothing else."""
        from flowkit.materializers.arrayviews import ArrayDescriber  # noqa: PLC0415 - only to show

        value = self.load(payload)
        describer = ArrayDescriber()
        return Peeked(describer.describe(value), tuple(describer.visualize(value)))

    def content_digest(self, value: Any, payload: Payload, digests: Sequence[str]) -> str | None:
        """Return the digest of the array in C order, whatever order it has."""
        if value.flags.c_contiguous or not value.flags.f_contiguous:
            return parcel_digest(payload, digests)
        if value.nbytes > _LARGEST_COPY:
            return None
        return head_digest(_head(value, "C"), [hashlib.sha256(_memory(value)).hexdigest()])


def _head(value: Any, order: str) -> dict[str, Any]:
    from numpy.lib.format import dtype_to_descr  # noqa: PLC0415 - loaded already

    return {
        "dtype": repr(dtype_to_descr(value.dtype)),
        "shape": list(value.shape),
        "order": order,
    }


def _memory(value: Any) -> memoryview:
    """Return the bytes of an array in C order; copied only if they lie elsewhere."""
    import numpy as np  # noqa: PLC0415 - loaded already

    return memoryview(value.ravel().view(np.uint8))


def _is_describable(dtype: Any) -> bool:
    """Whether the type can be written down and read back as it is."""
    if not dtype.itemsize or not _is_plain(dtype):
        return False
    if dtype.names is None:
        return True
    from numpy.lib.format import descr_to_dtype, dtype_to_descr  # noqa: PLC0415 - loaded already

    try:
        return bool(descr_to_dtype(dtype_to_descr(dtype)) == dtype)
    except ValueError:  # its fields overlap
        return False


def _is_plain(dtype: Any) -> bool:
    if dtype.metadata or dtype.isalignedstruct:
        return False
    if dtype.subdtype is not None:
        return _is_plain(dtype.base)
    if dtype.names is not None:
        fields = [field[0] for field in dtype.fields.values()]
        return dtype.type.__name__ == "void" and all(map(_is_plain, fields))
    return dtype.kind in _SIMPLE_KINDS and dtype.isbuiltin != _DEFINED_BY_USER
