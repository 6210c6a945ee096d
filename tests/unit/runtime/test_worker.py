"""One attempt: what its result says after success, exceptions, exits and wrong transitions."""

import sys
from dataclasses import dataclass

import pytest

from flowkit import (
    FlowSpec,
    Parameter,
    StepDecorator,
    catch,
    current,
    parallel,
    resources,
    retry,
    step,
)
from flowkit.enums import Cause, Status
from flowkit.runtime.root import RunFacts


def fail(error):
    """Raise an error where what follows is to count as reachable."""
    raise error


class Plain(FlowSpec):
    """Base of flows with two steps; subclasses say what happens in the first."""

    def body(self):
        pass

    @step
    def start(self):
        self.before = 1
        self.body()
        self.next(self.end)

    @step
    def end(self):
        pass


def test_a_single_step_may_be_a_whole_flow(play):
    class Single(FlowSpec):
        @step
        def only(self):
            self.x = 1

    run = play(Single)

    assert run.steps == ["only"]
    assert run.outcome.status is Status.SUCCEEDED
    assert run.values("only") == {"x": 1}


def test_start_and_end_may_have_other_names(play):
    class Named(FlowSpec):
        @step(end=True)
        def last(self):
            pass

        @step(start=True)
        def first(self):
            self.next(self.last)

    assert play(Named).steps == ["first", "last"]


# --- failures -------------------------------------------------------------------------------------


def test_what_was_set_before_an_exception_is_kept(play, capsys):
    class Flow(Plain):
        def body(self):
            self.x = [1]
            self.x.append(2)
            raise ValueError("bad *luck*")

    run = play(Flow)

    result = run.of("start")
    assert result.status is Status.FAILED
    assert result.next is None
    assert (result.error.cause, result.error.type) == (Cause.EXCEPTION, "builtins.ValueError")
    assert result.error.message == "bad *luck*"
    assert run.values("start") == {"before": 1, "x": [1, 2]}
    assert run.steps == ["start"]
    printed = capsys.readouterr().err
    assert printed.startswith("<flow Flow step start> failed:\nTraceback (most recent call last):")
    assert printed.endswith("ValueError: bad *luck*\n")
    assert "flowkit/" not in printed


def test_the_exception_is_an_artifact_of_the_failed_attempt(play):
    class Flow(Plain):
        def body(self):
            raise ValueError("bad")

    run = play(Flow)

    wrapped = run.store.load(run.manifest("start").artifacts["_exception"])
    assert (wrapped.exception, wrapped.type) == ("bad", "builtins.ValueError")
    assert 'raise ValueError("bad")' in str(wrapped)


class Silent(BaseException):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), GeneratorExit(), Silent(), ExceptionGroup("two", [ValueError()])],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_step_raises_is_a_failed_attempt(play, error):
    class Flow(Plain):
        def body(self):
            raise error

    result = play(Flow).of("start")

    assert result.status is Status.FAILED
    assert result.error.type.endswith(type(error).__qualname__)


@pytest.mark.parametrize(
    ("code", "status"), [(None, "failed"), (0, "failed"), (3, "failed"), ("why", "failed")]
)
def test_an_exit_before_the_transition_is_a_failure(play, code, status):
    class Flow(Plain):
        def body(self):
            sys.exit(code)

    run = play(Flow)

    assert run.of("start").status == status
    assert run.error.cause is Cause.EXIT
    assert run.values("start") == {"before": 1}


@pytest.mark.parametrize(("code", "status"), [(0, "succeeded"), (None, "succeeded"), (1, "failed")])
def test_an_exit_after_the_transition_counts_by_its_code(play, code, status):
    class Flow(FlowSpec):
        @step
        def start(self):
            if self.name:
                self.next(self.end)
                sys.exit(code)
            self.next(self.end)

        @step
        def end(self):
            pass

    assert play(Flow).outcome.status == status


def test_an_exit_with_zero_ends_the_last_step_well(play):
    class Flow(FlowSpec):
        @step
        def start(self):
            self.x = 1
            sys.exit(0)

    assert play(Flow).outcome.status is Status.SUCCEEDED


# --- transitions ----------------------------------------------------------------------------------


