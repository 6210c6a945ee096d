"""A connection that breaks at a commit: whatever became of it, the write happens exactly once."""

from contextlib import closing

import psycopg
import pytest

from flowkit.enums import Status
from flowkit.exceptions import ConflictError
from flowkit.metastore.postgres import open_reader, open_writer
from flowkit.model.records import NewRun
from flowkit.testing.metadata import REF, new_run, new_task, outcome
from tests.servers.wire import Cut, Wire

pytestmark = pytest.mark.postgres


@pytest.fixture
def wire(postgres_server):
    wire = Wire(postgres_server.port)
    yield wire
    wire.close()


@pytest.fixture
def store(postgres_server, postgres_url, wire, tmp_path):
    """A writer behind the wire, and a reader beside it."""
    url = postgres_url.replace(f":{postgres_server.port}", f":{wire.port}")
    writer, reader = open_writer(url, tmp_path, patience=10), open_reader(postgres_url, tmp_path)
    with closing(writer), closing(reader):
        yield writer, reader


cuts = pytest.mark.parametrize("cut", Cut, ids=lambda cut: cut.name.lower())


@cuts
def test_a_run_is_created_once(store, wire, cut):
    writer, reader = store
    wire.cut_next(cut)
    lease = writer.create_run(new_run(tags=["a"]))
    second = writer.create_run(new_run())
    runs = reader.runs()

    assert wire.cuts == 1
    assert (lease.run_id, second.run_id) == ("1", "2")
    assert [(run.run_id, run.key, run.tags) for run in runs] == [("2", 2, ()), ("1", 1, ("a",))]
    assert runs[1].token == lease.token
    assert runs[1].status is Status.RUNNING


@cuts
def test_a_run_with_an_id_of_its_own_is_created_once(store, wire, cut):
    writer, reader = store
    wire.cut_next(cut)
    new = NewRun("Train", "ada", "0" * 64, run_id="chosen")
    lease = writer.create_run(new)
    with pytest.raises(ConflictError, match="exists already"):
        writer.create_run(new)

    assert wire.cuts == 1
    assert [(run.run_id, run.token) for run in reader.runs()] == [("chosen", lease.token)]


@cuts
def test_results_are_recorded_once(store, wire, cut):
    writer, reader = store
    lease = writer.create_run(new_run())
    writer.record(lease, [], [new_task(1)])
    wire.cut_next(cut)
    writer.record(lease, [outcome(1, written={"x": REF})], [new_task(2, inputs=[1])])
    tasks = reader.tasks("Train", "1")

    assert wire.cuts == 1
    assert [(task.task_id, task.last.status, task.attempts) for task in tasks] == [
        (2, Status.RUNNING, 1),
        (1, Status.SUCCEEDED, 1),
    ]
    assert [artifact.name for artifact in reader.artifacts("Train", "1", 1, 0)] == ["x"]


@cuts
def test_a_run_is_finished_once(store, wire, cut):
    writer, reader = store
    lease = writer.create_run(new_run())
    wire.cut_next(cut)
    writer.finish_run(lease, Status.SUCCEEDED)
    run = reader.run("Train", "1")

    assert wire.cuts == 1
    assert run.status is Status.SUCCEEDED


@cuts
@pytest.mark.parametrize("skipped", [0, 1], ids=["looking", "taking"])
def test_a_run_is_taken_over_once(store, wire, cut, skipped, postgres_url, tmp_path):
    writer, reader = store
    with closing(open_writer(postgres_url, tmp_path)) as gone:
        gone.create_run(new_run())
    wire.cut_next(cut, skipped)
    lease = writer.take_over("Train", "1")
    writer.record(lease, [], [new_task(1)])

    assert wire.cuts == 1
    assert lease.epoch == 2
    assert reader.run("Train", "1").status is Status.RUNNING


@cuts
def test_tags_are_changed_once(store, wire, cut):
    writer, reader = store
    writer.create_run(new_run(tags=["a", "b"]))
    wire.cut_next(cut)
    tags = writer.change_tags("Train", "1", add=["c"], remove=["a"])

    assert wire.cuts == 1
    assert tags == reader.run("Train", "1").tags == ("b", "c")


@cuts
def test_a_store_is_created_once(postgres_server, postgres_url, wire, tmp_path, cut):
    url = postgres_url.replace(f":{postgres_server.port}", f":{wire.port}")
    wire.cut_next(cut, skipped=1)  # the first transaction looks whether there is one
    with closing(open_writer(url, tmp_path, patience=10)) as writer:
        run_id = writer.create_run(new_run()).run_id

    assert wire.cuts == 1
    assert run_id == "1"
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM store").fetchone() == (1,)
