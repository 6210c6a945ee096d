"""What a run's record says, without its steps."""

from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from typing import Any

from flowkit.client.clientobject import PartOfRun, local_time
from flowkit.client.code import RunCode, code_of
from flowkit.client.logged import logged_metadata
from flowkit.client.tags import Taggable
from flowkit.enums import Status
from flowkit.model.records import RunRecord


class RecordedRun(Taggable, PartOfRun):
    """A run as far as its own record goes."""

    def _look_up(self) -> RunRecord:
        return self._read_run()

    def _change_tags(self, add: list[str], remove: list[str]) -> None:
        with closing(self._session.writer()) as writer:
            writer.change_tags(self._address.flow, self.id, add, remove)

    @property
    def name(self) -> str:
        """The run as people write it: ``Train/12``."""
        return self.pathspec

    @property
    def run_metadata(self) -> Mapping[str, Any]:
        """What steps and people have logged about the run, by key."""
        return logged_metadata(self._session, self.pathspec)

    @property
    def status(self) -> Status:
        """The run's state now; "crashed" when its driver is dead."""
        return self._read_run().status

    @property
    def is_spin(self) -> bool:
        """Whether ``spin --persist`` made it; such a run is nobody's latest one."""
        return self._run.is_spin

    @property
    def created_at(self) -> datetime:
        """When the run began, in naive local time."""
        return local_time(self._run.created_at)

    @property
    def origin_pathspec(self) -> str | None:
        """The run that this one resumes; None if it resumes none."""
        origin = self._run.origin_run_id
        return None if origin is None else f"{self._address.flow}/{origin}"

    @property
    def code(self) -> RunCode | None:
        """The flow's own source files as they were; None when it was made from no file."""
        return code_of(self._session, self._run)

    @property
    def trigger(self) -> None:
        """What triggered the run: None, since local runs are started by people."""
        return
