import pytest

from flowkit.graph.build import build_graph
from flowkit.graph.problems import Problem
from flowkit.graph.rules import check

CLASS = 9
"""Line of the class statement in the files that the fixtures write."""


def found(flow):
    """The problems without the file: (rule, step, line, message)."""
    return [(one.rule, one.step, one.line, one.message) for one in check(build_graph(flow))]


def only(flow):
    """The one problem there is."""
    (problem,) = found(flow)
    return problem


def test_a_sound_flow_has_no_problems(steps):
    assert found(steps(start="self.next(self.end)", end="")) == []


@pytest.mark.parametrize("name", ["Größe", "F" * 129])
def test_a_flow_has_a_name_that_pathspecs_can_hold(flow_file, name):
    source = """
from flowkit.authoring.steps import step
class {name}:
    @step
    def start(self): self.next(self.end)
    @step
    def end(self): pass
F = {name}
"""
    rule, step, line, message = only(flow_file(source.format(name=name)))

    assert (rule, step, line) == ("flow-name", "", 3)
    assert f"this name: '{name}' is not a valid name: use letters, digits and _" in message


@pytest.mark.parametrize("name", ["name", "next", "input", "index", "cmd"])
def test_a_step_may_not_have_a_reserved_name(steps, line_of, name):
    flow = steps(start=f"self.next(self.{name})", **{name: "self.next(self.end)"}, end="")
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("reserved-word", name, line_of(1))
    assert f"step name '{name}' is a reserved word" in message


@pytest.mark.parametrize("word", ["start", "end"])
def test_a_flow_without_a_first_or_last_step_is_reported_at_its_class(steps, word):
    tails = {"start": "self.next(self.a)", "a": "self.next(self.end)", "end": ""}
    other = "self.next(self.b)" if word == "end" else tails["a"]
    flow = steps(
        **{name: tail for name, tail in tails.items() if name not in (word, "a")},
        a=other,
        b="self.next(self.a)",
    )
    problems = [one for one in found(flow) if one[0] == "endpoints"]

    assert [(step, line) for _, step, line, _ in problems] == [("", CLASS)]
    assert f"flow 'F' must have exactly one {word} step: name it '{word}'" in problems[0][3]


def test_a_flow_without_steps_lacks_both_ends(steps):
    assert [(rule, line) for rule, _, line, _ in found(steps())] == [("endpoints", CLASS)] * 2


def test_several_marked_steps_are_listed(flow):
    problem = only(
        flow("""
        @step(start=True)
        def one(self): self.next(self.last)
        @step(start=True)
        def two(self): self.next(self.last)
        @step(end=True)
        def last(self): pass
    """)
    )

    assert problem[:3] == ("endpoints", "two", 13)
    assert "must have exactly one start step, but these" in problem[3]
    assert "one, two" in problem[3]


def test_a_mark_and_a_name_may_not_contradict(flow):
    rule, step, line, message = only(
        flow("""
        @step(start=True)
        def first(self): self.next(self.start)
        @step
        def start(self): self.next(self.end)
        @step
        def end(self): pass
    """)
    )

    assert (rule, step, line) == ("ambiguous-endpoint", "first", 11)
    assert "ambiguous" in message
    assert "'start'" in message


def test_nothing_leads_to_the_first_step(steps, line_of):
    flow = steps(
        start="self.next({'x': self.start, 'y': self.end}, condition='kind')",
        end="",
    )
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("start-step", "start", line_of(0))
    assert "no step may lead to it" in message


def test_the_last_step_goes_nowhere(steps, line_of):
    flow = steps(start="self.next(self.end)", end="self.next(self.nothing(), 1)")
    problems = found(flow)

    assert problems[0][:3] == ("end-step", "end", line_of(1) + 1)
    assert "must not have a self.next()" in problems[0][3]


def test_the_last_step_is_no_join(steps, line_of):
    flow = steps(
        start="self.next(self.a, self.b)",
        a="self.next(self.end)",
        b="self.next(self.end)",
        end__join="",
    )
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("end-step", "end", line_of(3))
    assert "should not be a join step" in message
    assert "Add a join step before it" in message


