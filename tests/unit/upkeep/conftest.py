"""A store on disk with runs in it, and the tools that look after it."""

import hashlib
import os
import time
from contextlib import closing
from pathlib import Path

import pytest

from flowkit.content.registry import Registry
from flowkit.content.store import ArtifactStore
from flowkit.enums import Status
from flowkit.materializers.pickled import PickleMaterializer
from flowkit.metastore import sqlite
from flowkit.metastore.removal import SqlRunRemover
from flowkit.metastore.sweeping import SqlCollector, SqlInventory
from flowkit.model.manifest import Manifest
from flowkit.model.records import AttemptOutcome, NewRun, NewTask
from flowkit.model.versions import Publication
from flowkit.stores.local import LocalBlobStore
from flowkit.upkeep.gc import Stores, collect, make_plan
from flowkit.upkeep.liveness import Reach

LARGE = 100_000


class Shop:
    """One store, and everything that works on it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.database = home / "flowkit.db"
        self.writer = sqlite.open_writer(self.database)
        self.blobs = LocalBlobStore(home)
        self.store = ArtifactStore(self.blobs, Registry(PickleMaterializer()))
        self.stores = Stores(self.blobs, self.store)

    def value(self, letter: str) -> str:
        """A value that is a blob of its own."""
        return letter * LARGE

    def manifest(self, **values) -> str:
        return self.store.put_manifest(Manifest(self.store.save(values).refs))

    def begin(self, flow="Train", *, tags=(), origin=None, **values):
        root = self.manifest(flow=flow, **values)
        return self.writer.create_run(NewRun(flow, "ada", root, tags=tags, origin_run_id=origin))

    def start(self, lease, task_id=1, attempt=0):
        task = NewTask(task_id, "start", attempt, frames=(), iteration=0, inputs=())
        return self.writer.record(lease, [], [task])

    def end(self, lease, task_id=1, *, manifest, publishes=(), attempt=0):
        outcome = AttemptOutcome(
            task_id,
            "start",
            attempt,
            Status.SUCCEEDED,
            manifest,
            None,
            {},
            (),
            1,
            2,
            0,
            0,
            publishes=tuple(publishes),
        )
        return self.writer.record(lease, [outcome], [])

    def run(self, flow="Train", *, tags=(), origin=None, publish="", **values):
        """A run with one task, done; its values are the task's."""
        lease = self.begin(flow, tags=tags, origin=origin)
        self.start(lease)
        refs = self.store.save(values).refs
        manifest = self.store.put_manifest(Manifest(refs))
        publishes = [Publication(publish, next(iter(refs.values())))] if publish else []
        self.end(lease, manifest=manifest, publishes=publishes)
        self.writer.finish_run(lease, Status.SUCCEEDED)
        return manifest

    def inventory(self):
        return SqlInventory(*sqlite.snapshots(self.database))

    def collector(self):
        return SqlCollector(*sqlite.transactions(self.database))

    def remove(self, flow, run_id, **options):
        with closing(SqlRunRemover(*sqlite.transactions(self.database))) as remover:
            removed = remover.remove(flow, run_id, "ada", **options)
        self.age()
        return removed

    def age(self, seconds: float = 3600) -> None:
        """Make every blob so old: what is as young as a running run is always kept."""
        at = time.time() - seconds
        for path in (self.home / "objects").rglob("*"):
            if path.is_file():
                os.utime(path, (at, at))

    def roots(self):
        with closing(self.inventory()) as inventory:
            return inventory.roots()

    def plan(self, grace=0.0):
        return make_plan(self.stores, Reach(self.store), self.roots(), grace=grace)

    def gc(self, grace=0.0, **options):
        with closing(self.collector()) as collector:
            collector.begin()
            return next(iter(list(collect(collector, self.stores, grace=grace, **options))))

    def stored(self):
        return {digest for digest, _ in self.blobs.list()}

    def tree(self):
        """The content of every file below the home, and the names.

        Without the memory that the open connections of this test share.
        """
        found = {}
        for directory, _, files in os.walk(self.home):
            for name in (name for name in files if not name.endswith("-shm")):
                path = Path(directory) / name
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path)
    yield made
    made.writer.close()
