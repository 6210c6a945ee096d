"""Copying runs into a store: in batches, in order, beside garbage collections, and verified."""

import sqlite3
import threading
from contextlib import ExitStack, closing

import pytest

from flowkit.content.logfiles import RunLogs
from flowkit.exceptions import IntegrityError
from flowkit.metastore import sqlite
from flowkit.metastore.incoming import SqlRunSink
from flowkit.metastore.outgoing import SqlRunSource
from flowkit.model.transfer import Place, Presence, RunName
from flowkit.upkeep.fsck import Check
from flowkit.upkeep.storesides import StoreOrigin, StoreTarget, is_live, listed
from flowkit.upkeep.transfer import BATCH_BYTES, Copied, Left, Step, copy_run, copy_runs, needed_by
from tests.unit.upkeep.conftest import Shop


@pytest.fixture
def other(tmp_path):
    made = Shop(tmp_path / "other")
    yield made
    made.writer.close()


@pytest.fixture
def sides(shop, other):
    """Functions that open one store to read from it, and the other one to copy into it."""
    with ExitStack() as opened:

        def origin(blobs=None):
            source = opened.enter_context(closing(SqlRunSource(*sqlite.snapshots(shop.database))))
            return StoreOrigin(source, blobs or shop.blobs, shop.store, RunLogs("/no"))

        def target(blobs=None):
            sink = opened.enter_context(closing(SqlRunSink(*sqlite.transactions(other.database))))
            logs = RunLogs(str(other.home))
            return StoreTarget(sink, blobs or other.blobs, other.store, logs)

        yield origin, target


def named(shop):
    with closing(sqlite.open_reader(shop.database)) as reader:
        return [
            RunName(run.flow, run.run_id, run.token)
            for run in listed(reader, None)
            if not is_live(run)
        ]


def defects(shop):
    found = Check(shop.blobs, shop.store, shop.roots()).run(with_data=True)
    return [defect for defect in found if defect.is_damage]


class Telling:
    """A blob store that keeps in mind how it was read, and may change what it reads."""

    def __init__(self, blobs, change=lambda data: data):
        self.batches = []
        self._blobs = blobs
        self._change = change

    def get_many(self, digests):
        self.batches.append(len(digests))
        found = self._blobs.get_many(digests)
        return {digest: self._change(data) for digest, data in found.items()}

    def get(self, digest):
        return self.get_many([digest])[digest]

    def put_many(self, datas):
        return self._blobs.put_many(datas)

    def put(self, data):
        return self._blobs.put(data)

    def exists(self, digests):
        return self._blobs.exists(digests)

    def delete(self, digests):
        self._blobs.delete(digests)

    def list(self):
        return self._blobs.list()


def test_runs_come_oldest_first_and_each_is_told_of(shop, other, sides):
    origin, target = sides
    for letter in "abc":
        shop.run(x=shop.value(letter))
    shop.begin(x=1)
    steps: list[Step] = []
    first = list(copy_runs(origin(), target(), named(shop), steps.append))
    again = list(copy_runs(origin(), target(), named(shop), steps.append))

    assert [one.pathspec for one in first] == ["Train/1", "Train/2", "Train/3"]
    assert all(isinstance(one, Copied) and one.is_new and not one.has_log for one in first)
    assert [one.is_new for one in again] == [False] * 3
    assert [step.blobs for step in steps if step.name.run_id == "2"][-1] == first[1].blobs
    assert first[1].bytes > 100_000
    assert defects(other) == []


def test_blobs_that_are_there_are_not_read_again(shop, other, sides):
    origin, target = sides
    shop.run(x=shop.value("a"), y=shop.value("b"))
    other.run("Other", x=shop.value("a"))
    blobs = Telling(shop.blobs)
    copied = copy_run(origin(blobs), target(), named(shop)[0], lambda _: None)

    assert sum(blobs.batches) == copied.blobs
    assert copied.shared >= 1
    assert defects(other) == []


