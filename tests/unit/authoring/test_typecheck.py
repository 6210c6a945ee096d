"""Whether a value fits an annotation, as far as one look can tell."""

# ruff: noqa: UP045, UP007 - the old forms of annotations have to work as well

import collections.abc
import typing
from typing import Annotated, Any, Literal, NewType, Optional, Protocol, TypedDict, Union

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from flowkit import FlowSpec, step
from flowkit.authoring.typecheck import fits, type_text
from flowkit.exceptions import ArtifactTypeError
from flowkit.testing.steps import call_step

UserId = NewType("UserId", int)
T = typing.TypeVar("T")
N = typing.TypeVar("N", bound=int)


class Movie(TypedDict):
    title: str


class Closes(Protocol):
    def close(self) -> None: ...


@typing.runtime_checkable
class Opens(Protocol):
    def open(self) -> None: ...


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (1, Any), (1, object), (1, int), (True, int), (1, float), (1.0, complex), ([1], list),
        (["s"], list[int]), ({}, dict[str, int]), (None, None), (None, Optional[int]),
        (1, Optional[int]), ("a", int | str), ("a", Union[int, str]), ("a", Annotated[str, "x"]),
        ("a", Literal["a", "b"]), (pd.DataFrame(), pd.DataFrame),
        (np.zeros(2), npt.NDArray[np.int8]),
        (len, collections.abc.Callable), (len, typing.Callable[[Any], int]), (int, type),
        (int, type[int]), (3, UserId), ({"title": "x"}, Movie), (1, T), (1, N), (1, Closes),
        ((1, 2), tuple[int, ...]), ("a", "NotYetDefined"), ([], collections.abc.Sequence),
    ],
)  # fmt: skip
def test_values_that_fit(value, annotation):
    assert fits(value, annotation)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        ("a", int), (None, int), (1.0, int), (True, float), ([], dict), ((), list[int]),
        (None, pd.DataFrame), (1, None), (1.5, Optional[int]), (b"", int | str),
        (1, Annotated[str, "x"]), ("c", Literal["a", "b"]), (True, Literal[1]),
        (3, typing.Callable),
        ("a", UserId), ([], Movie), ("a", N), (1, Opens), (np.int64(3), int), (1, type[int]),
    ],
)  # fmt: skip
def test_values_that_do_not(value, annotation):
    assert not fits(value, annotation)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"), (Optional[int], "int | None"), (list[str], "list[str]"), (None, "None"),
        (Annotated[pd.DataFrame, "x"], "DataFrame"), (Any, "Any"), (int | str, "int | str"),
    ],
)  # fmt: skip
def test_annotations_are_told_as_people_write_them(annotation, text):
    assert type_text(annotation) == text


class Typed(FlowSpec):
    count: int
    frame: Annotated[pd.DataFrame, "frame"]
    free: Any

    @step
    def start(self):
        self.free = [self]
        self.free = None
        self.count = 3
        self.next(self.end)

    @step
    def end(self):
        self.count = "three"  # type: ignore[assignment]  # what the test is about


def test_a_value_of_the_wrong_type_names_flow_step_line_attribute_and_types():
    line = Typed.end.__code__.co_firstlineno + 2

    assert call_step(Typed, "start").artifacts["count"] == 3
    with pytest.raises(ArtifactTypeError) as refused:
        call_step(Typed, "end")
    assert str(refused.value) == (
        f"flow 'Typed', step 'end', line {line}: self.count is declared as int, but a value of "
        "type str was assigned"
    )
    assert isinstance(refused.value, TypeError)
