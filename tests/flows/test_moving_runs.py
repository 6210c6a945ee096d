"""Runs copied between stores of every kind, and to files and back, through the command line."""

import json
import os
import re
import shutil
import stat
import subprocess
from contextlib import closing
from itertools import pairwise

import pytest

from flowkit import Run, metadata, namespace
from flowkit.client.session import current_session
from flowkit.metastore.sqlite import open_writer
from flowkit.model.records import NewRun
from tests.flows.conftest import ENTRY
from tests.servers.s3 import Place

FLOW = """
from typing import Annotated
import numpy as np
from flowkit import ArtifactConfig, log_metadata

class Rich(FlowSpec):
    n = Parameter("n", default=2)
    model: Annotated[np.ndarray, ArtifactConfig("model", tags=["t"])]

    @step
    def start(self):
        self.model = np.arange(30_000 * self.n)
        self.items = list(range(self.n))
        print("begun with", self.n)
        log_metadata({"started": True})
        self.next(self.work, foreach="items")

    @retry(times=1, minutes_between_retries=0)
    @step
    def work(self):
        self.y = self.input * len(self.model)
        if current.retry_count == 0 and self.input == 1:
            raise ValueError("the first time")
        print("working on", self.input)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(task.y for task in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("total", self.total)
"""


@pytest.fixture(scope="module")
def laptop(shared_program):
    """A laptop's store with two runs, one of them resumed, tagged, described and aliased."""
    flow = shared_program(FLOW)
    assert flow("run", "--tag", "first").code == 0
    resumed = flow("resume", "join", "--origin-run-id", "1")
    assert resumed.code == 0, resumed.err
    assert flow.store("artifact", "alias", "model", "production", "1").code == 0
    flow.read("Rich/1").add_tag("golden")
    return flow


def facts_of(pathspec="Rich/1"):
    """Return everything that the client tells of a run in the store that is set."""
    namespace(None)
    run = Run(pathspec)
    session = current_session()
    reader, address = session.metadata, (run.parent.id, run.id)
    facts = {
        "run": (run.status, run.created_at, run.finished_at, run.user_tags, run.system_tags),
        "code": run.code.files,
        "metadata": dict(run.run_metadata),
        "origin": run.origin_pathspec,
        "pins": reader.versions.pins(*address),
    }
    for step in run:
        for task in step:
            place = (*address, int(task.id))
            attempts = reader.attempts(*place)
            facts[task.pathspec] = [
                attempts,
                [reader.versions.reads(*place, one.attempt) for one in attempts],
                [child.task_id for child in reader.children(*place)],
                task.stdout,
                task.stderr,
                {name: (task[name].sha, repr(task[name].data)) for name in task.artifact_names()},
            ]
    for output in reader.versions.outputs(*address):
        version = output.version
        uses = reader.versions.uses(version.id)
        preview = session.store.preview(version.ref)
        facts[version.label] = (version.id, version.ref, version.tags, version.aliases, uses)
        facts[f"{version.label} shown"] = (preview.summary, version.producer, version.metadata)
    return facts


def test_a_run_reads_the_same_after_a_copy_and_a_copy_again_does_nothing(laptop, tmp_path):
    first = laptop.store("store", "copy", str(laptop.directory), str(tmp_path))
    again = laptop.store("store", "copy", str(laptop.directory), str(tmp_path))
    facts = []
    for place in (laptop.directory, tmp_path):
        metadata(str(place))
        facts.append([facts_of("Rich/1"), facts_of("Rich/2")])

    assert first.code == 0, first.err
    assert re.match(r"runs copied: 2 \(\d+ blobs, .*\); there already: 0$", first.out)
    assert re.match(r"Rich/1 copied: \d+ blobs, .*\nRich/2 copied: ", first.err)
    assert "\r" not in first.err
    assert again.out.startswith("runs copied: 0 (0 blobs, 0 B; ")
    assert again.out.endswith("there already: 2\n")
    assert facts[0] == facts[1]
    checked = laptop.store("fsck", "--data", FLOWKIT_HOME=str(tmp_path))
    assert checked.code == 0, checked.out


