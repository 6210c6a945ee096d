"""The suite that every metadata store passes: one test per sentence of the port."""

# ruff: noqa: S101, D102 - tests assert, and their names are sentences

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import pytest

from flowkit.enums import Cause, Status
from flowkit.exceptions import (
    ConflictError,
    FencedError,
    InternalError,
    NotFoundError,
    TaggingError,
)
from flowkit.model.manifest import ArtifactRef, Read
from flowkit.model.records import AttemptOutcome, NewRun, NewTask, RunLease
from flowkit.model.tasks import AttemptError, Frame
from flowkit.ports.metadata import MetadataReader, MetadataWriter

REF = ArtifactRef(digest="a" * 64, materializer="pickle", type="builtins.int", size=5)


class Metadata(NamedTuple):
    """One writer and one reader of the same store, each with a connection of its own."""

    writer: MetadataWriter
    reader: MetadataReader


OpenMetadata = Callable[[], Metadata]


def new_run(flow: str = "Train", tags: Sequence[str] = (), **fields: object) -> NewRun:
    """Return a run to be created; ``fields`` become its facts."""
    return NewRun(
        flow=flow, user="ada", root="0" * 64, tags=tags, system_tags=("user:ada",), info=fields
    )


def new_task(
    task_id: int, step: str = "start", *, attempt: int = 0, inputs: Sequence[int] = ()
) -> NewTask:
    """Return a task about to start."""
    return NewTask(task_id, step, attempt, frames=(), iteration=0, inputs=tuple(inputs))


def outcome(
    task_id: int,
    status: Status = Status.SUCCEEDED,
    *,
    attempt: int = 0,
    written: Mapping[str, ArtifactRef] | None = None,
) -> AttemptOutcome:
    """Return the end of an attempt of a task of step ``start``."""
    return AttemptOutcome(
        task_id=task_id,
        step="start",
        attempt=attempt,
        status=status,
        manifest="b" * 64,
        error=None,
        written=written or {},
        reads=(Read("attr:x", "c" * 64), Read("attr:y", None)),
        started_at=1_000,
        finished_at=2_000,
        log_start=10,
        log_end=20,
    )


