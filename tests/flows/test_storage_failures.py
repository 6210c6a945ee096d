"""Stores that fail while a run goes on: its exit code, one message, its state, and `resume`."""

import os
import shutil
import subprocess
from contextlib import contextmanager, suppress

import pytest

from tests.servers.faultproxy import status
from tests.servers.s3 import Place

RESUMABLE = "what had succeeded is kept: once that is mended, go on with 'resume'"
CHAIN = """
import os, resource, subprocess
from pathlib import Path

class Chain(FlowSpec):
    @step
    def start(self):
        self.x = 1
        self.next(self.middle)

    {decorators}
    @step
    def middle(self):
        print("middle runs", flush=True)
        {middle}
        self.next(self.end)

    @step
    def end(self):
        print("end has", {shown})
"""
TRUSTING = '@retry(times=2, minutes_between_retries=0)\n    @catch(var="failure")'


def chain(middle, shown="self.x", decorators=""):
    """The source of a flow whose second step does something."""
    body = ("\n" + " " * 8).join(middle.strip().splitlines())
    return CHAIN.format(middle=body, shown=shown, decorators=decorators)


def said(outcome):
    """Return what is said on stderr, which is the one message, without the lines before it."""
    assert "Traceback" not in outcome.out + outcome.err, outcome.out + outcome.err
    assert "bug in flowkit" not in outcome.err
    lines = outcome.err.splitlines()
    headers = ("flowkit ", "Validating", "    The graph looks good", "Using the store")
    return [line.strip() for line in lines if not line.startswith(headers)]


def states(flow, run=1):
    """Return the state of a run, and those of the attempts of its second step."""
    found = flow.read(f"Chain/{run}")
    with suppress(KeyError):
        return found.status, [one.status.value for one in found["middle"].task._attempts()]
    return found.status, []


def leftovers(flow):
    return [path for path in flow.directory.rglob(".flowkit/tmp/*") if path.is_file()]


def is_resumed(flow, lines, **variables):
    """Whether `resume` sees the run through without running again what had succeeded."""
    outcome = flow("resume", "--origin-run-id", "1", **variables)
    assert outcome.code == 0, outcome.out + outcome.err
    return "Task reused from Chain/1/start/1." in outcome.out and outcome.lines == lines


@contextmanager
def file_system(path, size):
    """Mount a file system of its own, of so many bytes, at a path."""
    if os.getuid() != 0:
        pytest.skip("only root can mount")
    path.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounts are not allowed here")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def remount(path, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(path)], check=True)


def test_a_disk_that_is_full_fails_the_run_at_once_whatever_the_step_catches(program, tmp_path):
    flow = program(chain("self.data = os.urandom(4_000_000)", "len(self.data)", TRUSTING))
    with file_system(tmp_path / ".flowkit", 3_000_000) as home:
        outcome = flow("run")
        state, tmp = states(flow), leftovers(flow)
        remount(home, "size=30m")
        resumed = is_resumed(flow, ["middle runs", "end has 4000000"])

    assert outcome.code == 6
    first, second, message, advice = said(outcome)
    assert (first, second) == ("Storage failure:", "Step middle (task-id 2) failed.")
    assert message.startswith(f"can't write to the store {home}: No space left on device (ENOSPC)")
    assert "free some space" in message
    assert advice == RESUMABLE
    assert state == ("failed", ["failed"])
    assert tmp == []
    assert resumed


def test_a_file_that_may_not_be_as_large_fails_the_run_and_leaves_nothing_behind(program):
    flow = program(
        chain(
            'limit = 1_000_000 if not os.path.exists("again") else resource.RLIM_INFINITY\n'
            "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))\n"
            'Path("again").touch()\n'
            "self.data = os.urandom(4_000_000)",
            "len(self.data)",
        )
    )
    outcome = flow("run")

    assert outcome.code == 6
    assert "File too large" in said(outcome)[2]
    assert states(flow) == ("failed", ["failed"])
    assert leftovers(flow) == []
    assert is_resumed(flow, ["middle runs", "end has 4000000"])


