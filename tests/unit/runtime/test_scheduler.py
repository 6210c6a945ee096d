"""The scheduler, one behaviour at a time, on small hand-made graphs."""

import pickle
import re
from dataclasses import replace

import pytest

from flowkit.enums import Cause, Status
from flowkit.exceptions import InternalError
from flowkit.graph.graph import Graph, Node, NodeType
from flowkit.model.manifest import ArtifactRef, Transition
from flowkit.model.tasks import AttemptError, Gang, TaskResult, TaskSpec
from flowkit.runtime.scheduler import FREE_RETRIES, Outcome, Scheduler, SchedulerPolicy

BOOM = AttemptError(Cause.EXCEPTION, "boom")
KILLED = AttemptError(Cause.SIGNAL, "killed by signal 9")
LOST = AttemptError(Cause.LOST, "the machine went away", is_charged=False)


def make_scheduler(*nodes: Node, **policy) -> Scheduler:
    graph = Graph("Demo", {node.name: node for node in nodes}, nodes[0].name, nodes[-1].name)
    return Scheduler(graph, flow="Demo", run_id="7", root="root", policy=SchedulerPolicy(**policy))


def linear(name: str, target: str) -> Node:
    return Node(name, NodeType.LINEAR, (target,))


def join(name: str, target: str) -> Node:
    return Node(name, NodeType.JOIN, (target,), is_join=True, num_args=2)


def foreach(name: str, target: str, matching_join: str) -> Node:
    return Node(name, NodeType.FOREACH, (target,), foreach="xs", matching_join=matching_join)


END = Node("end", NodeType.END)


def item(value: object) -> ArtifactRef:
    return ArtifactRef(f"digest of {value}", "pickle", "str", 1)


def done(spec: TaskSpec, *targets: str, **transition) -> TaskResult:
    taken = Transition(targets, **transition) if targets else None
    return TaskResult(spec, Status.SUCCEEDED, f"out{spec.task_id}", taken)


def each(spec: TaskSpec, target: str, *values: object) -> TaskResult:
    return done(spec, target, variable="xs", items=tuple(item(value) for value in values))


def gang(spec: TaskSpec, target: str, size: int) -> TaskResult:
    ranks = tuple(item(rank) for rank in range(size))
    return done(spec, target, items=ranks, num_parallel=size)


def start_gang(size: int, **policy) -> tuple[Scheduler, list[TaskSpec]]:
    control = Node(
        "start", NodeType.FOREACH, ("train",), has_num_parallel=True, matching_join="gather"
    )
    nodes = (control, linear("train", "gather"), join("gather", "end"), END)
    scheduler = make_scheduler(*nodes, **policy)
    return scheduler, scheduler.finished(gang(scheduler.start()[0], "train", size))


def failed(spec: TaskSpec, error: AttemptError = BOOM) -> TaskResult:
    return TaskResult(spec, Status.FAILED, error=error)


def steps(specs: list[TaskSpec]) -> list[str]:
    return [spec.step for spec in specs]


# --- ways through a graph -------------------------------------------------------------------------


def test_a_linear_run_hands_each_manifest_to_the_next_step():
    scheduler = make_scheduler(linear("start", "middle"), linear("middle", "end"), END)

    [start] = scheduler.start()
    [middle] = scheduler.finished(done(start, "middle"))
    [end] = scheduler.finished(done(middle, "end"))

    assert [start.pathspec, middle.pathspec, end.pathspec] == [
        "Demo/7/start/1",
        "Demo/7/middle/2",
        "Demo/7/end/3",
    ]
    assert [start.inputs, middle.inputs, end.inputs] == [(), ("out1",), ("out2",)]
    assert {spec.root for spec in (start, middle, end)} == {"root"}
    assert scheduler.outcome is None
    assert scheduler.finished(done(end)) == []
    assert scheduler.outcome == Outcome(Status.SUCCEEDED)


def test_the_ids_of_preceding_tasks_are_known_while_a_task_is_outstanding():
    scheduler = make_scheduler(linear("start", "end"), END)
    [start] = scheduler.start()

    assert scheduler.inputs_of(start.task_id) == ()
    [end] = scheduler.finished(done(start, "end"))
    assert scheduler.inputs_of(end.task_id) == (1,)
    with pytest.raises(InternalError, match="Demo/7/1 is not outstanding"):
        scheduler.inputs_of(start.task_id)


