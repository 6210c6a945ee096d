"""Projects, exit hooks and secrets through the real command line."""

import pytest

PROJECT = """
from flowkit import project


@project(name="demo")
class Branched(FlowSpec):
    lr = Parameter("lr", default=lambda context: f"{current.project_name}-lr")

    @step
    def start(self):
        self.facts = (
            current.project_name, current.branch_name, current.project_flow_name,
            current.is_production, current.is_user_branch,
        )
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_runs_of_a_project_belong_to_their_branch(program):
    flow = program(PROJECT)

    outcome, run = flow.run()
    assert "Project: demo, Branch: user.tester" in outcome.err
    assert run["end"].task.data.facts == (
        "demo", "user.tester", "demo.user.tester.Branched", False, True,
    )  # fmt: skip
    assert run["end"].task.data.lr == "demo-lr"
    assert {"project:demo", "project_branch:user.tester"} <= run.system_tags

    done = flow("--production", "--branch", "v2", "run")
    assert done.code == 0, done.err
    assert flow.read("Branched").latest_run["end"].task.data.facts[1] == "prod.v2"

    refused = flow("--branch", "No Good", "run")
    assert refused.code == 2
    assert "branch 'No Good' is not valid" in refused.err


HOOKS = """
from flowkit import exit_hook


def celebrate(run):
    print("well done", run.pathspec, run.successful)


def mourn():
    print("oh no")


def clumsy():
    raise RuntimeError("hook trouble")


@exit_hook(on_success=[celebrate, clumsy], on_error=[mourn])
class Hooked(FlowSpec):
    fail = Parameter("fail", default=False)

    @step
    def start(self):
        if self.fail:
            raise ValueError("on purpose")
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_exit_hooks_are_called_when_the_run_has_ended(program):
    flow = program(HOOKS)

    good = flow("run")
    assert good.code == 0
    assert "well done Hooked/1 True" in good.out
    assert "hook 'clumsy' failed" in good.out
    assert good.out.index("well done") < good.out.index("Done!")

    bad = flow("run", "--fail", "True")
    assert bad.code == 1
    assert "oh no" in bad.out
    assert "well done" not in bad.out


SECRETS = """
import os
from flowkit import secrets


class Secretive(FlowSpec):
    @secrets(sources=["env.VAULT_TOKEN", {"type": "inline", "options": {"env_vars": {"PORT": 1}}}])
    @step
    def start(self):
        self.length = len(os.environ["VAULT_TOKEN"]) + int(os.environ["PORT"])
        self.next(self.end)

    @step
    def end(self):
        self.port = os.environ.get("PORT")
"""


def test_secrets_are_in_the_step_and_nowhere_else(program, tmp_path):
    flow = program(SECRETS)
    secret = "hunter2-very-secret"

    _, run = flow.run(VAULT_TOKEN=secret)

    assert run["start"].task.data.length == len(secret) + 1
    assert run["end"].task.data.port is None
    stored = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert secret.encode() not in stored


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("'env.NOT_SET'", "there is no such environment variable"),
        ("'nope.x'", "unknown type 'nope'"),
    ],
)
def test_a_secret_that_cannot_be_had_fails_the_step(program, source, message):
    flow = program(SECRETS.replace('"env.VAULT_TOKEN"', source))

    outcome = flow("run")

    assert outcome.code == 1
    assert message in outcome.out


STEPS = """
import os


class Steps(FlowSpec):
    @step
    def start(self):
        self.items = [1, 2, 3]
        self.next(self.work, foreach="items")

    @step
    def work(self):
        if self.input == 2 and not os.path.exists("mended"):
            raise ValueError("not yet")
        self.y = self.input * 10
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(each.y for each in inputs)
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_resume_takes_over_what_succeeded(program, tmp_path):
    flow = program(STEPS)
    assert flow("run", "--max-workers", "1", "--tag", "first").code == 1

    (tmp_path / "mended").touch()
    resumed = flow("resume", "--tag", "again")

    assert resumed.code == 0, resumed.out + resumed.err
    run = flow.read("Steps").latest_run
    assert run.id == "2"
    assert run.origin_pathspec == "Steps/1"
    assert run.user_tags == {"again"}
    assert run["end"].task.data.total == 60
    origins = {task.index: task.origin_pathspec for task in run["work"]}
    assert origins[0] == "Steps/1/work/2"
    assert origins[1] is None
    assert "2 of 6 tasks were reused." in resumed.out


def test_resume_under_a_chosen_id_runs_once(program, tmp_path):
    flow = program(STEPS)
    (tmp_path / "mended").touch()
    flow.run()

    first = flow("resume", "join", "--run-id", "mine")
    again = flow("resume", "join", "--run-id", "mine")
    reentrant = flow("resume", "join", "--run-id", "mine", "--reentrant")
    numbered = flow("resume", "--run-id", "17")

    assert [first.code, again.code, reentrant.code, numbered.code] == [0, 8, 0, 2]
    assert "run 'Steps/mine' exists already" in again.err
    assert [run.id for run in flow.read("Steps").runs()] == ["mine", "1"]


def test_clone_only_takes_over_and_stops(program):
    flow = program(STEPS)
    flow("run", "--max-workers", "1")

    cloned = flow("resume", "--clone-only")

    assert cloned.code == 0
    run = flow.read("Steps").latest_run
    assert [task.index for task in run["work"]] == [0]
    assert "join" not in run


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--origin-run-id", "99"], 4, "Resume could not find run id 99"),
        (["nowhere"], 2, "invalid step name 'nowhere'"),
        ([], 4, "there is no run of flow 'Steps'"),
    ],
)
def test_resume_says_what_it_cannot_find(program, arguments, code, message):
    outcome = program(STEPS)("resume", *arguments)

    assert outcome.code == code
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_tags_are_listed_added_removed_and_replaced(program, tmp_path):
    flow = program(STEPS)
    (tmp_path / "mended").touch()
    flow.run("--tag", "one")

    assert flow("tag", "add", "two", "three", "--run-id", "1").code == 0
    assert flow("tag", "replace", "two", "2", "--run-id", "1").code == 0
    assert flow("tag", "remove", "three", "--run-id", "1").code == 0
    listed = flow("tag", "list", "--hide-system-tags")
    assert listed.out.split() == ["2", "one"]
    assert flow("tag", "list", "--all", "--group-by-tag", "--hide-system-tags").out == (
        "2: 1\none: 1\n"
    )

    unnamed = flow("tag", "add", "x")
    assert unnamed.code == 2
    assert "Please specify a run-id using --run-id. The latest run is 1." in unnamed.err
    system = flow("tag", "remove", "user:tester", "--run-id", "1")
    assert system.code == 3
    assert "user:tester" in system.err
