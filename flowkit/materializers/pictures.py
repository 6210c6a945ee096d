"""Describes images and figures, and shows them as what they are."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

from flowkit.enums import ArtifactType
from flowkit.ports.materializer import Visualization

_SIDE = 800  # pixels; a larger image is shown smaller
_DOTS = 100  # per inch
_MOST_TEXT = 32 * 1024  # characters of a figure's description


class ImageDescriber:
    """Describes images of PIL."""

    artifact_type = ArtifactType.DATA

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return size and mode."""
        return {"width": value.width, "height": value.height, "mode": value.mode}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        """Yield the image, made smaller if it is large."""
        shown = value.copy() if max(value.size) <= _SIDE else value.resize(_fitting(value.size))
        if shown.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
            shown = shown.convert("RGB")
        target = io.BytesIO()
        shown.save(target, format="PNG")
        yield Visualization("image/png", target.getvalue())


class FigureDescriber:
    """Describes figures of matplotlib."""

    artifact_type = ArtifactType.DATA_ANALYSIS

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return size in inches, and the titles of its axes."""
        width, height = value.get_size_inches()
        titles = [axes.get_title() for axes in value.axes if axes.get_title()]
        return {"width": float(width), "height": float(height), "titles": titles}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        """Yield the figure as it would be saved."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - loaded already

        before = value.canvas
        try:
            target = io.BytesIO()
            FigureCanvasAgg(value).print_figure(target, dpi=_DOTS, format="png")
        finally:
            value.set_canvas(before)
        yield Visualization("image/png", target.getvalue())


class PlotlyDescriber:
    """Describes figures of plotly."""

    artifact_type = ArtifactType.DATA_ANALYSIS

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return the kinds of its traces and its title."""
        title = value.layout.title.text
        found = {"traces": [str(trace.type) for trace in value.data]}
        return found if title is None else {**found, "title": str(title)}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        """Yield the figure's description, if it is short; drawing it would take a browser."""
        text = value.to_json()
        if len(text) <= _MOST_TEXT:
            yield Visualization("json", text)


def _fitting(size: tuple[int, int]) -> tuple[int, int]:
    factor = _SIDE / max(size)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