@pytest.mark.parametrize("name", ["camelCase", "_private", "größe", "A"])
def test_names_are_lower_case(steps, line_of, name):
    flow = steps(start=f"self.next(self.{name})", **{name: "self.next(self.end)"}, end="")
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("step-name", name, line_of(1))
    assert "invalid name" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [("", "is missing the 'self' argument"), ("self, a, b", "too many arguments (3)")],
)
def test_a_step_takes_self_and_perhaps_inputs(flow, arguments, words):
    rule, step, line, message = only(
        flow(f"""
        @step
        def start(self): self.next(self.a)
        @step
        def a({arguments}): self.next(self.end)
        @step
        def end(self): pass
    """)
    )

    assert (rule, step, line) == ("arguments", "a", 13)
    assert words in message


@pytest.mark.parametrize(
    "tail",
    [
        "self.next(self.c, self.d)",
        "self.next(self.c, foreach='xs')",
        "self.next({'x': self.c, 'y': self.d}, condition='kind')",
    ],
)
def test_a_join_is_not_a_split_at_the_same_time(steps, line_of, tail):
    flow = steps(
        start="self.next(self.a, self.b)",
        a="self.next(self.j)",
        b="self.next(self.j)",
        j__join=tail,
        c="self.next(self.end)",
        d="self.next(self.end)",
        end="",
    )
    problem = next(one for one in found(flow) if one[0] == "arguments")

    assert problem[1:3] == ("j", line_of(3))
    assert "both a join step" in problem[3]
    assert "and a split step" in problem[3]


def test_a_step_without_next_is_reported_at_its_last_statement(steps, line_of):
    flow = steps(start="self.next(self.a)", a="if True: self.next(self.end)", end="")
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("missing-next", "a", line_of(1) + 1)
    assert "step 'a' is missing a self.next() transition" in message


def test_a_join_without_next_is_only_that(steps, line_of):
    flow = steps(
        start="self.next(self.a, self.b)",
        a="self.next(self.j)",
        b="self.next(self.j)",
        j__join="",
        end="",
    )

    assert only(flow)[:3] == ("missing-next", "j", line_of(3) + 1)


def test_an_unreadable_next_lists_the_forms(steps, line_of):
    flow = steps(start="self.next(self.end, foreach=1)", end="")
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("invalid-next", "start", line_of(0) + 1)
    for word in ("self.next(self.a, self.b)", "foreach=", "num_parallel=", "condition="):
        assert word in message


def test_a_target_must_be_a_step(steps, line_of):
    flow = steps(start="self.next(self.a, self.oops)", a="self.next(self.end)", end="")
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("unknown-step", "start", line_of(0) + 1)
    assert "to an unknown step 'oops'" in message


def test_a_loop_is_shown(steps, line_of):
    flow = steps(
        start="self.next(self.a)",
        a="self.next(self.b)",
        b="self.next({'x': self.a, 'y': self.end}, condition='kind')",
        end="",
    )
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("loop", "b", line_of(2) + 1)
    assert "There is a loop in your flow: a->b->a" in message


def test_a_step_that_is_no_switch_may_not_lead_to_itself(steps, line_of):
    flow = steps(start="self.next(self.a)", a="self.next(self.a, self.end)", end="")
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("loop", "a", line_of(1) + 1)
    assert "a->a" in message


def test_a_step_that_nothing_leads_to_is_unreachable(steps, line_of):
    flow = steps(start="self.next(self.end)", lost="self.next(self.end)", end="")
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("unreachable", "lost", line_of(1))
    assert "step 'lost' is unreachable from the start step" in message


def test_a_switch_that_only_leads_to_itself_ends_the_road(steps, line_of):
    flow = steps(
        start="self.next(self.a)", a="self.next({1: self.a, 2: self.a}, condition='c')", end=""
    )

    assert only(flow)[:3] == ("unreachable", "end", line_of(2))