def test_a_static_join_gets_its_inputs_in_the_order_of_declaration():
    split = Node("start", NodeType.SPLIT, ("b", "a"), matching_join="both")
    scheduler = make_scheduler(
        split, linear("a", "both"), linear("b", "both"), join("both", "end"), END
    )

    [b, a] = scheduler.finished(done(scheduler.start()[0], "a", "b"))
    assert steps([b, a]) == ["b", "a"]
    assert scheduler.finished(done(a, "both")) == []
    [both] = scheduler.finished(done(b, "both"))

    assert both.is_join
    assert both.inputs == (f"out{b.task_id}", f"out{a.task_id}")
    assert scheduler.inputs_of(both.task_id) == (b.task_id, a.task_id)


def test_a_foreach_gives_each_child_its_frame_and_the_join_pops_it():
    scheduler = make_scheduler(
        foreach("start", "work", "gather"), linear("work", "gather"), join("gather", "end"), END
    )

    children = scheduler.finished(each(scheduler.start()[0], "work", "x", "y", "z"))
    assert [child.task_id for child in children] == [2, 3, 4]
    assert [child.key.frames[0].item for child in children] == [item("x"), item("y"), item("z")]
    frame = children[1].key.frames[0]
    assert (frame.step, frame.variable, frame.index, frame.num_splits) == ("start", "xs", 1, 3)

    results = [scheduler.finished(done(children[index], "gather")) for index in (2, 0, 1)]
    assert results[:2] == [[], []]
    [gather] = results[2]
    assert gather.inputs == ("out2", "out3", "out4")
    assert gather.key.frames == ()


def test_an_empty_foreach_goes_on_with_its_join_and_skips_what_lies_between():
    scheduler = make_scheduler(
        foreach("start", "inner", "outer_join"),
        foreach("inner", "work", "inner_join"),
        linear("work", "inner_join"),
        join("inner_join", "outer_join"),
        join("outer_join", "end"),
        END,
    )

    [gather] = scheduler.finished(each(scheduler.start()[0], "inner"))

    assert (gather.step, gather.inputs, gather.key.frames) == ("outer_join", (), ())
    assert scheduler.inputs_of(gather.task_id) == ()
    assert steps(scheduler.finished(done(gather, "end"))) == ["end"]


def test_an_empty_foreach_inside_a_foreach_keeps_the_frame_around_it():
    scheduler = make_scheduler(
        foreach("start", "inner", "outer_join"),
        foreach("inner", "work", "inner_join"),
        linear("work", "inner_join"),
        join("inner_join", "outer_join"),
        join("outer_join", "end"),
        END,
    )

    [first, second] = scheduler.finished(each(scheduler.start()[0], "inner", "x", "y"))
    [second_join] = scheduler.finished(each(second, "work"))
    assert second_join.step == "inner_join"
    assert second_join.key.frames == second.key.frames
    assert scheduler.finished(done(second_join, "outer_join")) == []
    [first_join] = scheduler.finished(each(first, "work"))
    [outer] = scheduler.finished(done(first_join, "outer_join"))

    assert scheduler.inputs_of(outer.task_id) == (first_join.task_id, second_join.task_id)


def test_a_gang_knows_its_ranks_size_and_control_task():
    _, members = start_gang(3)

    assert [member.task_id for member in members] == [2, 3, 4]
    assert [member.gang for member in members] == [Gang(rank, 3, 2) for rank in range(3)]
    assert [member.key.frames[0].index for member in members] == [0, 1, 2]
    assert members[0].key.frames[0].variable is None


def test_a_switch_goes_to_one_of_its_targets():
    switch = Node("start", NodeType.SWITCH, ("left", "right"), condition="kind")
    scheduler = make_scheduler(switch, linear("left", "end"), linear("right", "end"), END)

    [right] = scheduler.finished(done(scheduler.start()[0], "right"))

    assert right.step == "right"


def test_recursion_counts_iterations_and_the_next_step_starts_at_zero():
    switch = Node("start", NodeType.SWITCH, ("start", "end"), condition="more")
    scheduler = make_scheduler(switch, END)

    [first] = scheduler.start()
    [second] = scheduler.finished(done(first, "start"))
    [third] = scheduler.finished(done(second, "start"))
    [end] = scheduler.finished(done(third, "end"))

    assert [spec.key.iteration for spec in (first, second, third, end)] == [0, 1, 2, 0]
    assert [spec.task_id for spec in (first, second, third, end)] == [1, 2, 3, 4]


