"""A store on disk, written the way a driver writes it, for the client to read."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from flowkit.client.session import Session, use_session
from flowkit.content.logfiles import RunLogs
from flowkit.content.runlog import RunLogWriter
from flowkit.content.store import ArtifactStore
from flowkit.enums import Status
from flowkit.materializers.standard import standard_registry
from flowkit.metastore.sqlite import open_reader, open_writer
from flowkit.model.manifest import ArtifactRef, Frame, Manifest, Transition
from flowkit.model.records import AttemptOutcome, NewRun, NewTask, RunLease
from flowkit.model.tasks import AttemptError
from flowkit.stores.local import LocalBlobStore

GRAPH = {"steps": {"start": {"next": ["fit"]}, "fit": {"next": ["end"]}, "end": {"next": []}}}


class Library:
    """Runs in a directory: what a driver would have left there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.database = home / "flowkit.db"
        self.location = f"sqlite:///{self.database}"
        self.writer = open_writer(self.database)
        self.store = ArtifactStore(LocalBlobStore(str(home)), standard_registry(None))

    def session(self, user_namespace: str = "user:ada") -> Session:
        return Session(
            metadata=open_reader(self.database),
            writer=lambda: open_writer(self.database),
            store=self.store,
            logs=RunLogs(str(self.home)),
            location=self.location,
            user_namespace=user_namespace,
        )

    def run(
        self,
        flow: str = "Train",
        *,
        user: str = "ada",
        tags: Iterable[str] = (),
        parameters: Mapping[str, Any] | None = None,
        origin: str | None = None,
        info: Mapping[str, object] | None = None,
    ) -> "Written":
        values = {**(parameters or {}), "name": flow, "_graph_info": GRAPH}
        root = self.store.put_manifest(Manifest(self.store.save(values).refs))
        system_tags = (f"user:{user}", "runtime:dev")
        new = NewRun(flow, user, root, tuple(tags), system_tags, origin, dict(info or {}))
        return Written(self, self.writer.create_run(new))


class Written:
    """One run being written."""

    def __init__(self, library: Library, lease: RunLease) -> None:
        self.library = library
        self.lease = lease
        self.pathspec = f"{lease.flow}/{lease.run_id}"
        path = library.home / "logs" / f"{lease.token}.log"
        path.parent.mkdir(exist_ok=True)
        self.log = RunLogWriter(str(path))

    def start(self, task_id: int, step: str, attempt: int = 0, **place: Any) -> None:
        """Register an attempt; ``place`` are fields of `NewTask`."""
        fields = {"frames": (), "iteration": 0, "inputs": (), **place}
        self.library.writer.record(self.lease, [], [NewTask(task_id, step, attempt, **fields)])

    def end(
        self,
        task_id: int,
        step: str,
        attempt: int = 0,
        *,
        values: Mapping[str, Any] | None = None,
        status: Status = Status.SUCCEEDED,
        error: AttemptError | None = None,
        items: Iterable[Any] | None = None,
        origin: str | None = None,
        log: tuple[int, int] = (0, 0),
        finished_at: int | None = None,
    ) -> None:
        """Commit the end of an attempt; no ``values`` means that its process died."""
        store = self.library.store
        manifest: str | None = None
        written: Mapping[str, ArtifactRef] = {}
        if values is not None:
            written = store.save(values).refs
            splits = None if items is None else tuple(store.save_items(list(items)))
            after = Transition(("next",), items=splits)
            manifest = store.put_manifest(Manifest(written, tuple(written), next=after))
        now = time.time_ns() // 1000
        self.library.writer.record(
            self.lease,
            [
                AttemptOutcome(
                    task_id=task_id,
                    step=step,
                    attempt=attempt,
                    status=status,
                    manifest=manifest,
                    error=error,
                    written=written,
                    reads=(),
                    started_at=now - 1000,
                    finished_at=finished_at or now,
                    log_start=log[0],
                    log_end=log[1],
                    origin=origin,
                )
            ],
            [],
        )

    def task(self, task_id: int, step: str, values: Any = None, **more: Any) -> str:
        """Start and end a task; return its pathspec."""
        place = {key: more.pop(key) for key in ("frames", "inputs", "gang_rank") if key in more}
        self.start(task_id, step, **place)
        self.end(task_id, step, values={} if values is None else values, **more)
        return f"{self.pathspec}/{step}/{task_id}"

    def frame(self, index: int, item: Any, of: int = 3) -> Frame:
        return Frame("start", "items", index, of, self.library.store.save_items([item])[0])

    def finish(self, status: Status = Status.SUCCEEDED) -> "Written":
        self.log.close()
        self.library.writer.finish_run(self.lease, status)
        return self


@pytest.fixture
def library(tmp_path: Path) -> Iterable[Library]:
    home = tmp_path / ".flowkit"
    home.mkdir()
    library = Library(home)
    yield library
    library.writer.close()


@pytest.fixture
def opened(library: Library) -> Callable[[], Library]:
    """Let the client read the library; to be called by the test, in its own context."""

    def open_it(user_namespace: str = "user:ada") -> Library:
        use_session(library.session(user_namespace))
        return library

    return open_it
