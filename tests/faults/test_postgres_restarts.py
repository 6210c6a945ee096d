"""A server that goes away in the middle of a run loses nothing, and commits nothing twice."""

import signal
import subprocess
import sys
from contextlib import closing

import psycopg
import pytest

from flowkit.enums import Status
from flowkit.exceptions import MetadataError
from flowkit.metastore.postgres import open_reader, open_writer
from flowkit.testing.metadata import new_run, new_task, outcome

pytestmark = pytest.mark.postgres

# Commits as fast as it can, and says what was acknowledged, until its input ends.
DRIVER = """
import select, sys
from flowkit.enums import Status
from flowkit.metastore.postgres import open_writer
from flowkit.testing.metadata import REF, new_run, new_task, outcome

writer = open_writer(sys.argv[1], sys.argv[2], patience=60)
lease = writer.create_run(new_run())
writer.record(lease, [], [new_task(1)])
number = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    number += 1
    ended = [outcome(number, written={"x": REF, "y": REF})]
    writer.record(lease, ended, [new_task(number + 1, inputs=[number])])
    print(number, flush=True)
writer.finish_run(lease, Status.SUCCEEDED)
writer.close()
"""


def test_a_driver_outlives_restarts_and_what_it_acknowledged_is_there_once(
    own_postgres_server, tmp_path
):
    url = own_postgres_server.url()
    command = [sys.executable, "-c", DRIVER, url, str(tmp_path)]
    driver = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    acknowledged: list[str] = []
    for how in (signal.SIGQUIT, signal.SIGKILL, signal.SIGINT):
        acknowledged += [driver.stdout.readline() for _ in range(20)]
        own_postgres_server.restart(how)
    acknowledged += [driver.stdout.readline() for _ in range(20)]
    acknowledged += driver.communicate("stop")[0].splitlines()
    last = int(acknowledged[-1])

    assert driver.returncode == 0
    with closing(open_reader(url, tmp_path)) as reader:
        run = reader.run("Train", "1")
        tasks = reader.tasks("Train", "1", limit=1_000_000)
    assert run.status is Status.SUCCEEDED
    assert [task.task_id for task in reversed(tasks)] == list(range(1, last + 2))
    assert [task.last.status for task in tasks] == [Status.CANCELLED] + [Status.SUCCEEDED] * last
    with psycopg.connect(url) as connection:
        counts = connection.execute(
            "SELECT task_id, count(*) FROM artifact GROUP BY task_id ORDER BY task_id"
        ).fetchall()
    assert counts == [(number, 2) for number in range(1, last + 1)]


def test_a_driver_gives_up_when_its_patience_ends_and_what_it_had_committed_stays(
    own_postgres_server, tmp_path
):
    url = own_postgres_server.url().replace("flowkit@", "flowkit:opensesame@")
    with closing(open_writer(url, tmp_path, patience=0.3)) as writer:
        lease = writer.create_run(new_run())
        writer.record(lease, [], [new_task(1)])
        own_postgres_server.stop()
        with pytest.raises(MetadataError, match="can't use the metadata database") as raised:
            writer.record(lease, [outcome(1)], [])
        own_postgres_server.start()
        writer.record(lease, [outcome(1)], [])
        with closing(open_reader(url, tmp_path)) as reader:
            (task,) = reader.tasks("Train", "1")

    assert "opensesame" not in str(raised.value)
    assert raised.value.exit_code == 7
    assert task.last.status is Status.SUCCEEDED


def test_a_reader_outlives_a_restart(own_postgres_server, tmp_path):
    url = own_postgres_server.url()
    with (
        closing(open_writer(url, tmp_path)) as writer,
        closing(open_reader(url, tmp_path)) as reader,
    ):
        writer.create_run(new_run())
        before = reader.runs()
        own_postgres_server.restart()

        assert reader.runs() == before


def test_a_driver_whose_session_is_ended_by_an_administrator_goes_on(
    postgres_url, postgres_server, tmp_path
):
    with closing(open_writer(postgres_url, tmp_path)) as writer:
        lease = writer.create_run(new_run())
        for number in range(1, 4):
            with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'flowkit'"
                )
            writer.record(lease, [], [new_task(number)])
        with closing(open_reader(postgres_url, tmp_path)) as reader:
            assert len(reader.tasks("Train", "1")) == 3
