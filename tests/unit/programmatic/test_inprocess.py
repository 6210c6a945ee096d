"""``flowkit.run`` and ``flowkit.resume``: flow classes in this process, or in forks of it."""

import os
import sys

import pytest

import flowkit
from flowkit import Config, Flow, FlowSpec, Parameter, retry, step
from flowkit.enums import Status
from flowkit.exceptions import LintError, NotFoundError, RunFailed, UsageError


class Train(FlowSpec):
    alpha = Parameter("alpha", default=0.5)
    fails = Parameter("fails", default=False)

    @step
    def start(self):
        self.pid = os.getpid()
        self.items = [1, 2]
        self.next(self.fit, foreach="items")

    @step
    def fit(self):
        print("fitting", self.input)
        print("careful", file=sys.stderr)
        self.score = self.input * self.alpha
        self.next(self.join)

    @step
    def join(self, inputs):
        self.merge_artifacts(inputs, exclude=["score"])
        self.best = max(one.score for one in inputs)
        self.next(self.end)

    @retry(times=1, minutes_between_retries=0)
    @step
    def end(self):
        if self.fails and not os.path.exists("mended"):
            raise ValueError("no luck")


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """A store of the test's own."""
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path))
    monkeypatch.setenv("FLOWKIT_USER", "tester")
    monkeypatch.chdir(tmp_path)


def test_a_run_is_one_like_any_other():
    run = flowkit.run(Train, alpha=2.0, tags=["mine"])

    assert run.data.best == 4.0
    assert run.data.pid == os.getpid()
    assert run.status is Status.SUCCEEDED
    assert run.user_tags == {"mine"}
    assert Flow("Train").latest_run.pathspec == run.pathspec
    assert [task.data.score for task in run["fit"]] == [4.0, 2.0]


def test_tasks_of_the_local_executor_are_forks_whose_output_is_shown(capsys):
    run = flowkit.run(Train, executor="local", max_workers=1)

    printed = capsys.readouterr()
    assert run.data.pid != os.getpid()
    assert sorted(printed.out.splitlines()) == ["fitting 1", "fitting 2"]
    assert printed.err.splitlines() == ["careful", "careful"]
    assert {task.stdout for task in run["fit"]} == {"fitting 1\n", "fitting 2\n"}


def test_a_failed_run_raises_with_the_error_of_the_user():
    with pytest.raises(RunFailed) as caught:
        flowkit.run(Train, fails=True)

    message = str(caught.value)
    assert message.startswith("step 'end' (task Train/1/end/5) failed: ValueError: no luck\n")
    assert 'raise ValueError("no luck")' in message
    assert "flowkit/runtime" not in message


def test_a_failed_run_can_be_looked_at():
    run = flowkit.run(Train, fails=True, check=False)

    assert run.status is Status.FAILED
    assert not run.successful
    assert run["end"].task.exception.exception == "no luck"


def test_a_failed_run_can_be_resumed():
    failed = flowkit.run(Train, fails=True, alpha=3.0, check=False)
    with pytest.raises(RunFailed):
        flowkit.resume(Train)
    with open("mended", "w"):
        resumed = flowkit.resume(Train, origin_run_id=failed.id, tags=["again"])

    assert resumed.data.best == 6.0
    assert resumed.origin_pathspec == failed.pathspec
    assert resumed.user_tags == {"again"}
    assert resumed["start"].task.origin_pathspec == f"{failed.pathspec}/start/1"


def test_a_step_to_run_again_can_be_named():
    first = flowkit.run(Train)
    second = flowkit.resume(Train, step="fit")

    assert second["start"].task.origin_pathspec == f"{first.pathspec}/start/1"
    assert second["fit"].task.origin_pathspec is None


def test_there_must_be_a_run_to_resume():
    with pytest.raises(NotFoundError, match="no run of flow 'Train'"):
        flowkit.resume(Train)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beta": 1}, "unknown parameter 'beta'; the flow's are: alpha, fails"),
        ({"alpha": "much"}, "'much' is not a valid float"),
        ({"executor": "slow"}, "unknown executor 'slow'"),
    ],
)
def test_arguments_that_can_not_be_used_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        flowkit.run(Train, **arguments)


class Broken(FlowSpec):
    @step
    def start(self):
        self.next(self.middle)

    @step
    def end(self):
        pass


def test_problems_of_the_graph_are_told_with_their_lines():
    with pytest.raises(LintError, match=r"test_inprocess\.py:\d+: .*middle"):
        flowkit.run(Broken)


def test_a_flow_may_be_defined_in_a_function():
    offset = 5

    class Local(FlowSpec):
        @step
        def only(self):
            self.x = offset + 1

    assert flowkit.run(Local).data.x == 6
    assert flowkit.run(Local, executor="local").data.x == 6


def test_a_breakpoint_in_an_inline_task_stops_in_this_process(monkeypatch):
    class Stops(FlowSpec):
        @step
        def only(self):
            self.x = 41
            breakpoint()  # noqa: T100

    seen = []
    monkeypatch.setattr(
        sys, "breakpointhook", lambda: seen.append(sys._getframe(1).f_locals["self"].x)
    )

    flowkit.run(Stops)

    assert seen == [41]


def test_configs_have_their_defaults_and_are_kept_by_a_resume(tmp_path, monkeypatch):
    class Configured(FlowSpec):
        cfg = Config("cfg", default_value={"depth": 2})

        @step
        def only(self):
            self.depth = self.cfg.depth

    first = flowkit.run(Configured)
    monkeypatch.setenv("FLOWKIT_FLOW_CONFIG_VALUE", '{"cfg": {"depth": 7}}')
    second = flowkit.run(Configured)
    third = flowkit.resume(Configured, origin_run_id=first.id, step="only")

    assert [run.data.depth for run in (first, second, third)] == [2, 7, 2]
