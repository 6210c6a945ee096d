"""One artifact of one task, without its task's class."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flowkit.client.clientobject import PartOfRun
from flowkit.client.internal import Answer
from flowkit.client.logged import logged_metadata
from flowkit.client.storedvalue import StoredValue
from flowkit.client.tasks import RecordedTask
from flowkit.content.preview import Preview
from flowkit.enums import ArtifactType
from flowkit.exceptions import DataMissingError, UsageError
from flowkit.model.manifest import ArtifactRef
from flowkit.model.plainvalues import restored
from flowkit.model.versions import Producer

if TYPE_CHECKING:
    from flowkit.client.differ import Difference


class RecordedArtifact(PartOfRun, StoredValue):
    """An artifact as its task's attempt has it; its record is that task."""

    _HAS_ATTEMPTS = True

    @property
    def _task(self) -> RecordedTask:
        task: RecordedTask = self._record
        return task

    def _found(self) -> ArtifactRef | Answer:
        found = self._task.contents().find(self.id)
        if found is None:
            raise DataMissingError(f"there is no artifact '{self.id}' of {self._task.pathspec}")
        return found

    @property
    def data(self) -> Any:
        """The value, loaded anew each time and verified against its digest.

        Raises:
            DataMissingError: The attempt has no such artifact, or its bytes are gone.
            ArtifactCorrupted: Its stored bytes are damaged.
            ArtifactUnloadable: This environment can't rebuild it.
        """
        return self._task.contents().load(self.id)

    def load(self) -> Any:
        """Return ``data``, as versions of artifacts do."""
        return self.data

    @property
    def sha(self) -> str:
        """SHA-256 of the content; "" for internal names, which are not stored."""
        found = self._found()
        return "" if isinstance(found, Answer) else found.digest

    @property
    def content(self) -> str:
        """What equal values share, also where their digests differ; "" for internal names."""
        found = self._found()
        return "" if isinstance(found, Answer) else found.identity

    @property
    def size(self) -> int:
        """Bytes of the serialized value; 0 for internal names, which are not stored."""
        found = self._found()
        return 0 if isinstance(found, Answer) else found.size

    @property
    def type(self) -> str:
        """Qualified name of the value's type, such as ``numpy.ndarray``."""
        return self._found().type

    @property
    def materializer(self) -> str:
        """Name of what wrote the value and can load it; "" for internal names."""
        found = self._found()
        return "" if isinstance(found, Answer) else found.materializer

    @property
    def preview(self) -> Preview:
        """What is known and shown of the value; nothing is unpickled for it."""
        found = self._found()
        if isinstance(found, Answer):
            return Preview(ArtifactType.DATA)
        return self._task._session.store.preview(found)  # noqa: SLF001 - of its task

    @property
    def run_metadata(self) -> Mapping[str, Any]:
        """Its metadata by key: what is known of the value, and what steps have logged about it.

        What they have logged about an artifact that has versions is with the version.
        """
        known = {key: restored(value) for key, value in self.preview.summary.items()}
        return {**known, **logged_metadata(self._task._session, self.pathspec)}  # noqa: SLF001

    @property
    def stored(self) -> ArtifactRef:
        """Where the value is; not for users, who have ``load``.

        Raises:
            UsageError: It is an internal name, whose value is not stored.
        """
        found = self._found()
        if isinstance(found, Answer):
            raise UsageError(f"{self.pathspec} follows from the records: there is nothing stored")
        return found

    @property
    def producer(self) -> Producer:
        """The attempt that made the value: of this task, or of one before it in the run."""
        task, versions = self._task._task(), self._task._session.metadata.versions  # noqa: SLF001
        writers = versions.writers(task.flow, task.run_id, self.id, self.stored.digest)
        for one in reversed([one for one in writers if one.task_id <= task.task_id]):
            return Producer(one.flow, one.run_id, one.step, one.task_id, one.attempt)
        return Producer(task.flow, task.run_id, task.step, task.task_id, task.last.attempt)

    def diff(self, other: StoredValue) -> Difference:
        """Return what differs between another artifact or version, and this one."""
        return self.difference_from(other)

    @property
    def created_at(self) -> datetime:
        """When the task's attempt handed the artifact on, in naive local time."""
        return self._task.finished_at or self._task.created_at

    @property
    def finished_at(self) -> datetime:
        """The same as ``created_at``."""
        return self.created_at

    @property
    def origin_pathspec(self) -> str | None:
        """The same artifact of the task whose result was taken over; None if the task ran."""
        origin = self._task.origin_pathspec
        return None if origin is None else f"{origin}/{self.id}"
