"""What the records of a step say, without its tasks."""

from datetime import datetime

from flowkit.client import lookup
from flowkit.client.clientobject import PartOfRun, local_time
from flowkit.model.records import TaskRecord


class RecordedStep(PartOfRun):
    """A step as far as its own records go."""

    def _look_up(self) -> TaskRecord:
        return self._newest()

    def _newest(self) -> TaskRecord:
        """Read the newest task; a step without tasks does not exist."""
        newest = lookup.newest_task(self._session.metadata, self._run, self.id)
        if newest is None:
            raise self._missing()
        return newest

    @property
    def name(self) -> str:
        """Name of the step."""
        return self.id

    @property
    def created_at(self) -> datetime:
        """When the first task of the step was created, in naive local time."""
        steps = self._session.metadata.steps(self._address.flow, self._run.run_id)
        times = [step.created_at for step in steps if step.name == self.id]
        return local_time(times[0] if times else self._run.created_at)

    @property
    def environment_info(self) -> dict[str, object]:
        """Facts about the run that the step belongs to: versions, command, flow file."""
        return dict(self._run.info)

    @property
    def origin_pathspec(self) -> str | None:
        """The step of the run that this one's run resumes; None if it resumes none."""
        origin = self._run.origin_run_id
        return None if origin is None else f"{self._address.flow}/{origin}/{self.id}"
