"""Behaviours of artifacts: what a step assigns, changes and deletes, seen by later steps."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from tests.matrix.lab import Outcome
from tests.matrix.model import Expected
from tests.matrix.source import Behaviour

TYPES: dict[str, Any] = {
    "an_int": 3,
    "a_big_int": 10**40,
    "a_float": 0.1,
    "a_complex": 2 - 3j,
    "a_bool": True,
    "none": None,
    "empty": "",
    "a_text": "Käse ✓ 漢字\n\0 end",
    "some_bytes": b"\x00\xff" * 10,
    "a_list": [1, [2, [3]], {}],
    "a_tuple": (1, ("a", None), ()),
    "a_set": {1, 2, 3},
    "a_frozenset": frozenset({("a", 1)}),
    "a_dict": {"b": 1, "a": {"nested": [None]}, 7: "seven", (1, 2): "pair"},
    "a_range": range(2, 20, 3),
    "a_time": datetime(2024, 2, 29, 23, 59, tzinfo=UTC),
    "a_decimal": Decimal("1.10"),
    "a_path": PurePosixPath("/a/b"),
}


def expected_word(task: Expected) -> str | None:
    return None if task.is_cut_off else "carried"


def check_types(outcome: Outcome) -> None:
    for key, task in outcome.tasks.items():
        if outcome.model[key].is_cut_off:
            continue
        found = {name: task[name].data for name in TYPES}

        assert found == TYPES
        assert {n: type(v) for n, v in found.items()} == {n: type(v) for n, v in TYPES.items()}
        assert np.isnan(task.data.not_a_number)
        assert task.data.a_class is dict


types = Behaviour(
    "artifacts of many types",
    check_types,
    code={
        "start": "\n".join(
            [
                *(f"self.{name} = {value!r}" for name, value in TYPES.items()),
                "self.not_a_number = float('nan')",
                "self.a_class = dict",
            ]
        )
    },
    module="import datetime\nfrom decimal import Decimal\nfrom pathlib import PurePosixPath\n",
)


def check_propagation(outcome: Outcome) -> None:
    first = next(iter(outcome.tasks.values()))
    for key, task in outcome.tasks.items():
        word = expected_word(outcome.model[key])

        assert task.data.seen == word
        assert ("word" in task) is (word is not None)
        if word is not None:
            assert task["word"].sha == first["word"].sha


propagation = Behaviour(
    "an artifact goes to every step after it, by reference",
    check_propagation,
    code={
        "start": 'self.word = "carried"',
        "every": 'self.seen = getattr(self, "word", None)',
    },
    own=["seen"],
)


def check_trail(outcome: Outcome) -> None:
    for key, task in outcome.tasks.items():
        assert list(task.data.trail) == outcome.model[key].trail


trail = Behaviour(
    "artifacts of the branches come together in the order of the branches",
    check_trail,
    code={
        "start": "self.trail = ()",
        "join": "self.trail = tuple(step for each in inputs for step in each.trail)",
        "every": "self.trail += (current.step_name,)",
    },
    own=["trail"],
)


def check_ledger(outcome: Outcome) -> None:
    for key, task in outcome.tasks.items():
        assert task.data.ledger == {"steps": outcome.model[key].trail}


ledger = Behaviour(
    "what a step changes in place is a new artifact, and the old one stays",
    check_ledger,
    code={
        "start": 'self.ledger = {"steps": []}',
        "join": 'self.ledger = {"steps": [s for each in inputs for s in each.ledger["steps"]]}',
        "every": 'self.ledger["steps"].append(current.step_name)',
    },
    own=["ledger"],
)


def check_reading(outcome: Outcome) -> None:
    digests = {
        task["read_only"].sha
        for key, task in outcome.tasks.items()
        if not outcome.model[key].is_cut_off
    }
    assert len(digests) == 1


reading = Behaviour(
    "reading an artifact does not change it",
    check_reading,
    code={
        "start": 'self.read_only = {"z": {"a", "b", "c"}, "y": [1.5, {"x": (2, "two")}]}',
        "every": 'assert len(getattr(self, "read_only", "ab")) == 2',
    },
)


def check_private(outcome: Outcome) -> None:
    for task in outcome.tasks.values():
        assert "_secret" not in task
        assert "private to a step" in task.data.excuse


private = Behaviour(
    "private attributes stay in their step",
    check_private,
    code={
        "every": """
            try:
                self.excuse = str(self._secret)
            except AttributeError as error:
                self.excuse = str(error)
            self._secret = "hidden"
            assert self._secret == "hidden"
        """
    },
    own=["excuse"],
)


def check_deletion(outcome: Outcome) -> None:
    first, *others = outcome.tasks.values()

    assert first.data.doomed == 1
    assert not any("doomed" in task.data for task in others)
    assert not any("fleeting" in task.data for task in outcome.tasks.values())


deletion = Behaviour(
    "what a step deletes is gone for those after it",
    check_deletion,
    code={
        "start": "self.doomed = 1",
        "second": """
            if hasattr(self, "doomed"):
                del self.doomed
            assert not hasattr(self, "doomed")
        """,
        "every": """
            self.fleeting = 1
            del self.fleeting
            assert not hasattr(self, "fleeting")
        """,
    },
)


def check_large(outcome: Outcome) -> None:
    expected = np.random.default_rng(7).random((256, 512))
    for key, task in outcome.tasks.items():
        if not outcome.model[key].is_cut_off:
            assert task["large"].size >= expected.nbytes
            np.testing.assert_array_equal(task.data.large, expected)
    blobs = outcome.lab.directory.rglob("objects/*/*")
    assert sum(path.stat().st_size >= expected.nbytes // 2 for path in blobs) == 1


large = Behaviour(
    "a megabyte of numbers is stored once, also in another artifact",
    check_large,
    code={
        "start": """
            self.large = numpy.random.default_rng(7).random((256, 512))
            self.same_in_a_dict = {"array": self.large.copy()}
        """,
        "end": 'assert self.same_in_a_dict["array"].sum() > 0 if hasattr(self, "large") else True',
    },
    module="import numpy\n",
)


def check_instances(outcome: Outcome) -> None:
    first = next(iter(outcome.tasks.values()))
    module = outcome.lab.file.stem

    assert first["thing"].type == f"{module}.Thing"
    with outcome.lab.importable():
        thing = first.data.thing
        assert (type(thing).__module__, type(thing).__name__) == (module, "Thing")
        assert thing.parts == {"self": thing}
        assert first.data.double(21) == 42


instances = Behaviour(
    "instances of classes of the flow file, and functions",
    check_instances,
    code={
        "start": """
            self.thing = Thing()
            self.double = lambda number: number * TWO
        """,
        "every": """
            if hasattr(self, "thing"):
                assert type(self.thing) is Thing and self.thing.parts["self"] is self.thing
                assert self.double(4) == 8
        """,
    },
    module="""
        TWO = 2


        class Thing:
            def __init__(self):
                self.parts = {"self": self}
    """,
)


def check_missing(outcome: Outcome) -> None:
    for task in outcome.tasks.values():
        assert "has no attribute 'nowhere'" in task.data.complaint
        assert "nowhere" not in task
        assert not hasattr(task.data, "nowhere")


missing = Behaviour(
    "an artifact that nobody has set",
    check_missing,
    code={
        "every": """
            try:
                self.nowhere
            except AttributeError as error:
                self.complaint = str(error)
        """
    },
    own=["complaint"],
)


def check_reserved(outcome: Outcome) -> None:
    for task in outcome.tasks.values():
        assert len(task.data.refused) == 4


reserved = Behaviour(
    "reserved names and steps can't be assigned",
    check_reserved,
    code={
        "every": """
            self.refused = []
            for name in ("index", "input", "name", current.step_name):
                try:
                    setattr(self, name, 1)
                except AttributeError as error:
                    self.refused.append(str(error))
        """
    },
    own=["refused"],
)

BEHAVIOURS = (
    types,
    propagation,
    trail,
    ledger,
    reading,
    private,
    deletion,
    large,
    instances,
    missing,
    reserved,
)