class MetadataSuite:
    """Subclass it, and provide the fixture ``open_metadata``.

    The fixture returns a function that opens the test's own, at first empty, store once more
    each time it is called; everything opened is closed after the test.
    """

    @pytest.fixture
    def store(self, open_metadata: OpenMetadata) -> Metadata:
        """A store that no other test uses."""
        return open_metadata()

    @pytest.fixture
    def lease(self, store: Metadata) -> RunLease:
        """The lease on a new run, ``Train/1``."""
        return store.writer.create_run(new_run())

    # --- create_run -------------------------------------------------------------------------------

    def test_a_created_run_is_running_and_reads_back_as_given(self, store: Metadata) -> None:
        new = NewRun(
            flow="Train",
            user="ada lovelace",
            root="d" * 64,
            tags=("zebra", "apple"),
            system_tags=("user:ada", "runtime:dev"),
            origin_run_id="17",
            info={"command": ["run", "--x", "1"], "nested": {"a": None, "b": 1.5}},
        )
        lease = store.writer.create_run(new)
        run = store.reader.run("Train", "1")

        assert run is not None
        assert run.status is Status.RUNNING
        assert (run.flow, run.run_id, run.key, run.token) == (
            lease.flow,
            lease.run_id,
            lease.key,
            lease.token,
        )
        assert (run.user, run.root, run.origin_run_id) == ("ada lovelace", "d" * 64, "17")
        assert run.tags == ("apple", "zebra")
        assert run.system_tags == ("runtime:dev", "user:ada")
        assert run.info == new.info
        assert run.created_at > 0
        assert run.finished_at is None
        assert run.holder

    def test_run_ids_count_from_1_per_flow_without_gap(self, open_metadata: OpenMetadata) -> None:
        writers = [open_metadata().writer for _ in range(2)]
        ids = [writers[turn % 2].create_run(new_run()).run_id for turn in range(4)]
        other = writers[0].create_run(new_run("Other")).run_id

        assert ids == ["1", "2", "3", "4"]
        assert other == "1"

    def test_a_refused_run_takes_no_id_and_leaves_nothing(self, store: Metadata) -> None:
        with pytest.raises(TaggingError):
            store.writer.create_run(new_run(tags=["fine", ""]))
        with pytest.raises(TaggingError):
            store.writer.create_run(new_run(tags=[str(number) for number in range(51)]))

        assert store.reader.flows() == []
        assert store.writer.create_run(new_run()).run_id == "1"

    def test_tokens_are_hexadecimal_and_never_repeat(self, store: Metadata) -> None:
        tokens = [store.writer.create_run(new_run()).token for _ in range(3)]

        assert len(set(tokens)) == 3  # noqa: PLR2004 - as many as there are runs
        assert all(int(token, 16) >= 0 for token in tokens)

    # --- record -----------------------------------------------------------------------------------

    def test_a_started_task_is_running_and_reads_back_as_given(
        self, store: Metadata, lease: RunLease
    ) -> None:
        item = replace(REF, inline=bytes(range(256)))
        frames = (Frame("start", "xs", 3, 10, item), Frame("inner", None, 0, 2, REF))
        new = NewTask(7, "work", 0, frames, iteration=2, inputs=(5, 3, 4), gang_rank=1)
        store.writer.record(lease, [], [new])
        task = store.reader.task("Train", "1", 7)

        assert task is not None
        assert (task.flow, task.run_id, task.step, task.task_id) == ("Train", "1", "work", 7)
        assert task.frames == frames
        assert (task.iteration, task.inputs, task.gang_rank) == (2, (5, 3, 4), 1)
        assert task.attempts == 1
        assert task.last.status is Status.RUNNING
        assert task.last.finished_at is None

    def test_an_ended_attempt_reads_back_as_given(self, store: Metadata, lease: RunLease) -> None:
        error = AttemptError(Cause.SIGNAL, "killed", "a.B", "trace\nback", is_charged=False)
        ended = replace(outcome(1, Status.FAILED), error=error, origin="Train/0/start/1")
        store.writer.record(lease, [], [new_task(1)])
        store.writer.record(lease, [ended], [])
        (attempt,) = store.reader.attempts("Train", "1", 1)

        assert attempt.status is Status.FAILED
        assert attempt.error == error
        assert attempt.manifest == "b" * 64
        assert (attempt.started_at, attempt.finished_at) == (1_000, 2_000)
        assert (attempt.log_start, attempt.log_end) == (10, 20)
        assert attempt.origin == "Train/0/start/1"
        assert (attempt.task_id, attempt.step, attempt.attempt) == (1, "start", 0)

    def test_what_an_attempt_wrote_is_listed_in_the_order_of_writing(
        self, store: Metadata, lease: RunLease
    ) -> None:
        written = {"z": REF, "a": replace(REF, digest="e" * 64, size=9), "m": REF}
        store.writer.record(lease, [], [new_task(1)])
        store.writer.record(lease, [outcome(1, written=written)], [])
        artifacts = store.reader.artifacts("Train", "1", 1, 0)

        assert [artifact.name for artifact in artifacts] == ["z", "a", "m"]
        assert (artifacts[1].digest, artifacts[1].size) == ("e" * 64, 9)
        assert (artifacts[1].materializer, artifacts[1].type) == ("pickle", "builtins.int")
        assert (artifacts[1].flow, artifacts[1].run_id) == ("Train", "1")
        assert (artifacts[1].step, artifacts[1].task_id, artifacts[1].attempt) == ("start", 1, 0)

    def test_a_failed_attempt_ends_and_the_next_one_starts_in_one_call(
        self, store: Metadata, lease: RunLease
    ) -> None:
        store.writer.record(lease, [], [new_task(1)])
        store.writer.record(lease, [outcome(1, Status.FAILED)], [new_task(1, attempt=1)])
        task = store.reader.task("Train", "1", 1)

        assert task is not None
        assert (task.attempts, task.last.attempt, task.last.status) == (2, 1, Status.RUNNING)
        statuses = [attempt.status for attempt in store.reader.attempts("Train", "1", 1)]
        assert statuses == [Status.FAILED, Status.RUNNING]

    def test_an_attempt_may_start_and_end_in_one_call(
        self, store: Metadata, lease: RunLease
    ) -> None:
        reused = replace(outcome(1, Status.CACHED, written={"x": REF}), origin="Train/0/start/1")
        for _ in range(2):
            store.writer.record(lease, [reused], [new_task(1), new_task(2, "end", inputs=[1])])
        task = store.reader.task("Train", "1", 1)

        assert task is not None
        assert (task.last.status, task.last.origin) == (Status.CACHED, "Train/0/start/1")
        assert len(store.reader.artifacts("Train", "1", 1, 0)) == 1

    def test_a_repeated_call_changes_nothing(self, store: Metadata, lease: RunLease) -> None:
        ended = [outcome(1, written={"x": REF})]
        store.writer.record(lease, [], [new_task(1)])
        store.writer.record(lease, ended, [new_task(2, "end", inputs=[1])])
        before = store.reader.tasks("Train", "1")
        store.writer.record(lease, ended, [new_task(2, "end", inputs=[1])])

        assert store.reader.tasks("Train", "1") == before
        assert len(store.reader.artifacts("Train", "1", 1, 0)) == 1

    def test_an_attempt_that_has_ended_never_changes(
        self, store: Metadata, lease: RunLease
    ) -> None:
        store.writer.record(lease, [], [new_task(1)])
        store.writer.record(lease, [outcome(1)], [])
        before = store.reader.task("Train", "1", 1)
        store.writer.record(lease, [outcome(1, Status.FAILED, written={"late": REF})], [])

        assert store.reader.task("Train", "1", 1) == before
        assert store.reader.artifacts("Train", "1", 1, 0) == []

    def test_a_refused_call_writes_nothing_at_all(self, store: Metadata, lease: RunLease) -> None:
        store.writer.record(lease, [], [new_task(1)])
        with pytest.raises(InternalError, match="never started"):
            store.writer.record(lease, [outcome(1), outcome(99)], [new_task(2)])

        assert [task.last.status for task in store.reader.tasks("Train", "1")] == [Status.RUNNING]

    def test_an_empty_record_is_accepted(self, store: Metadata, lease: RunLease) -> None:
        store.writer.record(lease, [], [])

        assert store.reader.tasks("Train", "1") == []

    # --- leases -----------------------------------------------------------------------------------

    def test_a_run_whose_driver_is_gone_is_crashed(
        self, open_metadata: OpenMetadata, store: Metadata
    ) -> None:
        driver = open_metadata().writer
        driver.create_run(new_run())
        alive = store.reader.run("Train", "1")
        driver.close()
        dead = store.reader.run("Train", "1")

        assert alive is not None
        assert alive.status is Status.RUNNING
        assert dead is not None
        assert dead.status is Status.CRASHED
        assert [run.status for run in store.reader.runs()] == [Status.CRASHED]

    def test_a_dead_driver_s_run_can_be_taken_over(
        self, open_metadata: OpenMetadata, store: Metadata
    ) -> None:
        driver = open_metadata().writer
        old = driver.create_run(new_run())
        driver.record(old, [], [new_task(1)])
        driver.close()
        lease = store.writer.take_over("Train", "1")
        store.writer.record(lease, [outcome(1)], [])
        run = store.reader.run("Train", "1")

        assert lease.epoch > old.epoch
        assert (lease.key, lease.token) == (old.key, old.token)
        assert run is not None
        assert run.status is Status.RUNNING

    def test_a_live_driver_s_run_can_t_be_taken_over(
        self, open_metadata: OpenMetadata, store: Metadata, lease: RunLease
    ) -> None:
        with pytest.raises(ConflictError, match=r"is driven by .*process .*since"):
            open_metadata().writer.take_over("Train", "1")

        store.writer.record(lease, [], [new_task(1)])

    def test_a_run_that_has_ended_or_is_unknown_can_t_be_taken_over(
        self, store: Metadata, lease: RunLease
    ) -> None:
        store.writer.finish_run(lease, Status.FAILED)
        with pytest.raises(ConflictError, match="failed"):
            store.writer.take_over("Train", "1")
        with pytest.raises(NotFoundError):
            store.writer.take_over("Train", "2")
        with pytest.raises(NotFoundError):
            store.writer.take_over("Nothing", "1")

    def test_every_write_under_an_old_epoch_is_refused(
        self, store: Metadata, lease: RunLease
    ) -> None:
        store.writer.record(lease, [], [new_task(1)])
        old = replace(lease, epoch=lease.epoch - 1)
        with pytest.raises(FencedError, match="taken over"):
            store.writer.record(old, [outcome(1)], [new_task(2)])
        with pytest.raises(FencedError):
            store.writer.heartbeat(old)
        with pytest.raises(FencedError):
            store.writer.finish_run(old, Status.FAILED)
        run = store.reader.run("Train", "1")

        assert run is not None
        assert run.status is Status.RUNNING
        assert [task.last.status for task in store.reader.tasks("Train", "1")] == [Status.RUNNING]

    def test_a_heartbeat_changes_nothing_that_readers_see(
        self, store: Metadata, lease: RunLease
    ) -> None:
        before = store.reader.run("Train", "1")
        store.writer.heartbeat(lease)

        assert store.reader.run("Train", "1") == before

    # --- finish_run -------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.CRASHED]
    )
    def test_a_finished_run_has_its_terminal_state(
        self, store: Metadata, lease: RunLease, status: Status
    ) -> None:
        store.writer.finish_run(lease, status)
        run = store.reader.run("Train", "1")

        assert run is not None
        assert run.status is status
        assert run.finished_at is not None
        assert run.finished_at >= run.created_at

    def test_attempts_that_still_run_at_the_end_become_cancelled(
        self, store: Metadata, lease: RunLease
    ) -> None:
        store.writer.record(lease, [], [new_task(1), new_task(2)])
        store.writer.record(lease, [outcome(1)], [])
        store.writer.finish_run(lease, Status.CANCELLED)
        two, one = store.reader.tasks("Train", "1")

        assert one.last.status is Status.SUCCEEDED
        assert two.last.status is Status.CANCELLED
        assert two.last.error is not None
        assert two.last.error.cause is Cause.CANCELLED
        assert two.last.finished_at is not None

    def test_a_terminal_state_never_changes(self, store: Metadata, lease: RunLease) -> None:
        store.writer.finish_run(lease, Status.SUCCEEDED)
        before = store.reader.run("Train", "1")
        store.writer.finish_run(lease, Status.FAILED)
        store.writer.heartbeat(lease)
        with pytest.raises(InternalError, match="already ended"):
            store.writer.record(lease, [], [new_task(1)])

        assert store.reader.run("Train", "1") == before
        assert store.reader.tasks("Train", "1") == []

    # --- change_tags ------------------------------------------------------------------------------

    def test_tags_are_removed_then_added(self, store: Metadata) -> None:
        store.writer.create_run(new_run(tags=["a", "b"]))
        tags = store.writer.change_tags("Train", "1", add=["b", "c"], remove=["a", "b", "absent"])
        run = store.reader.run("Train", "1")

        assert tags == ("b", "c")
        assert run is not None
        assert run.tags == tags

    def test_adding_a_system_tag_does_nothing(self, store: Metadata, lease: RunLease) -> None:
        tags = store.writer.change_tags(lease.flow, lease.run_id, add=["user:ada"], remove=[])
        run = store.reader.run("Train", "1")

        assert tags == ()
        assert run is not None
        assert run.system_tags == ("user:ada",)

    def test_removing_a_system_tag_is_refused_and_names_it(
        self, store: Metadata, lease: RunLease
    ) -> None:
        with pytest.raises(TaggingError, match="user:ada"):
            store.writer.change_tags(lease.flow, lease.run_id, add=["x"], remove=["user:ada"])
        run = store.reader.run("Train", "1")

        assert run is not None
        assert run.tags == ()
        assert run.system_tags == ("user:ada",)

    def test_a_run_has_at_most_50_user_tags(self, store: Metadata, lease: RunLease) -> None:
        fifty = {f"tag {number}" for number in range(50)}
        store.writer.change_tags(lease.flow, lease.run_id, add=fifty, remove=[])
        with pytest.raises(TaggingError, match="50"):
            store.writer.change_tags(lease.flow, lease.run_id, add=["more"], remove=[])
        run = store.reader.run("Train", "1")

        assert run is not None
        assert set(run.tags) == fifty

    def test_tags_that_are_no_tags_are_refused(self, store: Metadata, lease: RunLease) -> None:
        for tag in ("", "x" * 501, "line\nbreak"):
            with pytest.raises(TaggingError):
                store.writer.change_tags(lease.flow, lease.run_id, add=[tag], remove=[])

    def test_the_tags_of_an_unknown_run_can_t_be_changed(self, store: Metadata) -> None:
        with pytest.raises(NotFoundError):
            store.writer.change_tags("Train", "1", add=["x"], remove=[])

    def test_tags_need_no_lease_and_change_after_the_end(
        self, open_metadata: OpenMetadata, store: Metadata, lease: RunLease
    ) -> None:
        store.writer.finish_run(lease, Status.SUCCEEDED)

        assert open_metadata().writer.change_tags("Train", "1", add=["late"], remove=[]) == (
            "late",
        )

    # --- reading ----------------------------------------------------------------------------------

    def test_a_write_is_seen_by_another_connection_at_once(
        self, open_metadata: OpenMetadata, store: Metadata
    ) -> None:
        before = store.reader.runs()
        open_metadata().writer.create_run(new_run())

        assert before == []
        assert [run.run_id for run in store.reader.runs()] == ["1"]

    def test_flows_with_the_newest_run_come_first(self, store: Metadata) -> None:
        for flow in ("Train", "Other", "Train", "Score", "Train"):
            store.writer.create_run(new_run(flow))
        flows = store.reader.flows()

        assert [(flow.name, flow.runs, flow.last_run_id) for flow in flows] == [
            ("Train", 3, "3"),
            ("Score", 1, "1"),
            ("Other", 1, "1"),
        ]

    def test_runs_come_newest_first_and_in_pages(self, store: Metadata) -> None:
        for flow in ("Train", "Other", "Train", "Train"):
            store.writer.create_run(new_run(flow, tags=["a", "b"]))
        first = store.reader.runs(limit=3)
        rest = store.reader.runs(before=first[-1].key, limit=3)

        names = [f"{run.flow}/{run.run_id}" for run in [*first, *rest]]
        assert names == ["Train/3", "Train/2", "Other/1", "Train/1"]
        assert [run.run_id for run in store.reader.runs("Train", limit=2)] == ["3", "2"]
        assert store.reader.runs("Nothing") == []

    def test_runs_are_found_by_all_of_their_tags(self, store: Metadata) -> None:
        store.writer.create_run(new_run(tags=["a", "b"]))
        store.writer.create_run(new_run(tags=["a"]))
        store.writer.create_run(new_run("Other", tags=["b", "a"]))

        def found(*tags: str, flow: str | None = None) -> list[str]:
            return [f"{run.flow}/{run.run_id}" for run in store.reader.runs(flow, tags=tags)]

        assert found("a", "b") == ["Other/1", "Train/1"]
        assert found("a", "user:ada", flow="Train") == ["Train/2", "Train/1"]
        assert found("b", "b", flow="Train") == ["Train/1"]
        assert found("absent") == []

    def test_steps_with_figures_the_latest_to_begin_first(
        self, store: Metadata, lease: RunLease
    ) -> None:
        tasks = [new_task(1), new_task(2, "work"), new_task(3, "work"), new_task(4, "join")]
        store.writer.record(lease, [], tasks)
        store.writer.record(lease, [outcome(1), outcome(3, Status.FAILED)], [new_task(5, "work")])
        steps = store.reader.steps("Train", "1")

        assert [(step.name, step.tasks) for step in steps] == [
            ("join", 1),
            ("work", 3),
            ("start", 1),
        ]
        assert steps[1].counts == {Status.RUNNING: 2, Status.FAILED: 1}

    def test_tasks_come_newest_first_and_in_pages(self, store: Metadata, lease: RunLease) -> None:
        tasks = [new_task(number, "even" if number % 2 == 0 else "odd") for number in range(1, 8)]
        store.writer.record(lease, [], tasks)

        def ids(step: str | None = None, **page: int) -> list[int]:
            return [task.task_id for task in store.reader.tasks("Train", "1", step, **page)]

        assert ids() == [7, 6, 5, 4, 3, 2, 1]
        assert ids(before=4, limit=2) == [3, 2]
        assert ids("even") == [6, 4, 2]
        assert ids("odd", before=5) == [3, 1]

    def test_children_are_those_that_have_the_task_among_their_inputs(
        self, store: Metadata, lease: RunLease
    ) -> None:
        fan_out = [new_task(number, "work", inputs=[1]) for number in (2, 3, 4)]
        store.writer.record(lease, [], [new_task(1), *fan_out])
        store.writer.record(lease, [], [new_task(5, "join", inputs=[4, 2, 3])])

        def children(task_id: int) -> list[int]:
            return [task.task_id for task in store.reader.children("Train", "1", task_id)]

        assert children(1) == [2, 3, 4]
        assert children(3) == [5]
        assert children(5) == []

    def test_unknown_objects_give_none_or_an_empty_sequence(
        self, store: Metadata, lease: RunLease
    ) -> None:
        reader = store.reader
        for flow, run_id in ((lease.flow, "99"), ("Nothing", "1"), ("\ud800\0", "../1")):
            assert reader.run(flow, run_id) is None
            assert reader.task(flow, run_id, 1) is None
            assert reader.steps(flow, run_id) == []
            assert reader.tasks(flow, run_id) == []
            assert reader.children(flow, run_id, 1) == []
            assert reader.attempts(flow, run_id, 1) == []
            assert reader.artifacts(flow, run_id, 1, 0) == []

    def test_the_runs_of_two_flows_and_their_tasks_do_not_mix(self, store: Metadata) -> None:
        for flow in ("Train", "Other"):
            lease = store.writer.create_run(new_run(flow))
            store.writer.record(lease, [], [new_task(1), new_task(2, flow, inputs=[1])])

        assert [task.step for task in store.reader.children("Other", "1", 1)] == ["Other"]
        assert [step.name for step in store.reader.steps("Train", "1")] == ["Train", "start"]

    @pytest.mark.parametrize("text", ["'; DROP TABLE run; --", "ä\u0301\U0001f600", ":name", "%s"])
    def test_odd_texts_read_back_as_they_were(self, store: Metadata, text: str) -> None:
        new = replace(new_run(tags=[text]), user=text, info={text: text})
        lease = store.writer.create_run(new)
        error = AttemptError(Cause.EXCEPTION, text, text, text)
        ref = replace(REF, materializer=text, type=text)
        store.writer.record(lease, [], [new_task(1, text)])
        ended = replace(outcome(1, written={text: ref}), error=error, origin=text)
        store.writer.record(lease, [ended], [])
        run = store.reader.run("Train", "1")
        task = store.reader.task("Train", "1", 1)
        (artifact,) = store.reader.artifacts("Train", "1", 1, 0)

        assert run is not None
        assert (run.user, run.info) == (text, {text: text})
        assert [found.key for found in store.reader.runs(tags=[text])] == [run.key]
        assert task is not None
        assert (task.step, task.last.error, task.last.origin) == (text, error, text)
        assert (artifact.name, artifact.materializer, artifact.type) == (text, text, text)

    # --- close ------------------------------------------------------------------------------------

    def test_close_may_be_repeated(self, store: Metadata) -> None:
        for _ in range(2):
            store.writer.close()
            store.reader.close()
