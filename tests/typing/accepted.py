"""A program as users write them; mypy in strict mode must find nothing to say about it."""

from collections.abc import Iterator
from typing import Any

from flowkit import (
    Flow,
    FlowSpec,
    Parameter,
    Run,
    catch,
    current,
    namespace,
    project,
    retry,
    secrets,
    step,
    timeout,
)


@project(name="demo")
class Train(FlowSpec):
    """A flow with every kind of transition."""

    rounds = Parameter("rounds", default=3, help="How often.")
    kind = "small"

    @step(start=True)
    def begin(self) -> None:
        self.items = list(range(self.rounds))
        self.next(self.work, foreach="items")

    @secrets(sources=["env.TOKEN"])
    @catch(var="failure")
    @timeout(seconds=10)
    @retry
    @step
    def work(self) -> None:
        self.square = self.input**2
        print(current.run_id, self.index, self.foreach_stack())
        self.next(self.gather)

    @step
    def gather(self, inputs: Any) -> None:
        self.total = sum(task.square for task in inputs)
        self.merge_artifacts(inputs, exclude=["square"])
        self.next(self.left, self.right)

    @step
    def left(self) -> None:
        self.next(self.both)

    @step
    def right(self) -> None:
        self.next(self.both)

    @step
    def both(self, inputs: Any) -> None:
        self.verdict = inputs.left.kind
        self.next({"small": self.finish, "large": self.shrink}, condition="verdict")

    @step
    def shrink(self) -> None:
        self.next(self.finish)

    @step(end=True)
    def finish(self) -> None:
        print(self.name)


def read() -> Iterator[int]:
    """Read results as a program does."""
    namespace(None)
    run = Run("Train/1")
    if run.successful and run.end_task is not None:
        yield run.end_task.data.total
    for task in run["work"]:
        yield task.data.square
    latest = Flow("Train").latest_successful_run
    if latest is not None:
        print(latest.pathspec, latest["gather"].task, latest.created_at.isoformat())


if __name__ == "__main__":
    Train()
