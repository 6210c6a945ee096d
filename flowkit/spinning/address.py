"""Which earlier task a spin takes its inputs from."""

from dataclasses import dataclass
from itertools import islice

from flowkit.client.lookup import each_run, find_task, newest_task
from flowkit.exceptions import InvalidPathspecError, NotFoundError
from flowkit.model.pathspec import check_task_id
from flowkit.model.records import RunRecord, TaskRecord
from flowkit.ports.metadata import MetadataReader

_NEWEST_RUNS = 20
"""How many runs are looked through for a task of a step that is named alone."""


@dataclass(frozen=True, slots=True)
class Address:
    """The task whose inputs are taken, as far as the user has named it."""

    flow: str
    step: str
    run: str | None = None
    task: int | None = None

    @classmethod
    def parse(cls, flow: str, path: str) -> "Address":
        """Read ``step``, ``run/step`` or ``run/step/task``, with or without the flow before.

        Raises:
            InvalidPathspecError: It is none of these.
        """
        parts = path.split("/")
        if parts[0] == flow and len(parts) > 1:
            parts = parts[1:]
        match parts:
            case [step]:
                return cls(flow, step)
            case [run, step]:
                return cls(flow, step, run)
            case [run, step, task]:
                return cls(flow, step, run, check_task_id(task))
            case _:
                raise InvalidPathspecError(f"{path!r} is no step, run/step or run/step/task")

    def find(self, metadata: MetadataReader, user: str) -> tuple[RunRecord, TaskRecord]:
        """Return the run and the task; the newest ones where they aren't named.

        Raises:
            NotFoundError: There is none.
        """
        if self.run is None:
            return self._newest(metadata, user)
        run = metadata.run(self.flow, self.run)
        if run is None:
            raise NotFoundError(f"run '{self.flow}/{self.run}' does not exist")
        if self.task is None:
            task = newest_task(metadata, run, self.step)
        else:
            task = find_task(metadata, run, self.step, self.task)
        if task is None:
            which = "such task" if self.task is not None else "task"
            raise NotFoundError(f"run '{run.flow}/{run.run_id}' has no {which} of '{self.step}'")
        return run, task

    def _newest(self, metadata: MetadataReader, user: str) -> tuple[RunRecord, TaskRecord]:
        own = each_run(metadata, self.flow, (f"user:{user}",))
        for run in islice((run for run in own if not run.is_spin), _NEWEST_RUNS):
            task = newest_task(metadata, run, self.step)
            if task is not None:
                return run, task
        raise NotFoundError(
            f"none of the newest runs of flow '{self.flow}' by user:{user} has come to step "
            f"'{self.step}': run the flow first"
        )
