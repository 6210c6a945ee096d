"""What a run of a shape must consist of, found by walking the shape: no code of flowkit."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from tests.matrix.shapes import Node, Shape

Key = tuple[str, tuple[int, ...], int]
"""Which task it is: step, foreach indices from outside to inside, round of a recursion."""


@dataclass(frozen=True)
class Level:
    """One foreach around a task."""

    step: str
    index: int
    size: int
    item: Any


@dataclass(frozen=True)
class Expected:
    """A task that a run must have."""

    step: str
    levels: tuple[Level, ...]
    round: int
    parents: tuple["Expected", ...]
    is_join: bool

    @property
    def key(self) -> Key:
        return self.step, tuple(level.index for level in self.levels), self.round

    @property
    def index(self) -> int | None:
        return self.levels[-1].index if self.levels else None

    @property
    def input(self) -> Any:
        return self.levels[-1].item if self.levels else None

    @property
    def stack(self) -> list[tuple[int, int, Any]]:
        return [(level.index, level.size, level.item) for level in self.levels]

    @property
    def trail(self) -> list[str]:
        """The steps on the way to this task, those of all branches one after the other."""
        return [step for parent in self.parents for step in parent.trail] + [self.step]

    @property
    def is_cut_off(self) -> bool:
        """Whether no artifact from the start can come here: the join of an empty foreach."""
        return (self.is_join or bool(self.parents)) and all(p.is_cut_off for p in self.parents)


@dataclass
class Model:
    """The tasks of a run of a shape."""

    shape: Shape
    tasks: list[Expected] = field(default_factory=list)

    @property
    def keys(self) -> set[Key]:
        return {task.key for task in self.tasks}

    def __getitem__(self, key: Key) -> Expected:
        return next(task for task in self.tasks if task.key == key)

    def of(self, steps: Iterable[str]) -> set[Key]:
        """Return the tasks of some steps."""
        wanted = set(steps)
        return {task.key for task in self.tasks if task.step in wanted}

    def children(self, key: Key) -> list[Expected]:
        return [task for task in self.tasks if key in [parent.key for parent in task.parents]]

    def with_gangs(self, keys: Iterable[Key]) -> set[Key]:
        """Return these tasks and the other members of their gangs, which run together or not."""
        found = set(keys)
        gangs = {node.to[0] for node in self.shape if node.gang}
        for task in [self[key] for key in found if key[0] in gangs]:
            found |= {child.key for child in self.children(task.parents[0].key)}
        return found

    def before(self, key: Key) -> set[Key]:
        """Return all tasks that this one needs."""
        found = {parent.key for parent in self[key].parents}
        return found.union(*(self.before(parent) for parent in found))

    def behind(self, key: Key) -> set[Key]:
        """Return all tasks that need this one."""
        found: set[Key] = set()
        for child in self.children(key):
            found |= {child.key} | self.behind(child.key)
        return found


def model_of(shape: Shape) -> Model:
    """Return what a run of the shape must consist of."""
    model = Model(shape)
    _walk(model, shape.start, (), 0, ())
    return model


def _walk(
    model: Model,
    node: Node,
    levels: tuple[Level, ...],
    number: int,
    parents: tuple[Expected, ...],
) -> tuple[Node, Expected] | None:
    """Follow one branch; return the join that it arrives at and its last task before that."""
    task = Expected(node.name, levels, number, parents, node.is_join)
    model.tasks.append(task)
    if not node.targets:
        return None
    if node.items or node.gang:
        return _spread(model, node, task)
    if len(node.to) > 1:
        ways = [_step_to(model, task, target) for target in node.to]
        return _go_on_at_join(model, ways, levels)
    return _step_to(model, task, _chosen(node, task))


def _step_to(model: Model, task: Expected, target: str) -> tuple[Node, Expected] | None:
    node = model.shape[target]
    if node.is_join:
        return node, task
    number = task.round + 1 if target == task.step else 0
    return _walk(model, node, task.levels, number, (task,))


def _spread(model: Model, node: Node, task: Expected) -> tuple[Node, Expected] | None:
    items = _items(node, task)
    child = model.shape[node.to[0]]
    ways = []
    for index, item in enumerate(items):
        level = Level(node.name, index, len(items), item)
        ways.append(_walk(model, child, (*task.levels, level), 0, (task,)))
    if not items:
        return _walk(model, model.shape[node.join], task.levels, 0, ())
    return _go_on_at_join(model, ways, task.levels)


def _go_on_at_join(
    model: Model, ways: list[tuple[Node, Expected] | None], levels: tuple[Level, ...]
) -> tuple[Node, Expected] | None:
    arrived = [way for way in ways if way is not None]
    return _walk(model, arrived[0][0], levels, 0, tuple(last for _, last in arrived))


def _items(node: Node, task: Expected) -> list[Any]:
    if node.gang:
        return list(range(node.gang))
    items = _evaluated(node.items, task)
    return list(items.items() if isinstance(items, dict) else items)


def _chosen(node: Node, task: Expected) -> str:
    return node.cases[_evaluated(node.choose, task)] if node.is_switch else node.to[0]


def _evaluated(expression: str, task: Expected) -> Any:
    state = SimpleNamespace(index=task.index, input=task.input, rounds=task.round + 1)
    return eval(expression, {"self": state})
