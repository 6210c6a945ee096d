"""Custom decorators, mutators and ``--with``, through the real command line."""

import pytest

WRAPPED = """
    from flowkit import USER_SKIP_STEP, StepDecorator, UserStepDecorator, user_step_decorator


    class plain(StepDecorator):
        def wrap(self, call, task):
            print("plain in", task.step_name)
            call()
            print("plain out", task.step_name)


    @user_step_decorator
    def loud(step_name, flow, inputs, attributes):
        print("before", step_name, attributes.get("word"))
        yield
        print("after", step_name)


    @user_step_decorator
    def forgiving(step_name, flow, inputs):
        try:
            yield
        except ValueError as error:
            flow.forgiven = str(error)


    @user_step_decorator
    def skipping(step_name, flow, inputs):
        flow.skipped = step_name
        yield USER_SKIP_STEP


    class filling(UserStepDecorator):
        def pre_step(self, step_name, flow, inputs=None):
            self.skip_step = {"foreach": "others"}
            flow.others = ["x", "y"]


    def instead(flow, inputs):
        flow.total = sorted(one.item for one in inputs)
        return True


    @user_step_decorator
    def replaced(step_name, flow, inputs):
        yield instead


    class Wrapped(FlowSpec):
        @loud(word="hi")
        @plain
        @step
        def start(self):
            self.kind = "b"
            self.next(self.fails)

        @forgiving
        @catch(var="failure")
        @step
        def fails(self):
            raise ValueError("no")
            self.next(self.switch)

        @skipping
        @step
        def switch(self):
            self.next({"a": self.end, "b": self.split}, condition="kind")

        @filling
        @step
        def split(self):
            self.items = [1]
            self.next(self.work, foreach="items")

        @step
        def work(self):
            self.item = self.input
            self.next(self.join)

        @replaced
        @step
        def join(self, inputs):
            self.next(self.end)

        @skipping
        @step
        def end(self):
            raise ValueError("never runs")
"""


@pytest.mark.parametrize("executor", ["local", "spawn"])
def test_user_decorators_wrap_replace_and_skip_steps(program, executor):
    outcome, run = program(WRAPPED).run(FLOWKIT_EXECUTOR=executor)

    assert outcome.lines[:4] == [
        "plain in start",
        "before start hi",
        "after start",
        "plain out start",
    ]
    fails = run["fails"].task
    assert (fails.data.forgiven, fails.data.failure, fails.successful) == ("no", None, True)
    assert run["switch"].task.data.skipped == "switch"
    assert [task.data.item for task in run["work"]] == ["y", "x"]
    assert run["join"].task.data.total == ["x", "y"]
    assert run["end"].task.data.skipped == "end"


def test_a_replacement_that_goes_nowhere_fails_the_step(program):
    flow = program("""
        from flowkit import user_step_decorator


        @user_step_decorator
        def lost(step_name, flow, inputs):
            yield lambda flow: None


        class Lost(FlowSpec):
            @lost
            @step
            def start(self):
                self.next(self.end)

            @step
            def end(self):
                pass
    """)

    outcome = flow("run")

    assert outcome.code == 1
    assert "step 'start' ended without calling self.next()" in outcome.out + outcome.err


MUTATED = """
    from flowkit import Config, FlowMutator, StepMutator


    class sized(FlowMutator):
        def pre_mutate(self, mutable_flow):
            mutable_flow.add_parameter("size", Parameter("size", default=mutable_flow.cfg.size))
            mutable_flow.remove_parameter("gone")
            for name, one in mutable_flow.steps:
                one.add_decorator("environment", deco_kwargs={"vars": {"STEP": name}})

        def mutate(self, mutable_flow):
            mutable_flow.end.remove_decorator("retry")


    class patient(StepMutator):
        def mutate(self, mutable_step):
            once = {"times": 1, "minutes_between_retries": 0}
            mutable_step.add_decorator(
                retry, deco_kwargs=once, duplicates=mutable_step.OVERRIDE
            )


    @sized
    class Mutated(FlowSpec):
        cfg = Config("cfg", default_value={"size": 2})
        gone = Parameter("gone")

        @patient
        @step
        def start(self):
            import os

            self.step_name = os.environ["STEP"]
            self.doubled = 2 * self.size
            if current.retry_count == 0:
                raise ValueError("once more")
            try:
                self.size = 5
            except AttributeError as error:
                self.error = str(error)
            self.next(self.end)

        @step
        def end(self):
            import os

            self.step_name = os.environ["STEP"]
"""


@pytest.mark.parametrize("executor", ["local", "inline", "spawn"])
def test_mutators_change_parameters_and_decorators_in_every_process(program, executor):
    flow = program(MUTATED)

    _, run = flow.run("--size", "4", "--with", "retry:times=2", FLOWKIT_EXECUTOR=executor)

    start, end = run["start"].task, run["end"].task
    assert (start.data.step_name, end.data.step_name) == ("start", "end")
    assert (start.data.doubled, start.current_attempt) == (8, 1)
    assert "not modifiable" in start.data.error
    assert end.data.size == 4
    options = flow("run", "--help").out
    assert "--size" in options
    assert "--gone" not in options


FAILING = """
    from dataclasses import dataclass
    from flowkit import StepDecorator


    @dataclass(frozen=True, kw_only=True)
    class shouting(StepDecorator):
        word: str = "hey"

        def wrap(self, call, task):
            print(self.word, task.step_name)
            call()


    class Failing(FlowSpec):
        @step
        def start(self):
            if current.retry_count < 1:
                raise ValueError("once more")
            self.next(self.end)

        @shouting(word="own")
        @step
        def end(self):
            pass
"""
RETRY = "retry:times=1,minutes_between_retries=0"


@pytest.mark.parametrize("executor", ["local", "spawn"])
def test_with_adds_decorators_to_the_steps_that_lack_them(program, executor):
    flow = program(FAILING)

    top = flow("--with", RETRY, "--with", "shouting:word=a", "run", FLOWKIT_EXECUTOR=executor)
    both = flow("--with", RETRY, "run", "--with", "shouting", FLOWKIT_EXECUTOR=executor)

    assert (top.code, top.lines.count("a start"), top.lines.count("own end")) == (0, 2, 1)
    assert (both.code, both.lines.count("hey start"), both.lines.count("own end")) == (0, 2, 1)


def test_the_setting_adds_decorators_after_those_of_the_command_line(program):
    flow = program(FAILING)

    alone = flow("run", FLOWKIT_DECOSPECS=f"{RETRY} shouting:word=b")
    below = flow("run", "--with", "shouting:word=c", FLOWKIT_DECOSPECS=f"{RETRY} shouting:word=b")

    assert (alone.code, alone.lines.count("b start")) == (0, 2)
    assert (below.code, below.lines.count("c start"), below.lines.count("b start")) == (0, 2, 0)


def test_resume_takes_with_as_well(program):
    flow = program(FAILING)
    assert flow("run").code == 1

    assert flow("resume", "--with", RETRY).code == 0


def test_an_unknown_decorator_lists_the_others(program):
    for arguments in (["--with", "nope", "run"], ["run", "--with", "nope"]):
        outcome = program(FAILING)(*arguments)

        assert outcome.code == 1
        assert (
            "Unknown step decorator nope. The following decorators are supported: "
            "catch, environment, parallel, resources, retry, secrets, shouting, timeout"
        ) in outcome.err
