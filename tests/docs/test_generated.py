"""The pages made from the code are up to date, and the fragments of the changelog have kinds."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_generated_pages_are_up_to_date(tmp_path):
    outcome = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        env={**os.environ, "FLOWKIT_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_every_changelog_fragment_has_a_kind():
    kinds = {"added", "changed", "fixed", "removed", "security"}
    odd = [
        path.name
        for path in (ROOT / "docs" / "changes").iterdir()
        if path.suffix != ".md" or path.name.count(".") != 2 or path.name.split(".")[1] not in kinds
    ]

    assert odd == []


def test_every_link_between_pages_leads_somewhere():
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for target in links_of(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]

    assert broken == []


def links_of(text: str) -> list[str]:
    """The relative targets of a page's links, code left out."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    return re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose)
