"""Behaviours of what a task is told: its place, its run, the run's parameters."""

from typing import Any

from flowkit import Run
from tests.matrix.lab import Outcome
from tests.matrix.shapes import Shape
from tests.matrix.source import Behaviour

TAGS = ("first", "mit Käse ✓")
ARGUMENTS = ("--alpha", "7", "--words", "x,y", "--is-set", "True", "--with-dash", "d")
GIVEN = (7, ["x", "y"], {"a": [1]}, True, "d", None)
TYPES = {"foreach": "split-foreach", "gang_split": "split-parallel", "switch": "split-switch"}


def has_foreach(shape: Shape) -> bool:
    return any(node.items or node.gang for node in shape)


def check_place(outcome: Outcome) -> None:
    for key, task in outcome.tasks.items():
        expected = outcome.model[key]

        assert task.data.key == key
        assert task.data.where == (expected.index, expected.input, expected.stack)
        assert task.index == expected.index
        assert [
            (frame.step, frame.index, frame.num_splits, frame.value)
            for frame in task["_foreach_stack"].data
        ] == [
            (
                one.step,
                one.index,
                one.size,
                one.item if isinstance(one.item, str) else str(one.item),
            )
            for one in expected.levels
        ]


place = Behaviour(
    "index, input and foreach_stack, whatever becomes of the foreach variable",
    check_place,
    code={
        "child": """
            for info in current.graph["steps"].values():
                if "foreach_artifact" in info:
                    setattr(self, info["foreach_artifact"], "spoilt")
        """,
        "every": "self.where = (self.index, self.input, self.foreach_stack())",
    },
    own=["where"],
)


def check_splits(outcome: Outcome) -> None:
    for key, task in outcome.tasks.items():
        node = outcome.shape[key[0]]
        if node.items:
            inside = [one for one in outcome.model.children(key) if len(one.levels) > len(key[1])]
            values = [one.input if isinstance(one.input, str) else str(one.input) for one in inside]
            assert task["_foreach_values"].data == values


splits = Behaviour("the items of a foreach can be read", check_splits, applies=has_foreach)


def check_current(outcome: Outcome) -> None:
    flow, run_id = outcome.shape.flow, outcome.run.id
    for key, task in outcome.tasks.items():
        facts: dict[str, Any] = task.data.facts

        assert facts == {
            "flow_name": flow,
            "run_id": run_id,
            "step_name": key[0],
            "task_id": task.id,
            "pathspec": task.pathspec,
            "retry_count": 0,
            "origin_run_id": None,
            "namespace": "user:tester",
            "username": "tester",
            "tags": set(TAGS),
            "parameter_names": facts["parameter_names"],
            "is_running_flow": True,
            "tempdir": ".",
        }
        assert set(facts["parameter_names"]) >= {"alpha", "dashed"}
        assert task.data.texts[0] == outcome.shape.flow
        assert task.data.texts[1].startswith(f"<flow {flow} step {key[0]}")
        assert task.data.texts[2] == outcome.lab.file.name


current_facts = Behaviour(
    "current knows the task",
    check_current,
    code={
        "every": """
            self.facts = {
                name: getattr(current, name)
                for name in (
                    "flow_name", "run_id", "step_name", "task_id", "pathspec", "retry_count",
                    "origin_run_id", "namespace", "username", "tags", "parameter_names",
                    "is_running_flow", "tempdir",
                )
            }
            self.texts = (self.name, str(self), self.script_name)
            assert current.get("no such fact", 5) == 5 and "trigger" not in current
        """
    },
    own=["facts", "texts"],
)


def check_client_inside(outcome: Outcome) -> None:
    first = next(iter(outcome.tasks.values()))

    assert first.data.seen_from_inside == [outcome.run.pathspec, first.pathspec, "running"]


client_inside = Behaviour(
    "the client works in a task and sees the run going on",
    check_client_inside,
    code={
        "start": """
            run, task = current.run, current.task
            self.seen_from_inside = [run.pathspec, task.pathspec, str(task.status)]
        """
    },
)