class Sized:
    """Bytes that claim to be many."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return BATCH_BYTES


class Taking:
    """A target that takes everything and keeps nothing."""

    def find(self, names):
        return [Place(Presence.ABSENT, name.pathspec) for name in names]

    def begin(self, rows, needed, log):
        return needed

    def put(self, blobs):
        pass

    def land(self):
        return "", set()

    def give_up(self):
        pass


def test_small_blobs_come_together_and_large_ones_alone(shop, sides):
    origin, target = sides
    shop.run(**{f"x{number}": shop.value(chr(97 + number)) for number in range(8)})
    small, large = Telling(shop.blobs), Telling(shop.blobs, Sized)
    copy_run(origin(small), target(), named(shop)[0], lambda _: None)

    copy_run(origin(large), Taking(), named(shop)[0], lambda _: None)

    assert small.batches[0] == 1
    assert small.batches[1] > 5
    assert set(large.batches) == {1}


def test_bytes_that_changed_on_the_way_are_refused_and_nothing_appears(shop, other, sides):
    origin, target = sides
    shop.run(x=shop.value("a"))
    spoiled = Telling(shop.blobs, lambda data: memoryview(bytes(data[:-1]) + b"!"))
    with pytest.raises(IntegrityError, match=r"run 'Train/1' can't be copied: blob \w+ came with"):
        copy_run(origin(spoiled), target(), named(shop)[0], lambda _: None)

    assert named(other) == []
    assert other.writer.create_run  # the store goes on
    assert copy_run(origin(), target(), named(shop)[0], lambda _: None).is_new


def test_a_run_that_lacks_a_blob_is_left_and_the_next_one_is_copied(shop, other, sides):
    origin, target = sides
    shop.run(x=shop.value("a"))
    shop.run(x=shop.value("b"))
    shop.blobs.delete([shop.store.save({"x": shop.value("a")}).refs["x"].digest])
    first, second = copy_runs(origin(), target(), named(shop), lambda _: None)

    assert isinstance(first, Left)
    assert "run 'Train/1' can't be copied: there is no blob" in str(first.error)
    assert isinstance(second, Copied)
    assert [run.run_id for run in named(other)] == ["2"]


def test_an_interruption_leaves_nothing_hidden(shop, other, sides):
    origin, target = sides
    shop.run(x=shop.value("a"), y=shop.value("b"))

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_run(origin(), target(), named(shop)[0], stop)

    assert other.roots().running_since is None
    assert list((other.home / "locks").iterdir()) == []


def test_a_token_that_is_a_path_never_becomes_one(shop, sides, tmp_path):
    origin, target = sides
    shop.run(x=shop.value("a"))
    with sqlite3.connect(shop.database) as raw:
        raw.execute("UPDATE run SET token = '../../../outside'")
    raw.close()
    with pytest.raises(IntegrityError, match="'token' of 'run'"):
        copy_run(origin(), target(), named(shop)[0], lambda _: None)

    assert list(tmp_path.rglob("outside*")) == []


def rows_and_needs(shop, origin):
    (name,) = named(shop)
    rows = origin.rows(name)
    return rows, needed_by(rows, origin.artifacts)


def collect_beside(other, target):
    """Collect garbage, while the copying that has begun goes on to give signs of life."""
    collecting = threading.Thread(target=other.gc)
    collecting.start()
    while collecting.is_alive():
        target.put({})
        collecting.join(0.01)


def test_old_garbage_that_the_copying_has_found_is_not_collected(shop, other, sides):
    origin, target = sides[0](), sides[1]()
    rows, needed = (shop.run(x=shop.value("a")), rows_and_needs(shop, origin))[1]
    other.run("Other", x=shop.value("a"), y=other.value("b"))
    other.remove("Other", "1")
    garbage = other.stored()
    missing = target.begin(rows, needed, None)
    other.age()  # as if it had begun long ago, the garbage long before
    found = needed - missing
    with sqlite3.connect(other.database) as raw:
        raw.execute("UPDATE run SET created_at = created_at + 7200000000 WHERE deleted_at = 0")
    raw.close()
    collect_beside(other, target)
    left = other.stored()
    target.put({digest: shop.blobs.get(digest) for digest in missing})

    assert found
    assert found <= left
    assert garbage - needed
    assert not (garbage - needed) & left
    assert target.land() == ("Train/1", set())
    assert defects(other) == []


def test_what_was_deleted_all_the_same_is_copied_again(shop, other, sides):
    """As when this process hung, was taken for dead, and its pins did not count."""
    origin, target = sides[0](), sides[1]()
    rows, needed = (shop.run(x=shop.value("a")), rows_and_needs(shop, origin))[1]
    missing = target.begin(rows, needed, None)
    target.put({digest: shop.blobs.get(digest) for digest in missing})
    collect_beside(other, target)
    gone = sorted(needed)[:2]
    other.blobs.delete(gone)
    landed = target.land()
    target.put({digest: shop.blobs.get(digest) for digest in gone})

    assert landed == ("", set(gone))
    assert named(other) == []
    assert target.land() == ("Train/1", set())
    assert defects(other) == []


def test_collections_beside_the_copying_take_nothing_that_is_needed(shop, other, sides):
    """Old garbage is found in the store, and is about to be deleted, while it is referred to."""
    origin, target = sides[0](), sides[1]()
    for letter in "abc":
        shop.run(**{f"x{number}": shop.value(letter + str(number)) for number in range(3)})
    stop = threading.Event()
    swept = []

    def sweep():
        while not stop.is_set():
            swept.append(other.gc(patience=30.0))

    collecting = threading.Thread(target=sweep)
    collecting.start()
    damages = []
    try:
        for name in [*named(shop), *named(shop)]:
            copy_run(origin, target, name, lambda _: other.age())
            damages += defects(other)
            other.remove(name.flow, name.run_id)
    finally:
        stop.set()
        collecting.join()

    assert damages == []
    assert sum(len(plan.garbage) for plan in swept) > 0