def test_a_cached_result_counts_as_success():
    scheduler = make_scheduler(linear("start", "end"), END)
    [start] = scheduler.start()

    [end] = scheduler.finished(replace(done(start, "end"), status=Status.CACHED))

    assert end.step == "end"


def test_a_spec_in_a_foreach_pickles_small():
    scheduler = make_scheduler(
        foreach("start", "work", "gather"), linear("work", "gather"), join("gather", "end"), END
    )

    [child] = scheduler.finished(each(scheduler.start()[0], "work", "x"))

    assert len(pickle.dumps(child, 5)) < 1000


# --- failures -------------------------------------------------------------------------------------


def test_a_failure_is_retried_under_the_same_id_until_the_attempts_are_used():
    scheduler = make_scheduler(linear("start", "end"), END, max_attempts={"start": 3})

    [spec] = scheduler.start()
    assert spec.max_attempts == 3
    for attempt in (1, 2):
        [spec] = scheduler.finished(failed(spec))
        assert (spec.task_id, spec.attempt) == (1, attempt)
    assert scheduler.finished(failed(spec)) == []

    assert scheduler.outcome is not None
    assert scheduler.outcome.status is Status.FAILED
    assert scheduler.outcome.failed == spec
    assert scheduler.outcome.error == BOOM


def test_failures_that_are_not_the_users_fault_do_not_use_up_attempts():
    scheduler = make_scheduler(linear("start", "end"), END, max_attempts={"start": 2})

    [spec] = scheduler.start()
    for _ in range(FREE_RETRIES):
        [spec] = scheduler.finished(failed(spec, LOST))
    [last] = scheduler.finished(failed(spec))

    assert last.attempt == FREE_RETRIES + 1
    assert last.attempt + 1 == last.max_attempts
    assert scheduler.finished(failed(last)) == []
    assert scheduler.outcome is not None


def test_free_retries_are_bounded():
    scheduler = make_scheduler(linear("start", "end"), END)

    [spec] = scheduler.start()
    for _ in range(FREE_RETRIES):
        [spec] = scheduler.finished(failed(spec, LOST))

    assert scheduler.finished(failed(spec, LOST)) == []
    assert scheduler.outcome is not None
    assert scheduler.outcome.error == LOST


@pytest.mark.parametrize(
    "error",
    [
        AttemptError(Cause.EXIT, "exit code 202", is_retryable=False),
        AttemptError(Cause.CANCELLED, "the run was stopped", is_charged=False),
    ],
    ids=["not retryable", "cancelled"],
)
def test_some_failures_are_never_retried(error):
    scheduler = make_scheduler(
        linear("start", "end"), END, max_attempts={"start": 5}, caught=frozenset({"start"})
    )

    assert scheduler.finished(failed(scheduler.start()[0], error)) == []
    assert scheduler.outcome is not None


def test_a_caught_step_whose_process_died_gets_one_fallback_attempt():
    scheduler = make_scheduler(
        linear("start", "end"), END, max_attempts={"start": 2}, caught=frozenset({"start"})
    )

    [spec] = scheduler.start()
    [spec] = scheduler.finished(failed(spec, KILLED))
    assert spec.fallback is None
    [spec] = scheduler.finished(failed(spec, KILLED))
    assert (spec.attempt, spec.fallback) == (2, KILLED)
    [end] = scheduler.finished(done(spec, "end"))

    assert end.fallback is None


def test_a_fallback_that_dies_too_ends_the_run():
    scheduler = make_scheduler(linear("start", "end"), END, caught=frozenset({"start"}))

    [fallback] = scheduler.finished(failed(scheduler.start()[0], KILLED))

    assert scheduler.finished(failed(fallback, KILLED)) == []
    assert scheduler.outcome is not None


def test_a_lost_fallback_is_retried_as_a_fallback():
    scheduler = make_scheduler(linear("start", "end"), END, caught=frozenset({"start"}))

    [fallback] = scheduler.finished(failed(scheduler.start()[0], KILLED))
    [again] = scheduler.finished(failed(fallback, LOST))

    assert again.fallback == KILLED
    assert scheduler.finished(failed(again, KILLED)) == []


def test_an_exception_that_escapes_catch_gets_no_fallback():
    scheduler = make_scheduler(linear("start", "end"), END, caught=frozenset({"start"}))

    assert scheduler.finished(failed(scheduler.start()[0], BOOM)) == []


