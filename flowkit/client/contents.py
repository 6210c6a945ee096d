"""The artifacts of one attempt: their names, what is stored of them, and their values."""

from typing import Any

from flowkit.client.internal import Answer, answer
from flowkit.client.session import Session
from flowkit.exceptions import (
    ArtifactCorrupted,
    ArtifactUnloadable,
    BlobCorrupted,
    BlobMissing,
    DataMissingError,
    IntegrityError,
)
from flowkit.model.manifest import ArtifactRef, Manifest
from flowkit.model.records import AttemptRecord, RunRecord, TaskRecord

_GRAPH_INFO = "_graph_info"


class Contents:
    """What one attempt of a task left behind; only `load` ever rebuilds a value.

    Args:
        session: Where the task was found.
        run: Its run.
        task: The task.
        attempt: The attempt; None when there was no such attempt, which leaves nothing.

    Raises:
        ArtifactCorrupted: The list of the attempt's artifacts is damaged.
        DataMissingError: It is gone.
    """

    def __init__(
        self, session: Session, run: RunRecord, task: TaskRecord, attempt: AttemptRecord | None
    ) -> None:
        self.attempt = attempt
        self._store = session.store
        self._run = run
        self._task = task
        self._pathspec = f"{task.flow}/{task.run_id}/{task.step}/{task.task_id}"
        digest = None if attempt is None else attempt.manifest
        self._manifest = Manifest() if digest is None else self._read(digest)

    def names(self, *, private: bool = False) -> list[str]:
        """Return the names of the stored artifacts; private ones begin with ``_``."""
        return [name for name in self._manifest.artifacts if private or not name.startswith("_")]

    def find(self, name: str) -> ArtifactRef | Answer | None:
        """Return what there is under a name, also under an internal one; None if nothing is."""
        stored = self._manifest.artifacts.get(name)
        if stored is not None or not name.startswith("_"):
            return stored
        if name == _GRAPH_INFO:
            return self._read(self._run.root).artifacts.get(name)
        return answer(name, self._task, self.attempt, self._manifest, self._store)

    def load(self, name: str) -> Any:
        """Return the value under a name.

        Raises:
            DataMissingError: There is none, or its bytes are gone.
            ArtifactCorrupted: Its stored bytes are damaged.
            ArtifactUnloadable: This environment can't rebuild it.
        """
        found = self.find(name)
        artifact = f"artifact '{name}' of {self._pathspec}"
        if found is None:
            raise DataMissingError(f"there is no {artifact}")
        try:
            return found.compute() if isinstance(found, Answer) else self._store.load(found)
        except IntegrityError as error:
            raise ArtifactCorrupted(f"{artifact} is damaged: {_described(error)}") from error
        except BlobMissing as error:
            raise DataMissingError(f"{artifact} is gone: {error.message}") from error
        except ArtifactUnloadable as error:
            raise ArtifactUnloadable(f"{artifact} can't be loaded: {error.message}") from error

    def _read(self, digest: str) -> Manifest:
        try:
            return self._store.get_manifest(digest)
        except IntegrityError as error:
            raise ArtifactCorrupted(
                f"the list of artifacts of {self._pathspec} is damaged: {_described(error)}"
            ) from error
        except BlobMissing as error:
            raise DataMissingError(
                f"the list of artifacts of {self._pathspec} is gone: {error.message}"
            ) from error


def _described(error: IntegrityError) -> str:
    location = error.location if isinstance(error, BlobCorrupted) else ""
    return error.message if location in error.message else f"{error.message} ({location})"
