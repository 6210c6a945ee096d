"""Previews as plain text: tables drawn with characters, no control sequence of a stored value."""

import json
from html.parser import HTMLParser

from tabulate import tabulate

from flowkit.content.preview import Preview
from flowkit.ports.materializer import Visualization
from flowkit.previews.grids import grid_of, known_text

_LONGEST = 20_000  # characters of one text
_SILENT = ("script", "style", "title")


def preview_text(preview: Preview) -> str:
    """Return the preview: what is known line by line, then what shows the value."""
    known = [f"{name}: {known_text(value)}" for name, value in preview.summary.items()]
    shown = [_titled(each) for each in preview.visualizations]
    return clean("\n\n".join(["\n".join(known), *shown] if known else shown))


def clean(text: str) -> str:
    """Return the text without control characters, which a terminal would obey."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)


def _titled(shown: Visualization) -> str:
    return f"{shown.title}\n{_body(shown)}" if shown.title else _body(shown)


def _body(shown: Visualization) -> str:
    if isinstance(shown.data, bytes):
        return f"[{shown.kind}, {len(shown.data):,} bytes]"
    grid = grid_of(shown)
    if grid is not None:
        rows = [[cell.replace("\n", " ") for cell in row] for row in grid.rows]
        drawn = tabulate(rows, headers=list(grid.columns), disable_numparse=True)
        return f"{drawn}\n{grid.note}" if grid.note else drawn
    text = _plain_html(shown.data) if shown.kind == "html" else shown.data
    if shown.kind == "json":
        text = _indented(text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n... ({len(text):,} characters)"


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


class _Text(HTMLParser):
    """Collects the text of a page that a reader would see."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the base's signature
        self._silent += tag in _SILENT

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in _SILENT))

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.pieces.append(" ".join(data.split()))


def _plain_html(text: str) -> str:
    parser = _Text()
    parser.feed(text)
    parser.close()
    return "\n".join(parser.pieces)
