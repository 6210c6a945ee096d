"""The layers of setup.cfg hold, and a breach of them is noticed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

LINT = (
    "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
)


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    # A safe path: the folder's own package is checked, not the installed one.
    return subprocess.run(
        [sys.executable, "-c", LINT],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_contracts_of_setup_cfg_hold(root):
    outcome = lint(root)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_an_upward_import_and_an_unplaced_module_are_noticed(root, tmp_path):
    shutil.copytree(root / "flowkit", tmp_path / "flowkit", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(root / "setup.cfg", tmp_path)
    (tmp_path / "flowkit" / "model" / "breach.py").write_text("import flowkit.runtime\n")
    (tmp_path / "flowkit" / "unplaced.py").write_text("")

    outcome = lint(tmp_path)

    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    assert "flowkit.model is not allowed to import flowkit.runtime" in outcome.stdout
    assert "- flowkit.unplaced" in outcome.stdout
