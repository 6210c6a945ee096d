"""The runner: commits before it tells, respects limits, and stops everything at the end."""

from contextlib import closing

import pytest

from flowkit import FlowSpec, step
from flowkit.authoring.flowspec import definition
from flowkit.content.runlog import RunLogWriter
from flowkit.enums import Cause, Status
from flowkit.exceptions import Interrupted
from flowkit.executors.inline import InlineExecutor
from flowkit.graph.build import build_graph
from flowkit.metastore.sqlite import open_reader, open_writer
from flowkit.model.events import RunEnded, RunEvent, TaskEnded, TaskQueued, TaskStarted
from flowkit.model.manifest import ArtifactRef, Transition
from flowkit.model.records import NewRun
from flowkit.model.tasks import AttemptError, TaskResult
from flowkit.runtime.admission import Machine, Policy
from flowkit.runtime.reporting import Reporter
from flowkit.runtime.runner import Runner
from flowkit.runtime.scheduler import Scheduler, SchedulerPolicy

REF = ArtifactRef("0" * 64, "pickle", "int", 1)
FAILURE = AttemptError(Cause.EXCEPTION, "bad", "builtins.ValueError")


class Wide(FlowSpec):
    @step
    def start(self):
        self.xs = range(4)
        self.next(self.each, foreach="xs")

    @step
    def each(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


NEXT = {
    "start": Transition(("each",), "xs", (REF,) * 4),
    "each": Transition(("join",)),
    "join": Transition(("end",)),
    "end": None,
}


def succeed(spec):
    return TaskResult(spec, Status.SUCCEEDED, manifest="0" * 64, next=NEXT[spec.step])


def fail(spec):
    return TaskResult(spec, Status.FAILED, error=FAILURE)


class Drive:
    """One run of `Wide` whose tasks do as they are told, inline, with SQLite metadata."""

    def __init__(self, directory, work=succeed, *, attempts=None, listeners=(), **policy):
        self.path = str(directory / "flowkit.db")
        self.events: list[RunEvent] = []
        self.writer = open_writer(self.path)
        self.log = RunLogWriter(str(directory / "run.log"))
        graph = build_graph(definition(Wide))
        lease = self.writer.create_run(NewRun("Wide", "tester", "0" * 64))
        limits = SchedulerPolicy(max_attempts=attempts or {})
        self.executor = Watched(work)
        self.runner = Runner(
            lease,
            Scheduler(graph, flow="Wide", run_id="1", root="0" * 64, policy=limits),
            metadata=self.writer,
            executor=self.executor,
            reporter=Reporter(self.log, [self.note, *listeners]),
            policy=Policy(machine=Machine(cpu=64, memory=1 << 20), **policy),
        )

    def note(self, event: RunEvent) -> None:
        self.events.append(event)

    def run(self):
        try:
            return self.runner.run()
        finally:
            self.log.close()
            self.writer.close()
            self.executor.close()

    def told(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def read(self):
        with closing(open_reader(self.path)) as reader:
            tasks = reader.tasks("Wide", "1")
            return reader.run("Wide", "1"), {task.task_id: task for task in tasks}


class Watched(InlineExecutor):
    """Counts how many attempts are outstanding."""

    def __init__(self, work):
        super().__init__(work)
        self.outstanding = self.most = 0

    def submit(self, spec, needs):
        self.outstanding += 1
        self.most = max(self.most, self.outstanding)
        super().submit(spec, needs)

    def poll(self, timeout):
        events = super().poll(timeout)
        self.outstanding -= sum(not isinstance(event, TaskStarted) for event in events)
        return events


def test_a_run_that_succeeds_is_recorded_and_told_from_beginning_to_end(tmp_path):
    drive = Drive(tmp_path)
    ended = drive.run()

    assert (ended.status, ended.tasks, ended.reused, ended.failed) == (
        Status.SUCCEEDED,
        7,
        0,
        None,
    )
    run, tasks = drive.read()
    assert run.status is Status.SUCCEEDED
    assert [tasks[number].step for number in sorted(tasks)] == [
        "start", "each", "each", "each", "each", "join", "end",
    ]  # fmt: skip
    assert {task.last.status for task in tasks.values()} == {Status.SUCCEEDED}
    assert tasks[6].inputs == (2, 3, 4, 5)
    queued = {event.spec.task_id: event.of for event in drive.told(TaskQueued)}
    assert queued == {1: None, 2: 4, 3: 4, 4: 4, 5: 4, 6: None, 7: None}
    assert drive.events[-1] == ended


@pytest.mark.parametrize(("workers", "most"), [(1, 1), (3, 3), (16, 4)])
def test_no_more_tasks_run_at_once_than_there_are_workers(tmp_path, workers, most):
    drive = Drive(tmp_path, max_workers=workers)

    assert drive.run().status is Status.SUCCEEDED
    assert drive.executor.most == most


def test_an_end_is_told_after_it_is_committed(tmp_path):
    seen: list[Status] = []

    def check(event):
        if isinstance(event, TaskEnded):
            _, tasks = drive.read()
            seen.append(tasks[event.result.spec.task_id].last.status)

    drive = Drive(tmp_path, listeners=[check])
    drive.run()

    assert seen == [Status.SUCCEEDED] * 7


def test_the_first_terminal_failure_stops_what_runs_and_what_waits(tmp_path):
    def work(spec):
        return fail(spec) if spec.task_id == 3 else succeed(spec)

    drive = Drive(tmp_path, work, max_workers=3)
    ended = drive.run()

    assert (ended.status, ended.failed.task_id, ended.error) == (Status.FAILED, 3, FAILURE)
    run, tasks = drive.read()
    assert run.status is Status.FAILED
    assert [tasks[number].last.status.value for number in (2, 3, 4)] == [
        "succeeded",
        "failed",
        "cancelled",
    ]
    assert tasks[4].last.error.cause is Cause.CANCELLED
    assert 7 not in tasks
    assert drive.executor.outstanding == 0


def test_a_failed_attempt_is_tried_again_and_told_so(tmp_path):
    def work(spec):
        return fail(spec) if spec.step == "join" and spec.attempt < 2 else succeed(spec)

    drive = Drive(tmp_path, work, attempts={"join": 3})

    assert drive.run().status is Status.SUCCEEDED
    joins = [event for event in drive.told(TaskEnded) if event.result.spec.step == "join"]
    assert [event.will_retry for event in joins] == [True, True, False]
    _, tasks = drive.read()
    assert (tasks[6].attempts, tasks[6].last.attempt) == (3, 2)


def test_a_retry_waits_as_long_as_the_policy_says(tmp_path):
    asked = []

    def delay(step_name, attempt):
        asked.append((step_name, attempt))
        return 0.01

    def work(spec):
        return fail(spec) if spec.step == "start" and not spec.attempt else succeed(spec)

    drive = Drive(tmp_path, work, attempts={"start": 2}, retry_delay=delay)

    assert drive.run().status is Status.SUCCEEDED
    assert asked == [("start", 1)]


def test_an_interruption_cancels_the_run(tmp_path):
    def work(spec):
        if spec.task_id == 2:
            drive.runner.interrupt(15)
        return succeed(spec)

    drive = Drive(tmp_path, work)

    with pytest.raises(Interrupted) as caught:
        drive.run()
    assert caught.value.exit_code == 143
    run, tasks = drive.read()
    assert run.status is Status.CANCELLED
    assert tasks[2].last.status is Status.SUCCEEDED
    assert {tasks[number].last.status for number in (3, 4, 5)} == {Status.CANCELLED}
    assert 6 not in tasks
    assert isinstance(drive.events[-1], RunEnded)


def test_nothing_that_waits_for_a_worker_starts_after_an_interruption(tmp_path):
    def work(spec):
        if spec.task_id == 2:
            drive.runner.interrupt(15)
        return succeed(spec)

    drive = Drive(tmp_path, work, max_workers=1)

    with pytest.raises(Interrupted):
        drive.run()
    _, tasks = drive.read()
    assert 4 not in tasks


def test_an_interruption_does_not_wait_for_a_delayed_retry(tmp_path):
    def work(spec):
        drive.runner.interrupt(2)
        return fail(spec)

    drive = Drive(tmp_path, work, attempts={"start": 2}, retry_delay=lambda *_: 3600.0)

    with pytest.raises(Interrupted):
        drive.run()
    assert drive.read()[0].status is Status.CANCELLED


def test_a_listener_that_fails_is_dropped_and_the_run_goes_on(tmp_path, capsys):
    calls = []

    def bad(event):
        calls.append(event)
        raise ValueError("mine")

    drive = Drive(tmp_path, listeners=[bad])

    assert drive.run().status is Status.SUCCEEDED
    assert len(calls) == 1
    printed = capsys.readouterr().err
    assert "a listener failed and is not called any more" in printed
    assert "ValueError: mine" in printed


def test_without_workers_nothing_is_run(tmp_path):
    drive = Drive(tmp_path, max_workers=0)

    assert drive.run().status is Status.CANCELLED
    assert drive.told(TaskStarted) == []
