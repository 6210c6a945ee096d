"""Garbage collection: what is alive stays, what is garbage goes, and nothing in between."""

import os
import sqlite3
from contextlib import closing

import pytest

from flowkit.content.presence import Presence, keep_manifest, keep_version, settled
from flowkit.enums import Status
from flowkit.exceptions import ConflictError, FencedError, IntegrityError, StorageError
from flowkit.model.versions import Publication
from flowkit.upkeep.gc import _erase, collect
from flowkit.upkeep.liveness import Reach


def query(shop, text):
    with closing(sqlite3.connect(shop.database)) as connection:
        return connection.execute(text).fetchall()


def test_a_store_without_deleted_runs_has_no_garbage(shop):
    shop.run(x=shop.value("a"))
    shop.run("Other", y=shop.value("b"))

    assert shop.plan().garbage == {}
    assert list(shop.plan().flows) == ["Other", "Train"]


def test_what_only_a_deleted_run_needed_is_garbage(shop):
    kept = shop.run(x=shop.value("a"), both=shop.value("c"))
    shop.run(x=shop.value("b"), both=shop.value("c"))
    before = shop.stored()
    shop.remove("Train", "2")
    plan = shop.gc()

    assert shop.stored() == before - set(plan.garbage)
    assert plan.freed.blobs == 2
    assert shop.store.blobs_of(kept) <= shop.stored()
    assert shop.plan().garbage == {}


def test_a_plan_says_what_a_collection_at_that_moment_deletes(shop):
    shop.run(x=shop.value("a"))
    shop.run(x=shop.value("b"))
    shop.remove("Train", "1")

    assert shop.plan().garbage == shop.gc().garbage


def test_a_plan_changes_not_one_byte(shop):
    shop.run(x=shop.value("a"))
    shop.run(x=shop.value("b"))
    shop.remove("Train", "1")
    before = shop.tree()
    assert shop.plan().garbage

    assert shop.tree() == before


def test_young_garbage_is_kept_for_the_grace_period(shop):
    shop.run(x=shop.value("a"))
    shop.remove("Train", "1")
    shop.age(0)
    plan = shop.gc(grace=3600)

    assert plan.garbage == {}
    assert plan.young.blobs > 0


def test_while_a_run_goes_on_blobs_that_are_younger_are_kept(shop):
    lease = shop.begin()
    new = shop.blobs.put(b"of a task that goes on" * 1000)

    assert new not in shop.plan().garbage
    shop.writer.finish_run(lease, Status.FAILED)
    assert new in shop.plan().garbage


def test_a_version_keeps_its_value_after_its_run_was_deleted_by_force(shop):
    shop.run(publish="model", x=shop.value("a"))
    shop.remove("Train", "1", force=True)
    shop.gc()
    reader = shop.roots()
    ref = reader.versions[0].ref

    assert shop.store.load(ref) == shop.value("a")


def test_a_deleted_version_does_not(shop):
    shop.run(publish="model", x=shop.value("a"))
    shop.remove("Train", "1", force=True)
    with closing(shop.inventory()) as inventory:
        digest = inventory.roots().versions[0].ref.digest
    found = query(shop, "SELECT id FROM artifact_version")
    shop.writer.versions.delete(found[0][0], "ada", force=True)
    shop.gc()

    assert digest not in shop.stored()


def test_nothing_is_deleted_when_nobody_can_tell_what_a_run_needs(shop):
    manifest = shop.run(x=shop.value("a"))
    shop.run(x=shop.value("b"))
    shop.remove("Train", "2")
    shop.blobs.delete([manifest])
    before = shop.stored()

    with pytest.raises(IntegrityError, match="run Train/1 needs, so nothing is deleted"):
        shop.gc()
    assert shop.stored() == before


def test_of_two_collectors_one_gets_the_right(shop):
    with closing(shop.collector()) as first, closing(shop.collector()) as second:
        first.begin()
        with pytest.raises(ConflictError, match="garbage is collected by"):
            second.begin()


