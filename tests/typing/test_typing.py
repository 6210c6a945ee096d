"""Programs that must, and must not, type-check for the users of flowkit."""

import re
from pathlib import Path

from mypy import api

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
REPORTED = r"rejected\.py:(\d+): error: .*\[([\w-]+)\]$"

REJECTED = """\
from flowkit import FlowSpec, Parameter, Run, step

step(start="yes")  # error: call-overload
Parameter()  # error: call-arg
Run(12)  # error: arg-type
Run("Train/1").succesful  # error: attr-defined


class Train(FlowSpec):
    @step
    def start(self) -> None:
        self.next(self.end)

    @step
    def end(self) -> None:
        self.input = 3  # error: misc
"""


def check(path: Path) -> str:
    """Return what mypy says in strict mode, with the project's own settings."""
    settings = ["--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary"]
    report, trouble, _ = api.run([*settings, "--hide-error-context", str(path)])
    assert trouble == ""
    return report


def test_a_program_that_uses_flowkit_as_documented_type_checks():
    assert check(HERE / "accepted.py") == ""


def test_mistakes_are_found_where_they_are_made(tmp_path):
    program = tmp_path / "rejected.py"
    program.write_text(REJECTED, encoding="utf-8")

    report = check(program)

    expected = {
        (number, line.rpartition("# error: ")[2])
        for number, line in enumerate(REJECTED.splitlines(), start=1)
        if "# error: " in line
    }
    found = {(int(line), code) for line, code in re.findall(REPORTED, report, flags=re.MULTILINE)}
    assert expected == found, report
