"""What tasks print, read on another machine than the one that ran them: through S3."""

import os
import stat

import pytest

from flowkit import Task, default_metadata, namespace
from flowkit.client.following import follow_log
from tests.servers.faultproxy import status

pytestmark = pytest.mark.s3

FLOW = """
import os
import sys

class Talk(FlowSpec):
    @step
    def start(self):
        print("from start")
        print("complaint", file=sys.stderr)
        self.next(self.end)

    @step
    def end(self):
        print("from end")
"""
QUIET = """
class Quiet(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.fixture
def shared(program, s3_place):
    """A function that makes a program with its blobs in S3."""

    def make(source=FLOW):
        made = program(source)
        made.variables = dict(s3_place.environment)
        return made

    return make


@pytest.fixture
def talk(shared):
    """A flow that has run once."""
    made = shared()
    outcome = made("run")
    assert outcome.code == 0, outcome.err
    return made


@pytest.fixture
def elsewhere(tmp_path, monkeypatch, s3_place):
    """The variables of a second machine: another home, the same metadata and blobs."""
    home = tmp_path / "elsewhere"
    home.mkdir()
    variables = {
        "FLOWKIT_HOME": str(home),
        "FLOWKIT_METADATA": f"sqlite:///{tmp_path}/.flowkit/flowkit.db",
    }
    for name, value in {**s3_place.environment, **variables}.items():
        monkeypatch.setenv(name, value)
    return variables


def logs_in(directory):
    return list(directory.rglob("*.log"))


def test_logs_are_read_on_another_machine(talk, elsewhere, s3_place):
    (log,) = logs_in(talk.directory)
    assert f"logs/{log.name}" in s3_place.all_keys()

    told = talk.store("logs", "Talk/1", **elsewhere)
    of_step = talk("logs", "1/end", **elsewhere)
    followed = talk("logs", "1", "--follow", **elsewhere)

    assert (told.code, told.out, told.err) == (0, "from start\nfrom end\n", "complaint\n")
    assert (of_step.code, of_step.out) == (0, "from end\n")
    assert (followed.code, followed.out.splitlines()[-1][-8:]) == (0, "from end")


def test_the_client_fetches_a_log_once_into_a_private_file(
    talk, elsewhere, s3_proxy, monkeypatch, tmp_path
):
    monkeypatch.setenv("FLOWKIT_S3_ENDPOINT_URL", s3_proxy.url)
    default_metadata()
    namespace(None)

    assert Task("Talk/1/start/1").stdout == "from start\n"
    assert Task("Talk/1/start/1").stderr == "complaint\n"
    assert [line.text for line in follow_log("Talk/1")] == ["from start", "complaint", "from end"]

    assert [request.path.rpartition("/")[0][-5:] for request in s3_proxy.seen] == ["/logs"]
    (copy,) = logs_in(tmp_path / "elsewhere")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700


def test_a_failed_run_shares_its_log_too(shared, elsewhere):
    made = shared(FLOW.replace('print("from end")', 'raise ValueError("at the end")'))
    assert made("run").code == 1

    outcome = made.store("logs", "Talk/1", **elsewhere)

    assert outcome.code == 0
    assert outcome.out == "from start\n"
    assert "at the end" in outcome.err


def test_a_deleted_run_leaves_no_log_behind(talk, elsewhere, s3_place, tmp_path):
    assert talk.store("logs", "Talk/1", **elsewhere).code == 0
    assert len(logs_in(tmp_path / "elsewhere")) == 1

    outcome = talk.store("delete", "Talk/1", "--yes", **elsewhere)

    assert outcome.code == 0, outcome.err
    assert [key for key in s3_place.all_keys() if key.startswith("logs/")] == []
    assert logs_in(tmp_path / "elsewhere") == []


def test_a_log_that_can_not_be_uploaded_is_one_notice_of_a_run_that_succeeds(shared, s3_proxy):
    made = shared()
    s3_proxy.add(status(403, "AccessDenied"), "PUT", 100, where=lambda one: "/logs/" in one.path)

    outcome = made("run", FLOWKIT_S3_ENDPOINT_URL=s3_proxy.url)

    assert outcome.code == 0, outcome.err
    said = outcome.out + outcome.err
    assert said.count("the run's log stays on this machine: can't write s3://") == 1
    assert "Traceback" not in said
    assert "from end" in made.store("logs", "Talk/1").out


def test_a_log_that_is_nowhere_is_told_with_the_host_that_has_written_it(talk, elsewhere, s3_place):
    (log,) = logs_in(talk.directory)
    s3_place.store().delete_file(f"logs/{log.name}")

    for options in ([], ["--follow"]):
        outcome = talk.store("logs", "Talk/1", *options, **elsewhere)

        assert (outcome.code, outcome.out) == (4, "")
        assert "the log of run 'Talk/1' is neither on this machine nor in" in outcome.err
        assert os.uname().nodename in outcome.err


def test_a_lost_log_of_an_earlier_run_does_not_hide_what_there_is(shared, elsewhere, s3_place):
    made = shared(
        FLOW.replace('print("from end")', 'print("from end", 1 // ("FINE" in os.environ))')
    )
    assert made("run").code == 1
    (lost,) = logs_in(made.directory)
    lost.unlink()
    s3_place.store().delete_file(f"logs/{lost.name}")
    assert made("resume", FINE="1").code == 0

    outcome = made.store("logs", "Talk/2", **elsewhere)

    assert (outcome.code, outcome.out) == (4, "from end 1\n")
    assert "the log of run 'Talk/1' is neither" in outcome.err


def test_what_prints_nothing_uploads_nothing_and_is_not_missed(shared, elsewhere, s3_place):
    made = shared(QUIET)
    assert made("run").code == 0

    outcome = made.store("logs", "Quiet/1", **elsewhere)

    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert [key for key in s3_place.all_keys() if key.startswith("logs/")] == []


def test_a_copied_run_brings_its_log_and_shares_it(program, s3_place, tmp_path):
    made = program(FLOW)
    assert made("run").code == 0
    archive = str(tmp_path / "talk.tar")
    assert made.store("export", "Talk/1", archive).code == 0
    third = {**s3_place.environment, "FLOWKIT_HOME": str(tmp_path / "third")}
    (tmp_path / "third").mkdir()

    outcome = made.store("import", archive, **third)

    assert outcome.code == 0, outcome.err
    assert len([key for key in s3_place.all_keys() if key.startswith("logs/")]) == 1
