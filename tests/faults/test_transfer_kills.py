"""Copying that is killed at any step: what is there is whole, and doing it again completes it."""

import os
import random
import signal
import subprocess
import sys
from contextlib import closing

import pytest

from flowkit.metastore import sqlite
from tests.faults.mortal import MORTAL
from tests.unit.upkeep.conftest import Shop

EVERY = 6
"""Kill points lie so far apart in each part of the campaign."""
ENTRY = "from flowkit.cli.main import entry; entry()"
DYING = f"""{MORTAL}
from flowkit import wiring
from flowkit.cli.main import entry

sink, blobs = wiring.open_run_sink, wiring.open_blobs
wiring.open_run_sink = lambda settings: Dying(sink(settings))
wiring.open_blobs = lambda settings: Dying(blobs(settings))
entry()
"""


@pytest.fixture(scope="module")
def laptop(tmp_path_factory):
    made = Shop(tmp_path_factory.mktemp("laptop") / ".flowkit")
    made.run(publish="model", **{f"x{number}": made.value(str(number)) for number in range(5)})
    made.run(x=made.value("a"), y=made.value("b"))
    (made.home / "logs").mkdir()
    for name in names(made):
        (made.home / "logs" / f"{name[1]}.log").write_bytes(b"said")
    yield made
    made.writer.close()


def names(shop):
    with closing(sqlite.open_reader(shop.database)) as reader:
        return [(run.run_id, run.token) for run in reader.runs()]


def rows_of(shop):
    """Every row that readers see, but for keys."""
    with closing(sqlite.open_reader(shop.database)) as reader:
        tasks = [reader.tasks("Train", run_id) for run_id, _ in names(shop)]
        versions = [
            [(one.version.label, one.version.id) for one in reader.versions.outputs("Train", run)]
            for run, _ in names(shop)
        ]
    return tasks, versions


def execute(program, *arguments):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    environment = {**os.environ, "FLOWKIT_USER": "tester"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def is_killed(laptop, there, steps):
    """Copy until it dies after so many steps; check what is there, and that it can be completed."""
    there.mkdir()
    done = execute(DYING, steps, "store", "copy", laptop.home, there)
    other = Shop(there / ".flowkit")
    try:
        before = names(other)
        checked = execute(ENTRY, "fsck", "--data")
        again = execute(ENTRY, "store", "copy", laptop.home, there, "--quiet")
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        assert {token for _, token in before} <= {token for _, token in names(laptop)}
        assert checked.returncode == 0, checked.stdout
        assert (again.returncode, again.stderr) == (0, ""), again.stderr
        assert rows_of(other) == rows_of(laptop)
        assert other.roots().running_since is None
        assert sorted(p.name for p in (other.home / "logs").iterdir()) == sorted(
            p.name for p in (laptop.home / "logs").iterdir()
        )
        assert other.plan().garbage == {}
        assert list((other.home / "locks").iterdir()) == []
    finally:
        other.writer.close()
    return done.returncode != 0


def test_copying_that_is_killed_is_completed_by_the_next_one(laptop, tmp_path, monkeypatch):
    seed = random.randrange(10**6)
    print("seed", seed)
    chosen = random.Random(seed).sample(range(45), 3)
    killed = []
    for steps in chosen:
        monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path / str(steps)))
        killed.append(is_killed(laptop, tmp_path / str(steps), steps))

    assert any(killed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(EVERY))
def test_copying_that_is_killed_at_each_of_its_steps(laptop, tmp_path, monkeypatch, first):
    steps = first
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path / str(steps)))
    while is_killed(laptop, tmp_path / str(steps), steps):
        steps += EVERY
        monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path / str(steps)))

    assert steps > 40
