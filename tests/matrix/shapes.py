"""Graph shapes: which steps there are and where each goes, as plain values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Node:
    """One step of a shape.

    Attributes:
        name: Name of the step.
        to: The steps after it; one for a foreach, none for the last step.
        is_join: Whether it receives ``inputs``.
        items: Expression of the foreach items, in terms of ``self``; "" when it is no foreach.
        gang: Size of the gang that it starts; 0 when it starts none.
        choose: Expression of the switch's condition, in terms of ``self``.
        cases: The switch's cases: value of the condition to step.
        join: The join that closes this foreach; needed when it has no items.
    """

    name: str
    to: tuple[str, ...] = ()
    is_join: bool = False
    items: str = ""
    gang: int = 0
    choose: str = ""
    cases: Mapping[str, str] = field(default_factory=dict)
    join: str = ""

    @property
    def is_switch(self) -> bool:
        return bool(self.cases)

    @property
    def is_loop(self) -> bool:
        return self.name in self.cases.values()

    @property
    def items_name(self) -> str:
        return f"{self.name}_items"

    @property
    def condition(self) -> str:
        return f"{self.name}_kind"

    @property
    def targets(self) -> tuple[str, ...]:
        return self.to or tuple(dict.fromkeys(self.cases.values()))


@dataclass(frozen=True)
class Shape:
    """A graph; its first node is the start, its last one the end."""

    name: str
    nodes: tuple[Node, ...]

    def __getitem__(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __str__(self) -> str:
        return self.name

    @property
    def flow(self) -> str:
        """Name of the flow class."""
        return "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def start(self) -> Node:
        return self.nodes[0]

    @property
    def end(self) -> Node:
        return self.nodes[-1]

    def roles(self, node: Node) -> frozenset[str]:
        """Return the words by which behaviours choose the steps that they put code into."""
        before = [other for other in self.nodes if node.name in other.targets]
        kinds = {
            "start": node is self.start,
            "end": node is self.end,
            "join": node.is_join,
            "plain": not node.is_join,
            "split": len(node.to) > 1,
            "foreach": bool(node.items),
            "gang_split": bool(node.gang),
            "switch": node.is_switch,
            "second": self.start in before and not node.is_join,
            "child": any(other.items or other.gang for other in before),
            "gang": any(other.gang for other in before),
        }
        return frozenset(name for name, holds in kinds.items() if holds) | {"every"}

    def having(self, *roles: str) -> list[Node]:
        """Return the nodes that have one of these roles."""
        return [node for node in self.nodes if self.roles(node) & set(roles)]

    def after(self, name: str) -> set[str]:
        """Return the names of all steps that can come after a step."""
        found: set[str] = set()
        pending = [name]
        while pending:
            new = set(self[pending.pop()].targets) - found
            found |= new
            pending += new
        return found


def go(name: str, *to: str) -> Node:
    """A step that goes to another one, to several in parallel, or ends the run."""
    return Node(name, to)


def join(name: str, *to: str) -> Node:
    """A join."""
    return Node(name, to, is_join=True)


def each(name: str, to: str, items: str, join: str = "") -> Node:
    """A step with a foreach."""
    return Node(name, (to,), items=items, join=join)


def gang(name: str, to: str, size: int) -> Node:
    """A step that starts a gang."""
    return Node(name, (to,), gang=size)


def switch(name: str, choose: str, **cases: str) -> Node:
    """A step that goes to one of several."""
    return Node(name, choose=choose, cases=cases)


WIDE = tuple(f"lane_{letter}" for letter in "abcdefghij")

SHAPES = (
    Shape("linear", (go("start", "middle"), go("middle", "last"), go("last", "end"), go("end"))),
    Shape("single_step", (go("only"),)),
    Shape(
        "branch",
        (
            go("start", "right", "left"),
            go("left", "meet"),
            go("right", "meet"),
            join("meet", "end"),
            go("end"),
        ),
    ),
    Shape(
        "nested_branches",
        (
            go("start", "fork", "lone"),
            go("fork", "b", "a"),
            go("a", "a_more"),
            go("a_more", "inner"),
            go("b", "inner"),
            join("inner", "outer"),
            go("lone", "outer"),
            join("outer", "end"),
            go("end"),
        ),
    ),
    Shape(
        "wide_branch",
        (
            go("start", *WIDE),
            *(go(lane, "meet") for lane in WIDE),
            join("meet", "end"),
            go("end"),
        ),
    ),
    Shape(
        "foreach",
        (
            each("start", "work", '["a", "b", "c"]'),
            go("work", "more"),
            go("more", "gather"),
            join("gather", "end"),
            go("end"),
        ),
    ),
    Shape(
        "nested_foreach",
        (
            each("start", "outer", '("x", "y")'),
            each("outer", "inner", "range(10 * (self.index + 1), 10 * (self.index + 1) + 3)"),
            go("inner", "inner_join"),
            join("inner_join", "outer_join"),
            join("outer_join", "end"),
            go("end"),
        ),
    ),
    Shape(
        "ragged_foreach",
        (
            each("start", "outer", "[2, 0, 1]"),
            each("outer", "inner", "range(self.input)", join="inner_join"),
            go("inner", "inner_join"),
            join("inner_join", "outer_join"),
            join("outer_join", "end"),
            go("end"),
        ),
    ),
    Shape(
        "branch_in_foreach",
        (
            each("start", "fork", '{"one": 1, "two": 2}'),
            go("fork", "left", "right"),
            go("left", "meet"),
            go("right", "meet"),
            join("meet", "gather"),
            join("gather", "end"),
            go("end"),
        ),
    ),
    Shape(
        "foreach_in_branch",
        (
            go("start", "spread", "lone"),
            each("spread", "work", '"uvw"'),
            go("work", "gather"),
            join("gather", "outer"),
            go("lone", "outer"),
            join("outer", "end"),
            go("end"),
        ),
    ),
    Shape(
        "empty_foreach",
        (
            go("start", "spread"),
            each("spread", "work", "[]", join="gather"),
            go("work", "gather"),
            join("gather", "after"),
            go("after", "end"),
            go("end"),
        ),
    ),
    Shape(
        "foreach_twice",
        (
            each("start", "first", "range(3)"),
            go("first", "first_join"),
            join("first_join", "pause"),
            each("pause", "second", "range(2)"),
            go("second", "second_join"),
            join("second_join", "end"),
            go("end"),
        ),
    ),
    Shape(
        "switch",
        (
            switch("start", '"b"', a="low", b="high"),
            go("low", "end"),
            go("high", "end"),
            go("end"),
        ),
    ),
    Shape(
        "switch_in_foreach",
        (
            each("start", "choose", "range(4)"),
            switch("choose", '"even" if self.input % 2 == 0 else "odd"', even="half", odd="twice"),
            go("half", "meet"),
            go("twice", "meet"),
            go("meet", "gather"),
            join("gather", "end"),
            go("end"),
        ),
    ),
    Shape(
        "switch_with_plain_steps",
        (
            go("start", "choose"),
            switch("choose", '"long"', short="s1", long="l1"),
            go("s1", "meet"),
            go("l1", "l2"),
            go("l2", "l3"),
            go("l3", "meet"),
            go("meet", "end"),
            go("end"),
        ),
    ),
    Shape(
        "switch_around_splits",
        (
            switch("start", '"many"', many="spread", two="fork"),
            each("spread", "work", "range(2)"),
            go("work", "gather"),
            join("gather", "meet"),
            go("fork", "left", "right"),
            go("left", "unite"),
            go("right", "unite"),
            join("unite", "meet"),
            go("meet", "end"),
            go("end"),
        ),
    ),
    Shape(
        "recursion",
        (
            go("start", "again"),
            switch("again", '"on" if self.rounds < 4 else "out"', on="again", out="end"),
            go("end"),
        ),
    ),
    Shape(
        "recursion_in_foreach",
        (
            each("start", "again", "range(3)"),
            switch("again", '"on" if self.rounds <= self.index else "out"', on="again", out="done"),
            go("done", "gather"),
            join("gather", "end"),
            go("end"),
        ),
    ),
    Shape(
        "gang",
        (gang("start", "train", 3), go("train", "gather"), join("gather", "end"), go("end")),
    ),
    Shape(
        "gang_in_foreach",
        (
            each("start", "fold", '["p", "q"]'),
            gang("fold", "train", 2),
            go("train", "unite"),
            join("unite", "gather"),
            join("gather", "end"),
            go("end"),
        ),
    ),
)
BY_NAME = {shape.name: shape for shape in SHAPES}
