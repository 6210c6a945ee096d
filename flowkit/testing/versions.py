"""The suite of artifact versions for every metadata store: a test for each rule of the port."""

# ruff: noqa: S101, S105, D102, PLR2004 - tests assert, their names are sentences, numbers are examples

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from flowkit.enums import ArtifactType, Status
from flowkit.exceptions import (
    BlobMissing,
    InvalidNameError,
    NotFoundError,
    TaggingError,
    VersionExistsError,
    VersionInUseError,
)
from flowkit.model.manifest import ArtifactRef, Read
from flowkit.model.records import AttemptOutcome, RunLease
from flowkit.model.versions import Annotation, Pin, Publication, VersionQuery, VersionRecord
from flowkit.testing.metadata import Metadata, OpenMetadata, new_run, new_task, outcome

REF = ArtifactRef("a" * 64, "pickle", "builtins.int", 5, b"root")
OTHER = ArtifactRef("b" * 64, "pickle", "builtins.int", 5, b"other")


def publication(
    name: str = "model", version: str | None = None, ref: ArtifactRef = REF, **fields: Any
) -> Publication:
    """Return something to be published."""
    return replace(Publication(name, ref, version), **fields)


class VersionSuite:
    """Subclass it, and provide the fixture ``open_metadata`` as for `MetadataSuite`."""

    @pytest.fixture
    def store(self, open_metadata: OpenMetadata) -> Metadata:
        """A store that no other test uses."""
        return open_metadata()

    @pytest.fixture
    def lease(self, store: Metadata) -> RunLease:
        """The lease on a new run, ``Train/1``."""
        return store.writer.create_run(new_run())

    def run_task(
        self,
        store: Metadata,
        lease: RunLease,
        task_id: int,
        *publishes: Publication,
        status: Status = Status.SUCCEEDED,
        **fields: Any,
    ) -> AttemptOutcome:
        """Let a task end that publishes something, and return its outcome."""
        ended = replace(outcome(task_id, status), publishes=publishes, **fields)
        store.writer.record(lease, [ended], [new_task(task_id)])
        return ended

    def versions(self, store: Metadata, **query: Any) -> list[str]:
        found = store.reader.versions.versions(replace(VersionQuery(), **query))
        return [record.label for record in found]

    # --- numbers ----------------------------------------------------------------------------------

    def test_a_published_version_reads_back_as_given(self, store: Metadata) -> None:
        given = publication(
            version="v1.0",
            artifact_type=ArtifactType.MODEL,
            tags=("zebra", "apple"),
            metadata={"accuracy": 0.9, "nested": {"a": [1, None]}},
            attribute="model",
            code="3.11:abc",
        )
        made = store.writer.versions.publish(given, "ada")
        found = store.reader.versions.find("model", "v1.0")

        assert found == made
        assert (found.name, found.version, found.number) == ("model", "v1.0", None)
        assert found.ref == REF
        assert found.artifact_type is ArtifactType.MODEL
        assert found.tags == ("apple", "zebra")
        assert found.metadata == given.metadata
        assert (found.attribute, found.code, found.user) == ("model", "3.11:abc", "ada")
        assert found.producer is None
        assert found.created_at > 0
        assert len(found.id) == 32

    def test_versions_are_numbered_per_name_without_gap(self, store: Metadata) -> None:
        made = [store.writer.versions.publish(publication(), "ada").version for _ in range(3)]
        other = store.writer.versions.publish(publication("data"), "ada").version

        assert made == ["1", "2", "3"]
        assert other == "1"

    def test_a_chosen_number_is_not_given_again(self, store: Metadata) -> None:
        chosen = ["7", None, "3", None, "v2", None]
        made = [store.writer.versions.publish(publication(version=v), "ada") for v in chosen]

        assert [record.version for record in made] == ["7", "8", "3", "9", "v2", "10"]
        assert [record.number for record in made] == [7, 8, 3, 9, None, 10]

    def test_the_number_of_a_deleted_version_is_not_used_again(self, store: Metadata) -> None:
        first = store.writer.versions.publish(publication(), "ada")
        store.writer.versions.delete(first.id, "eve")

        assert store.writer.versions.publish(publication(), "ada").version == "2"
        with pytest.raises(VersionExistsError, match=r"model@1 was deleted by eve"):
            store.writer.versions.publish(publication(version="1"), "ada")

    def test_a_version_with_the_same_content_is_returned_as_it_is(self, store: Metadata) -> None:
        first = store.writer.versions.publish(publication(version="v1", tags=("a",)), "ada")
        again = store.writer.versions.publish(publication(version="v1", tags=("b",)), "eve")

        assert again == first

    def test_a_version_with_other_content_is_refused(self, store: Metadata) -> None:
        store.writer.versions.publish(publication(version="v1"), "ada")
        with pytest.raises(VersionExistsError, match=r"model@v1 exists already with other content"):
            store.writer.versions.publish(publication(version="v1", ref=OTHER), "ada")

        assert self.versions(store) == ["model@v1"]

    def test_a_version_of_a_lost_value_is_not_made(self, store: Metadata) -> None:
        asked = []

        def lost(sweeps: int, buried: Collection[str]) -> Collection[str]:
            asked.append((sweeps, set(buried)))
            return ["b" * 64]

        with pytest.raises(BlobMissing) as refused:
            store.writer.versions.publish(publication(), "ada", lost)
        assert refused.value.digest == "b" * 64
        assert asked == [(store.writer.sweeping.sweeps(), set())]
        assert self.versions(store) == []
        assert store.writer.versions.publish(publication(), "ada").version == "1"

    def test_a_refused_version_takes_no_number(self, store: Metadata) -> None:
        with pytest.raises(TaggingError):
            store.writer.versions.publish(publication(tags=("",)), "ada")
        with pytest.raises(InvalidNameError):
            store.writer.versions.publish(publication(version="latest"), "ada")

        assert store.reader.versions.names() == []
        assert store.writer.versions.publish(publication(), "ada").version == "1"

    # --- with the attempts of a run ---------------------------------------------------------------

    def test_a_succeeded_attempt_makes_versions(self, store: Metadata, lease: RunLease) -> None:
        self.run_task(store, lease, 3, publication(attribute="model"), publication("data"))
        (model, data) = (store.reader.versions.find(name, "1") for name in ("model", "data"))

        assert data is not None
        assert model is not None
        assert model.producer is not None
        assert model.producer.pathspec == "Train/1/start/3"
        assert model.user == "ada"
        outputs = store.reader.versions.outputs("Train", "1")
        assert [(out.task_id, out.attribute, out.version) for out in outputs] == [
            (3, "model", model),
            (3, "", data),
        ]

    @pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
    def test_an_attempt_that_did_not_succeed_makes_none(
        self, store: Metadata, lease: RunLease, status: Status
    ) -> None:
        self.run_task(store, lease, 1, publication(), status=status)

        assert self.versions(store) == []

    def test_retries_make_one_version(self, store: Metadata, lease: RunLease) -> None:
        self.run_task(store, lease, 1, publication(), status=Status.FAILED)
        ended = replace(outcome(1, attempt=1), publishes=(publication(),))
        store.writer.record(lease, [ended], [new_task(1, attempt=1)])

        assert self.versions(store) == ["model@1"]

    def test_repeating_a_commit_makes_no_second_version(
        self, store: Metadata, lease: RunLease
    ) -> None:
        ended = self.run_task(store, lease, 1, publication())
        store.writer.record(lease, [ended], [new_task(1)])

        assert self.versions(store) == ["model@1"]

    def test_a_refused_version_leaves_the_attempt_as_it_was(
        self, store: Metadata, lease: RunLease
    ) -> None:
        store.writer.versions.publish(publication(version="v1"), "ada")
        store.writer.record(lease, [], [new_task(1)])
        ended = replace(
            outcome(1), publishes=(publication("data"), publication(version="v1", ref=OTHER))
        )
        with pytest.raises(VersionExistsError):
            store.writer.record(lease, [ended], [])
        task = store.reader.task("Train", "1", 1)

        assert task is not None
        assert task.last.status is Status.RUNNING
        assert self.versions(store) == ["model@v1"]

    def test_the_same_content_under_a_chosen_version_is_linked(
        self, store: Metadata, lease: RunLease
    ) -> None:
        first = store.writer.versions.publish(publication(version="v1"), "eve")
        self.run_task(store, lease, 1, publication(version="v1"))
        (output,) = store.reader.versions.outputs("Train", "1")

        assert output.version == first

    def test_an_attempt_that_took_over_a_result_is_linked_to_its_versions(
        self, store: Metadata, lease: RunLease
    ) -> None:
        self.run_task(store, lease, 1, publication(attribute="model"))
        resumed = store.writer.create_run(new_run())
        self.run_task(store, resumed, 4, status=Status.CACHED, origin="Train/1/start/1")
        (output,) = store.reader.versions.outputs("Train", "2")

        assert self.versions(store) == ["model@1"]
        assert (output.task_id, output.attribute, output.version.label) == (4, "model", "model@1")

    def test_what_a_taken_over_result_publishes_gives_its_versions_new_labels(
        self, store: Metadata, lease: RunLease
    ) -> None:
        first = publication(attribute="x", tags=("a",), metadata={"k": 1, "rows": 2})
        self.run_task(store, lease, 1, first)
        version_id = store.reader.versions.versions(VersionQuery())[0].id
        store.writer.versions.annotate(version_id, {"rows": 3}, "eve")
        again = publication(attribute="x", tags=("b",), metadata={"k": 5, "rows": 2})
        for _ in range(2):
            other = store.writer.create_run(new_run())
            cached: dict[str, Any] = {"status": Status.CACHED, "origin": "Train/1/start/1"}
            self.run_task(store, other, 1, again, **cached)
        (made,) = store.reader.versions.versions(VersionQuery())

        assert made.tags == ("a", "b")
        assert made.metadata == {"k": 5, "rows": 3}
        said = [(one.key, one.value) for one in store.reader.versions.annotations(made.id)]
        assert said == [("k", 1), ("rows", 2), ("rows", 3), ("k", 5)]

    def test_a_taken_over_result_gets_another_name_or_version_once(
        self, store: Metadata, lease: RunLease
    ) -> None:
        self.run_task(store, lease, 1, publication(attribute="x"))
        for wanted in (publication("renamed"), publication(version="v1")):
            for _ in range(2):
                other = store.writer.create_run(new_run())
                cached: dict[str, Any] = {"status": Status.CACHED, "origin": "Train/1/start/1"}
                self.run_task(store, other, 1, replace(wanted, attribute="x"), **cached)
        outputs = store.reader.versions.outputs("Train", "3")

        assert self.versions(store) == ["model@v1", "renamed@1", "model@1"]
        assert sorted(one.version.label for one in outputs) == ["model@1", "renamed@1"]

    def test_a_taken_over_result_whose_version_was_deleted_gets_a_new_one(
        self, store: Metadata, lease: RunLease
    ) -> None:
        wanted = publication(attribute="x")
        self.run_task(store, lease, 1, wanted)
        store.writer.versions.delete(store.reader.versions.versions(VersionQuery())[0].id, "ada")
        other = store.writer.create_run(new_run())
        self.run_task(store, other, 1, wanted, status=Status.CACHED, origin="Train/1/start/1")

        assert self.versions(store) == ["model@2"]

    def test_what_a_task_logged_is_kept_also_when_it_failed(
        self, store: Metadata, lease: RunLease
    ) -> None:
        logged = (Annotation("Train/1/start/1", {"loss": 0.5}), Annotation("Train/1", {"a": [1]}))
        self.run_task(store, lease, 1, status=Status.FAILED, annotations=logged)
        task = store.reader.versions.annotations("Train/1/start/1")
        run = store.reader.versions.annotations("Train/1")

        assert [(one.key, one.value, one.user) for one in task] == [("loss", 0.5, "ada")]
        assert [(one.key, one.value) for one in run] == [("a", [1])]

    # --- tags, aliases, metadata ------------------------------------------------------------------

    def test_tags_are_removed_then_added(self, store: Metadata) -> None:
        made = store.writer.versions.publish(publication(tags=("a", "b")), "ada")
        tags = store.writer.versions.change_tags(made.id, ["b", "c"], ["a", "b", "x"])

        assert tags == ("b", "c")
        assert self.reread(store, made).tags == ("b", "c")
        with pytest.raises(NotFoundError):
            store.writer.versions.change_tags("f" * 32, ["a"], [])

    def test_a_version_has_50_tags_at_most(self, store: Metadata) -> None:
        made = store.writer.versions.publish(publication(tags=("a",)), "ada")
        with pytest.raises(TaggingError):
            store.writer.versions.change_tags(made.id, map(str, range(50)), [])

        assert self.reread(store, made).tags == ("a",)

    def test_an_alias_moves_and_its_history_stays(self, store: Metadata) -> None:
        one, two = (store.writer.versions.publish(publication(), "ada") for _ in range(2))
        move = store.writer.versions.move_alias
        move("model", "production", one.id, "ada")
        move("model", "production", one.id, "ada")
        move("model", "production", two.id, "eve")
        at_two = store.reader.versions.at_alias("model", "production")
        move("model", "production", None, "ada")

        assert at_two is not None
        assert (at_two.id, at_two.aliases) == (two.id, ("production",))
        assert store.reader.versions.at_alias("model", "production") is None
        moves = store.reader.versions.alias_moves("model")
        assert [(one.version, one.user) for one in moves] == [
            ("1", "ada"),
            ("2", "eve"),
            (None, "ada"),
        ]

    def test_an_alias_points_to_a_version_of_its_own_name(self, store: Metadata) -> None:
        made = store.writer.versions.publish(publication(version="v1"), "ada")
        with pytest.raises(NotFoundError):
            store.writer.versions.move_alias("other", "production", made.id, "ada")
        with pytest.raises(NotFoundError):
            store.writer.versions.move_alias("model", "production", "f" * 32, "ada")
        with pytest.raises(InvalidNameError, match="is a version of 'model'"):
            store.writer.versions.move_alias("model", "v1", made.id, "ada")
        with pytest.raises(InvalidNameError):
            store.writer.versions.move_alias("model", "latest", made.id, "ada")

        assert store.reader.versions.alias_moves("model") == []

    def test_of_metadata_the_last_entry_counts_and_all_are_kept(self, store: Metadata) -> None:
        made = store.writer.versions.publish(publication(metadata={"a": 1, "b": 2}), "ada")
        store.writer.versions.annotate(made.id, {"b": {"x": None}, "c": "y"}, "eve")
        entries = store.reader.versions.annotations(made.id)

        assert self.reread(store, made).metadata == {"a": 1, "b": {"x": None}, "c": "y"}
        assert [(entry.key, entry.user) for entry in entries] == [
            ("a", "ada"),
            ("b", "ada"),
            ("b", "eve"),
            ("c", "eve"),
        ]

    def reread(self, store: Metadata, record: VersionRecord) -> VersionRecord:
        found = store.reader.versions.find(record.name, record.version)
        assert found is not None
        return found

    # --- reading ----------------------------------------------------------------------------------

    def test_versions_are_listed_newest_first_in_pages(self, store: Metadata) -> None:
        made = [store.writer.versions.publish(publication(), "ada") for _ in range(3)]
        first = store.reader.versions.versions(VersionQuery("model"), limit=2)
        second = store.reader.versions.versions(VersionQuery(), before=first[-1].key, limit=2)

        assert [record.id for record in [*first, *second]] == [one.id for one in reversed(made)]

    def test_versions_are_found_by_what_they_have(self, store: Metadata) -> None:
        publish = store.writer.versions.publish
        publish(publication(version="v1", tags=("a", "b"), artifact_type=ArtifactType.MODEL), "ada")
        publish(publication("data", "v1", tags=("a",)), "ada")
        gone = publish(publication("data", "v2", tags=("a",)), "ada")
        store.writer.versions.delete(gone.id, "ada")

        assert self.versions(store) == ["data@v1", "model@v1"]
        assert self.versions(store, name="data") == ["data@v1"]
        assert self.versions(store, version="v1", name="model") == ["model@v1"]
        assert self.versions(store, artifact_type=ArtifactType.MODEL) == ["model@v1"]
        assert self.versions(store, tags=("a",)) == ["data@v1", "model@v1"]
        assert self.versions(store, tags=("b", "a")) == ["model@v1"]
        assert self.versions(store, tags=("c",)) == []
        assert self.versions(store, name="data", with_deleted=True) == ["data@v2", "data@v1"]

    def test_names_are_listed_in_order_with_their_latest_version(self, store: Metadata) -> None:
        for name, version in (("b", "7"), ("b", "v1"), ("a", None), ("c", None)):
            store.writer.versions.publish(publication(name, version), "ada")
        gone = store.writer.versions.publish(publication("c"), "ada")
        store.writer.versions.delete(gone.id, "ada")
        names = store.reader.versions.names()

        assert [(one.name, one.versions, one.latest, one.next) for one in names] == [
            ("a", 1, "1", 2),
            ("b", 2, "v1", 8),
            ("c", 1, "1", 3),
        ]
        assert [one.name for one in store.reader.versions.names(after="a", limit=1)] == ["b"]
        assert store.reader.versions.name("b") == names[1]
        assert store.reader.versions.name("x") is None

    def test_the_highest_number_is_not_always_the_latest(self, store: Metadata) -> None:
        for version in ("7", "3", "v1"):
            store.writer.versions.publish(publication(version=version), "ada")
        highest = store.reader.versions.highest("model")

        assert highest is not None
        assert highest.version == "7"
        assert store.reader.versions.highest("x") is None

    def test_a_version_is_found_by_the_beginning_of_its_id(self, store: Metadata) -> None:
        made = store.writer.versions.publish(publication(), "ada")

        assert store.reader.versions.with_id(made.id) == [made]
        assert store.reader.versions.with_id(made.id[:12]) == [made]
        assert store.reader.versions.with_id("xyz") == []

    def test_the_origins_of_a_run_are_the_tasks_whose_results_it_took_over(
        self, store: Metadata, lease: RunLease
    ) -> None:
        self.run_task(store, lease, 1)
        self.run_task(store, lease, 2)
        other = store.writer.create_run(new_run())
        for task_id in (1, 2):
            origin = f"Train/1/start/{task_id}"
            self.run_task(store, other, task_id, status=Status.CACHED, origin=origin)
        self.run_task(store, other, 3)

        assert store.reader.versions.origins("Train", "1") == []
        assert store.reader.versions.origins("Train", "2") == ["Train/1/start/1", "Train/1/start/2"]
        assert store.reader.versions.origins("Train", "9") == []

    # --- use and deletion -------------------------------------------------------------------------

    def test_uses_are_the_reads_of_that_attribute(self, store: Metadata, lease: RunLease) -> None:
        self.run_task(store, lease, 1, publication(attribute="model"))
        made = store.reader.versions.find("model", "1")
        assert made is not None
        reads = [
            ("attr:model", REF.digest),
            ("inputs:12:model", REF.digest),
            ("merge:model", REF.digest),
            (f"artifact:{made.id}", REF.digest),
            ("attr:other", REF.digest),
            ("attr:model", OTHER.digest),
            ("inputs:0:models", REF.digest),
        ]
        for task_id, (token, digest) in enumerate(reads, start=2):
            self.run_task(store, lease, task_id, reads=(Read(token, digest), Read("input", digest)))

        uses = store.reader.versions.uses(made.id)
        assert [use.task_id for use in uses] == [2, 3, 4, 5]
        assert uses[0].pathspec == "Train/1/start/2"
        assert uses[0].token == "attr:model"

    def test_equal_content_in_another_run_is_no_use(self, store: Metadata, lease: RunLease) -> None:
        self.run_task(store, lease, 1, publication(attribute="model"))
        other = store.writer.create_run(new_run())
        self.run_task(store, other, 1, reads=(Read("attr:model", REF.digest),))
        made = store.reader.versions.find("model", "1")

        assert made is not None
        assert store.reader.versions.uses(made.id) == []

    def test_a_pinned_version_is_used_where_it_was_read(self, store: Metadata) -> None:
        made = store.writer.versions.publish(publication(), "ada")
        pins = (
            Pin("base", REF.digest, made.id, "model@1"),
            Pin("given", OTHER.digest),
        )
        lease = store.writer.create_run(replace(new_run(), pins=pins))
        self.run_task(store, lease, 1, reads=(Read("attr:base", REF.digest),))
        self.run_task(store, lease, 2, status=Status.CACHED, origin="Train/1/start/1", reads=())
        uses = store.reader.versions.uses(made.id)

        assert store.reader.versions.pins("Train", "1") == list(pins)
        assert store.reader.versions.pinned_by(made.id) == ["Train/1"]
        assert [(use.task_id, use.is_cached) for use in uses] == [(1, False), (2, True)]

    def test_an_attempt_that_took_over_what_it_would_read_is_one_use(
        self, store: Metadata, lease: RunLease
    ) -> None:
        self.run_task(store, lease, 1, publication(attribute="model"))
        self.run_task(store, lease, 2, reads=(Read("attr:model", REF.digest),))
        again = store.writer.create_run(new_run())
        self.run_task(store, again, 1, status=Status.CACHED, origin="Train/1/start/1", reads=())
        reads = (Read("attr:model", REF.digest),)
        self.run_task(store, again, 2, status=Status.CACHED, origin="Train/1/start/2", reads=reads)
        made = store.reader.versions.find("model", "1")

        assert made is not None
        uses = store.reader.versions.uses(made.id)
        assert [(use.run_id, use.task_id, use.is_cached) for use in uses] == [
            ("1", 2, False),
            ("2", 2, True),
        ]

    def test_what_is_used_is_deleted_by_force_only(self, store: Metadata, lease: RunLease) -> None:
        self.run_task(store, lease, 1, publication(attribute="model"))
        self.run_task(store, lease, 2, reads=(Read("attr:model", REF.digest),))
        made = store.reader.versions.find("model", "1")
        assert made is not None
        store.writer.versions.move_alias("model", "production", made.id, "ada")
        store.writer.create_run(replace(new_run(), pins=(Pin("m", REF.digest, made.id),)))
        with pytest.raises(VersionInUseError) as refused:
            store.writer.versions.delete(made.id, "eve")

        assert refused.value.users == ("alias 'production'", "Train/2", "Train/1/start/2")
        assert "Train/1/start/2" in str(refused.value)
        store.writer.versions.delete(made.id, "eve", force=True)
        assert self.versions(store) == []
        assert store.reader.versions.at_alias("model", "production") is None

    def test_what_only_its_producer_read_can_be_deleted(
        self, store: Metadata, lease: RunLease
    ) -> None:
        reads = (Read("attr:model", REF.digest),)
        self.run_task(store, lease, 1, publication(attribute="model"), reads=reads)
        made = store.reader.versions.find("model", "1")
        assert made is not None
        store.writer.versions.delete(made.id, "eve")

        assert self.versions(store) == []

    def test_a_deleted_version_says_by_whom_and_has_no_bytes(self, store: Metadata) -> None:
        made = store.writer.versions.publish(publication(), "ada")
        store.writer.versions.delete(made.id, "eve")
        gone = self.reread(store, made)

        assert (gone.deleted_by, gone.ref.inline) == ("eve", None)
        assert gone.deleted_at is not None
        assert store.reader.versions.with_id(made.id) == [gone]
        with pytest.raises(NotFoundError, match=r"model@1 was deleted by eve"):
            store.writer.versions.delete(made.id, "eve")
        with pytest.raises(NotFoundError, match=r"model@1 was deleted by eve"):
            store.writer.versions.move_alias("model", "production", made.id, "eve")

    # --- lineage ----------------------------------------------------------------------------------

    def test_readers_and_writers_of_an_artifact_of_a_run(
        self, store: Metadata, lease: RunLease
    ) -> None:
        self.run_task(store, lease, 1, written={"x": REF, "y": OTHER})
        self.run_task(store, lease, 2, reads=(Read("attr:x", REF.digest), Read("attr:y", None)))
        versions = store.reader.versions
        (writer,) = versions.writers("Train", "1", "x", REF.digest)
        (reader,) = versions.readers("Train", "1", "x", REF.digest)

        assert (writer.step, writer.task_id, writer.attempt) == ("start", 1, 0)
        assert (reader.step, reader.task_id, reader.attempt) == ("start", 2, 0)
        assert versions.reads("Train", "1", 2, 0) == [
            Read("attr:x", REF.digest),
            Read("attr:y", None),
        ]
        assert versions.readers("Train", "9", "x", REF.digest) == []
        assert versions.writers("Train", "1", "y", REF.digest) == []
