"""Describes arrays, tensors and sparse matrices: shape, statistics, histogram, picture."""

from collections.abc import Iterator, Mapping
from typing import Any

from flowkit.enums import ArtifactType
from flowkit.materializers.png import encode_png
from flowkit.materializers.tables import table
from flowkit.ports.materializer import Visualization

_SAMPLE = 200_000  # values; of a larger array evenly spaced ones are looked at
_CORNER = (10, 10)  # rows and columns of values that are shown
_BINS = 20
_PICTURE = (8, 512)  # sides of an array that is shown as a picture
_SMALLEST_PICTURE_SIDE, _LARGEST_PICTURE_SIDE = _PICTURE


class ArrayDescriber:
    """Describes arrays of numpy."""

    artifact_type = ArtifactType.DATA

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return shape and type, and what the numbers are like."""
        return {"shape": list(value.shape), "dtype": str(value.dtype), **_statistics(value)}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        """Yield a picture if it looks like one, its corner, and a histogram."""
        if _is_picture(value):
            yield Visualization("image/png", encode_png(_pixels(value)), "as a picture")
        if value.ndim and value.dtype.kind in "biufcMmSU":
            yield _corner(value)
        if value.dtype.kind in "iuf" and value.size > _BINS:
            yield _histogram(value)


class TensorDescriber:
    """Describes tensors of torch."""

    artifact_type = ArtifactType.DATA

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return what is known of a tensor, and what its numbers are like."""
        known = {
            "shape": list(value.shape),
            "dtype": str(value.dtype),
            "device": str(value.device),
            "requires_grad": bool(value.requires_grad),
        }
        array = _array_of(value)
        return known if array is None else {**known, **_statistics(array)}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        """Yield what an array of the same numbers shows."""
        array = _array_of(value)
        if array is not None:
            yield from ArrayDescriber().visualize(array)


class SparseDescriber:
    """Describes sparse matrices and arrays of scipy."""

    artifact_type = ArtifactType.DATA

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return shape, type, format and how many values are stored."""
        cells = 1
        for side in value.shape:
            cells *= int(side)
        return {
            "shape": list(value.shape),
            "dtype": str(value.dtype),
            "format": str(value.format),
            "stored": int(value.nnz),
            "density": int(value.nnz) / cells if cells else 0.0,
        }

    def visualize(self, value: Any) -> Iterator[Visualization]:  # noqa: ARG002 - the port's signature
        """Yield nothing."""
        return iter(())


def _array_of(tensor: Any) -> Any:
    """Return the tensor's numbers as an array; None if numpy has no such type or place."""
    if str(tensor.device) != "cpu" or tensor.is_sparse or tensor.is_quantized:
        return None
    try:
        return tensor.detach().numpy()
    except (TypeError, RuntimeError):
        return None


def _sample(value: Any) -> Any:
    """Return at most `_SAMPLE` values as a flat array, copying no more than these."""
    import numpy as np  # noqa: PLC0415 - loaded already, as the value is an array

    flat = value.T if value.flags.f_contiguous and not value.flags.c_contiguous else value
    if not flat.flags.c_contiguous:
        if flat.size > _SAMPLE:
            flat = flat[tuple(slice(None, None, -(-side // 100)) for side in flat.shape)]
        flat = np.ascontiguousarray(flat)
    flat = np.asarray(flat).reshape(-1)
    return flat[:: -(-flat.size // _SAMPLE)] if flat.size > _SAMPLE else flat


def _statistics(value: Any) -> dict[str, Any]:
    import numpy as np  # noqa: PLC0415 - loaded already

    if value.dtype.kind not in "biuf" or not value.size:
        return {}
    sample = _sample(value)
    found: dict[str, Any] = {}
    known = sample
    if value.dtype.kind == "f":
        found["nan"] = int(np.isnan(sample).sum())
        infinite = int(np.isinf(sample).sum())
        if infinite:
            found["infinite"] = infinite
        known = sample[np.isfinite(sample)]
    if known.size:
        found |= {
            "min": known.min().item(),
            "max": known.max().item(),
            "mean": float(known.mean(dtype=np.float64)),
        }
    if value.dtype.kind != "b" and known.size:
        found["std"] = float(known.std(dtype=np.float64))
    return found if sample.size == value.size else {**found, "sampled": int(sample.size)}


def _corner(value: Any) -> Visualization:
    import numpy as np  # noqa: PLC0415 - loaded already

    value = np.asarray(value)
    deeper = value.shape[: -len(_CORNER)]
    first = value[(0,) * len(deeper)] if all(deeper) else np.empty((0, value.shape[-1]))
    rows = first.reshape(-1, 1) if first.ndim == 1 else first
    height, width = rows.shape
    shown = rows[: _CORNER[0], : _CORNER[1]]
    shape = " x ".join(map(str, value.shape))
    note = "" if shown.size == value.size else f"the corner of {shape}"
    names = [f"[{i}]" for i in range(min(width, _CORNER[1]))] if first.ndim > 1 else ["value"]
    cells = [[number, *row.tolist()] for number, row in enumerate(shown)]
    return table(["", *names], cells if height else [], title="values", note=note)


def _histogram(value: Any) -> Visualization:
    import numpy as np  # noqa: PLC0415 - loaded already

    sample = _sample(value).astype(np.float64)
    counts, edges = np.histogram(sample[np.isfinite(sample)], bins=_BINS)
    rows = [
        (f"{low:.4g}", f"{high:.4g}", int(count))
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
    ]
    return table(["from", "to", "values"], rows, title="histogram")


def _is_picture(value: Any) -> bool:
    """Whether the array is shaped like a picture: bytes, or floats between 0 and 1."""
    shape = value.shape
    is_colour = value.ndim == 3 and shape[2] in (1, 3, 4)  # noqa: PLR2004 - height, width, channels
    if not is_colour and value.ndim != 2:  # noqa: PLR2004 - height, width
        return False
    if not all(_SMALLEST_PICTURE_SIDE <= side <= _LARGEST_PICTURE_SIDE for side in shape[:2]):
        return False
    if value.dtype.kind == "u" and value.dtype.itemsize == 1:
        return True
    return is_colour and value.dtype.kind == "f" and value.min() >= 0 and value.max() <= 1


def _pixels(value: Any) -> Any:
    import numpy as np  # noqa: PLC0415 - loaded already

    value = np.asarray(value)
    if value.dtype.kind == "f":
        value = np.rint(value * 255).astype(np.uint8)
    return value[:, :, None] if value.ndim == 2 else value  # noqa: PLR2004 - without channels
