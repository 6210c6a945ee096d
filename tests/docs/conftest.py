"""Finds the code blocks of the Markdown pages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
FENCE = re.compile(r"^ *```(?P<language>\S*)")
NOT_RUN = re.compile(r"^ *<!-- not run: (?P<reason>.+) -->$")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: where its first line is, what it says, and why it is not run, if so."""

    page: Path
    line: int
    language: str
    text: str
    reason: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page in order."""
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), start=1))
    reason = None
    for number, line in lines:
        if fence := FENCE.match(line):
            body = []
            for _, inner in lines:
                if inner.strip() == "```":
                    break
                body.append(inner)
            yield Block(page, number + 1, fence["language"], "\n".join(body) + "\n", reason)
            reason = None
        elif line.strip():
            declared = NOT_RUN.match(line)
            reason = declared["reason"] if declared else None


def pages() -> list[Path]:
    return [page for page in PAGES if page.exists()] + sorted((ROOT / "docs").rglob("*.md"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give tests that ask for ``page_blocks`` one page at a time, and ``blocks`` all of them."""
    collected = {page: list(blocks_of(page)) for page in pages()}
    if "page_blocks" in metafunc.fixturenames:
        runnable = {
            page.relative_to(ROOT).as_posix(): blocks
            for page, blocks in collected.items()
            if any(block.language in ("python", "console") for block in blocks)
        }
        metafunc.parametrize("page_blocks", runnable.values(), ids=runnable.keys())
    if "blocks" in metafunc.fixturenames:
        everything = [block for blocks in collected.values() for block in blocks]
        metafunc.parametrize("blocks", [everything], ids=["all pages"])