def test_a_collector_that_gave_up_is_replaced_and_can_do_nothing_more(shop):
    with closing(shop.collector()) as first, closing(shop.collector()) as second:
        first.begin()
        first._give_back()  # as when its process dies
        second.begin()

        with pytest.raises(FencedError, match="taken the garbage collection over"):
            first.announce()


def test_leftovers_of_the_dead_are_deleted_and_those_of_the_living_are_not(shop):
    shop.run(x=shop.value("a"))
    dead = shop.home / "tmp" / "4194304999-abc"
    alive = shop.home / "tmp" / f"{os.getpid()}-abc"
    for path in (dead, alive):
        path.write_bytes(b"half")
        os.utime(path, (1, 1))
    plan = shop.gc()

    assert plan.leftovers.blobs == 1
    assert (dead.exists(), alive.exists()) == (False, True)


# --- the driver's side ----------------------------------------------------------------------------


def presence(shop, lease):
    return Presence(lease, shop.writer.sweeping, shop.store)


def announced(shop):
    collector = shop.collector()
    collector.begin()
    collector.announce()
    return collector


def test_a_collection_waits_until_the_drivers_have_made_a_write(shop):
    lease = shop.begin()
    with closing(announced(shop)) as collector:
        assert collector.unacknowledged() == ["Train/1"]
        shop.writer.heartbeat(lease)
        assert collector.unacknowledged() == []


def test_a_driver_that_does_not_answer_keeps_everything_alive(shop):
    shop.run(x=shop.value("a"))
    shop.remove("Train", "1")
    shop.begin("Slow")
    before = shop.stored()

    with pytest.raises(ConflictError, match="no answer from the driver of Slow/1"):
        shop.gc(patience=0.0)
    assert shop.stored() == before


def test_a_driver_that_was_left_out_is_fenced(shop):
    lease = shop.begin()
    with closing(announced(shop)) as collector:
        collector.open()

        with pytest.raises(FencedError, match="silent for so long"):
            shop.writer.heartbeat(lease)


def test_a_result_is_not_looked_at_while_all_is_calm(shop):
    lease = shop.begin()
    watch = presence(shop, lease)
    watch.saw(shop.start(lease))
    watch.began(1)

    assert watch.lost(1, "f" * 64) == set()


def test_a_found_blob_that_was_deleted_meanwhile_makes_the_result_lost(shop):
    shop.run(x=shop.value("a"))
    shop.remove("Train", "1")
    lease = shop.begin("Again")
    watch = presence(shop, lease)
    watch.saw(shop.start(lease))
    watch.began(1)
    manifest = shop.manifest(x=shop.value("a"), new=shop.value("n"))
    with closing(announced(shop)) as collector:
        watch.saw(shop.writer.heartbeat(lease))
        list(collect_opened(collector, shop))

    lost = watch.lost(1, manifest)
    assert len(lost) == 1
    shop.start(lease, attempt=1)
    watch.began(1)
    assert shop.manifest(x=shop.value("a"), new=shop.value("n")) == manifest
    assert watch.lost(1, manifest) == set()


def collect_opened(collector, shop):
    """The rest of a collection that was announced and acknowledged."""
    reached = shop.plan().garbage
    collector.open()
    buried = collector.bury(set(reached), lambda _: ())
    _erase(collector, shop.blobs, buried)
    collector.finish()
    return buried


def test_so_does_one_of_a_version_that_is_in_no_manifest(shop):
    shop.run(x=shop.value("a"))
    shop.remove("Train", "1")
    lease = shop.begin("Again")
    watch = presence(shop, lease)
    watch.saw(shop.start(lease))
    watch.began(1)
    manifest = shop.manifest()
    ref = shop.store.save({"x": shop.value("a")}).refs["x"]
    with closing(announced(shop)) as collector:
        watch.saw(shop.writer.heartbeat(lease))
        list(collect_opened(collector, shop))

    assert watch.lost(1, manifest, [ref]) == {ref.digest}


# --- uploads: no run, and so no driver, keeps them alive ------------------------------------------


def upload(shop, meanwhile):
    """Make a version of a value that is in the store; something else happens before that."""
    calls = iter([meanwhile])

    def save():
        publication = Publication("model", shop.store.save({"x": shop.value("a")}).refs["x"])
        next(calls, lambda: None)()
        return publication

    return keep_version(shop.writer, shop.store, "ada", save)