def test_the_end_is_not_reached_inside_of_a_split(steps, line_of):
    flow = steps(start="self.next(self.a, foreach='xs')", a="self.next(self.end)", end="")
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("balance", "end", line_of(2))
    assert "is reached before the split in step 'start' is joined" in message


def test_branches_do_not_meet_in_a_plain_step(steps, line_of):
    flow = steps(
        start="self.next(self.a, self.b)",
        a="self.next(self.c)",
        b="self.next(self.c)",
        c="self.next(self.end)",
        end="",
    )
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("balance", "c", line_of(3))
    assert "reached from different branches (a, b)" in message
    assert "join the split in step 'start'" in message


def test_a_join_needs_a_split(steps, line_of):
    flow = steps(start="self.next(self.j)", j__join="self.next(self.end)", end="")
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("balance", "j", line_of(1))
    assert "there is no split before it" in message


def test_the_first_step_is_no_join(steps, line_of):
    flow = steps(start__join="self.next(self.end)", end="")

    assert only(flow)[:3] == ("balance", "start", line_of(0))


def test_a_join_waits_for_all_branches(steps, line_of):
    flow = steps(
        start="self.next(self.a, self.b, self.c)",
        a="self.next(self.j)",
        b="self.next(self.j)",
        j__join="self.next(self.end)",
        c="self.next(self.k)",
        k__join="self.next(self.end)",
        end="",
    )
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("balance", "j", line_of(3))
    assert "an incorrect number of steps lead to it" in message
    assert "one for each of a, b, c; there are: a, b" in message


def test_a_join_joins_one_split(steps, line_of):
    flow = steps(
        start="self.next(self.a, self.b)",
        a="self.next(self.c, foreach='xs')",
        c="self.next(self.j)",
        b="self.next(self.j)",
        j__join="self.next(self.end)",
        end="",
    )
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("balance", "j", line_of(4))
    assert "joins steps from unrelated splits: c, b" in message


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        ("self.next({'x': self.end}, condition='kind')", "needs at least two cases, it has 1"),
        ("self.next({}, condition='kind')", "needs at least two cases, it has 0"),
        ("self.next({'x': self.end, 'y': self.end})", "needs condition="),
        ("self.next({'x': self.end, 'y': self.end}, condition=kind)", "needs condition="),
        ("self.next(self.end, condition='kind')", "needs a dict of cases"),
    ],
)
def test_a_switch_is_complete(steps, line_of, tail, words):
    rule, step, line, message = only(steps(start=tail, end=""))

    assert (rule, step, line) == ("switch", "start", line_of(0) + 1)
    assert words in message


def test_a_foreach_has_a_step_before_its_join(steps, line_of):
    flow = steps(
        start="self.next(self.j, foreach='xs')",
        j__join="self.next(self.end)",
        end="",
    )
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("empty-foreach", "start", line_of(0) + 1)
    assert "foreach step 'start' has no children" in message


def test_num_parallel_leads_to_a_parallel_step(steps, line_of):
    flow = steps(
        start="self.next(self.a, num_parallel=2)",
        a="self.next(self.j)",
        j__join="self.next(self.end)",
        end="",
    )
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("num-parallel-target", "start", line_of(0) + 1)
    assert "put @parallel above 'a'" in message


@pytest.mark.parametrize(
    ("tail", "word"),
    [
        ('self.next(self.a, foreach="xs")', "foreach split"),
        ('self.next({1: self.a, 2: self.b}, condition="x")', "switch"),
    ],
)
def test_a_caught_step_has_one_way_to_go_on(flow, tail, word):
    problems = check(build_graph(flow(f"""
        from flowkit import catch
        @catch(var="error")
        @step
        def start(self): {tail}
        @step
        def a(self): self.next(self.b)
        @catch
        @step
        def b(self{", inputs" if word == "foreach split" else ""}): self.next(self.end)
        @step
        def end(self): pass
    """)))  # fmt: skip

    assert [(one.rule, one.step) for one in problems] == [("catch-one-way", "start")]
    assert f"@catch is not supported in {word} steps" in problems[0].message


