from flowkit.graph.build import build_graph
from flowkit.graph.graph import NodeType
from flowkit.graph.rules import check


def types(graph):
    return {name: str(node.type) for name, node in graph.nodes.items()}


def test_a_linear_flow_has_a_first_and_a_last_step(steps, tmp_path):
    graph = build_graph(steps(start="self.next(self.a)", a="self.next(self.end)", end=""))

    assert types(graph) == {"start": "start", "a": "linear", "end": "end"}
    assert (graph.start, graph.end, graph.flow) == ("start", "end", "F")
    assert (graph.file, graph.line) == (str(tmp_path / "flow_file.py"), 9)
    assert graph["end"].predecessors == ("a",)


def test_a_first_step_that_splits_keeps_its_type(steps):
    tails = ("self.next(self.a, self.b)", "self.next(self.a, foreach='xs')")
    found = [build_graph(steps(start=tail, a="", b=""))["start"].type for tail in tails]

    assert found == [NodeType.SPLIT, NodeType.FOREACH]


def test_the_only_step_is_both_ends(steps):
    graph = build_graph(steps(train=""))

    assert (graph.start, graph.end) == ("train", "train")
    assert types(graph) == {"train": "end"}
    assert check(graph) == []


def test_marked_steps_may_have_any_name(flow):
    graph = build_graph(
        flow("""
        @step(start=True)
        def first(self): self.next(self.last)
        @step(end=True)
        def last(self): pass
    """)
    )

    assert (graph.start, graph.end) == ("first", "last")
    assert (graph.marked_starts, graph.marked_ends) == (("first",), ("last",))
    assert check(graph) == []


def test_predecessors_stand_in_the_order_of_definition(steps):
    graph = build_graph(
        steps(
            start="self.next(self.c, self.a, self.b)",
            b="self.next(self.j)",
            a="self.next(self.j)",
            c="self.next(self.j)",
            j__join="self.next(self.end)",
            end="",
        )
    )

    assert graph["j"].predecessors == ("b", "a", "c")
    assert graph["start"].targets == ("c", "a", "b")
    assert graph["start"].matching_join == "j"


def test_nested_splits_find_their_own_joins(steps):
    graph = build_graph(
        steps(
            start="self.next(self.a, self.b)",
            a="self.next(self.each, foreach='xs')",
            each="self.next(self.p, self.q)",
            p="self.next(self.pq)",
            q="self.next(self.pq)",
            pq__join="self.next(self.gather)",
            gather__join="self.next(self.outer)",
            b="self.next(self.outer)",
            outer__join="self.next(self.end)",
            end="",
        )
    )

    assert check(graph) == []
    joins = {name: node.matching_join for name, node in graph.nodes.items() if node.matching_join}
    assert joins == {"start": "outer", "a": "gather", "each": "pq"}
    assert graph["p"].split_parents == ("start", "a", "each")
    assert graph["pq"].split_parents == ("start", "a")
    assert graph["gather"].split_parents == ("start",)
    assert graph["outer"].split_parents == ()


def test_inside_of_a_foreach_is_what_runs_once_per_item(steps):
    graph = build_graph(
        steps(
            start="self.next(self.a, foreach='xs')",
            a="self.next(self.b)",
            b="self.next(self.j)",
            j__join="self.next(self.end)",
            end="",
        )
    )

    assert [n for n, node in graph.nodes.items() if node.is_inside_foreach] == ["a", "b"]


def test_a_switch_opens_nothing_and_its_cases_meet_again(steps):
    graph = build_graph(
        steps(
            start="self.next({'x': self.x, 'y': self.y, 'z': self.end}, condition='kind')",
            x="self.next(self.one, self.two)",
            one="self.next(self.j)",
            two="self.next(self.j)",
            j__join="self.next(self.end)",
            y="self.next(self.end)",
            end="",
        )
    )

    assert check(graph) == []
    assert graph["start"].type is NodeType.SWITCH
    assert graph["start"].matching_join is None
    assert graph["x"].matching_join == "j"
    assert graph["end"].predecessors == ("start", "j", "y")


def test_a_switch_may_lead_back_to_itself(steps):
    graph = build_graph(
        steps(
            start="self.next(self.work, foreach='xs')",
            work="self.next({True: self.work, False: self.done}, condition='again')",
            done="self.next(self.j)",
            j__join="self.next(self.end)",
            end="",
        )
    )

    assert check(graph) == []
    assert graph["work"].predecessors == ("start", "work")
    assert graph["work"].is_inside_foreach
    assert graph["start"].matching_join == "j"


def test_cases_inside_a_branch_may_come_to_its_join_one_by_one(steps):
    graph = build_graph(
        steps(
            start="self.next(self.kind, foreach='xs')",
            kind="self.next({'x': self.x, 'y': self.y}, condition='kind')",
            x="self.next(self.j)",
            y="self.next(self.j)",
            j__join="self.next(self.end)",
            end="",
        )
    )

    assert check(graph) == []
    assert graph["start"].matching_join == "j"


def test_a_branch_of_a_split_may_be_empty(steps):
    graph = build_graph(
        steps(
            start="self.next(self.a, self.j)",
            a="self.next(self.j)",
            j__join="self.next(self.end)",
            end="",
        )
    )

    assert check(graph) == []
    assert graph["start"].matching_join == "j"


def test_a_gang_is_a_foreach(flow):
    graph = build_graph(
        flow("""
        @step
        def start(self): self.next(self.train, num_parallel=4)
        @parallel()
        @step
        def train(self): self.next(self.gather)
        @step
        def gather(self, inputs): self.next(self.end)
        @step
        def end(self): pass
    """)
    )

    assert check(graph) == []
    assert graph["start"].type is NodeType.FOREACH
    assert graph["start"].has_num_parallel
    assert graph["train"].is_parallel
    assert graph["start"].matching_join == "gather"


def test_steps_come_from_base_classes_too(flow_file):
    graph = build_graph(
        flow_file("""
from flowkit.authoring.steps import step
class Base:
    @step
    def start(self): self.next(self.work)
    @step
    def work(self): self.next(self.end)
    @step
    def end(self): pass
class Mixin:
    @step
    def extra(self): self.next(self.end)
class F(Mixin, Base):
    @step
    def work(self): self.next(self.extra)
""")
    )

    assert check(graph) == []
    assert list(graph.nodes) == ["start", "work", "end", "extra"]
    assert graph["work"].targets == ("extra",)
    assert graph["work"].line == 15


def test_a_long_flow_needs_no_recursion(steps):
    tails = {f"s{i}": f"self.next(self.s{i + 1})" for i in range(1500)}
    graph = build_graph(
        steps(start="self.next(self.s0)", **tails, s1500="self.next(self.end)", end="")
    )

    assert check(graph) == []


def test_a_broken_graph_is_built_as_far_as_possible(steps):
    graph = build_graph(
        steps(
            a="self.next(self.b, self.nowhere)",
            b__join="self.next(self.a)",
            c="self.next(1)",
            d="",
        )
    )

    assert (graph.start, graph.end) == ("", "")
    assert types(graph) == {"a": "split", "b": "join", "c": "linear", "d": "linear"}
    assert graph["b"].predecessors == ("a",)
    assert graph["a"].matching_join is None


def test_a_flow_without_steps_has_an_empty_graph(steps):
    graph = build_graph(steps())

    assert (dict(graph.nodes), graph.start, graph.end) == ({}, "", "")
