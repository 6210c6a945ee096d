"""The metadata store against a model in plain Python, over random histories."""

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flowkit.enums import Status
from flowkit.exceptions import ConflictError, FencedError, InternalError
from flowkit.metastore.sqlite import open_reader, open_writer
from flowkit.model.records import RunLease
from flowkit.testing.metadata import REF, new_run, new_task, outcome

FLOWS = ("Train", "Score")
TAGS = ("a", "b", "c d", "\u00e4")


@dataclass
class ModelRun:
    lease: RunLease
    status: Status = Status.RUNNING
    tags: set[str] = field(default_factory=set)
    attempts: dict[tuple[int, int], Status] = field(default_factory=dict)
    written: dict[tuple[int, int], list[str]] = field(default_factory=dict)


class MetadataMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.runs: list[ModelRun] = []
        self.writer = open_writer(self.home / "metadata.db")
        self.reader = open_reader(self.home / "metadata.db")

    def teardown(self):
        self.writer.close()
        self.reader.close()
        shutil.rmtree(self.home)

    def pick(self, data):
        return data.draw(st.sampled_from(self.runs))

    @rule(flow=st.sampled_from(FLOWS), tags=st.sets(st.sampled_from(TAGS)))
    def create_run(self, flow, tags):
        lease = self.writer.create_run(new_run(flow, tags=sorted(tags)))
        before = sum(run.lease.flow == flow for run in self.runs)
        assert lease.run_id == str(before + 1)
        self.runs.append(ModelRun(lease, tags=set(tags)))

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), count=st.integers(1, 3))
    def start_tasks(self, data, count):
        run = self.pick(data)
        first = max((task for task, _ in run.attempts), default=0) + 1
        started = [new_task(number, f"step{number % 3}") for number in range(first, first + count)]
        if run.status is not Status.RUNNING:
            with pytest.raises(InternalError):
                self.writer.record(run.lease, [], started)
            return
        self.writer.record(run.lease, [], started)
        run.attempts |= {(new.task_id, 0): Status.RUNNING for new in started}

    @precondition(lambda self: self.runs)
    @rule(
        data=st.data(),
        status=st.sampled_from([Status.SUCCEEDED, Status.FAILED, Status.CACHED]),
        names=st.lists(st.sampled_from(["x", "y", "z"]), unique=True),
        repeat=st.booleans(),
    )
    def end_attempt(self, data, status, names, repeat):
        run = self.pick(data)
        if run.status is not Status.RUNNING or not run.attempts:
            return
        task_id, attempt = key = data.draw(st.sampled_from(sorted(run.attempts)))
        written = dict.fromkeys(names, REF)
        ended = [outcome(task_id, status, attempt=attempt, written=written)]
        again = (task_id, attempt + 1)
        started = [new_task(task_id, attempt=attempt + 1)] if status is Status.FAILED else []
        for _ in range(1 + repeat):
            self.writer.record(run.lease, ended, started)
        if run.attempts[key] is Status.RUNNING:
            run.attempts[key] = status
            run.written[key] = names
        if started:
            run.attempts.setdefault(again, Status.RUNNING)

    @precondition(lambda self: self.runs)
    @rule(
        data=st.data(),
        add=st.sets(st.sampled_from(TAGS)),
        remove=st.sets(st.sampled_from(TAGS)),
    )
    def change_tags(self, data, add, remove):
        run = self.pick(data)
        after = self.writer.change_tags(run.lease.flow, run.lease.run_id, add, remove)
        run.tags = (run.tags - remove) | add
        assert set(after) == run.tags

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), status=st.sampled_from([Status.SUCCEEDED, Status.FAILED]))
    def finish_run(self, data, status):
        run = self.pick(data)
        self.writer.finish_run(run.lease, status)
        if run.status is Status.RUNNING:
            run.status = status
            still = [key for key, value in run.attempts.items() if value is Status.RUNNING]
            run.attempts |= dict.fromkeys(still, Status.CANCELLED)

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def fenced_writes(self, data):
        run = self.pick(data)
        old = replace(run.lease, epoch=run.lease.epoch - 1)
        for write in (
            lambda: self.writer.record(old, [], [new_task(999)]),
            lambda: self.writer.heartbeat(old),
            lambda: self.writer.finish_run(old, Status.FAILED),
        ):
            with pytest.raises(FencedError):
                write()

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def refused_takeover(self, data):
        run = self.pick(data)
        with pytest.raises(ConflictError):
            self.writer.take_over(run.lease.flow, run.lease.run_id)

    @rule()
    def restart(self):
        """Driver and reader end and come back; the driver takes its unfinished runs over."""
        self.writer.close()
        self.reader.close()
        self.writer = open_writer(self.home / "metadata.db")
        self.reader = open_reader(self.home / "metadata.db")
        for run in self.runs:
            if run.status is Status.RUNNING:
                seen = self.reader.run(run.lease.flow, run.lease.run_id)
                assert seen is not None
                assert seen.status is Status.CRASHED
                lease = self.writer.take_over(run.lease.flow, run.lease.run_id)
                assert lease == replace(run.lease, epoch=run.lease.epoch + 1)
                run.lease = lease

    @invariant()
    def runs_are_as_in_the_model(self):
        seen = self.reader.runs(limit=1000)
        assert [run.key for run in seen] == [run.lease.key for run in reversed(self.runs)]
        assert [run.status for run in seen] == [run.status for run in reversed(self.runs)]
        assert [set(run.tags) for run in seen] == [run.tags for run in reversed(self.runs)]
        tagged = self.reader.runs(tags=["a", "b"], limit=1000)
        expected = [run.lease.key for run in reversed(self.runs) if {"a", "b"} <= run.tags]
        assert [run.key for run in tagged] == expected

    @invariant()
    def tasks_are_as_in_the_model(self):
        for run in self.runs[-2:]:
            flow, run_id = run.lease.flow, run.lease.run_id
            tasks = {task.task_id: task for task in self.reader.tasks(flow, run_id)}
            assert set(tasks) == {task_id for task_id, _ in run.attempts}
            for task_id, task in tasks.items():
                statuses = [each.status for each in self.reader.attempts(flow, run_id, task_id)]
                expected = [
                    status for key, status in sorted(run.attempts.items()) if key[0] == task_id
                ]
                assert statuses == expected
                assert (task.attempts, task.last.status) == (len(expected), expected[-1])
            for (task_id, attempt), names in run.written.items():
                found = self.reader.artifacts(flow, run_id, task_id, attempt)
                assert [artifact.name for artifact in found] == names
            counts = Counter[Status]()
            for step in self.reader.steps(flow, run_id):
                counts.update(step.counts)
            assert counts == Counter(task.last.status for task in tasks.values())


MetadataMachine.TestCase.settings = settings(
    derandomize=True, max_examples=30, stateful_step_count=25, deadline=None
)
TestMetadataMachine = MetadataMachine.TestCase
