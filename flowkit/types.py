"""Texts that say what they are, so that they are shown as that: HTML, Markdown, CSV, JSON.

Each is a ``str`` in every respect; assign one to an attribute and its preview is the rendered
page or table instead of a text.
"""


class HTMLString(str):
    """HTML; shown in a frame of its own that runs no scripts."""

    __slots__ = ()


class MarkdownString(str):
    """Markdown."""

    __slots__ = ()


class CSVString(str):
    """Comma-separated values with a line of column names; shown as a table."""

    __slots__ = ()


class JSONString(str):
    """JSON."""

    __slots__ = ()
