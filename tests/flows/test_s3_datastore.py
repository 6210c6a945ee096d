"""Flows whose blobs lie in S3, through the real command line and a real server."""

import re
import shutil
from collections import Counter

import pytest

from tests.servers.s3 import SECRET, Place

pytestmark = pytest.mark.s3

FLOW = """
import os

class Distant(FlowSpec):
    @step
    def start(self):
        self.small = 1
        self.large = bytes(range(256)) * 4000
        self.next(self.left, self.right)

    @step
    def left(self):
        self.x = len(self.large)
        self.next(self.join)

    @step
    def right(self):
        if not os.path.exists("marker") and os.path.exists("fail"):
            raise ValueError("not yet")
        self.x = self.small
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(task.x for task in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("total", self.total)
"""


@pytest.fixture
def distant(program, s3_place, monkeypatch):
    """The flow in a program whose blobs are in S3, for commands and for the client here."""
    for name, value in s3_place.environment.items():
        monkeypatch.setenv(name, value)
    made = program(FLOW)
    plain = made.environment
    made.environment = lambda **more: plain(**{**s3_place.environment, **more})
    return made


def objects(home):
    return [path for path in (home / ".flowkit" / "objects").rglob("*") if path.is_file()]


def test_a_flow_runs_and_is_read_and_keeps_no_blob_of_its_own(distant, s3_place):
    outcome, run = distant.run()

    assert outcome.lines == ["total 1024001"]
    assert run.data.total == 1024001
    assert run["start"].task.data.large == bytes(range(256)) * 4000
    assert objects(distant.directory) == []
    assert len(s3_place.all_keys()) > 5


def test_what_is_read_on_another_machine_comes_from_the_service(distant):
    distant.run()
    shutil.rmtree(distant.directory / ".flowkit" / "cache")

    assert distant.read("Distant/1").data.total == 1024001
    assert distant.read("Distant/1/start").task.data.large == bytes(range(256)) * 4000


@pytest.mark.parametrize("executor", ["spawn", "inline"])
def test_other_executors_reach_the_service_too(program, s3_place, executor):
    flow = program(
        """
        class Short(FlowSpec):
            @step
            def start(self):
                self.x = 1
                self.next(self.end)

            @step
            def end(self):
                print("x is", self.x)
        """
    )
    outcome = flow("run", FLOWKIT_EXECUTOR=executor, **s3_place.environment)

    assert "x is 1" in outcome.out, outcome.err


def test_a_failed_run_is_resumed(distant):
    (distant.directory / "fail").touch()
    assert distant("run").code == 1
    (distant.directory / "marker").touch()

    outcome = distant("resume")

    assert outcome.code == 0, outcome.err
    assert outcome.lines == ["total 1024001"]


def test_a_server_that_is_killed_fails_the_run_which_is_resumed_when_it_is_back(
    program, own_s3_server
):
    place = Place(own_s3_server, "p")
    environment = {**place.environment, "FLOWKIT_S3_RETRY_SECONDS": "1"}
    flow = program(
        """
        import os
        import time

        class Slow(FlowSpec):
            @step
            def start(self):
                self.x = 1
                self.next(self.wait)

            @step
            def wait(self):
                print("waiting", flush=True)
                while not os.path.exists("go"):
                    time.sleep(0.01)
                self.y = self.x + 1
                self.next(self.end)

            @step
            def end(self):
                print("y is", self.y)
        """
    )
    with flow.started("run", **environment) as process:
        printed = []
        for line in process.stdout:
            printed.append(line)
            if "waiting" in line:
                break
        own_s3_server.kill()
        (flow.directory / "go").touch()
        out, err = process.communicate(timeout=60)
    said = "".join(printed) + out + err

    assert process.returncode == 6, said
    assert re.search(r"can't write s3://\S+: the service does not answer", said)
    assert "Traceback" not in said

    own_s3_server.start()
    outcome = flow("resume", **environment)

    assert outcome.code == 0, outcome.err
    assert outcome.lines == ["waiting", "y is 2"]


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong" * 8}, "access is denied (403 SignatureDoesNotMatch"),
        ({"FLOWKIT_DATASTORE": "s3://no-such-bucket/p"}, "there is no such bucket (404"),
        ({"FLOWKIT_S3_ENDPOINT_URL": "http://127.0.0.1:1"}, "the service does not answer"),
    ],
    ids=["credentials", "bucket", "endpoint"],
)
def test_a_service_that_can_not_be_used_is_one_sentence_and_exit_code_6(
    distant, variables, sentence
):
    outcome = distant("run", **{"FLOWKIT_S3_RETRY_SECONDS": "0.1", **variables})

    assert outcome.code == 6, outcome.err
    assert sentence in outcome.err
    assert "Traceback" not in outcome.err + outcome.out
    assert SECRET not in outcome.err
    assert "wrong" not in outcome.err


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix"])
def test_a_datastore_without_a_bucket_is_a_usage_error(distant, url):
    outcome = distant("run", FLOWKIT_DATASTORE=url)

    assert outcome.code == 2, outcome.err
    assert "s3://BUCKET/KEY" in outcome.err


CHAIN = """
class Chain(FlowSpec):
    @step
    def start(self):
        self.x = 1
        self.next(self.step_1)
{steps}
    @step
    def end(self):
        print(self.x)
"""
STEP = """
    @step
    def step_{number}(self):
        self.x += 1
        self.next(self.{after})
"""


def chain(length):
    """A flow with so many steps between the first and the last one."""
    names = [f"step_{number}" for number in range(1, length + 1)] + ["end"]
    steps = (STEP.format(number=n, after=names[n]) for n in range(1, length + 1))
    return CHAIN.format(steps="".join(steps))


def test_a_task_with_small_artifacts_costs_one_request(program, s3_place, s3_proxy):
    counts = []
    for length in (1, 4):
        variables = {**s3_place.environment, "FLOWKIT_S3_ENDPOINT_URL": s3_proxy.url}
        # Each run in a place of its own: what is stored already would cost nothing.
        variables["FLOWKIT_DATASTORE"] = f"{s3_place.url}/{length}"
        flow = program(chain(length))
        assert flow.store("store", "init", **variables).code == 0  # asks what the service can do
        s3_proxy.seen.clear()
        outcome = flow("run", **variables)
        assert outcome.code == 0, outcome.err
        counts.append(Counter(s3_proxy.kinds()))

    assert counts[1] - counts[0] == {"PUT": 3}
    assert counts[0].total() <= 3 + 4  # the run's own: parameters, sources


def test_the_client_for_users_works_in_a_step(program, s3_place):
    flow = program(
        """
        from flowkit import S3

        class Tools(FlowSpec):
            @step
            def start(self):
                with S3(run=self) as s3:
                    self.url = s3.put("key", "value")
                self.next(self.end)

            @step
            def end(self):
                with S3(run=self) as s3:
                    print([each.key for each in s3.list_paths()], s3.get("key").text)
        """
    )
    outcome = flow("run", **s3_place.environment)

    assert outcome.code == 0, outcome.err
    assert outcome.lines == ["['key'] value"]
    assert "data/Tools/1/key" in s3_place.all_keys()


def test_listing_runs_asks_the_service_nothing(distant, s3_proxy):
    distant.run()
    outcome = distant.store("runs", FLOWKIT_S3_ENDPOINT_URL=s3_proxy.url)

    assert outcome.code == 0, outcome.err
    assert s3_proxy.seen == []