def test_a_parallel_step_is_followed_by_a_join(flow):
    rule, step, line, message = only(
        flow("""
        @step
        def start(self): self.next(self.a, num_parallel=2)
        @parallel()
        @step
        def a(self): self.next(self.b)
        @step
        def b(self): self.next(self.j)
        @step
        def j(self, inputs): self.next(self.end)
        @step
        def end(self): pass
    """)
    )

    assert (rule, step, line) == ("parallel-join", "a", 14)
    assert "the next step must be a join" in message


def test_a_parallel_step_is_reached_by_num_parallel(flow):
    rule, step, line, message = only(
        flow("""
        @step
        def start(self): self.next(self.a, foreach='xs')
        @parallel()
        @step
        def a(self): self.next(self.j)
        @step
        def j(self, inputs): self.next(self.end)
        @step
        def end(self): pass
    """)
    )

    assert (rule, step, line) == ("parallel-source", "a", 14)
    assert "must be reached by self.next(self.a, num_parallel=...)" in message
    assert "without: start" in message


def test_a_first_step_is_not_parallel(flow):
    problems = found(
        flow("""
        @parallel()
        @step
        def start(self): self.next(self.end)
        @step
        def end(self): pass
    """)
    )

    assert ("parallel-source", "start", 12) in [one[:3] for one in problems]


def test_a_case_does_not_lead_to_a_join(steps, line_of):
    flow = steps(
        start="self.next(self.kind, foreach='xs')",
        kind="self.next({'x': self.x, 'y': self.j}, condition='kind')",
        x="self.next(self.j)",
        j__join="self.next(self.end)",
        end="",
    )
    rule, step, line, message = only(flow)

    assert (rule, step, line) == ("ambiguous-join", "kind", line_of(1) + 1)
    assert "add a plain step in between" in message


def test_all_problems_are_reported_at_once_by_line(steps, line_of):
    flow = steps(
        start="self.next(self.Bad, self.oops)",
        Bad="self.next(self.a, foreach=1)",
        a="x = 1",
        b="self.next(self.c)",
        c="self.next(self.b)",
        index="self.next({'x': self.end}, condition='kind')",
        end__join="self.next(self.a)",
    )

    assert [one[:3] for one in found(flow)] == [
        ("unknown-step", "start", line_of(0) + 1),
        ("step-name", "Bad", line_of(1)),
        ("invalid-next", "Bad", line_of(1) + 1),
        ("missing-next", "a", line_of(2) + 1),
        ("loop", "c", line_of(4) + 1),
        ("reserved-word", "index", line_of(5)),
        ("switch", "index", line_of(5) + 1),
        ("end-step", "end", line_of(6)),
        ("end-step", "end", line_of(6) + 1),
    ]


def test_problems_in_the_files_of_base_classes_come_last(flow_file, tmp_path, monkeypatch):
    (tmp_path / "a_mixin_for_rules.py").write_text(
        "from flowkit.authoring.steps import step\n"
        "class Mixin:\n"
        "    @step\n"
        "    def start(self): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    graph = build_graph(
        flow_file("""
from flowkit.authoring.steps import step
from a_mixin_for_rules import Mixin
class F(Mixin):
    @step
    def work(self): pass
    @step
    def end(self): pass
""")
    )

    assert [(one.step, one.line, one.file) for one in check(graph)] == [
        ("work", 6, str(tmp_path / "flow_file.py")),
        ("start", 4, str(tmp_path / "a_mixin_for_rules.py")),
    ]


def test_a_problem_is_a_value(steps, tmp_path):
    (problem,) = check(build_graph(steps(start="self.next(self.oops)", end="")))

    assert problem == Problem(
        "unknown-step",
        "start",
        12,
        str(tmp_path / "flow_file.py"),
        "step 'start' has a transition to an unknown step 'oops': define it, "
        "and put @step above it",
    )
