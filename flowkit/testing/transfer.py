"""The suite of copying runs between metadata stores: a test for each rule of the ports."""

# ruff: noqa: S101, D102 - tests assert, their names are sentences, numbers are examples

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import pytest

from flowkit.enums import Cause, Status
from flowkit.exceptions import (
    ConflictError,
    FencedError,
    NotFoundError,
    VersionExistsError,
)
from flowkit.model.manifest import Frame, Read
from flowkit.model.records import NewTask
from flowkit.model.tasks import AttemptError
from flowkit.model.transfer import Clash, Presence, RunRows
from flowkit.model.versions import Annotation, Pin, VersionRecord
from flowkit.ports.metadata import MetadataReader, MetadataWriter
from flowkit.ports.sweeping import Collector, Inventory, RunRemover
from flowkit.ports.transfer import RunSink, RunSource
from flowkit.testing.metadata import REF, new_run, new_task, outcome
from flowkit.testing.versions import OTHER, publication


class TransferStore(NamedTuple):
    """One metadata store, opened in every way that copying has to do with."""

    writer: MetadataWriter
    reader: MetadataReader
    source: RunSource
    sink: RunSink
    inventory: Inventory
    collector: Collector
    remover: RunRemover


OpenStore = Callable[[str], TransferStore]


def busy_run(store: TransferStore, version: str | None = None) -> RunRows:
    """Make a run with something of everything in it, and return its rows."""
    writer = store.writer
    base = writer.versions.publish(publication("base", ref=OTHER), "eve")
    pins = (Pin("base", OTHER.digest, base.id, f"base@{base.version}"), Pin("given", "d" * 64))
    new = replace(new_run(tags=["a", "b"], command=["run"]), pins=pins)
    lease = writer.create_run(new)
    run = lease.run_id
    frames = (Frame("start", "xs", 3, 10, replace(REF, inline=b"item")),)
    tasks = [new_task(1), NewTask(2, "work", 0, frames, 0, (1,)), new_task(3, "end", inputs=[2])]
    error = AttemptError(Cause.EXCEPTION, "no", "a.B", "trace\nback")
    published = publication(
        version=version, tags=("x", "y"), metadata={"f1": 0.5}, attribute="model"
    )
    noted = (
        Annotation(f"Train/{run}", {"note": "run"}),
        Annotation(f"Train/{run}/start/1", {"note": [1, None]}),
        Annotation(f"Train/{run}/start/1/x", {"note": "artifact"}),
    )
    first = replace(
        outcome(1, written={"x": REF, "model": REF}), publishes=(published,), annotations=noted
    )
    failed = replace(outcome(2, Status.FAILED), error=error, step="work", manifest=None)
    again = replace(outcome(2, attempt=1), step="work", reads=(Read("attr:model", REF.digest),))
    writer.record(lease, [], tasks)
    writer.record(lease, [first, failed], [replace(tasks[1], attempt=1)])
    writer.record(lease, [again, replace(outcome(3), step="end")], [])
    writer.finish_run(lease, Status.SUCCEEDED)
    made = version_of(store, f"Train/{run}")
    writer.versions.move_alias("model", "production", made.id, "ada")
    return store.source.rows("Train", run)


def version_of(store: TransferStore, run: str) -> VersionRecord:
    """Return the version of ``model`` that a run made or took over."""
    flow, _, run_id = run.partition("/")
    outputs = store.reader.versions.outputs(flow, run_id)
    return next(one.version for one in outputs if one.version.name == "model")


def copy(rows: RunRows, target: TransferStore, clash: Clash = Clash.REFUSE) -> str:
    """Take rows in and return the pathspec of the run."""
    lease = target.sink.begin(rows.name)
    assert lease is not None
    try:
        return target.sink.land(lease, rows, clash)
    finally:
        target.sink.give_up(lease)