@pytest.mark.postgres
@pytest.mark.s3
def test_a_run_reads_the_same_in_stores_of_every_kind(
    laptop, postgres_url, s3_place: Place, tmp_path, monkeypatch
):
    """SQLite and files, PostgreSQL and files, PostgreSQL and S3, and back to SQLite and files."""
    from psycopg import connect

    for name, value in s3_place.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("FLOWKIT_DATASTORE")
    monkeypatch.chdir(tmp_path)
    with connect(postgres_url, autocommit=True) as admin:
        schema = postgres_url.rpartition("%3D")[2]
        admin.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}_s3".encode())
    team = f"{postgres_url},{tmp_path / 'team'}"
    (tmp_path / "flowkit.toml").write_text(
        f'[profile.cloud]\nmetadata = "{postgres_url}_s3"\ndatastore = "{s3_place.url}"\n'
        f's3_endpoint_url = "{s3_place.server.url}"\nhome = "{tmp_path / "cloud"}"\n'
    )
    (tmp_path / "back").mkdir()
    places = [str(laptop.directory), team, "@cloud", str(tmp_path / "back")]
    facts = []
    try:
        for src, dst in pairwise(places):
            done = laptop.execute(
                [*laptop.command()[:1], "-c", ENTRY, "store", "copy", src, dst], cwd=tmp_path
            )
            assert done.code == 0, done.err
            assert done.out.startswith("runs copied: 2 ")
            assert "without its log" not in done.err
        for place in places:
            monkeypatch.delenv("FLOWKIT_PROFILE", raising=False)
            monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path / "team"))
            if place == "@cloud":
                monkeypatch.setenv("FLOWKIT_PROFILE", "cloud")
                monkeypatch.delenv("FLOWKIT_HOME")
                metadata(f"{postgres_url}_s3")
            else:
                metadata(postgres_url if place == team else place)
            facts.append([facts_of("Rich/1"), facts_of("Rich/2")])
    finally:
        with connect(postgres_url, autocommit=True) as admin:
            admin.execute(f"DROP SCHEMA {schema}_s3 CASCADE".encode())

    assert facts[1:] == facts[:1] * 3
    others = [key for key in s3_place.all_keys() if not key.startswith("objects/")]
    assert [key.partition("/")[0] for key in others] == ["logs", "logs"]


def test_a_run_reads_the_same_out_of_a_file(laptop, tmp_path):
    file = tmp_path / "run.tar"
    exported = laptop.store("export", "Rich/1", str(file))
    imported = laptop.store("import", str(file), FLOWKIT_HOME=str(tmp_path))
    again = laptop.store("import", str(file), FLOWKIT_HOME=str(tmp_path))
    facts = []
    for place in (laptop.directory, tmp_path):
        metadata(str(place))
        facts.append(facts_of("Rich/1"))

    assert exported.code == 0, exported.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert imported.code == 0, imported.err
    assert again.out.endswith("there already: 1\n")
    for one in facts:  # the resumed run, which took versions over, was left behind
        one["model@1"] = (*one["model@1"][:-1], [u for u in one["model@1"][-1] if u.run_id == "1"])
    assert facts[0] == facts[1]


def test_an_export_replaces_no_file_unless_it_is_told_to(laptop, tmp_path):
    file = tmp_path / "run.tar"
    file.write_text("precious")
    refused = laptop.store("export", "Rich/1", str(file))
    kept = file.read_text()
    forced = laptop.store("export", "Rich/1", str(file), "--force", "--quiet")

    assert (refused.code, kept) == (8, "precious")
    assert "add --force" in refused.err
    assert (forced.code, forced.out, forced.err) == (0, "", "")


def test_later_runs_get_higher_numbers_and_resume_from_copied_ones(laptop, tmp_path):
    laptop.store("store", "copy", str(laptop.directory), str(tmp_path), "--run", "Rich/2")
    ran = laptop("run", FLOWKIT_HOME=str(tmp_path))
    resumed = laptop("resume", "--origin-run-id", "2", "end", FLOWKIT_HOME=str(tmp_path))
    listed = laptop.store("runs", "--json", FLOWKIT_HOME=str(tmp_path))

    assert (ran.code, resumed.code) == (0, 0), resumed.err
    assert [row["run"] for row in json.loads(listed.out)] == ["Rich/4", "Rich/3", "Rich/2"]


def test_runs_whose_numbers_are_taken_are_refused_at_once_or_get_the_next_ones(laptop, tmp_path):
    assert laptop("run", FLOWKIT_HOME=str(tmp_path)).code == 0
    copying = ("store", "copy", str(laptop.directory), str(tmp_path))
    before = sorted(path.name for path in (tmp_path / ".flowkit" / "objects").rglob("*"))
    refused = laptop.store(*copying)
    after = sorted(path.name for path in (tmp_path / ".flowkit" / "objects").rglob("*"))
    renumbered = laptop.store(*copying, "--renumber")
    again = laptop.store(*copying, "--renumber")
    metadata(str(tmp_path))
    namespace(None)

    assert refused.code == 8
    assert "another run is 'Rich/1' there already" in refused.err
    assert "--renumber" in refused.err
    assert after == before
    assert renumbered.code == 0, renumbered.err
    assert "Rich/1 copied as Rich/2: " in renumbered.err
    assert "Rich/1 is there already as Rich/2" in again.err
    assert Run("Rich/3").origin_pathspec == "Rich/2"
    assert "golden" in Run("Rich/2").user_tags