def test_after_a_terminal_failure_other_results_are_accepted_and_change_nothing():
    scheduler = make_scheduler(
        foreach("start", "work", "gather"),
        linear("work", "gather"),
        join("gather", "end"),
        END,
        max_attempts={"work": 2},
    )
    [a, b, c] = scheduler.finished(each(scheduler.start()[0], "work", 1, 2, 3))
    stop = AttemptError(Cause.EXIT, "exit code 202", is_retryable=False)

    assert scheduler.finished(failed(a, stop)) == []
    outcome = scheduler.outcome
    assert scheduler.finished(done(b, "gather")) == []
    assert scheduler.finished(failed(c)) == []

    assert outcome is not None
    assert outcome.failed == a
    assert scheduler.outcome is outcome


# --- transitions that the graph does not know -----------------------------------------------------

WORK = (linear("work", "gather"), join("gather", "end"), END)
SWITCH = Node("start", NodeType.SWITCH, ("work", "end"), condition="kind")
GANG = Node("start", NodeType.FOREACH, ("work",), has_num_parallel=True, matching_join="gather")


@pytest.mark.parametrize(
    ("first", "taken", "words"),
    [
        (linear("start", "work"), Transition(("end",)), "to transition to 'work', but .* 'end'"),
        (linear("start", "work"), Transition(("work", "end")), "but .* 'work', 'end'"),
        (linear("start", "work"), None, "it did not call self.next"),
        (linear("start", "work"), Transition(("work",), "xs", ()), "'work', but .* with foreach"),
        (SWITCH, Transition(("gather",)), "one of 'work', 'end', but it transitioned to 'gather'"),
        (SWITCH, Transition(("work", "end")), "one of 'work', 'end', but"),
        (foreach("start", "work", "gather"), Transition(("work",)), "'work' with foreach, but"),
        (foreach("start", "work", "gather"), Transition(("end",), "xs", ()), "'work' with foreach"),
        (GANG, Transition(("work",), "xs", (item(1),)), "'work' with num_parallel, but .* foreach"),
        (linear("start", "work"), Transition(("work",), None, (item(0),), 1), "with num_parallel"),
        (GANG, Transition(("work",), num_parallel=1), "'work' with num_parallel"),
    ],
)
def test_a_transition_that_differs_from_the_graph_fails_the_run(first, taken, words):
    scheduler = make_scheduler(first, *WORK, max_attempts={"start": 5})
    [start] = scheduler.start()

    assert scheduler.finished(TaskResult(start, Status.SUCCEEDED, "out", taken)) == []

    outcome = scheduler.outcome
    assert outcome is not None
    assert (outcome.status, outcome.failed) == (Status.FAILED, start)
    assert outcome.error is not None
    assert outcome.error.cause is Cause.TRANSITION
    assert outcome.error.message.startswith(
        "Based on static analysis of the code, step 'start' was expected to transition to "
    )
    assert re.search(words, outcome.error.message)


def test_the_end_step_may_not_go_on():
    scheduler = make_scheduler(linear("start", "end"), END)
    [end] = scheduler.finished(done(scheduler.start()[0], "end"))

    assert scheduler.finished(done(end, "start")) == []
    assert scheduler.outcome is not None
    assert scheduler.outcome.error is not None
    assert "'end' was expected to end the run, but" in scheduler.outcome.error.message


@pytest.mark.parametrize(
    ("first", "taken", "words"),
    [
        (GANG, Transition(("work",), None, (item(0), item(1), item(2)), 3), "--max-num-splits"),
        (GANG, Transition(("work",), None, (), 0), "num_parallel of step 'start' must be at"),
        (
            foreach("start", "work", "gather"),
            Transition(("work",), "xs", (item(1), item(2), item(3))),
            "has 3 items, but at most 2 are allowed: raise the limit with --max-num-splits",
        ),
    ],
    ids=["large gang", "empty gang", "large foreach"],
)
def test_a_fan_out_of_a_forbidden_size_fails_the_run(first, taken, words):
    scheduler = make_scheduler(first, *WORK, max_num_splits=2)
    [start] = scheduler.start()

    assert scheduler.finished(TaskResult(start, Status.SUCCEEDED, "out", taken)) == []
    assert scheduler.outcome is not None
    assert scheduler.outcome.error is not None
    assert words in scheduler.outcome.error.message


def test_a_foreach_of_exactly_the_allowed_size_runs():
    scheduler = make_scheduler(foreach("start", "work", "gather"), *WORK, max_num_splits=2)

    assert len(scheduler.finished(each(scheduler.start()[0], "work", 1, 2))) == 2


# --- misuse ---------------------------------------------------------------------------------------


