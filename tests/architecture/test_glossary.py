"""One word per thing: public names use the words of docs/glossary.md."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest


def rows(text: str) -> Iterator[tuple[str, str, str]]:
    """The rows (term, meaning, not called) of the table."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| **") and len(cells) == 3:
            yield cells[0].strip("*"), cells[1], cells[2]


@pytest.fixture(scope="module")
def banned(root: Path) -> Mapping[str, str]:
    """Each word that is not used, with the term to use instead."""
    text = (root / "docs" / "glossary.md").read_text(encoding="utf-8")
    return {word: term for term, _, words in rows(text) for word in re.findall(r"`(\w+)`", words)}


@pytest.fixture(scope="module")
def kept(root: Path) -> set[str]:
    """Names that break the rule since users bring them along."""
    text = (root / "docs" / "glossary.md").read_text(encoding="utf-8")
    return set(re.findall(r"`(\w+)`", text.partition("## Names that stay")[2]))


def public_names(module: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node.lineno


def words_of(name: str) -> str:
    """``RunRecord`` and ``run_record`` are both ``_run_record_``."""
    return "_" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower() + "_"


def test_public_names_use_the_words_of_the_glossary(modules, banned, kept):
    offences = [
        f"{path}:{line} {name}: '{word}' is called '{term}' here"
        for path, module in modules.items()
        for name, line in public_names(module)
        if name not in kept
        for word, term in banned.items()
        if f"_{word}_" in words_of(name)
    ]

    assert offences == []


def test_no_term_of_the_glossary_is_banned_by_another(root, banned):
    text = (root / "docs" / "glossary.md").read_text(encoding="utf-8")
    terms = {term.lower().replace(" ", "_") for term, _, _ in rows(text)}

    assert terms
    assert banned
    assert terms & set(banned) == set()


def test_terms_are_in_alphabetical_order(root):
    text = (root / "docs" / "glossary.md").read_text(encoding="utf-8")
    terms = [term.lower() for term, _, _ in rows(text)]

    assert terms == sorted(terms)