def test_a_run_that_goes_on_is_left_out_with_a_line_and_refused_by_name(laptop, tmp_path):
    here = tmp_path / "here"
    shutil.copytree(laptop.directory / ".flowkit", here / ".flowkit")
    with closing(open_writer(here / ".flowkit" / "flowkit.db")) as writer:
        writer.create_run(NewRun("Rich", "ada", "0" * 64))
        (tmp_path / "there").mkdir()
        copying = ("store", "copy", str(here), str(tmp_path / "there"))
        every = laptop.store(*copying)
        one = laptop.store(*copying, "--run", "3", "--flow", "Rich")

    assert every.code == 0, every.err
    assert "left out Rich/3: it is running" in every.err
    assert every.out.startswith("runs copied: 2")
    assert one.code == 8
    assert "'Rich/3' is running" in one.err


def test_a_damaged_run_does_not_keep_the_others_from_being_copied(laptop, tmp_path):
    here = tmp_path / "here"
    shutil.copytree(laptop.directory / ".flowkit", here / ".flowkit")
    assert laptop("run", "--n", "3", FLOWKIT_HOME=str(here)).code == 0
    newest = max((here / ".flowkit" / "objects").rglob("*"), key=lambda p: p.stat().st_size)
    newest.chmod(0o600)
    data = bytearray(newest.read_bytes())
    data[-1] ^= 1
    newest.write_bytes(data)
    (tmp_path / "there").mkdir()
    done = laptop.store("store", "copy", str(here), str(tmp_path / "there"))
    listed = laptop.store("runs", "--json", FLOWKIT_HOME=str(tmp_path / "there"))
    checked = laptop.store("fsck", "--data", FLOWKIT_HOME=str(tmp_path / "there"))

    assert done.code == 5
    assert "run 'Rich/3' can't be copied: blob" in done.err
    assert done.out.rstrip().endswith("could not be copied: 1")
    assert [row["run"] for row in json.loads(listed.out)] == ["Rich/2", "Rich/1"]
    assert checked.code == 0, checked.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("store", "copy", "nowhere", "."), 2, "'nowhere' is no directory and no URL"),
        (("store", "copy", "@nowhere", "."), 2, "there is no profile 'nowhere'"),
        (("store", "copy", "mysql://db/x", "."), 2, "unknown kind of metadata store"),
        (("store", "copy", ".", ".", "--flow", "Other"), 4, "flow 'Other' has no runs in"),
        (("store", "copy", ".", ".", "--run", "Rich/77"), 4, "run 'Rich/77' does not exist in"),
        (("store", "copy", ".", ".", "--run", "77"), 3, "expected the form 'Flow/run'"),
        (("export", "Rich/77", "x.tar"), 4, "run 'Rich/77' does not exist in"),
        (("export", "Rich/1", "none/x.tar"), 6, "can't write none/x.tar"),
        (("import", "none.tar"), 6, "can't read none.tar: No such file"),
        (("import", "."), 2, "is no regular file"),
        (("import", "flow.py"), 5, "flow.py can't be imported: it is no archive of flowkit"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else None,
)
def test_what_can_not_be_done_is_one_sentence(laptop, arguments, code, says):
    outcome = laptop.store(*arguments)

    assert outcome.code == code, outcome.err
    assert says in outcome.err
    assert "Traceback" not in outcome.err


def test_a_damaged_file_is_refused_and_leaves_nothing(laptop, tmp_path):
    file = tmp_path / "run.tar"
    laptop.store("export", "Rich/1", str(file))
    data = file.read_bytes()
    for number, damaged in enumerate((data[:-700], data.replace(b"FKB1", b"FKB2", 1), b"")):
        file.write_bytes(damaged)
        home = tmp_path / str(number)
        home.mkdir()
        outcome = laptop.store("import", str(file), FLOWKIT_HOME=str(home))
        assert outcome.code == 5, outcome.err
        assert f"{file} can't be imported: " in outcome.err
        assert "Traceback" not in outcome.err
        assert os.listdir(home) == []


def test_on_a_terminal_one_line_shows_how_far_it_is(laptop, tmp_path):
    master, slave = os.openpty()
    command = [*laptop.command()[:1], "-c", ENTRY, "store", "copy", ".", str(tmp_path)]
    with os.fdopen(master, "rb", buffering=0) as terminal:
        done = subprocess.run(
            command,
            env=laptop.environment(),
            cwd=laptop.directory,
            stdout=subprocess.PIPE,
            stderr=slave,
            check=False,
        )
        os.close(slave)
        shown = terminal.read(1 << 16).decode()

    assert done.returncode == 0
    assert re.search(r"\r\x1b\[2Kcopying Rich/1: \d+ of \d+ blobs, \d", shown)
    assert re.search(r"\r\x1b\[2KRich/1 copied: ", shown)


def test_a_store_copied_onto_itself_stays_as_it_is(laptop):
    outcome = laptop.store("store", "copy", ".", str(laptop.directory))

    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("runs copied: 0")
