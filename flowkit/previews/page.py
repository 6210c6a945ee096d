"""Previews as one HTML page that needs no network and runs no code of a stored value.

Every stored text is escaped; stored HTML lives in sandboxed frames without scripts, and the
page's policy, which the frames inherit, allows images of the page itself and nothing to load.
"""

from base64 import b64encode
from collections.abc import Mapping
from html import escape

from flowkit.content.preview import Preview
from flowkit.ports.materializer import Visualization
from flowkit.previews.grids import Grid, grid_of, known_text

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)
"""The page's Content-Security-Policy."""

_IMAGES = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
table { border-collapse: collapse; font-size: .875rem; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid #8884; padding: .25rem .75rem; text-align: left; }
pre { overflow-x: auto; background: #8882; padding: .75rem; border-radius: .4rem; }
img { max-width: 100%; image-rendering: auto; }
iframe { width: 100%; height: 32rem; border: 1px solid #8884; background: #fff; }
.note { color: #888; font-size: .875rem; }
"""


def preview_page(title: str, preview: Preview, facts: Mapping[str, str] | None = None) -> str:
    """Return the page.

    Args:
        title: What the artifact is called.
        preview: What is known and shown of it.
        facts: Further facts by name, such as its version and digest.
    """
    known = {
        **(facts or {}),
        **{name: known_text(value) for name, value in preview.summary.items()},
    }
    rows = [[name, value] for name, value in known.items()]
    body = [
        f"<h1>{escape(title)}</h1>",
        _table(Grid(("", ""), rows)) if rows else "",
        *(_section(shown) for shown in preview.visualizations),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"{chr(10).join(body)}\n</body>\n</html>\n"
    )


def visualization_html(shown: Visualization) -> str:
    """Return the HTML of one visualization, safe to put into a page with `POLICY`."""
    if isinstance(shown.data, bytes):
        if shown.kind not in _IMAGES:
            return f'<p class="note">{escape(shown.kind)}, {len(shown.data):,} bytes</p>'
        encoded = b64encode(shown.data).decode("ascii")
        return f'<img alt="{escape(shown.title)}" src="data:{shown.kind};base64,{encoded}">'
    grid = grid_of(shown)
    if grid is not None:
        return _table(grid)
    if shown.kind == "html":
        title = escape(shown.title or "HTML")
        return f'<iframe sandbox title="{title}" srcdoc="{escape(shown.data)}"></iframe>'
    return f"<pre>{escape(shown.data)}</pre>"


def _section(shown: Visualization) -> str:
    heading = f"<h2>{escape(shown.title)}</h2>\n" if shown.title else ""
    return f"<section>\n{heading}{visualization_html(shown)}\n</section>"


def _table(grid: Grid) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in grid.columns)
    rows = [
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in grid.rows
    ]
    note = f'<p class="note">{escape(grid.note)}</p>' if grid.note else ""
    header = f"<thead><tr>{head}</tr></thead>" if any(grid.columns) else ""
    return f"<table>{header}<tbody>{''.join(rows)}</tbody></table>{note}"
