"""Broken and unusable stores: one clear message, the right exit code, nothing half-written."""

import os
from pathlib import Path

import pytest

FLOW = """
class Small(FlowSpec):
    @step
    def start(self):
        self.small = 1
        self.big = [number * 1.1 for number in range(20_000)]
        self.next(self.end)

    @step
    def end(self):
        print(len(self.big))
"""


def message(outcome):
    """Return what is said on stderr, without the header lines."""
    assert "Traceback" not in outcome.err, outcome.err
    assert "bug in flowkit" not in outcome.err
    lines = outcome.err.splitlines()
    headers = ("flowkit ", "Validating", "    The graph looks good", "Using the store")
    return "\n".join(line for line in lines if not line.startswith(headers))


def tree(directory: Path):
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def test_a_home_that_is_a_file_is_refused(program, tmp_path):
    flow = program(FLOW)
    home = tmp_path / "home"
    home.write_text("I am a file")

    for command in (("run",), ("dump", "1/start")):
        outcome = flow(*command, FLOWKIT_HOME=str(home))
        assert (outcome.code, outcome.out) == (6, ""), outcome.err
        assert f"can't be in {home}: it is not a directory" in message(outcome)
    assert flow.store("runs", FLOWKIT_HOME=str(home)).code == 6
    assert home.read_text() == "I am a file"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_home_that_can_not_be_written_is_refused(program, tmp_path):
    flow = program(FLOW)
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o555)

    outcome = flow("run", FLOWKIT_HOME=str(home))

    assert outcome.code in (6, 7)
    assert str(home) in message(outcome)
    assert tree(home) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a place nobody can write to")
@pytest.mark.parametrize("home", ["/proc/version/below", "/proc/self"])
def test_a_home_where_nothing_can_be_made_is_refused(program, home):
    flow = program(FLOW)
    outcome = flow("run", FLOWKIT_HOME=home)

    assert outcome.code in (6, 7), outcome.err
    assert "/proc" in message(outcome)
    assert "Task is starting" not in outcome.out


@pytest.fixture
def damaged(program):
    """A program whose store had one byte of the blob of an artifact flipped after a run."""
    flow = program(FLOW)
    assert flow("run").code == 0
    blobs = [
        path for path in (flow.directory / ".flowkit" / "objects").rglob("*") if path.is_file()
    ]
    largest = max(blobs, key=lambda path: path.stat().st_size)
    largest.chmod(0o600)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    return flow


def test_a_flipped_byte_is_reported_with_run_step_task_and_artifact(damaged):
    outcome = damaged("dump", "1/end/2", "--max-value-size", "10000000")

    assert outcome.code == 5, outcome.err
    assert "Integrity error" in outcome.err
    assert "'big' of Small/1/end/2" in message(outcome)
    others = damaged("dump", "1/end/2", "--include", "small")
    assert (others.code, others.out.endswith("= 1\n")) == (0, True)


def test_a_step_that_reads_a_damaged_artifact_fails_with_a_clear_message(damaged):
    # The second run stores the value again: the damaged blob must not count as being there.
    outcome = damaged("run")

    assert "Traceback" not in outcome.out + outcome.err
    assert outcome.code in (0, 1, 5)
    if outcome.code == 0:
        assert len(damaged.read("Small/2").data.big) == 20_000


def test_a_damaged_database_is_reported_as_such(program):
    flow = program(FLOW)
    flow.run()
    database = flow.directory / ".flowkit" / "flowkit.db"
    database.write_bytes(b"no database" * 1000)

    for command in (("run",), ("dump", "1/start")):
        outcome = flow(*command)
        assert outcome.code == 5, outcome.err
        assert "flowkit.db is damaged" in message(outcome)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FLOWKIT_DATASTORE", "nope://bucket"),
        ("FLOWKIT_METADATA", "nope://host"),
        ("FLOWKIT_EXECUTOR", "nope"),
        ("FLOWKIT_PROFILE", "nope"),
    ],
)
def test_settings_that_nobody_provides_are_usage_errors(program, variable, value):
    flow = program(FLOW)
    outcome = flow("run", **{variable: value})

    assert outcome.code == 2, outcome.err
    assert "nope" in message(outcome)
    assert "Task is starting" not in outcome.out
