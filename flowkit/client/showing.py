"""Showing a preview where people look: a page in a notebook, text elsewhere."""

from typing import Any

from flowkit import plugins
from flowkit.content.preview import Preview


class Shown:
    """A preview that notebooks draw as a page and everything else prints as text."""

    def __init__(self, title: str, preview: Preview) -> None:
        self._title = title
        self._preview = preview

    def __repr__(self) -> str:
        text: str = plugins.load("flowkit.previews.terminal:preview_text")(self._preview)
        return text

    def _repr_html_(self) -> str:
        from html import escape  # noqa: PLC0415 - only in notebooks

        page = plugins.load("flowkit.previews.page:preview_page")(self._title, self._preview)
        style = "width:100%;height:32rem;border:0"
        return f'<iframe sandbox="" style="{style}" srcdoc="{escape(page)}"></iframe>'


def shown(title: str, preview: Preview) -> Any:
    """Return what shows a preview."""
    return Shown(title, preview)