def is_whole(shop, version):
    return shop.store.missing(shop.store.blobs_of_value(version.ref)) == set()


def test_an_upload_whose_blobs_were_deleted_meanwhile_is_stored_again(shop):
    shop.run(x=shop.value("a"))
    shop.remove("Train", "1")
    made = upload(shop, shop.gc)

    assert made.label == "model@1"
    assert is_whole(shop, made)
    shop.gc()
    assert is_whole(shop, made)


def test_an_upload_waits_for_blobs_that_are_being_deleted(shop):
    shop.run(x=shop.value("a"))
    shop.remove("Train", "1")

    def bury_and_die():
        with closing(announced(shop)) as collector:
            reached = set(shop.plan().garbage)
            collector.open()
            assert collector.bury(reached, lambda _: ()) == reached

    # What the collector has not deleted, the upload does, and stores it anew.
    made = upload(shop, bury_and_die)

    assert is_whole(shop, made)
    assert query(shop, "SELECT * FROM tombstone") == []


def test_an_upload_in_time_is_not_buried(shop):
    shop.run(x=shop.value("a"))
    shop.remove("Train", "1")
    with closing(announced(shop)) as collector:
        reached = set(shop.plan().garbage)
        collector.open()
        made = upload(shop, lambda: None)
        buried = collector.bury(reached, Reach(shop.store).of)

    assert made.ref.digest in reached
    assert made.ref.digest not in buried


def test_an_upload_that_is_deleted_again_and_again_gives_up(shop):
    def save():
        ref = shop.store.save({"x": shop.value("a")}).refs["x"]
        shop.age()
        shop.gc()
        return Publication("model", ref)

    with pytest.raises(StorageError, match="try again"):
        keep_version(shop.writer, shop.store, "ada", save)
    assert shop.roots().versions == []


def test_a_pinned_blob_is_not_buried(shop):
    shop.run(x=shop.value("a"))
    shop.remove("Train", "1")
    lease = shop.begin("Again")
    garbage = set(shop.plan().garbage)
    with closing(announced(shop)) as collector:
        shop.writer.heartbeat(lease)
        collector.open()
        shop.writer.sweeping.pin(lease, garbage)

        assert collector.bury(garbage, lambda _: ()) == set()


def test_a_run_created_after_the_plan_keeps_what_it_needs(shop):
    shop.run(x=shop.value("a"))
    shop.remove("Train", "1")

    def late(events):
        plan = next(events)
        lease = shop.begin("Late", x=shop.value("a"))
        shop.writer.finish_run(lease, Status.SUCCEEDED)
        list(events)
        return plan

    with closing(shop.collector()) as collector:
        collector.begin()
        plan = late(collect(collector, shop.stores, grace=0.0))
    assert plan.garbage
    assert shop.plan().garbage == {}
    for root in shop.roots().runs:
        assert shop.store.missing(shop.store.blobs_of(root.manifests[0])) == set()


def test_a_waiting_driver_finishes_what_a_dead_collector_began(shop):
    shop.run(x=shop.value("a"))
    shop.remove("Train", "1")
    lease = shop.begin("Again")
    garbage = set(shop.plan().garbage)
    with closing(announced(shop)) as collector:
        shop.writer.heartbeat(lease)
        collector.open()
        assert collector.bury(garbage, lambda _: ()) == garbage

    assert settled(shop.writer.sweeping, shop.store, garbage) == garbage
    assert query(shop, "SELECT * FROM tombstone") == []
    assert query(shop, "SELECT * FROM collector") == []


def test_a_root_manifest_that_was_deleted_while_its_run_was_created_is_stored_again(shop):
    def save():
        return shop.manifest(flow="Train", x=shop.value("a"))

    root = save()
    lease = shop.begin(x=shop.value("a"))
    shop.blobs.delete(shop.store.blobs_of(root))
    keep_manifest(shop.writer.sweeping, shop.store, root, save)

    assert shop.store.missing(shop.store.blobs_of(root)) == set()
    assert lease.sweeps == 0