def facts_of(reader: MetadataReader, run_id: str = "1") -> list[object]:
    """Return all that readers see of a run of ``Train``, but for keys, which each store has."""
    run = reader.run("Train", run_id)
    assert run is not None
    tasks = reader.tasks("Train", run_id)
    numbers = [(task.task_id, number) for task in tasks for number in range(task.attempts)]
    subjects = ("", "/start/1", "/start/1/x")
    versions = reader.versions
    return [
        replace(run, key=0),
        reader.steps("Train", run_id),
        tasks,
        [reader.children("Train", run_id, task.task_id) for task in tasks],
        [reader.attempts("Train", run_id, task.task_id) for task in tasks],
        [reader.artifacts("Train", run_id, *number) for number in numbers],
        [versions.reads("Train", run_id, *number) for number in numbers],
        [versions.annotations(f"Train/{run_id}{subject}") for subject in subjects],
        versions.pins("Train", run_id),
        [
            replace(output, version=replace(output.version, key=0))
            for output in versions.outputs("Train", run_id)
        ],
        [versions.uses(output.version.id) for output in versions.outputs("Train", run_id)],
        [versions.annotations(output.version.id) for output in versions.outputs("Train", run_id)],
        versions.alias_moves("model"),
    ]


class TransferSuite:
    """Subclass it, and provide the fixture ``open_store``.

    The fixture returns a function that opens one of the test's own, at first empty, stores, by a
    name that is "a", "b" or "c", once more each time it is called.
    """

    @pytest.fixture
    def a(self, open_store: OpenStore) -> TransferStore:
        """A store that no other test uses."""
        return open_store("a")

    @pytest.fixture
    def b(self, open_store: OpenStore) -> TransferStore:
        """Another one."""
        return open_store("b")

    # --- rows -------------------------------------------------------------------------------------

    def test_a_run_reads_the_same_in_the_other_store(
        self, a: TransferStore, b: TransferStore
    ) -> None:
        rows = busy_run(a)

        assert copy(rows, b) == "Train/1"
        assert facts_of(b.reader) == facts_of(a.reader)
        assert b.source.rows("Train", "1") == rows

    def test_a_run_that_goes_on_is_refused_and_an_unknown_one_too(self, a: TransferStore) -> None:
        a.writer.create_run(new_run())
        with pytest.raises(ConflictError, match=r"'Train/1' is running .*process"):
            a.source.rows("Train", "1")
        with pytest.raises(NotFoundError):
            a.source.rows("Train", "2")

    def test_a_run_whose_driver_died_comes_as_crashed(
        self, open_store: OpenStore, a: TransferStore, b: TransferStore
    ) -> None:
        driver = open_store("a").writer
        driver.record(driver.create_run(new_run()), [], [new_task(1)])
        driver.close()
        rows = a.source.rows("Train", "1")
        copy(rows, b)
        with pytest.raises(ConflictError, match="ended"):
            b.writer.take_over("Train", "1")

        assert rows.run["status"] == "crashed"
        assert facts_of(b.reader) == facts_of(a.reader)

    # --- begin ------------------------------------------------------------------------------------

    def test_a_run_is_hidden_until_it_lands(self, a: TransferStore, b: TransferStore) -> None:
        rows = busy_run(a)
        lease = b.sink.begin(rows.name)
        assert lease is not None
        hidden = (b.reader.flows(), b.reader.runs(), b.reader.run("Train", "1"))
        places = b.sink.find([rows.name])
        b.sink.land(lease, rows, Clash.REFUSE)

        assert hidden == ([], [], None)
        assert places[0].presence is Presence.ABSENT
        assert [run.run_id for run in b.reader.runs()] == ["1"]

    def test_a_run_that_is_there_is_not_begun_again(
        self, a: TransferStore, b: TransferStore
    ) -> None:
        rows = busy_run(a)
        copy(rows, b)
        before = facts_of(b.reader)

        assert b.sink.begin(rows.name) is None
        assert b.sink.find([rows.name])[0].presence is Presence.WHOLE
        assert facts_of(b.reader) == before

    def test_a_run_that_another_process_copies_is_refused(
        self, open_store: OpenStore, a: TransferStore, b: TransferStore
    ) -> None:
        rows = busy_run(a)
        lease = b.sink.begin(rows.name)
        assert lease is not None
        with pytest.raises(ConflictError, match=r"is being copied by .*process"):
            open_store("b").sink.begin(rows.name)

        assert b.sink.land(lease, rows, Clash.REFUSE) == "Train/1"

    def test_a_run_whose_copying_died_is_taken_over(
        self, open_store: OpenStore, a: TransferStore, b: TransferStore
    ) -> None:
        rows = busy_run(a)
        dead = open_store("b").sink
        old = dead.begin(rows.name)
        assert old is not None
        dead.close()
        lease = b.sink.begin(rows.name)
        assert lease is not None
        with pytest.raises(FencedError):
            b.sink.heartbeat(old)
        with pytest.raises(FencedError):
            b.sink.land(old, rows, Clash.REFUSE)
        b.sink.give_up(old)
        b.sink.land(lease, rows, Clash.REFUSE)

        assert facts_of(b.reader) == facts_of(a.reader)

    def test_what_is_given_up_leaves_nothing_and_takes_no_number(
        self, a: TransferStore, b: TransferStore
    ) -> None:
        rows = busy_run(a)
        lease = b.sink.begin(rows.name)
        assert lease is not None
        b.sink.sweeping.pin(lease, ["a" * 64])
        for _ in range(2):
            b.sink.give_up(lease)

        assert b.inventory.roots().pinned == set()
        assert b.writer.create_run(new_run()).run_id == "1"
        assert copy(rows, b, Clash.RENUMBER) == "Train/2"

    def test_a_run_that_was_deleted_but_for_its_source_stays_deleted(
        self, a: TransferStore, b: TransferStore
    ) -> None:
        rows = busy_run(a)
        copy(rows, b)
        b.remover.remove("Train", "1", "eve", force=True)
        with pytest.raises(ConflictError, match="deleted here by eve"):
            b.sink.begin(rows.name)

        assert b.reader.runs() == []

    # --- garbage collection -----------------------------------------------------------------------

    def test_pinned_blobs_and_those_of_landed_runs_are_not_garbage(
        self, a: TransferStore, b: TransferStore
    ) -> None:
        rows = busy_run(a)
        lease = b.sink.begin(rows.name)
        assert lease is not None
        b.sink.sweeping.pin(lease, ["a" * 64, rows.run["root"]])
        b.collector.begin()
        b.collector.announce()
        waiting = b.collector.unacknowledged()
        b.sink.heartbeat(lease)
        acknowledged = b.collector.unacknowledged()
        b.collector.open()
        buried = b.collector.bury(["a" * 64, "9" * 64], lambda _: ())
        b.sink.land(lease, rows, Clash.REFUSE)
        seen = b.inventory.roots()

        assert len(waiting) == 1
        assert acknowledged == []
        assert buried == {"9" * 64}
        assert seen.pinned == set()
        assert [set(run.manifests) for run in seen.runs] == [set(rows.manifests)]
        b.collector.bury(["8" * 64], lambda roots: [run.pathspec for run in roots.runs])

    def test_copying_that_a_collection_went_on_without_is_fenced(
        self, a: TransferStore, b: TransferStore
    ) -> None:
        rows = busy_run(a)
        lease = b.sink.begin(rows.name)
        assert lease is not None
        b.collector.begin()
        b.collector.announce()
        b.collector.open()
        with pytest.raises(FencedError, match="try again"):
            b.sink.land(lease, rows, Clash.REFUSE)

        assert b.reader.runs() == []

    # --- numbers ----------------------------------------------------------------------------------

    def test_later_numbers_are_higher_than_those_that_came_along(
        self, a: TransferStore, b: TransferStore
    ) -> None:
        *_, third = (busy_run(a) for _ in range(3))
        copy(third, b)
        made = b.writer.versions.publish(publication(), "eve")

        assert b.writer.create_run(new_run()).run_id == "4"
        assert made.version == "4"

    def test_another_run_with_the_id_is_refused_or_the_copy_gets_the_next_number(
        self, a: TransferStore, b: TransferStore
    ) -> None:
        rows = busy_run(a)
        lease = b.writer.create_run(new_run())
        assert b.sink.find([rows.name])[0].presence is Presence.TAKEN
        with pytest.raises(ConflictError, match=r"another run is 'Train/1'.*--renumber"):
            copy(rows, b)

        assert copy(rows, b, Clash.RENUMBER) == "Train/2"
        assert b.writer.heartbeat(lease) is not None
        assert b.sink.find([rows.name])[0].pathspec == "Train/2"
        notes = [b.reader.versions.annotations(f"Train/2{at}") for at in ("", "/start/1/x")]
        assert [note[0].value for note in notes] == ["run", "artifact"]
        assert b.writer.create_run(new_run()).run_id == "3"

    def test_origins_are_called_what_they_are_called_here(
        self, a: TransferStore, b: TransferStore
    ) -> None:
        for number in (1, 2, 3):
            lease = a.writer.create_run(replace(new_run(), origin_run_id=str(number - 1)))
            reused = outcome(1, Status.CACHED)
            origin = f"Train/{number - 1}/start/1"
            a.writer.record(lease, [replace(reused, origin=origin)], [new_task(1)])
            a.writer.finish_run(lease, Status.SUCCEEDED)
        b.writer.create_run(new_run())
        for run_id in ("1", "2"):
            copy(a.source.rows("Train", run_id), b, Clash.RENUMBER)
        runs = [b.reader.run("Train", number) for number in ("2", "3")]
        tasks = [b.reader.task("Train", number, 1) for number in ("2", "3")]

        assert [run and run.origin_run_id for run in runs] == [None, "2"]
        assert [task and task.last.origin for task in tasks] == [None, "Train/2/start/1"]

    # --- versions ---------------------------------------------------------------------------------

    def test_a_version_with_other_content_is_refused_or_the_copy_gets_the_next_number(
        self, a: TransferStore, b: TransferStore
    ) -> None:
        rows = busy_run(a)
        b.writer.versions.publish(publication(ref=OTHER), "eve")
        b.writer.versions.publish(publication("base", ref=REF), "eve")
        with pytest.raises(VersionExistsError, match=r"base@1 is there already.*--renumber"):
            copy(rows, b)
        assert b.reader.runs() == []

        copy(rows, b, Clash.RENUMBER)
        assert version_of(b, "Train/1").version == "2"
        assert b.reader.versions.pins("Train", "1")[0].label == "base@2"
        found = b.reader.versions.at_alias("model", "production")
        assert found is not None
        assert found.version == "2"

    def test_a_name_for_which_there_is_no_other_number_is_refused(
        self, a: TransferStore, b: TransferStore
    ) -> None:
        rows = busy_run(a, version="v1")
        b.writer.versions.publish(publication(version="v1", ref=OTHER), "eve")
        with pytest.raises(VersionExistsError, match="model@v1 is there already"):
            copy(rows, b, Clash.RENUMBER)

        assert b.reader.runs() == []

    def test_an_equal_version_of_the_name_and_number_stands_for_the_one_that_came(
        self, a: TransferStore, b: TransferStore
    ) -> None:
        rows = busy_run(a)
        there = b.writer.versions.publish(publication(tags=("own",)), "eve")
        b.writer.versions.move_alias("model", "production", None, "eve")
        copy(rows, b)
        version = version_of(b, "Train/1")

        assert (version.id, version.tags, version.producer) == (there.id, ("own",), None)
        assert b.reader.versions.alias_moves("model") == []

    def test_an_alias_that_is_in_use_stays_where_it_is(
        self, a: TransferStore, b: TransferStore
    ) -> None:
        rows = busy_run(a, version="v1")
        there = b.writer.versions.publish(publication(version="v0"), "eve")
        b.writer.versions.move_alias("model", "production", there.id, "eve")
        copy(rows, b)
        found = b.reader.versions.at_alias("model", "production")

        assert found is not None
        assert found.id == there.id

    def test_a_version_that_came_with_its_reader_gets_its_source_when_that_comes(
        self, a: TransferStore, b: TransferStore
    ) -> None:
        first = busy_run(a)
        made = version_of(a, "Train/1")
        pins = (Pin("model", REF.digest, made.id, "model@1"),)
        lease = a.writer.create_run(replace(new_run(), pins=pins))
        a.writer.finish_run(lease, Status.SUCCEEDED)
        copy(a.source.rows("Train", "2"), b)
        (before,) = b.reader.versions.with_id(made.id)
        copy(first, b)
        (after,) = b.reader.versions.with_id(made.id)

        assert before.producer is None
        assert after.producer == made.producer
        assert b.reader.versions.pinned_by(made.id) == ["Train/2"]

    def test_a_deleted_version_comes_as_deleted(self, a: TransferStore, b: TransferStore) -> None:
        busy_run(a)
        a.writer.versions.delete(version_of(a, "Train/1").id, "eve", force=True)
        copy(a.source.rows("Train", "1"), b)
        version = version_of(b, "Train/1")

        assert version.deleted_by == "eve"
        assert version == replace(version_of(a, "Train/1"), key=version.key)

    # --- close ------------------------------------------------------------------------------------

    def test_close_may_be_repeated(self, a: TransferStore) -> None:
        for _ in range(2):
            a.source.close()
            a.sink.close()
