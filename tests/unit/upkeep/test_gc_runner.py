"""A runner beside a collection: what was deleted under a task's hands is made again."""

from contextlib import closing

from flowkit import FlowSpec, step
from flowkit.authoring.flowspec import definition
from flowkit.content.presence import Presence
from flowkit.content.runlog import RunLogWriter
from flowkit.enums import Cause, Status
from flowkit.executors.inline import InlineExecutor
from flowkit.graph.build import build_graph
from flowkit.metastore.sqlite import open_reader
from flowkit.model.manifest import Transition
from flowkit.model.tasks import TaskResult
from flowkit.runtime.admission import Policy
from flowkit.runtime.reporting import Reporter
from flowkit.runtime.runner import Runner
from flowkit.runtime.scheduler import Scheduler, SchedulerPolicy


class Two(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


class Work:
    """Tasks beside which a collection goes on: announced in the first, done within the second."""

    def __init__(self, shop):
        self.shop = shop
        self.collector = shop.collector()
        self.calls = []

    def __call__(self, spec):
        self.calls.append((spec.step, spec.attempt))
        if spec.step == "start":
            garbage = set(self.shop.plan().garbage)
            assert garbage
            self.garbage = garbage
            self.collector.begin()
            self.collector.announce()
            manifest = self.shop.manifest(step="start")
            return TaskResult(spec, Status.SUCCEEDED, manifest, Transition(("end",)))
        manifest = self.shop.manifest(x=self.shop.value("a"))
        if spec.attempt == 0:
            assert self.collector.unacknowledged() == []
            self.collector.open()
            buried = self.collector.bury(self.garbage, lambda _: ())
            self.shop.blobs.delete(buried)
            self.collector.dig_up(buried)
            self.collector.finish()
        return TaskResult(spec, Status.SUCCEEDED, manifest)


def test_a_task_whose_blobs_were_deleted_before_its_commit_runs_again_for_free(shop):
    shop.run(x=shop.value("a"))
    shop.remove("Train", "1")
    graph = build_graph(definition(Two))
    lease = shop.begin("Two")
    log = RunLogWriter(str(shop.home / "run.log"))
    work = Work(shop)
    runner = Runner(
        lease,
        Scheduler(graph, flow="Two", run_id="1", root="0" * 64, policy=SchedulerPolicy()),
        metadata=shop.writer,
        executor=InlineExecutor(work),
        reporter=Reporter(log, []),
        policy=Policy(),
        presence=Presence(lease, shop.writer.sweeping, shop.store),
    )
    with closing(log), closing(work.collector):
        ended = runner.run()
    with closing(open_reader(shop.database)) as reader:
        attempts = reader.attempts("Two", "1", 2)

    assert ended.status is Status.SUCCEEDED
    assert work.calls == [("start", 0), ("end", 0), ("end", 1)]
    assert attempts[0].error.cause is Cause.LOST
    assert shop.store.missing(shop.store.blobs_of(attempts[1].manifest)) == set()