def test_a_store_that_becomes_read_only_fails_the_run_whose_metadata_is_elsewhere(
    program, tmp_path
):
    database = tmp_path / "elsewhere" / "flowkit.db"
    flow = program(chain("os.path.exists('go') or subprocess.run(os.environ['DO'], shell=True)"))
    home = tmp_path / ".flowkit"
    variables = {"FLOWKIT_METADATA": f"sqlite:///{database}", "DO": f"mount -o remount,ro {home}"}
    # Of its own for the log: nothing becomes read-only that has a file open for writing.
    with file_system(home, 3_000_000), file_system(home / "logs", 100_000):
        outcome = flow("run", **variables)
        listed = flow.store("runs", **variables)
        remount(home, "rw")
        (tmp_path / "go").touch()
        resumed = is_resumed(flow, ["middle runs", "end has 1"], **variables)

    assert outcome.code == 6, outcome.out + outcome.err
    assert "the file system is read-only" in said(outcome)[2]
    assert "failed" in listed.out
    assert resumed


def test_a_disk_that_is_full_of_metadata_ends_the_run_with_7_and_it_can_be_resumed(
    program, tmp_path
):
    flow = program(
        chain(
            'with suppress(OSError), open(os.environ["FILLER"], "wb", 0) as file:\n'
            "    while not os.path.exists('go') and file.write(bytes(512)):\n"
            "        pass\n"
            "self.y = {f'key{n}': n for n in range(20_000)}",
            "len(self.y)",
        ).replace("import os,", "from contextlib import suppress\nimport os,")
    )
    place = tmp_path / "elsewhere"
    variables = {
        "FLOWKIT_METADATA": f"sqlite:///{place}/flowkit.db",
        "FILLER": f"{place}/filler",
    }
    with file_system(place, 1_000_000):
        outcome = flow("run", **variables)
        (place / "filler").unlink()
        (tmp_path / "go").touch()
        listed = flow.store("runs", **variables)
        resumed = is_resumed(flow, ["middle runs", "end has 20000"], **variables)

    assert outcome.code == 7, outcome.out + outcome.err
    headline, message, advice = said(outcome)
    assert headline == "Metadata unavailable:"
    assert f"can't use the metadata database {place}/flowkit.db: the disk is full" in message
    assert advice == RESUMABLE
    assert "crashed" in listed.out
    assert resumed


def test_a_log_that_can_not_be_written_does_not_fail_the_run(program, tmp_path):
    flow = program(chain('print("x" * 200_000)', decorators="# talks a lot"))
    with file_system(tmp_path / ".flowkit" / "logs", 16_384):
        outcome = flow("run")

    assert outcome.code == 0, outcome.err
    assert said(outcome) == []
    assert outcome.out.count("the run goes on, but its log is incomplete") == 1
    assert "Done!" in outcome.out


DAMAGE = """
for path in Path(os.environ["FLOWKIT_HOME"], ".flowkit/objects").rglob("*"):
    if path.is_file() and path.stat().st_size > 20_000:
        {act}
"""


@pytest.mark.parametrize(
    ("act", "code", "message"),
    [
        ("path.chmod(0o600); path.write_bytes(path.read_bytes()[:-9])", 5, "is damaged in"),
        ("path.unlink()", 4, "there is no blob"),
    ],
    ids=["damaged", "gone"],
)
def test_a_task_whose_input_is_damaged_or_gone_ends_the_run_with_that_code(
    program, act, code, message
):
    flow = program(
        chain(DAMAGE.format(act=act), "len(self.large)").replace(
            "self.x = 1", "self.large = os.urandom(50_000)"
        )
    )
    outcome = flow("run")

    assert outcome.code == code, outcome.out + outcome.err
    first, second, third, advice = said(outcome)
    assert (first, second) == ("Storage failure:", "Step end (task-id 3) failed.")
    assert message in third
    assert advice == RESUMABLE
    assert states(flow) == ("failed", ["succeeded"])


ARMED = "os.path.exists('go') or Path('armed').touch()\nself.y = list(range(50_000))"


