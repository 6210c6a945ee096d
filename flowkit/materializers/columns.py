"""Columns of pandas as plain data: each kind is written as a head and the memory of its values.

A kind that is not here (objects, periods, intervals, sparse and Arrow columns) has no head: the
whole frame is left to the default materializer.
"""

from collections.abc import Callable, Iterator
from typing import Any

from flowkit.ports.blobs import Buffer

Head = dict[str, Any]
_Encoded = tuple[Head, list[Buffer]]


def encode_column(array: Any) -> _Encoded | None:
    """Return a column's head and parts; None if its kind can't be written as plain data.

    Args:
        array: What ``Series.array`` or ``Index.array`` gives.
    """
    import pandas as pd  # noqa: PLC0415 - loaded already, as the value is from pandas

    encoders: tuple[tuple[type, Callable[[Any], _Encoded | None]], ...] = (
        (pd.arrays.NumpyExtensionArray, _encode_numpy),
        (pd.Categorical, _encode_categorical),
        (pd.arrays.DatetimeArray, _encode_moments),
        (pd.arrays.TimedeltaArray, _encode_numpy),
        (pd.arrays.IntegerArray, _encode_masked),
        (pd.arrays.FloatingArray, _encode_masked),
        (pd.arrays.BooleanArray, _encode_masked),
    )
    for kind, encode in encoders:
        if isinstance(array, kind):
            return encode(array)
    return _encode_strings(array) if isinstance(array.dtype, pd.StringDtype) else None


def decode_column(head: Head, parts: Iterator[Buffer]) -> Any:
    """Return the column; takes its own parts from the iterator.

    Raises:
        KeyError, TypeError, ValueError: The head is none.
    """
    return _DECODERS[head["kind"]](head, parts)


def _encode_numpy(array: Any) -> _Encoded | None:
    values = array.to_numpy()
    if values.dtype.kind not in "biufcmM":
        return None
    return {"kind": "numpy", "dtype": values.dtype.str}, [_bytes(values)]


def _encode_masked(array: Any) -> _Encoded | None:
    kind = array.dtype.type
    values = array.to_numpy(dtype=kind, na_value=kind(0))
    return {"kind": "masked", "dtype": str(array.dtype)}, [_bytes(values), _bytes(array.isna())]


def _encode_categorical(array: Any) -> _Encoded | None:
    categories = encode_column(array.categories.array)
    if categories is None or array.categories.name is not None:
        return None
    head = {
        "kind": "categorical",
        "ordered": bool(array.ordered),
        "codes": array.codes.dtype.str,
        "categories": categories[0],
    }
    return head, [_bytes(array.codes), *categories[1]]


def _encode_moments(array: Any) -> _Encoded | None:
    import pandas as pd  # noqa: PLC0415 - loaded already

    dtype = array.dtype
    if not isinstance(dtype, pd.DatetimeTZDtype):
        return _encode_numpy(array)
    head = {"kind": "zoned", "unit": dtype.unit, "zone": str(dtype.tz)}
    try:
        if pd.DatetimeTZDtype(dtype.unit, head["zone"]) != dtype:
            return None
    except (TypeError, ValueError, KeyError):  # a zone without a name
        return None
    return head, [_bytes(array.to_numpy(dtype=f"M8[{dtype.unit}]"))]


def _encode_strings(array: Any) -> _Encoded | None:
    import numpy as np  # noqa: PLC0415 - loaded already
    import pandas as pd  # noqa: PLC0415 - the same

    dtype = array.dtype
    if dtype.storage != "pyarrow":
        return None
    import pyarrow as pa  # noqa: PLC0415 - loaded already: the strings lie there

    texts = pa.array(array)
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    texts = texts.cast(pa.large_string())
    _, raw_offsets, raw_text = texts.buffers()
    first, count = texts.offset, len(texts)
    offsets = np.frombuffer(raw_offsets or b"\0" * 8, "<i8")[first : first + count + 1]
    start, end = (int(offsets[0]), int(offsets[-1])) if count else (0, 0)
    text = memoryview(raw_text or b"").cast("B")[start:end]
    missing = np.asarray(texts.is_null())
    head = {"kind": "string", "na": "NA" if dtype.na_value is pd.NA else "nan"}
    lengths = np.diff(offsets) if count else np.zeros(0, "<i8")
    return head, [_bytes(lengths.astype("<i8")), text, _bytes(missing) if missing.any() else b""]


def _decode_numpy(head: Head, parts: Iterator[Buffer]) -> Any:
    return _array(next(parts), head["dtype"])


def _decode_masked(head: Head, parts: Iterator[Buffer]) -> Any:
    import pandas as pd  # noqa: PLC0415 - an optional dependency

    dtype = pd.api.types.pandas_dtype(head["dtype"])
    values, mask = _array(next(parts), dtype.type), _array(next(parts), "?")
    kinds = {"b": pd.arrays.BooleanArray, "f": pd.arrays.FloatingArray}
    return kinds.get(dtype.kind, pd.arrays.IntegerArray)(values, mask)


def _decode_categorical(head: Head, parts: Iterator[Buffer]) -> Any:
    import pandas as pd  # noqa: PLC0415 - an optional dependency

    codes = _array(next(parts), head["codes"])
    categories = pd.Index(decode_column(head["categories"], parts))
    dtype = pd.CategoricalDtype(categories, ordered=head["ordered"])
    return pd.Categorical.from_codes(codes, dtype=dtype)


def _decode_zoned(head: Head, parts: Iterator[Buffer]) -> Any:
    import pandas as pd  # noqa: PLC0415 - an optional dependency

    moments = pd.DatetimeIndex(_array(next(parts), f"M8[{head['unit']}]"))
    return moments.tz_localize("UTC").tz_convert(head["zone"]).array


def _decode_strings(head: Head, parts: Iterator[Buffer]) -> Any:
    import numpy as np  # noqa: PLC0415 - an optional dependency
    import pandas as pd  # noqa: PLC0415 - the same
    import pyarrow as pa  # noqa: PLC0415 - the same

    lengths, text, missing = _array(next(parts), "<i8"), next(parts), next(parts)
    offsets = np.zeros(len(lengths) + 1, "<i8")
    np.cumsum(lengths, out=offsets[1:])
    if offsets[-1] != len(text) or (lengths < 0).any():
        raise ValueError("the lengths of its texts don't add up")
    valid = None
    if len(missing):
        valid = pa.array(~_array(missing, "?")).buffers()[1]
    buffers = [valid, pa.py_buffer(offsets), pa.py_buffer(text)]
    texts = pa.Array.from_buffers(pa.large_string(), len(lengths), buffers)
    texts.validate()
    na = np.nan if head["na"] == "nan" else pd.NA
    dtype: Any = pd.StringDtype("pyarrow", na_value=na)
    return dtype.__from_arrow__(texts)


_DECODERS: dict[str, Callable[[Head, Iterator[Buffer]], Any]] = {
    "numpy": _decode_numpy,
    "masked": _decode_masked,
    "categorical": _decode_categorical,
    "zoned": _decode_zoned,
    "string": _decode_strings,
}


def _bytes(values: Any) -> memoryview:
    import numpy as np  # noqa: PLC0415 - loaded already

    memory: Any = np.ascontiguousarray(values).view(np.uint8)
    return memoryview(memory)


def _array(part: Buffer, dtype: Any) -> Any:
    import numpy as np  # noqa: PLC0415 - an optional dependency

    dtype = np.dtype(dtype)
    return np.ndarray((len(part) // dtype.itemsize,), dtype, part)
