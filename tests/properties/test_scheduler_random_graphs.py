"""The scheduler against a naive interpreter, over random graphs, failures and completion orders.

A program is a nest of blocks. `compile_program` makes the graph of it; `Interpreter` executes the
blocks directly, with nested function calls instead of barriers. Both ask the same `Fate` what
happens in a task: how wide its foreach is, which way its switch goes, which attempts fail.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from hypothesis import event, given, settings
from hypothesis import strategies as st

from flowkit.enums import Cause, Status
from flowkit.graph.graph import Graph, Node, NodeType
from flowkit.model.manifest import ArtifactRef, Transition
from flowkit.model.tasks import AttemptError, TaskKey, TaskResult, TaskSpec
from flowkit.runtime.scheduler import FREE_RETRIES, Outcome, Scheduler, SchedulerPolicy

Key = tuple[str, tuple[int, ...], int]
"""Step, indices of the foreach frames, iteration."""

# --- programs -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    kind: str
    bodies: tuple["Program", ...] = ()


Program = tuple[Block, ...]


def programs(depth: int) -> st.SearchStrategy[Program]:
    plain = st.sampled_from([Block("step"), Block("recursion"), Block("gang")])
    if depth == 0:
        return st.lists(plain, min_size=1, max_size=2).map(tuple)
    body = programs(depth - 1)
    nested = st.one_of(
        st.builds(Block, st.just("split"), st.lists(body, min_size=2, max_size=3).map(tuple)),
        st.builds(Block, st.just("switch"), st.lists(body, min_size=2, max_size=3).map(tuple)),
        st.builds(Block, st.just("foreach"), st.tuples(body)),
    )
    return st.lists(plain | nested, min_size=1, max_size=2).map(tuple)


@dataclass(frozen=True)
class Place:
    """A block with names: its own step, the step where it ends, and its bodies."""

    kind: str
    name: str
    close: str
    bodies: tuple[tuple["Place", ...], ...]


def name_blocks(program: Program, numbers: Iterator[int]) -> tuple[Place, ...]:
    places = []
    for block in program:
        number = next(numbers)
        bodies = tuple(name_blocks(body, numbers) for body in block.bodies)
        places.append(Place(block.kind, f"{block.kind}{number}", f"close{number}", bodies))
    return tuple(places)


def compile_program(places: tuple[Place, ...]) -> Graph:
    nodes: dict[str, Node] = {}
    first = compile_body(places, "end", nodes)
    nodes["start"] = Node("start", NodeType.START, (first,))
    nodes["end"] = Node("end", NodeType.END)
    return Graph("Random", nodes, "start", "end")


def compile_body(places: tuple[Place, ...], following: str, nodes: dict[str, Node]) -> str:
    """Add the nodes of a body, last block first, and return the name of its first step."""
    for place in reversed(places):
        compile_block(place, following, nodes)
        following = place.name
    return following


def compile_block(place: Place, following: str, nodes: dict[str, Node]) -> None:
    name, close = place.name, place.close
    entries = tuple(compile_body(body, close, nodes) for body in place.bodies)
    if place.kind == "step":
        nodes[name] = Node(name, NodeType.LINEAR, (following,))
        return
    if place.kind in ("switch", "recursion"):
        nodes[name] = Node(name, NodeType.SWITCH, entries or (name, close), condition="x")
        nodes[close] = Node(close, NodeType.LINEAR, (following,))
        return
    if place.kind == "gang":
        nodes[f"{name}_member"] = Node(f"{name}_member", NodeType.LINEAR, (close,))
        entries = (f"{name}_member",)
    kind = NodeType.SPLIT if place.kind == "split" else NodeType.FOREACH
    nodes[name] = Node(
        name, kind, entries, has_num_parallel=place.kind == "gang", matching_join=close
    )
    nodes[close] = Node(close, NodeType.JOIN, (following,), is_join=True, num_args=2)


# --- what happens in a task -----------------------------------------------------------------------

ERRORS = (
    AttemptError(Cause.EXCEPTION, "raised"),
    AttemptError(Cause.SIGNAL, "killed"),
    AttemptError(Cause.LOST, "lost", is_charged=False),
    AttemptError(Cause.EXIT, "exit code 202", is_retryable=False),
)
WEIGHTS = (8, 8, 20, 1)


@dataclass(frozen=True)
class Fate:
    seed: int
    failure_rate: float

    def width(self, key: Key) -> int:
        return self._random("width", key).choice((0, 1, 1, 2, 3))

    def gang_size(self, key: Key) -> int:
        return self._random("gang", key).choice((1, 2, 3))

    def choice(self, key: Key, ways: int) -> int:
        return self._random("choice", key).randrange(ways)

    def goes_again(self, key: Key) -> bool:
        return self._random("again", key).random() < 0.5

    def error(self, key: Key, attempt: int) -> AttemptError | None:
        if leader_of(key) != key:
            return None
        random = self._random(f"error {attempt}", key)
        if random.random() >= self.failure_rate:
            return None
        return random.choices(ERRORS, WEIGHTS)[0]

    def max_attempts(self, step: str) -> int:
        return self._random("attempts", (step, (), 0)).choice((1, 2, 3))

    def is_caught(self, step: str) -> bool:
        return self._random("caught", (step, (), 0)).random() < 0.4

    def _random(self, question: str, key: Key) -> Random:
        return Random(f"{self.seed} {question} {key}")


def leader_of(key: Key) -> Key:
    """Return the member of a gang that fails for all of it, else the task itself."""
    step, indices, iteration = key
    return (step, (*indices[:-1], 0), iteration) if step.endswith("_member") else key


def output_of(key: Key) -> str:
    return f"output of {key}"


# --- the naive interpreter ------------------------------------------------------------------------


class Stopped(Exception):
    """A task of the model failed for good."""


class Interpreter:
    """Executes the blocks depth first; keeps going beside a failure, as far as anything could."""

    def __init__(self, fate: Fate) -> None:
        self.fate = fate
        self.inputs: dict[Key, tuple[str, ...]] = {}
        self.attempts: dict[Key, int] = {}
        self.failed: set[Key] = set()

    def run(self, places: tuple[Place, ...]) -> bool:
        try:
            first = self.task(("start", (), 0), ())
            last = self.body(places, (), (first,))
            self.task(("end", (), 0), last)
        except Stopped:
            return False
        return True

    def task(self, key: Key, inputs: tuple[str, ...]) -> str:
        assert key not in self.inputs
        self.inputs[key] = inputs
        self.attempts[key], has_succeeded = count_attempts(self.fate, key)
        if not has_succeeded:
            self.failed.add(key)
            raise Stopped
        return output_of(key)

    def body(
        self, places: tuple[Place, ...], indices: tuple[int, ...], inputs: tuple[str, ...]
    ) -> tuple[str, ...]:
        for place in places:
            inputs = (getattr(self, place.kind)(place, indices, inputs),)
        return inputs

    def step(self, place: Place, indices: tuple[int, ...], inputs: tuple[str, ...]) -> str:
        return self.task((place.name, indices, 0), inputs)

    def recursion(self, place: Place, indices: tuple[int, ...], inputs: tuple[str, ...]) -> str:
        key = (place.name, indices, 0)
        output = self.task(key, inputs)
        while self.fate.goes_again(key):
            key = (place.name, indices, key[2] + 1)
            output = self.task(key, (output,))
        return self.task((place.close, indices, 0), (output,))

    def switch(self, place: Place, indices: tuple[int, ...], inputs: tuple[str, ...]) -> str:
        key = (place.name, indices, 0)
        output = self.task(key, inputs)
        taken = place.bodies[self.fate.choice(key, len(place.bodies))]
        return self.task((place.close, indices, 0), self.body(taken, indices, (output,)))

    def split(self, place: Place, indices: tuple[int, ...], inputs: tuple[str, ...]) -> str:
        output = self.task((place.name, indices, 0), inputs)
        return self.join(place, indices, output, [(body, indices) for body in place.bodies])

    def foreach(self, place: Place, indices: tuple[int, ...], inputs: tuple[str, ...]) -> str:
        key = (place.name, indices, 0)
        output = self.task(key, inputs)
        [body] = place.bodies
        branches = [(body, (*indices, index)) for index in range(self.fate.width(key))]
        return self.join(place, indices, output, branches)

    def gang(self, place: Place, indices: tuple[int, ...], inputs: tuple[str, ...]) -> str:
        key = (place.name, indices, 0)
        output = self.task(key, inputs)
        member = (Place("step", f"{place.name}_member", "", ()),)
        branches = [(member, (*indices, rank)) for rank in range(self.fate.gang_size(key))]
        return self.join(place, indices, output, branches)

    def join(
        self,
        place: Place,
        indices: tuple[int, ...],
        output: str,
        branches: Sequence[tuple[tuple[Place, ...], tuple[int, ...]]],
    ) -> str:
        arrived: list[str] = []
        for body, inner in branches:
            try:
                arrived += self.body(body, inner, (output,))
            except Stopped:
                continue
        if len(arrived) < len(branches):
            raise Stopped
        return self.task((place.close, indices, 0), tuple(arrived))


def count_attempts(fate: Fate, key: Key) -> tuple[int, bool]:
    """Return how many attempts a task takes, and whether the last one succeeds.

    The members of a gang start again together, but a failure is handled by the failed one alone.
    """
    leader = leader_of(key)
    charged = free = attempt = 0
    has_fallen_back = False
    while True:
        error = fate.error(leader, attempt)
        attempt += 1
        if error is None:
            return attempt, True
        if not error.is_retryable:
            return attempt, key != leader
        if not error.is_charged and free < FREE_RETRIES:
            free += 1
            continue
        charged += 1
        if charged < fate.max_attempts(key[0]):
            continue
        process_died = error.cause in (Cause.SIGNAL, Cause.LOST)
        if has_fallen_back or not process_died or not fate.is_caught(key[0]):
            return attempt, key != leader
        if key != leader:
            return attempt, True
        has_fallen_back = True


# --- the scheduler, driven in a random order ------------------------------------------------------


def identity(key: TaskKey) -> Key:
    return key.step, tuple(frame.index for frame in key.frames), key.iteration


class Drive:
    """Runs a graph through the scheduler and checks what must hold at every moment."""

    def __init__(self, graph: Graph, fate: Fate, order: Random) -> None:
        self.graph = graph
        self.fate = fate
        self.order = order
        self.inputs: dict[Key, tuple[str, ...]] = {}
        self.attempts: dict[Key, int] = {}
        self.outputs: dict[int, str] = {}
        self.outstanding: dict[int, TaskSpec] = {}
        policy = SchedulerPolicy(
            max_attempts={step: fate.max_attempts(step) for step in graph.nodes},
            caught=frozenset(step for step in graph.nodes if fate.is_caught(step)),
        )
        self.scheduler = Scheduler(graph, flow="F", run_id="1", root="root", policy=policy)

    def run(self) -> Outcome:
        self.take(self.scheduler.start())
        while self.outstanding:
            task_id = self.order.choice(list(self.outstanding))
            self.finish(self.outstanding.pop(task_id))
        assert self.scheduler.outcome is not None
        return self.scheduler.outcome

    def finish(self, spec: TaskSpec) -> None:
        outcome = self.scheduler.outcome
        result = self.result(spec)
        specs = self.scheduler.finished(result)
        self.take(specs)
        if outcome is not None:
            assert specs == []
            assert self.scheduler.outcome is outcome

    def take(self, specs: list[TaskSpec]) -> None:
        for spec in specs:
            key = identity(spec.key)
            assert spec.task_id not in self.outstanding or (spec.gang and spec.attempt)
            if spec.attempt == 0:
                assert spec.task_id == len(self.inputs) + 1
                assert key not in self.inputs
                self.inputs[key] = spec.inputs
            assert spec.attempt == self.attempts.get(key, 0)
            assert spec.inputs == self.inputs[key]
            parents = self.scheduler.inputs_of(spec.task_id)
            assert tuple(self.outputs[parent] for parent in parents) == spec.inputs
            assert spec.is_join == self.graph[spec.step].is_join
            self.attempts[key] = spec.attempt + 1
            self.outstanding[spec.task_id] = spec

    def result(self, spec: TaskSpec) -> TaskResult:
        key = identity(spec.key)
        error = self.fate.error(key, spec.attempt)
        if error is not None:
            return TaskResult(spec, Status.FAILED, error=error)
        self.outputs[spec.task_id] = output_of(key)
        return TaskResult(spec, Status.SUCCEEDED, output_of(key), self.transition(spec.step, key))

    def transition(self, step: str, key: Key) -> Transition | None:
        node = self.graph[step]
        if step == "end":
            return None
        if node.has_num_parallel:
            size = self.fate.gang_size(key)
            return Transition(node.targets, None, items(size), size)
        if node.type is NodeType.FOREACH:
            return Transition(node.targets, "xs", items(self.fate.width(key)))
        if node.type is NodeType.SWITCH:
            return Transition((node.targets[self.way(step, key, len(node.targets))],))
        return Transition(node.targets)

    def way(self, step: str, key: Key, ways: int) -> int:
        if step.startswith("recursion"):
            return 0 if self.fate.goes_again(key) else 1
        return self.fate.choice(key, ways)


def items(count: int) -> tuple[ArtifactRef, ...]:
    return tuple(ArtifactRef(str(number), "int", "int", 1) for number in range(count))


seeds = st.integers(0, 2**32)


@settings(max_examples=500, derandomize=True, deadline=None)
@given(program=programs(3), fate=st.builds(Fate, seeds, st.just(0.0)), order=seeds)
def test_every_program_runs_as_its_blocks_say(program, fate, order):
    places = name_blocks(program, iter(range(10**6)))
    model = Interpreter(fate)
    assert model.run(places)

    drive = Drive(compile_program(places), fate, Random(order))

    assert drive.run() == Outcome(Status.SUCCEEDED)
    assert drive.inputs == model.inputs
    event(f"about {round(len(model.inputs), -1)} tasks")


@settings(max_examples=80, derandomize=True, deadline=None)
@given(program=programs(4), fate=st.builds(Fate, seeds, st.just(0.0)), order=seeds)
def test_deep_programs_run_as_their_blocks_say(program, fate, order):
    places = name_blocks(program, iter(range(10**6)))
    model = Interpreter(fate)
    model.run(places)

    drive = Drive(compile_program(places), fate, Random(order))
    drive.run()

    assert drive.inputs == model.inputs


@settings(max_examples=500, derandomize=True, deadline=None)
@given(
    program=programs(2),
    fate=st.builds(Fate, seeds, st.sampled_from([0.05, 0.2, 0.8])),
    order=seeds,
)
def test_failures_are_retried_caught_or_end_the_run(program, fate, order):
    places = name_blocks(program, iter(range(10**6)))
    model = Interpreter(fate)
    will_succeed = model.run(places)

    drive = Drive(compile_program(places), fate, Random(order))
    outcome = drive.run()

    event(f"{outcome.status} with retries: {any(count > 1 for count in drive.attempts.values())}")
    if will_succeed:
        assert outcome == Outcome(Status.SUCCEEDED)
        assert drive.inputs == model.inputs
        assert drive.attempts == model.attempts
        return
    assert outcome.status is Status.FAILED
    assert outcome.failed is not None
    failed = identity(outcome.failed.key)
    assert failed in model.failed
    assert drive.attempts[failed] == model.attempts[failed]
    assert outcome.error == fate.error(failed, outcome.failed.attempt)
    assert drive.inputs.items() <= model.inputs.items()
    assert all(count <= model.attempts[key] for key, count in drive.attempts.items())