@pytest.mark.s3
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (status(403, "AccessDenied"), "access is denied (403 AccessDenied"),
        (status(503, "SlowDown"), "the service is overloaded or has failed (503 SlowDown"),
        (status(507, "InsufficientStorage"), "the service refused the request (507"),
    ],
    ids=["denied", "throttled", "full"],
)
def test_a_service_that_refuses_what_a_task_writes_ends_the_run_with_6(
    program, s3_place, s3_proxy, tmp_path, fault, message
):
    flow = program(chain(ARMED, "len(self.y)", TRUSTING))
    variables = {
        **s3_place.environment,
        "FLOWKIT_S3_ENDPOINT_URL": s3_proxy.url,
        "FLOWKIT_S3_RETRY_SECONDS": "0.3",
    }
    s3_proxy.add(fault, "PUT", times=1000, where=lambda _: (tmp_path / "armed").exists())
    outcome = flow("run", **variables)
    state = states(flow)
    s3_proxy.rules.clear()
    (tmp_path / "go").touch()

    assert outcome.code == 6, outcome.out + outcome.err
    first, _, third, advice = said(outcome)
    assert (first, advice) == ("Storage failure:", RESUMABLE)
    assert "can't write s3://" in third
    assert message in third
    assert state == ("failed", ["failed"])
    assert is_resumed(flow, ["middle runs", "end has 50000"], **variables)


@pytest.mark.s3
def test_a_service_that_is_gone_when_a_task_reads_ends_the_run_with_6(program, own_s3_server):
    flow = program(
        chain("os.kill(int(os.environ['SERVER']), 9)", "len(self.large)")
        .replace("self.x = 1", "self.large = os.urandom(50_000)")
        .replace("import os,", "import shutil, os,")
        .replace("self.next(self.end)", "self.next(self.end)", 1)
    )
    environment = {
        **Place(own_s3_server, "p").environment,
        "FLOWKIT_S3_RETRY_SECONDS": "0.3",
        "SERVER": str(own_s3_server._process.pid),
    }
    outcome = flow("run", **environment)

    assert outcome.code == 6, outcome.out + outcome.err
    assert "the service does not answer" in said(outcome)[2]
    assert flow.read("Chain/1").status == "failed"


@pytest.mark.s3
def test_a_driver_that_can_not_read_what_it_resumes_says_so_and_the_run_has_failed(
    program, s3_place, s3_proxy
):
    flow = program(chain('if not os.path.exists("go"): raise ValueError("not yet")'))
    variables = {**s3_place.environment, "FLOWKIT_S3_ENDPOINT_URL": s3_proxy.url}
    assert flow("run", **variables).code == 1
    shutil.rmtree(flow.directory / ".flowkit" / "cache")
    root = flow.read("Chain/1")._record.root
    refused = status(403, "AccessDenied")
    s3_proxy.add(
        refused, "GET", 1000, where=lambda it: "/objects/" in it.path and root not in it.path
    )
    outcome = flow("resume", **variables)
    s3_proxy.rules.clear()
    (flow.directory / "go").touch()

    assert outcome.code == 6, outcome.out + outcome.err
    headline, message, advice = said(outcome)
    assert headline == "S3 access denied:"
    assert "can't read s3://" in message
    assert advice == RESUMABLE
    assert flow.read("Chain/2").status == "failed"
    assert is_resumed(flow, ["middle runs", "end has 1"], **variables)


@pytest.mark.s3
def test_storage_of_a_step_s_own_is_a_failure_of_the_step(program, s3_place):
    flow = program(
        chain(
            'with S3(s3root=os.environ["FLOWKIT_DATASTORE"] + "/mine") as s3:\n'
            '    s3.get("nothing")',
            decorators="@retry(times=1, minutes_between_retries=0)",
        ).replace("import os,", "from flowkit import S3\nimport os,")
    )
    outcome = flow("run", **s3_place.environment)

    assert outcome.code == 1
    assert said(outcome)[0] == "Step failure:"
    assert states(flow) == ("failed", ["failed", "failed"])