def test_a_scheduler_starts_once():
    scheduler = make_scheduler(linear("start", "end"), END)
    scheduler.start()

    with pytest.raises(InternalError, match="Demo/7 was started twice"):
        scheduler.start()


def test_a_result_counts_once():
    scheduler = make_scheduler(linear("start", "end"), END)
    [start] = scheduler.start()
    scheduler.finished(done(start, "end"))

    with pytest.raises(InternalError, match="attempt 0 of Demo/7/start/1 has ended, but it was"):
        scheduler.finished(done(start, "end"))


def test_a_late_result_of_an_earlier_attempt_is_refused():
    scheduler = make_scheduler(linear("start", "end"), END, max_attempts={"start": 2})
    [start] = scheduler.start()
    [again] = scheduler.finished(failed(start))

    with pytest.raises(InternalError, match="attempt 0"):
        scheduler.finished(failed(start))
    assert steps(scheduler.finished(done(again, "end"))) == ["end"]


@pytest.mark.parametrize("status", [Status.FAILED, Status.SUCCEEDED])
def test_a_result_that_contradicts_itself_is_refused(status):
    scheduler = make_scheduler(linear("start", "end"), END)
    [start] = scheduler.start()

    with pytest.raises(InternalError, match="without"):
        scheduler.finished(TaskResult(start, status, next=Transition(("end",))))


def test_a_graph_that_breaks_the_rules_is_a_bug_and_never_a_hang():
    stray_join = make_scheduler(linear("start", "gather"), join("gather", "end"), END)
    with pytest.raises(InternalError, match="join 'gather' outside any split"):
        stray_join.finished(done(stray_join.start()[0], "gather"))

    no_join = make_scheduler(replace(foreach("start", "work", ""), matching_join=None), *WORK)
    with pytest.raises(InternalError, match="'start' of flow 'Demo' has no matching join"):
        no_join.finished(each(no_join.start()[0], "work"))

    unjoined = make_scheduler(foreach("start", "end", "end"), END)
    [end] = unjoined.finished(each(unjoined.start()[0], "end", "x"))
    with pytest.raises(InternalError, match="Demo/7/end/2 ended the run inside a split"):
        unjoined.finished(done(end))


# --- gangs that fail ------------------------------------------------------------------------------


def attempts(specs: list[TaskSpec]) -> list[tuple[int, int, int]]:
    return [(spec.task_id, spec.attempt, spec.max_attempts) for spec in specs]


def test_a_failed_member_starts_its_whole_gang_again():
    scheduler, (first, second, third) = start_gang(3, max_attempts={"train": 3})

    assert scheduler.finished(done(first, "gather")) == []
    again = scheduler.finished(failed(second))

    assert attempts(again) == [(2, 1, 3), (3, 1, 3), (4, 1, 3)]
    assert [scheduler.inputs_of(spec.task_id) for spec in again] == [(1,), (1,), (1,)]
    assert scheduler.finished(failed(third)) == []
    assert scheduler.outcome is None


def test_a_join_gets_what_the_members_of_one_start_have_made():
    scheduler, (first, second) = start_gang(2, max_attempts={"train": 2})
    scheduler.finished(done(first, "gather"))
    first, second = scheduler.finished(failed(second))

    assert scheduler.finished(done(second, "gather")) == []
    [gather] = scheduler.finished(replace(done(first, "gather"), manifest="the second start's"))
    assert gather.inputs == ("the second start's", "out3")


def test_a_gang_has_the_attempts_of_one_task():
    scheduler, members = start_gang(2, max_attempts={"train": 2})

    [_, second] = scheduler.finished(failed(members[0]))

    assert scheduler.finished(failed(second)) == []
    assert scheduler.outcome == Outcome(Status.FAILED, second, BOOM)


def test_a_lost_member_starts_its_gang_again_without_charge():
    scheduler, [first, _] = start_gang(2)

    again = scheduler.finished(failed(first, LOST))

    assert attempts(again) == [(2, 1, 2), (3, 1, 2)]


def test_a_caught_failure_is_handled_by_the_failed_member_alone():
    scheduler, [first, second] = start_gang(2, caught=frozenset({"train"}))

    [handler] = scheduler.finished(failed(first, KILLED))
    assert (handler.task_id, handler.fallback) == (2, KILLED)
    assert scheduler.finished(done(handler, "gather")) == []
    again = scheduler.finished(failed(second, LOST))
    assert attempts(again) == [(2, 2, 3), (3, 2, 3)]
    assert {spec.fallback for spec in again} == {None}
