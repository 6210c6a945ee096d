"""Garbage collection beside running flows, and killed at every step: real processes."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from flowkit.stores.local import LocalBlobStore
from tests.faults.mortal import MORTAL

ENTRY = "from flowkit.cli.main import entry; entry()"
FLOW = """
import numpy as np
from flowkit import FlowSpec, step

class Again(FlowSpec):
    \"\"\"Makes the same large values in each run.\"\"\"

    @step
    def start(self):
        self.same = np.arange(50_000)
        self.text = "x" * 50_000
        self.next(self.each, foreach="parts")

    parts = [1, 2, 3]

    @step
    def each(self):
        self.part = np.full(20_000, self.input)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = int(sum(one.part.sum() for one in inputs))
        self.copy = np.arange(50_000)
        self.next(self.end)

    @step
    def end(self):
        assert self.total == 120_000, self.total
        assert len(self.copy) == 50_000

if __name__ == "__main__":
    Again()
"""
DYING = f"""{MORTAL}
from contextlib import closing
from flowkit import wiring
from flowkit.config import load_settings
from flowkit.upkeep.gc import Stores, collect

settings = load_settings()
blobs = wiring.open_blobs(settings)
with closing(wiring.open_collector(settings)) as collector:
    dying = Dying(collector)
    dying.begin()
    real = blobs.delete
    def one_by_one(digests):
        for digest in digests:
            tick()
            real([digest])
    blobs.delete = one_by_one
    list(collect(dying, Stores(blobs, wiring.open_store(settings)), grace=0.0))
"""


UPLOADS = """
import sys
import numpy as np
from flowkit import Client, ExternalArtifact, save_artifact

client, seed = Client(), int(sys.argv[1])
for number in range(seed, seed + int(sys.argv[2])):
    # One half is stored again and again, and there as garbage; storing the other takes its time.
    value = [np.full(9_000, part) for part in (*range(20), *range(100 * number, 100 * number + 20))]
    if number % 2:
        made = save_artifact(value, "saved")
    else:
        made = ExternalArtifact.upload_by_value(value, "uploaded")
    assert np.array_equal(made.load(), value)
    if number % 7:
        client.delete_artifact_version(made.id)
"""


class Place:
    """A directory with a flow file and its store."""

    def __init__(self, directory):
        self.directory = directory
        self.flow = directory / "again.py"
        self.flow.write_text(textwrap.dedent(FLOW))
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("FLOWKIT_")}
        self.environment = {
            **inherited,
            "FLOWKIT_HOME": str(directory),
            "FLOWKIT_USER": "tester",
        }

    def call(self, *arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            env=self.environment,
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def run(self):
        return self.call(str(self.flow), "run", "--max-workers", "2")

    def flowkit(self, *arguments):
        return self.call("-c", ENTRY, *arguments)

    def garbage(self):
        done = self.flowkit("gc", "--grace", "0", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def check(self):
        done = self.flowkit("fsck", "--data", "--json")
        assert done.returncode in (0, 5), done.stderr
        return [one for one in json.loads(done.stdout) if one["kind"] != "orphan"]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.mark.slow
def test_beside_running_flows_no_blob_is_deleted_that_a_run_needs(place):
    assert place.run().returncode == 0
    failures = []
    collections = []
    is_over = threading.Event()

    def runs():
        for _ in range(3):
            done = place.run()
            if done.returncode:
                failures.append(done.stdout + done.stderr)

    def collector():
        while not is_over.is_set():
            done = place.flowkit("gc", "--force", "--grace", "0", "--keep-last", "1", "--json")
            collections.append(done.returncode)
            if done.returncode not in (0, 8):
                failures.append(done.stderr)

    drivers = [threading.Thread(target=runs) for _ in range(2)]
    sweeper = threading.Thread(target=collector)
    for thread in (*drivers, sweeper):
        thread.start()
    for driver in drivers:
        driver.join()
    is_over.set()
    sweeper.join()

    assert failures == []
    assert 0 in collections
    assert place.check() == []
    # After a quiet collection with no grace nothing unreachable is left.
    assert place.flowkit("gc", "--force", "--grace", "0", "--keep-last", "1").returncode == 0
    assert place.garbage()["deleted"]["blobs"] == 0
    assert place.check() == []


@pytest.mark.slow
def test_beside_uploads_no_blob_is_deleted_that_a_version_needs(place):
    script = place.directory / "uploads.py"
    script.write_text(UPLOADS)
    collections = []
    is_over = threading.Event()

    def collector():
        while not is_over.is_set():
            collections.append(place.flowkit("gc", "--force", "--grace", "0", "--json"))

    sweeper = threading.Thread(target=collector)
    sweeper.start()
    uploads = [
        subprocess.Popen(
            [sys.executable, str(script), str(seed), "30"],
            env=place.environment,
            cwd=place.directory,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(3)
    ]
    failures = [text for process in uploads if (text := process.communicate()[1])]
    is_over.set()
    sweeper.join()

    assert failures == []
    assert [one.stderr for one in collections if one.returncode not in (0, 8)] == []
    assert 0 in [one.returncode for one in collections]
    assert place.check() == []
    assert place.flowkit("gc", "--force", "--grace", "0").returncode == 0
    assert place.check() == []


@pytest.mark.slow
def test_killed_at_any_step_the_next_collection_completes_the_work(place):
    script = place.directory / "dying.py"
    script.write_text(DYING)
    assert place.run().returncode == 0
    blobs = LocalBlobStore(place.directory / ".flowkit")
    alive = {digest for digest, _ in blobs.list()}
    garbage = [b"nobody needs this %d" % number for number in range(4)]
    deaths, stored = set(), set[str]()
    for left in range(100):
        buried = set(blobs.put_many(garbage))
        done = place.call(str(script), str(left))
        stored = {digest for digest, _ in blobs.list()}

        assert alive <= stored <= alive | buried
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        deaths.add(len(stored - alive))
    assert len(deaths) > 3  # before, between and after the deletions
    assert stored == alive
    assert place.garbage()["deleted"]["blobs"] == 0
    assert place.check() == []
    assert place.run().returncode == 0
