"""``spin``: one step, as it is now, on the inputs of an earlier task."""

import json

import pytest

FLOW = """
class Spins(FlowSpec):
    n = Parameter("n", default=2)

    @step
    def start(self):
        self.base = [self.n]
        self.items = list(range(self.n))
        self.next(self.fit, foreach="items")

    @catch(var="failure")
    @retry(times=3, minutes_between_retries=0)
    @environment(vars={"SPUN": "yes"})
    @step
    def fit(self):
        import os
        print("fitting", self.input, os.environ.get("SPUN"), current.run_id)
        self.score = self.base[0] * 10 + self.input
        self.next(self.left, self.right)

    @step
    def left(self):
        self.side = "left"
        self.next(self.meet)

    @step
    def right(self):
        self.side = "right"
        self.next(self.meet)

    @step
    def meet(self, inputs):
        self.score = inputs.left.score
        self.sides = [one.side for one in inputs]
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(one.score for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("total is", self.total)
"""


@pytest.fixture(scope="module")
def spins(shared_program):
    """A flow that has run once."""
    program = shared_program(FLOW)
    program.run()
    return program


def changed(program, old, new):
    """Change the flow file for one command, and change it back."""
    before = program.path.read_text()
    assert old in before
    program.path.write_text(before.replace(old, new))
    return lambda: program.path.write_text(before)


def runs(program):
    return [run.id for run in program.read("Spins")]


def test_the_newest_task_of_a_step_is_run_again_and_no_run_is_made(spins):
    before = runs(spins)
    outcome = spins("spin", "fit")

    assert outcome.code == 0, outcome.err
    assert outcome.lines[0].startswith("fitting 1 yes spin-")
    assert "score [size: " in outcome.out
    assert "type: <class 'int'>] = 21" in outcome.out
    assert "=> left, right" in outcome.out
    assert "Ran with the inputs of Spins/1/fit/3" in outcome.err
    assert runs(spins) == before


def test_the_code_of_now_is_run(spins):
    restore = changed(spins, "* 10 + self.input", "* 1000")
    try:
        outcome = spins("spin", "1/fit")
    finally:
        restore()

    assert "= 2000" in outcome.out


def test_a_failure_is_seen_at_once_and_exits_with_1(spins):
    restore = changed(spins, 'print("fitting"', 'raise ValueError("broken"')
    try:
        outcome = spins("spin", "fit")
    finally:
        restore()

    assert outcome.code == 1
    assert outcome.out.count("ValueError: (") == 1
    assert "Step fit (task-id 1) failed." in outcome.err


def test_another_way_than_the_graph_says_is_a_failure(spins):
    restore = changed(spins, "self.next(self.left, self.right)", "setattr(self, 'x', 1)\n"
                      "        getattr(self, 'next')(self.left)\n"
                      "        return\n"
                      "        self.next(self.left, self.right)")  # fmt: skip
    try:
        outcome = spins("spin", "fit")
    finally:
        restore()

    assert outcome.code == 1
    assert "was expected to transition to 'left', 'right'" in outcome.err


def test_decorators_can_be_left_out(spins):
    # The environment is what the executor gives to the task, so take what wraps the step.
    restore = changed(spins, '@catch(var="failure")', '@loud\n    @catch(var="failure")')
    source = spins.path.read_text()
    loud = (
        "from flowkit import StepDecorator\nclass loud(StepDecorator):\n"
        "    def wrap(self, call, task):\n        print('LOUD')\n        call()\n"
    )
    spins.path.write_text(source.replace("\nclass Spins", f"\n{loud}\nclass Spins"))
    try:
        wrapped, bare = spins("spin", "fit"), spins("spin", "fit", "--skip-decorators")
    finally:
        restore()

    assert "LOUD" in wrapped.lines
    assert bare.code == 0
    assert "LOUD" not in bare.lines


def test_joins_get_the_recorded_inputs(spins):
    assert "total [size: " in (outcome := spins("spin", "join")).out
    assert "= 41" in outcome.out
    assert "= ['left', 'right']" in spins("spin", "meet").out


def test_artifacts_can_be_replaced(spins):
    (spins.directory / "other.py").write_text("ARTIFACTS = {'base': [7], 'input': 5}")
    outcome = spins("spin", "fit", "--artifacts-module", "other.py")

    assert outcome.lines[0].startswith("fitting 5")
    assert "= 75" in outcome.out


def test_a_file_without_artifacts_is_refused(spins):
    (spins.directory / "empty.py").write_text("")
    outcome = spins("spin", "fit", "--artifacts-module", "empty.py")

    assert outcome.code == 2
    assert "has no dict ARTIFACTS" in outcome.err


def test_a_parameter_that_the_run_did_not_have_yet_has_its_default(spins):
    restore = changed(
        spins, "    n = Parameter", '    m = Parameter("m", default=4)\n    n = Parameter'
    )
    spins.path.write_text(spins.path.read_text().replace("+ self.input", "+ self.m * 1000"))
    try:
        linear, join, start = (spins("spin", step) for step in ("fit", "join", "start"))
    finally:
        restore()

    assert "= 4020" in linear.out
    assert join.code == start.code == 0


def test_a_kept_task_is_a_run_of_its_own_and_nobodys_latest(program):
    kept = program(FLOW)
    kept.run("--tag", "mine")
    outcome = kept(
        "spin", "fit", "--persist", "--run-id-file", "id", "--runner-attribute-file", "facts"
    )

    assert outcome.code == 0, outcome.err
    assert "Kept as Spins/2/fit/1" in outcome.out
    assert (kept.directory / "id").read_text() == "2"
    facts = json.loads((kept.directory / "facts").read_text())
    assert (facts["run_id"], facts["step_name"], facts["task_id"]) == ("2", "fit", "1")
    run = kept.read("Spins/2")
    assert run.is_spin
    assert run.successful
    assert {"spin", "user:tester"} <= run.system_tags
    assert run.data.score == 21
    assert run.end_task.stdout.startswith("fitting 1 yes 2")
    assert kept.read("Spins").latest_run.id == "1"
    assert kept.read("Spins").latest_successful_run.id == "1"


def test_resume_and_spin_do_not_start_from_a_spin(program):
    kept = program(FLOW)
    kept.run()
    kept("spin", "fit", "--persist")

    assert "Ran with the inputs of Spins/1/fit/3" in kept("spin", "fit").err
    assert "run Spins/2 was made by spin" in kept("spin", "2/fit").err
    resumed = kept("resume")
    assert resumed.code == 0
    assert kept.read("Spins/3").origin_pathspec == "Spins/1"


@pytest.mark.parametrize("executor", ["inline", "spawn"])
def test_a_spin_is_local_whatever_the_executor(spins, executor):
    outcome = spins("--executor", executor, "spin", "fit")

    assert outcome.code == 0, outcome.err
    assert "= 21" in outcome.out
