"""Outlines are bounded whatever the value is, and call nothing of it."""

import pytest

from flowkit.materializers.outline import outline


class Hostile:
    """Everything about it that Python would ask for raises."""

    def __getattribute__(self, name):
        raise RuntimeError(name)

    def __repr__(self):
        raise RuntimeError("repr")

    def __len__(self):
        raise RuntimeError("len")

    def __eq__(self, other):
        raise RuntimeError("eq")

    __hash__ = object.__hash__


class HostileDict(dict[str, int]):
    def __len__(self):
        raise RuntimeError("len")

    def __iter__(self):
        while True:
            yield 1

    def items(self):
        raise RuntimeError("items")

    keys = values = items
    __repr__ = __iter__


class HostileList(list[int]):
    def __len__(self):
        return 10**18

    def __iter__(self):
        while True:
            yield 1


def test_nothing_of_a_value_is_called():
    text = outline([Hostile(), HostileDict(a=1), HostileList([1, 2]), {Hostile(): Hostile()}])

    assert f"<{__name__}.Hostile>" in text
    assert f"{__name__}.HostileDict{{'a': 1}}" in text
    assert f"{__name__}.HostileList[1, 2]" in text


def test_a_short_value_is_one_line():
    assert outline({"a": [1, (), {2}]}) == "{'a': [1, (), {2}]}"


def test_a_long_value_has_one_line_for_each_long_item():
    text = outline({"first": "x" * 60, "second": ["y" * 60, 1]})

    assert text.split("\n") == [
        "{",
        f"    'first': '{'x' * 60}',",
        f"    'second': ['{'y' * 60}', 1],",
        "}",
    ]


def test_short_items_share_lines():
    lines = outline(list(range(1000, 1100))).split("\n")

    assert lines[1].startswith("    1000, 1001, 1002")
    assert lines[-2].endswith("... (100 in all)")


def nested(depth):
    value: list[object] = []
    for _ in range(depth):
        value = [value, value]
    return value


def endless():
    value: list[object] = [1]
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10_000_000,
        b"x" * 10_000_000,
        list(range(1_000_000)),
        dict.fromkeys(range(100_000), "x" * 1000),
        nested(100),
        endless(),
        10**100_000,
        [["x" * 1000] * 1000] * 1000,
    ],
    ids=["text", "bytes", "list", "dict", "nested", "endless", "int", "wide"],
)
def test_the_text_is_short_whatever_the_value_is(value):
    assert len(outline(value)) < 100_000
