"""The page of a preview: everything stored is text in it, and no stored code can run."""

import json
from base64 import b64decode
from html.parser import HTMLParser

import pytest

from flowkit.content.preview import Preview
from flowkit.enums import ArtifactType
from flowkit.ports.materializer import Visualization
from flowkit.previews.page import POLICY, preview_page

EVIL = "</pre></style></iframe><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
OWN_TAGS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "section", "table", "thead",
    "tbody", "tr", "th", "td", "p", "pre", "img", "iframe",
}  # fmt: skip


class Elements(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found = []
        self.text = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def page_of(*shown, title="x", facts=None, **summary):
    return Elements(preview_page(title, Preview(ArtifactType.DATA, summary, shown), facts))


@pytest.mark.parametrize(
    "shown",
    [
        Visualization("text", EVIL),
        Visualization("markdown", EVIL),
        Visualization("json", EVIL),
        Visualization("csv", f"{EVIL},b\n{EVIL},c"),
        Visualization("table", json.dumps({"columns": [EVIL], "rows": [[EVIL]], "note": EVIL})),
        Visualization("table", EVIL),
        Visualization("html", EVIL, EVIL),
        Visualization(EVIL, EVIL, EVIL),
        Visualization(EVIL, b"x", EVIL),
        Visualization("image/svg+xml", EVIL.encode(), EVIL),
        Visualization("image/png", EVIL.encode(), EVIL),
    ],
    ids=lambda shown: shown.kind[:20],
)
def test_nothing_that_is_stored_becomes_an_element_of_the_page(shown):
    page = page_of(shown, title=EVIL, facts={EVIL: EVIL}, **{EVIL: EVIL})

    assert {tag for tag, _ in page.found} <= OWN_TAGS
    assert not [name for _, attributes in page.found for name in attributes if name[:2] == "on"]
    assert all(frame.keys() == {"sandbox", "title", "srcdoc"} for frame in page.of("iframe"))
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.of("img"))


def test_stored_html_lives_in_a_frame_that_runs_no_scripts():
    (frame,) = page_of(Visualization("html", EVIL)).of("iframe")

    assert frame["srcdoc"] == EVIL
    assert frame["sandbox"] is None  # everything is forbidden


def test_the_policy_lets_nothing_in_and_nothing_out():
    page = page_of()

    policies = [m["content"] for m in page.of("meta") if "http-equiv" in m]
    assert policies == [POLICY]
    assert POLICY.startswith("default-src 'none'; img-src data:;")
    assert "script" not in POLICY
    assert {"name": "referrer", "content": "no-referrer"} in page.of("meta")
    assert not [a for _, a in page.found if "href" in a]


def test_images_are_inside_the_page():
    (image,) = page_of(Visualization("image/png", b"pixels", "plot")).of("img")

    assert b64decode(image["src"].partition(",")[2]) == b"pixels"
    assert image["alt"] == "plot"


def test_facts_tables_and_titles_are_there():
    table = json.dumps({"columns": ["a"], "rows": [["1"]], "note": "1 of 9 rows"})
    page = page_of(
        Visualization("table", table, "rows"), title="data@3", facts={"version": "3"}, n=7
    )

    text = " ".join(page.text)
    assert all(word in text for word in ("data@3", "version", "n", "7", "rows", "1 of 9 rows"))