def transition_error(play, body, **keywords):
    class Flow(FlowSpec):
        @step
        def start(self):
            body(self)
            if self.name == "":
                self.next(self.other)
            self.next(self.end)

        @step
        def end(self):
            pass

        def helper(self):
            pass

    error = play(Flow, **keywords).error
    assert error.cause is Cause.TRANSITION
    return error.message


def test_a_step_must_go_on_once(play):
    assert "calls self.next() twice" in transition_error(play, lambda s: s.next(s.end))


def test_a_step_that_returns_early_has_not_gone_on(play):
    class Flow(FlowSpec):
        @step
        def start(self):
            if self.name:
                return
            self.next(self.end)

        @step
        def end(self):
            pass

    error = play(Flow).error
    assert error.cause is Cause.TRANSITION
    assert "step 'start' ended without calling self.next()" in error.message


def test_a_step_that_goes_elsewhere_than_its_source_says_fails(play):
    class Flow(FlowSpec):
        @step
        def start(self):
            if self.name:
                self.next(self.end)
                return
            self.next(self.middle)

        @step
        def middle(self):
            self.next(self.end)

        @step
        def end(self):
            pass

    error = play(Flow).error
    assert error.message.startswith("Based on static analysis of the code, step 'start' was expec")
    assert "to transition to 'middle', but it transitioned to 'end'" in error.message


def test_the_last_step_can_not_go_on(play):
    class Flow(FlowSpec):
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            if self.name:
                self.next(self.start)

    assert "'end' is the last one and can't call self.next()" in play(Flow).error.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (lambda flow: flow.next(flow.helper), "'helper' in self.next() is not a step"),
        (lambda flow: flow.next(flow.end, for_each="x"), "no keyword 'for_each'"),
        (
            lambda flow: flow.next(flow.end, foreach="nope"),
            "foreach variable self.nope does not ex",
        ),
        (
            lambda flow: flow.next(flow.end, foreach="name_size"),
            "is not iterable: it is of type int",
        ),
        (lambda flow: flow.next({1: flow.end}, condition="nope"), "self.nope does not exist"),
        (
            lambda flow: flow.next({1: flow.end}, condition="name"),
            "not in the available cases: [1]",
        ),
    ],
)
def test_wrong_transitions_name_what_is_wrong(play, body, message):
    def both(flow):
        flow.name_size = 3
        body(flow)

    assert message in transition_error(play, both)


