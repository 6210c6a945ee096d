"""Describes texts and containers: by their length and an outline, marked texts as what they are."""

from collections.abc import Iterator, Mapping
from typing import Any

from flowkit.enums import ArtifactType
from flowkit.materializers.inert import StandIn
from flowkit.materializers.outline import outline
from flowkit.ports.materializer import Visualization

_MARKED = {
    "flowkit.types.CSVString": "csv",
    "flowkit.types.HTMLString": "html",
    "flowkit.types.JSONString": "json",
    "flowkit.types.MarkdownString": "markdown",
}
_LONGEST = 8 * 1024  # characters of a plain text


def shown(value: Any, type_name: str) -> Visualization:
    """Show a value that was read by `flowkit.materializers.inert.read_inert`.

    Args:
        value: What was read.
        type_name: The type that it had.
    """
    match value:
        case StandIn(args=(str(text),)) if type_name in _MARKED:
            return Visualization(_MARKED[type_name], text)
        case str():
            return Visualization("text", _cut(value))
    return Visualization("text", outline(value))


class MarkedTextDescriber:
    """Describes the texts of `flowkit.types`."""

    artifact_type = ArtifactType.DATA_ANALYSIS

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return the length in characters."""
        return {"characters": str.__len__(value)}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        """Yield the text itself."""
        names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(value).__mro__)
        kind = next((_MARKED[name] for name in names if name in _MARKED), "text")
        yield Visualization(kind, str.__str__(value))


class TextDescriber:
    """Describes large texts and bytes."""

    artifact_type = ArtifactType.DATA

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return the length."""
        if isinstance(value, str):
            return {"characters": str.__len__(value)}
        return {"bytes": memoryview(value).nbytes}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        """Yield how it begins."""
        if isinstance(value, str):
            yield Visualization("text", _cut(value))
        else:
            yield Visualization("text", outline(bytes(memoryview(value)[:_LONGEST])))


class ContainerDescriber:
    """Describes large containers, and those of a class of their own."""

    artifact_type = ArtifactType.BASE

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return the number of items."""
        for kind in (dict, list, tuple, set, frozenset):
            if issubclass(type(value), kind):
                return {"items": kind.__len__(value)}
        return {}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        """Yield an outline."""
        yield Visualization("text", outline(value))


class NotebookDescriber:
    """Describes objects that show themselves in notebooks, where a step asks for it."""

    artifact_type = ArtifactType.DATA

    def describe(self, value: Any) -> Mapping[str, Any]:  # noqa: ARG002 - nothing is known of it
        """Return nothing."""
        return {}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        """Yield what ``_repr_html_`` returns."""
        text = value._repr_html_()
        if isinstance(text, str):
            yield Visualization("html", text)


def _cut(text: str) -> str:
    beginning = str.__getitem__(text, slice(_LONGEST))
    size = str.__len__(text)
    return beginning if size <= _LONGEST else f"{beginning}... ({size:,} characters in all)"
