"""Versions stay gapless and unique when many processes make them and many of them fail."""

import os
import signal
import subprocess
import sys
from contextlib import closing

from flowkit.metastore.sqlite import open_reader, open_writer
from flowkit.model.versions import VersionQuery
from flowkit.testing.versions import publication

WRITERS = 16
TASKS = 3
MINT = """
import sys
from dataclasses import replace
from flowkit.exceptions import VersionExistsError
from flowkit.metastore.sqlite import open_writer
from flowkit.testing.metadata import new_run, new_task, outcome
from flowkit.testing.versions import OTHER, publication

number, path, tasks = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
writer = open_writer(path)
lease = writer.create_run(new_run(f"Flow{number}"))
for task_id in range(1, tasks + 1):
    writer.record(lease, [], [new_task(task_id)])
    model, taken = publication(), publication("taken", "v1", OTHER)
    try:
        writer.record(lease, [replace(outcome(task_id), publishes=(model, taken))], [])
    except VersionExistsError:
        print("refused")
    writer.record(lease, [replace(outcome(task_id), publishes=(model,))], [])
    writer.versions.publish(publication(), "ada")
"""
FOREVER = """
import sys
from flowkit.metastore.sqlite import open_writer
from flowkit.testing.versions import publication

writer = open_writer(sys.argv[1])
while True:
    print(writer.versions.publish(publication(), "ada").version, flush=True)
"""


def test_sixteen_writers_number_versions_without_gap_through_aborted_commits(tmp_path):
    path = tmp_path / "metadata.db"
    with closing(open_writer(path)) as writer:
        writer.versions.publish(publication("taken", "v1"), "ada")
    children = [
        subprocess.Popen(
            [sys.executable, "-c", MINT, str(number), str(path), str(TASKS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(WRITERS)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    outputs = [child.communicate("go\n")[0].split() for child in children]
    with closing(open_reader(path)) as reader:
        versions = reader.versions.versions(VersionQuery("model"), limit=1000)

    assert [child.returncode for child in children] == [0] * WRITERS
    assert outputs == [["refused"] * TASKS] * WRITERS
    made = 2 * WRITERS * TASKS
    assert [record.number for record in versions] == list(range(made, 0, -1))
    assert len({record.id for record in versions}) == made


def test_killed_writers_leave_neither_gaps_nor_lost_versions(tmp_path):
    path = tmp_path / "metadata.db"
    acknowledged: list[int] = []
    for count in range(1, 4):
        child = subprocess.Popen(
            [sys.executable, "-c", FOREVER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        acknowledged += [int(child.stdout.readline()) for _ in range(5 * count)]
        os.kill(child.pid, signal.SIGKILL)
        rest, _ = child.communicate()
        acknowledged += [int(line) for line in rest.split("\n")[:-1]]
    with closing(open_reader(path)) as reader:
        versions = reader.versions.versions(VersionQuery("model"), limit=10_000)
    numbers = [record.number for record in reversed(versions)]

    assert numbers == list(range(1, len(numbers) + 1))
    assert acknowledged == sorted(set(acknowledged))
    assert set(acknowledged) <= set(numbers)
