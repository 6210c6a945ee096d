"""Frames and series of pandas, column by column: one new column stores one column."""

from collections.abc import Iterator, Sequence
from typing import Any

from flowkit.exceptions import ArtifactUnloadable
from flowkit.materializers.columns import Head, decode_column, encode_column
from flowkit.materializers.parcels import pack, parcel_digest, unpack
from flowkit.ports.blobs import Buffer
from flowkit.ports.materializer import Payload

_WIDEST = 64  # columns; pandas warns when it adds one to a frame that is made of 100 parts
_Encoded = tuple[Head, list[Buffer]]


class FrameMaterializer:
    """Stores frames and series whose columns, labels and index are plain data.

    What has more to it (attributes, several levels of labels, a frequency, objects, more columns
    than pandas likes to keep apart) is left to the default materializer.
    """

    name = "pandas"

    def claims(self, value: Any) -> bool:
        """Claim what can be given back as it is."""
        import pandas as pd  # noqa: PLC0415 - loaded already, as the value is from pandas

        if type(value) not in (pd.DataFrame, pd.Series) or value.attrs:
            return False
        if _labels(value.index) is None:
            return False
        return _encode(value.iloc[:0]) is not None  # its kinds of columns: no data is touched

    def dump(self, value: Any) -> Payload:
        """Serialize; the memory of columns is returned uncopied where it is contiguous."""
        encoded = _encode(value)
        if encoded is None:
            raise TypeError("this frame is not claimed")
        return pack(*encoded)

    def load(self, payload: Payload) -> Any:
        """Rebuild the value on the stored memory; it may be written into."""
        head, parts = unpack(payload)
        try:
            return _decode(head, iter(parts))
        except ImportError as error:
            raise ArtifactUnloadable(f"it needs the module {error.name!r}") from error
        except (TypeError, ValueError, KeyError, IndexError, StopIteration) as error:
            raise ArtifactUnloadable(f"its frame is malformed: {error}") from error

    def content_digest(self, value: Any, payload: Payload, digests: Sequence[str]) -> str:  # noqa: ARG002 - the port's signature
        """Return the digest of the columns, however pandas lays them out in memory."""
        return parcel_digest(payload, digests)


def _encode(value: Any) -> _Encoded | None:
    import pandas as pd  # noqa: PLC0415 - loaded already, as the value is from pandas

    if value.attrs or not value.flags.allows_duplicate_labels:
        return None
    if type(value) is pd.Series:
        return _joined({"type": "series"}, [_labels(value.index), _series(value)])
    if value.shape[1] > _WIDEST:
        return None
    columns = [encode_column(value.iloc[:, i].array) for i in range(value.shape[1])]
    return _joined({"type": "frame"}, [_labels(value.index), _labels(value.columns), *columns])


def _series(value: Any) -> _Encoded | None:
    encoded = encode_column(value.array)
    return None if encoded is None or not _is_name(value.name) else _named(encoded, value.name)


def _labels(index: Any) -> _Encoded | None:
    import pandas as pd  # noqa: PLC0415 - loaded already

    if not _is_name(index.name) or getattr(index, "freq", None) is not None:
        return None
    if type(index) is pd.RangeIndex:
        limits = [index.start, index.stop, index.step]
        return _named(({"kind": "range", "limits": limits}, []), index.name)
    if type(index) not in (pd.Index, pd.DatetimeIndex, pd.TimedeltaIndex, pd.CategoricalIndex):
        return None
    if index.dtype == object and all(type(label) is str for label in index):
        return _named(({"kind": "texts", "texts": list(index)}, []), index.name)
    encoded = encode_column(index.array)
    return None if encoded is None else _named(encoded, index.name)


def _is_name(name: Any) -> bool:
    return name is None or type(name) in (str, int)


def _named(encoded: _Encoded, name: Any) -> _Encoded:
    return {**encoded[0], "name": name}, encoded[1]


def _joined(head: Head, encoded: Sequence[_Encoded | None]) -> _Encoded | None:
    members: list[Head] = []
    parts: list[Buffer] = []
    for member in encoded:
        if member is None:
            return None
        members.append(member[0])
        parts.extend(member[1])
    return {**head, "members": members}, parts


def _decode(head: Head, parts: Iterator[Buffer]) -> Any:
    import pandas as pd  # noqa: PLC0415 - an optional dependency

    index = _to_index(head["members"][0], parts)
    if head["type"] == "series":
        own = head["members"][1]
        values = decode_column(own, parts)
        return pd.Series(values, index=index, name=own["name"], copy=False)
    columns = _to_index(head["members"][1], parts)
    arrays = {i: decode_column(own, parts) for i, own in enumerate(head["members"][2:])}
    frame = pd.DataFrame(arrays, index=index, copy=False)
    frame.columns = columns
    return frame


def _to_index(head: Head, parts: Iterator[Buffer]) -> Any:
    import pandas as pd  # noqa: PLC0415 - an optional dependency

    if head["kind"] == "range":
        start, stop, step = head["limits"]
        return pd.RangeIndex(start, stop, step, name=head["name"])
    if head["kind"] == "texts":
        return pd.Index(head["texts"], dtype=object, name=head["name"])
    return pd.Index(decode_column(head, parts), name=head["name"], copy=False)
