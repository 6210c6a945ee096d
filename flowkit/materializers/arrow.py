"""Tables of pyarrow, frames and series of polars: one Arrow stream for each column."""

from collections.abc import Sequence
from typing import Any

from flowkit.exceptions import ArtifactUnloadable
from flowkit.materializers.parcels import pack, parcel_digest, unpack
from flowkit.ports.blobs import Buffer
from flowkit.ports.materializer import Payload


class ArrowMaterializer:
    """Stores tables with their schema; how the rows are cut into chunks is not kept."""

    name = "arrow"

    def claims(self, value: Any) -> bool:
        """Claim tables that need no code of others to be read."""
        import pyarrow as pa  # noqa: PLC0415 - loaded already, as the value is a table

        if type(value) is not pa.Table or not value.num_columns:
            return False
        return not any(_has_extension(field.type) for field in value.schema)

    def dump(self, value: Any) -> Payload:
        """Serialize; each column is copied once."""
        import pyarrow as pa  # noqa: PLC0415 - loaded already

        parts: list[Buffer] = [memoryview(value.schema.serialize())]
        for field, column in zip(value.schema, value.columns, strict=True):
            single = pa.table([column], schema=pa.schema([field])).combine_chunks()
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, single.schema) as writer:
                writer.write_table(single)
            parts.append(memoryview(sink.getvalue()))
        return pack({"columns": value.num_columns}, parts)

    def load(self, payload: Payload) -> Any:
        """Rebuild the table on the stored memory."""
        import pyarrow as pa  # noqa: PLC0415 - an optional dependency

        _, (schema, *columns) = unpack(payload)
        try:
            streams = [pa.ipc.open_stream(pa.py_buffer(part)) for part in columns]
            arrays = [stream.read_all().column(0) for stream in streams]
            return pa.Table.from_arrays(arrays, schema=pa.ipc.read_schema(pa.py_buffer(schema)))
        except (pa.ArrowException, OSError) as error:
            raise ArtifactUnloadable(f"its table is malformed: {error}") from error

    def content_digest(self, value: Any, payload: Payload, digests: Sequence[str]) -> str:  # noqa: ARG002 - the port's signature
        """Return the digest of the columns."""
        return parcel_digest(payload, digests)


class PolarsMaterializer:
    """Stores frames and series without Python objects."""

    name = "polars"

    def claims(self, value: Any) -> bool:
        """Claim frames and series that Arrow can hold."""
        import polars as pl  # noqa: PLC0415 - loaded already, as the value is from polars

        if type(value) is pl.Series:
            return not _has_objects(value.dtype)
        return (
            type(value) is pl.DataFrame
            and value.width > 0
            and not any(map(_has_objects, value.dtypes))
        )

    def dump(self, value: Any) -> Payload:
        """Serialize; each column is copied once."""
        import io  # noqa: PLC0415 - loaded already

        import polars as pl  # noqa: PLC0415 - loaded already

        is_series = type(value) is pl.Series
        parts: list[Buffer] = []
        for column in [value] if is_series else value.get_columns():
            stream = io.BytesIO()
            single = column.rechunk().to_frame()
            single.write_ipc_stream(stream, compat_level=pl.CompatLevel.newest())
            parts.append(stream.getbuffer())
        return pack({"type": "series" if is_series else "frame"}, parts)

    def load(self, payload: Payload) -> Any:
        """Rebuild the value."""
        import polars as pl  # noqa: PLC0415 - an optional dependency

        head, parts = unpack(payload)
        try:
            columns = [pl.read_ipc_stream(bytes(part)).to_series() for part in parts]
            return columns[0] if head["type"] == "series" else pl.DataFrame(columns)
        except (pl.exceptions.PolarsError, KeyError, IndexError, TypeError) as error:
            raise ArtifactUnloadable(f"its frame is malformed: {error}") from error

    def content_digest(self, value: Any, payload: Payload, digests: Sequence[str]) -> str:  # noqa: ARG002 - the port's signature
        """Return the digest of the columns."""
        return parcel_digest(payload, digests)


def _has_extension(kind: Any) -> bool:
    import pyarrow as pa  # noqa: PLC0415 - loaded already

    if isinstance(kind, pa.BaseExtensionType):
        return True
    if isinstance(kind, pa.DictionaryType):
        return _has_extension(kind.value_type)
    return any(_has_extension(kind.field(i).type) for i in range(kind.num_fields))


def _has_objects(dtype: Any) -> bool:
    import polars as pl  # noqa: PLC0415 - loaded already

    if dtype == pl.Object or isinstance(dtype, getattr(pl, "BaseExtension", ())):
        return True
    inner = [field.dtype for field in getattr(dtype, "fields", ())]
    if getattr(dtype, "inner", None) is not None:
        inner.append(dtype.inner)
    return any(map(_has_objects, inner))
