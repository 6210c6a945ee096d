"""Small rules that hold for every source file."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

LONGEST_FILE = 400
PYTHON_FOLDERS = ("flowkit", "tests", "examples", "benchmarks", "docs")
READS_ENVIRONMENT = (
    "flowkit/config.py",
    "flowkit/executors/",
    "flowkit/vaults/",
    "flowkit/testing/",
)
"""Settings; executors, which make the environment of tasks; secrets, put into it; suites."""


def test_nothing_is_left_to_do_in_comments(root):
    words = re.compile(r"#.*\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
    offences = [
        f"{path.relative_to(root)}:{number}"
        for folder in PYTHON_FOLDERS
        for path in sorted((root / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if words.search(line)
    ]

    assert offences == []


def test_long_files_are_the_ones_that_the_design_explains(root, modules):
    too_long = {path for path in modules if lines_of(root / path) > LONGEST_FILE}

    assert too_long == explained_in(root / "docs" / "design.md")


def test_only_the_settings_and_executors_touch_the_environment(modules):
    offences = [
        f"{path}:{line}"
        for path, module in modules.items()
        if not path.startswith(READS_ENVIRONMENT)
        for line in uses_of_environment(module)
    ]

    assert offences == []


def uses_of_environment(module: ast.Module) -> Iterator[int]:
    """The lines where the module touches environment variables."""
    names = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
    for node in ast.walk(module):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr=name) if name in names:
                yield node.lineno
            case ast.ImportFrom(module="os", names=imported):
                if any(alias.name in names for alias in imported):
                    yield node.lineno


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def explained_in(design: Path) -> set[str]:
    """The files of the table under "Long files"."""
    section = design.read_text(encoding="utf-8").partition("## Long files")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(flowkit/[^`]+)` \|", section, flags=re.MULTILINE))