def test_too_many_splits_fail_with_a_hint(play):
    class Flow(FlowSpec):
        @step
        def start(self):
            self.xs = range(4)
            self.next(self.each, foreach="xs")

        @step
        def each(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass

    run = play(Flow, max_num_splits=3)

    assert "has 4 items, but at most 3 are allowed" in run.error.message
    assert "--max-num-splits" in run.error.message
    assert play(Flow, max_num_splits=4).outcome.status is Status.SUCCEEDED


def test_a_reserved_name_or_a_step_can_not_be_assigned_and_the_line_is_shown(play, capsys):
    class Flow(Plain):
        def body(self):
            self.end = 5  # type: ignore[method-assign, assignment]

    error = play(Flow).error

    assert error.message == "can't set 'end': it is a step of this flow"
    assert "self.end = 5" in capsys.readouterr().err


# --- decorators -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class noting(StepDecorator):  # noqa: N801 - as users write decorators
    word: str = ""
    allow_multiple = True

    def wrap(self, call, task):
        task.flow.words = [*getattr(task.flow, "words", []), f"{self.word} before"]
        call()
        task.flow.words += [f"{self.word} after"]


def test_wrappers_nest_with_the_outermost_on_top(play):
    class Flow(FlowSpec):
        @noting(word="outer")
        @noting(word="inner")
        @step
        def start(self):
            self.words += ["step"]

    words = play(Flow).values("start")["words"]
    assert words == ["outer before", "inner before", "step", "inner after", "outer after"]


@dataclass(frozen=True)
class skipping(StepDecorator):  # noqa: N801 - as users write decorators
    def wrap(self, call, task):
        pass


def test_a_wrapper_that_does_not_call_the_step_leaves_it_without_transition(play):
    class Flow(FlowSpec):
        @skipping
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass

    assert "ended without calling self.next()" in play(Flow).error.message


def test_catch_keeps_the_failure_and_the_flow_goes_on(play, capsys):
    class Flow(FlowSpec):
        @catch(var="failure")
        @step
        def start(self):
            self.x = 1
            fail(ValueError("bad"))
            self.next(self.end)

        @catch(var="other")
        @step
        def end(self):
            self.seen = self.failure.type

    run = play(Flow)

    assert run.outcome.status is Status.SUCCEEDED
    values = run.values("end")
    assert (values["x"], values["seen"], values["other"]) == (1, "builtins.ValueError", None)
    assert values["failure"].exception == "bad"
    assert run.of("start").error.message == "bad"
    assert run.of("end").error is None
    printed = capsys.readouterr().err
    assert printed.startswith(
        "@catch caught an exception from <flow Flow step start>\n>  Traceback"
    )


def test_catch_waits_for_the_last_attempt_and_discards_a_wrong_transition(play):
    class Flow(FlowSpec):
        @catch(var="failure", print_exception=False)
        @retry(times=2, minutes_between_retries=0)
        @step
        def start(self):
            self.attempt = current.retry_count
            self.next(self.end)
            fail(ValueError(self.attempt))
            self.next(self.end)

        @step
        def end(self):
            pass

    run = play(Flow)

    assert run.steps == ["start", "start", "start", "end"]
    assert [result.status.value for result in run.results[:3]] == ["failed", "failed", "succeeded"]
    assert run.values("end")["failure"].exception == "2"


def test_retry_gives_up_on_what_it_does_not_cover(play):
    class Flow(FlowSpec):
        @retry(times=2, on=[KeyError])
        @step
        def start(self):
            raise (KeyError, ValueError)[current.retry_count]("x")

    run = play(Flow)

    assert run.steps == ["start", "start"]
    assert run.error.type == "builtins.ValueError"
    assert not run.error.is_retryable


def test_exit_202_is_not_tried_again(play):
    class Flow(FlowSpec):
        @retry(times=3)
        @step
        def start(self):
            sys.exit(202)

    run = play(Flow)

    assert run.steps == ["start"]
    assert not run.error.is_retryable


# --- current --------------------------------------------------------------------------------------


FACTS = {
    "flow_name": "Flow",
    "run_id": "1",
    "step_name": "start",
    "task_id": "1",
    "pathspec": "Flow/1/start/1",
    "retry_count": 0,
    "origin_run_id": None,
    "namespace": "user:ada",
    "username": "ada",
    "tags": {"a", "b"},
    "parameter_names": ("alpha",),
    "tempdir": "scratch",
    "is_running_flow": True,
    "is_parallel": False,
}


def test_current_speaks_of_the_task(play):
    class Flow(FlowSpec):
        alpha = Parameter("al-pha")

        @step
        def start(self):
            self.facts = {name: getattr(current, name) for name in FACTS}
            self.graph = current.graph
            self.next(self.end)

        @step
        def end(self):
            self.ended = current.pathspec

    facts = RunFacts("ada", ("b", "a"), "user:ada", "scratch")
    values = play(Flow, facts=facts, alpha=1).values("end")

    assert values["facts"] == FACTS
    assert values["graph"]["start_step"] == "start"
    assert values["ended"] == "Flow/1/end/2"
    assert not current.is_running_flow


def test_the_tasks_of_a_gang_know_their_places(play):
    class Flow(FlowSpec):
        @step
        def start(self):
            self.next(self.train, num_parallel=3)

        @parallel
        @resources(cpu=1)
        @step
        def train(self):
            self.place = (*current.parallel, current.is_parallel, self.input)
            self.next(self.join)

        @step
        def join(self, inputs):
            self.places = [entry.place for entry in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass

    places = play(Flow).values("end")["places"]

    assert [place[1:3] for place in places] == [(3, 0), (3, 1), (3, 2)]
    assert {place[3] for place in places} == {"2"}
    assert [place[4:] for place in places] == [(True, 0), (True, 1), (True, 2)]


# --- the store ------------------------------------------------------------------------------------


def test_a_result_is_small_and_without_values(play):
    class Flow(Plain):
        def body(self):
            self.x = "x" * 1000

    result = play(Flow).of("start")

    assert result.written.keys() == {"before", "x"}
    assert all(ref.inline is None for ref in result.written.values())
