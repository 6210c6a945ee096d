"""``flowkit gc``, ``delete``, ``fsck`` and ``doctor`` on a real store."""

import hashlib
import json
import os
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from flowkit.cli.storecli import group
from flowkit.cli.upkeepcommands import Duration, readable
from flowkit.config import load_settings
from flowkit.enums import Status
from flowkit.exceptions import ConflictError
from flowkit.model.manifest import Manifest
from flowkit.model.records import NewRun
from flowkit.wiring import open_collector, open_store, open_writer, run_logs


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path))
    monkeypatch.setenv("FLOWKIT_USER", "ada")
    return tmp_path


def add_run(text, status=Status.SUCCEEDED):
    settings = load_settings()
    store = open_store(settings)
    root = store.put_manifest(Manifest(store.save({"x": text * 50_000}).refs))
    with closing(open_writer(settings)) as writer:
        lease = writer.create_run(NewRun("Train", "ada", root))
        log = Path(run_logs(settings, open_store(settings)).path(lease.token))
        log.parent.mkdir(exist_ok=True)
        log.write_text("hello")
        if status is not None:
            writer.finish_run(lease, status)
    return log


def call(*arguments, code=0):
    done = CliRunner().invoke(group, arguments)
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def tree(home):
    found = {}
    for directory, _, files in os.walk(home):
        for name in files:
            path = Path(directory, name)
            found[path] = (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
    return found


def test_without_force_not_one_byte_changes(home):
    add_run("a")
    add_run("b")
    before = tree(home)
    call("gc", "--grace", "0", "--keep-last", "1")
    call("gc", "--grace", "0", "--keep-last", "1", "--json")
    call("fsck", "--data")
    call("doctor")

    assert tree(home) == before


def test_what_was_shown_is_what_force_deletes(home):
    log = add_run("a")
    add_run("b")
    rule = ("gc", "--grace", "0", "--keep-last", "1", "--json")
    shown = json.loads(call(*rule))
    done = json.loads(call(*rule, "--force"))

    assert shown["runs"] == done["runs"] == ["Train/1"]
    assert shown["digests"] == done["digests"] != []
    assert not log.exists()
    assert json.loads(call(*rule))["digests"] == []


def test_delete_asks_first(home):
    log = add_run("a")
    call("delete", "Train/1", code=1)
    assert log.exists()
    call("delete", "Train/1", "--yes")

    assert not log.exists()
    assert json.loads(call("runs", "--json")) == []


def test_a_second_collector_is_refused(home):
    add_run("a")
    with closing(open_collector(load_settings())) as collector:
        collector.begin()
        done = CliRunner().invoke(group, ["gc", "--force"])

    assert isinstance(done.exception, ConflictError)
    assert done.exception.exit_code == 8


def test_a_shared_datastore_is_not_swept_by_the_metadata_of_one(home, monkeypatch):
    monkeypatch.setenv("FLOWKIT_DATASTORE", "s3://bucket/prefix")

    assert "--sole-metadata" in call("gc", "--force", code=2)


def test_fsck_exits_with_5_when_something_is_damaged(home):
    add_run("a")
    (victim,) = [path for path in Path(home).rglob("objects/*/*") if path.stat().st_size < 1000][:1]
    victim.chmod(0o600)
    victim.write_bytes(victim.read_bytes()[:-1])
    out = call("fsck", "--data", code=5)

    assert "needed by Train/1" in out
    assert json.loads(call("fsck", "--json", code=5))[0]["kind"] == "missing"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("45m", 2700), ("12h", 43200), ("1.5d", 129600), ("2w", 1209600)],
)
def test_time_spans_have_units(text, seconds):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (13_900, "13.9 kB"), (2.5e9, "2.5 GB"), (3e15, "3000.0 TB")],
)
def test_sizes_are_readable(size, text):
    assert readable(size) == text