def check_gang(outcome: Outcome) -> None:
    for key, task in outcome.tasks.items():
        expected = outcome.model[key]
        if "gang" not in outcome.shape.roles(outcome.shape[key[0]]):
            assert task.data.gang == ("127.0.0.1", 1, 0, "0")
            assert not task.data.is_gang
            continue
        (parent,) = expected.parents
        control = outcome.tasks[outcome.model.children(parent.key)[0].key]
        size = expected.levels[-1].size

        assert task.data.gang == ("127.0.0.1", size, expected.index, control.id)
        assert task.data.is_gang
        assert task.data.gang_variables == [str(size), str(expected.index), control.id]
        assert task.is_control is (expected.index == 0)


gang = Behaviour(
    "the members of a gang know each other",
    check_gang,
    code={
        "every": "self.gang, self.is_gang = tuple(current.parallel), current.is_parallel",
        "gang": """
            self.gang_variables = [
                os.environ[f"MF_PARALLEL_{name}"]
                for name in ("NUM_NODES", "NODE_INDEX", "CONTROL_TASK_ID")
            ]
        """,
    },
    own=["gang", "is_gang", "gang_variables"],
)


def check_parameters(outcome: Outcome) -> None:
    run: Run = outcome.run
    for task in (*outcome.tasks.values(), run["_parameters"].task):
        data = task.data
        values = (data.alpha, data.words, data.settings, data.is_set, data.dashed, data.nothing)

        assert values == GIVEN
        assert data.computed == f"{outcome.shape.flow} of tester"
        assert data.colours == ["red", "green"]
        assert data.name == outcome.shape.flow
    assert {str(task.data.given) for task in outcome.tasks.values()} == {str(GIVEN)}


parameters = Behaviour(
    "parameters and constants are everywhere, and read-only",
    check_parameters,
    code={
        "every": """
            self.given = (
                self.alpha, self.words, self.settings, self.is_set, self.dashed, self.nothing
            )
            for name in ("alpha", "dashed", "colours", "name"):
                try:
                    setattr(self, name, 1)
                except AttributeError:
                    continue
                raise AssertionError(f"{name} could be set")
            self.colours.append("blue")
        """
    },
    body="""
        alpha = Parameter("alpha", default=3)
        words = Parameter("words", default="a,b", separator=",")
        settings = Parameter("settings", type=JSONType, default='{"a": [1]}')
        is_set = Parameter("is-set", default=False)
        dashed = Parameter("with-dash")
        nothing = Parameter("nothing", type=int)
        computed = Parameter("computed", default=lambda c: f"{c.flow_name} of {c.user_name}")
        colours = ["red", "green"]
    """,
)


def check_graph(outcome: Outcome) -> None:
    shape = outcome.shape
    info = next(iter(outcome.tasks.values()))["_graph_info"].data

    assert (info["start_step"], info["end_step"]) == (shape.start.name, shape.end.name)
    assert set(info["steps"]) == {node.name for node in shape}
    assert {one["name"] for one in info["parameters"]} >= {"alpha", "with-dash"}
    for node in shape:
        step = info["steps"][node.name]
        kinds = [kind for role, kind in TYPES.items() if role in shape.roles(node)]

        assert sorted(step["next"]) == sorted(node.targets)
        assert not kinds or step["type"] == kinds[0]
        assert ("foreach_artifact" in step) is bool(node.items)
        assert not node.is_switch or step["switch_cases"] == dict(node.cases)
    assert all(task.data.graph_inside for task in outcome.tasks.values())


graph = Behaviour(
    "the graph can be read in tasks and from the client",
    check_graph,
    code={
        "every": """
            json.dumps(current.graph)
            self.graph_inside = current.step_name in current.graph["steps"]
        """
    },
)

BEHAVIOURS = (place, splits, current_facts, client_inside, gang, parameters, graph)
