"""Behaviours of joins: the inputs, and what merge_artifacts takes over."""

from tests.matrix.lab import Outcome
from tests.matrix.shapes import Shape
from tests.matrix.source import Behaviour


def has_joins(shape: Shape) -> bool:
    return bool(shape.having("join"))


def check_inputs(outcome: Outcome) -> None:
    for key, task in outcome.tasks.items():
        parents = outcome.model[key].parents
        if not outcome.model[key].is_join:
            continue

        assert task.data.came == [
            (parent.key, parent.step, parent.index, parent.input, parent.stack)
            for parent in parents
        ]
        assert task.data.by_name == {parent.step: parent.key for parent in parents}


inputs = Behaviour(
    "inputs come in the order of the branches, by position and by name",
    check_inputs,
    code={
        "join": """
            self.came = [
                (each.key, each._current_step, each.index, each.input, each.foreach_stack())
                for each in inputs
            ]
            self.by_name = {
                each._current_step: getattr(inputs, each._current_step).key for each in inputs
            }
            keys = [each.key for each in inputs]
            assert len(inputs) == len(keys)
            assert [inputs[n].key for n in range(len(inputs))] == keys
            assert [each.key for each in inputs[1:]] == keys[1:]
            assert not keys or inputs[-1].key == keys[-1]
        """
    },
    own=["came", "by_name"],
    applies=has_joins,
)


def check_bareness(outcome: Outcome) -> None:
    for key, task in outcome.tasks.items():
        if outcome.model[key].is_join:
            assert task.data.at_first == {"flag": False, "word": False, "constant": True}
            assert "merge_artifacts(inputs)" in task.data.hint


bareness = Behaviour(
    "a join starts with parameters and constants only",
    check_bareness,
    code={
        "start": 'self.flag = "flag"',
        "join": """
            self.at_first = {n: hasattr(self, n) for n in ("flag", "word", "constant")}
            try:
                self.hint = self.flag
            except AttributeError as error:
                self.hint = str(error)
        """,
    },
    own=["at_first", "hint"],
    body="constant = 7\n",
    applies=has_joins,
)


def check_conflict(outcome: Outcome) -> None:
    for key, task in outcome.tasks.items():
        expected = outcome.model[key]
        if expected.is_join:
            assert task.data.conflict == (["mark"] if len(expected.parents) > 1 else [])
            assert task.data.took_flag is False


conflict = Behaviour(
    "inputs that differ can't be merged, and then nothing is",
    check_conflict,
    code={
        "every": "self.mark = self.key",
        "join": """
            self.conflict = []
            try:
                if len(inputs) > 1:
                    self.merge_artifacts(inputs, include=["mark", "flag"])
            except UnhandledInMergeArtifactsException as error:
                self.conflict = error.artifact_names
            self.took_flag = hasattr(self, "flag")
        """,
    },
    own=["mark", "conflict", "took_flag"],
    module="from flowkit.exceptions import UnhandledInMergeArtifactsException\n",
    applies=has_joins,
)


def check_choice(outcome: Outcome) -> None:
    for key, task in outcome.tasks.items():
        expected = outcome.model[key]
        if not expected.is_join:
            assert task.data.left_out == "plain"
            continue
        assert "left_out" not in task
        assert task.data.included is (not expected.is_cut_off)
        assert task.data.misses == (["nobody_has_it"] if not expected.is_cut_off else [])
        assert "not both" in task.data.both


choice = Behaviour(
    "merge_artifacts takes what is included and not what is excluded",
    check_choice,
    code={
        "start": 'self.wanted = self.unwanted = "from the start"',
        "plain": 'self.left_out = "plain"',
        "join": """
            self.included, self.misses = False, []
            if any(hasattr(each, "wanted") for each in inputs):
                self.merge_artifacts(inputs, include=["wanted"])
                self.included = hasattr(self, "wanted") and (
                    len(inputs) == 1 or not hasattr(self, "unwanted")
                )
                try:
                    self.merge_artifacts(inputs, include=["wanted", "nobody_has_it"])
                except MissingInMergeArtifactsException as error:
                    self.misses = error.artifact_names
            try:
                self.merge_artifacts(inputs, include=["a"], exclude=["b"])
            except MergeError as error:
                self.both = str(error)
        """,
    },
    own=["left_out", "included", "misses", "both"],
    module="from flowkit.exceptions import MergeError, MissingInMergeArtifactsException\n",
    applies=has_joins,
)


def check_union(outcome: Outcome) -> None:
    for key, task in outcome.tasks.items():
        walked = {s for s in outcome.model[key].trail if not outcome.shape[s].is_join}
        found = {name for name in task.artifact_names() if name.startswith("was_in_")}

        assert found == {f"was_in_{step}" for step in walked}


union = Behaviour(
    "what only some inputs have is merged as well",
    check_union,
    code={"plain": 'setattr(self, f"was_in_{current.step_name}", True)'},
)


def check_equality(outcome: Outcome) -> None:
    for task in outcome.tasks.values():
        if "alike" in task:
            assert task.data.alike == {"a": 1, "b": [2]}


equality = Behaviour(
    "values that are equal don't conflict, whatever their bytes",
    check_equality,
    code={
        "plain": """
            pairs = [("a", 1), ("b", [2])]
            self.alike = dict(pairs if int(current.task_id) % 2 else reversed(pairs))
        """
    },
    applies=has_joins,
)


def check_elsewhere(outcome: Outcome) -> None:
    for key, task in outcome.tasks.items():
        if not outcome.model[key].is_join:
            assert "can only be called in a join" in task.data.no_join


elsewhere = Behaviour(
    "merge_artifacts outside a join is an error",
    check_elsewhere,
    code={
        "plain": """
            try:
                self.merge_artifacts([])
            except Exception as error:
                self.no_join = str(error)
        """
    },
)

BEHAVIOURS = (inputs, bareness, conflict, choice, union, equality, elsewhere)
