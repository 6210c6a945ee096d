"""Annotations of a flow class declare its artifacts; mistakes are found when it is defined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Optional

import pytest

from flowkit import ArtifactConfig, ArtifactType, FlowSpec, Parameter, step
from flowkit.authoring.flowspec import definition
from flowkit.authoring.typehints import is_unknown
from flowkit.exceptions import DefinitionError, InvalidNameError, TaggingError

if TYPE_CHECKING:
    from pandas import DataFrame


class Base(FlowSpec):
    inherited: int
    overridden: int

    @step
    def start(self):
        pass


def declared(flow):
    return definition(flow).declarations


def test_annotations_without_a_value_are_declarations():
    class Flow(Base):
        model: Annotated[Any, ArtifactConfig(name="trained_model", tags=["x"])]
        frame: Annotated[DataFrame, "frame_name"]
        maybe: Optional[Annotated[int, ArtifactConfig(name="maybe")]]  # noqa: UP045 - the old form
        overridden: str  # type: ignore[assignment]  # what the test is about
        constant: int = 3
        alpha: float = Parameter("alpha", default=0.1)  # type: ignore[assignment]
        shared: ClassVar[int]
        _private: int

    found = declared(Flow)

    assert list(found) == ["inherited", "overridden", "model", "frame", "maybe"]
    assert found["inherited"].type is int
    assert found["overridden"].type is str
    assert (found["model"].artifact, found["model"].config.tags) == ("trained_model", ("x",))
    assert found["frame"].artifact == "frame_name"
    assert found["maybe"].artifact == "maybe"
    assert definition(Flow).constants == {"constant": 3}


def test_a_name_that_only_the_type_checker_knows_stands_for_any_type():
    class Flow(Base):
        frame: Annotated[DataFrame | None, ArtifactConfig(name="frame")]
        other: DataFrame

    found = declared(Flow)

    assert is_unknown(found["frame"].type)
    assert found["frame"].artifact == "frame"
    assert is_unknown(found["other"].type)


def test_an_annotation_of_a_parent_does_not_count_where_a_child_gives_a_value():
    class Flow(Base):
        inherited = 5

    assert list(declared(Flow)) == ["overridden"]


@pytest.mark.parametrize("name", ["next", "input", "index", "merge_artifacts", "save_artifact"])
def test_names_of_flowspec_are_refused(name):
    with pytest.raises(DefinitionError, match=f"can't declare an artifact '{name}'"):
        type("Flow", (FlowSpec,), {"__annotations__": {name: int}})


def test_a_step_is_no_artifact():
    with pytest.raises(DefinitionError, match="'start': it is a step"):
        type("Flow", (Base,), {"__annotations__": {"start": int}})


def test_a_mixin_may_tell_the_type_checker_what_it_finds_on_the_flow():
    class Mixin:
        next: Any
        extra: int

    class Flow(Mixin, Base):
        pass

    assert list(declared(Flow)) == ["inherited", "overridden", "extra"]


def test_an_unknown_argument_is_a_type_error_with_a_near_name():
    with pytest.raises(TypeError, match="no argument 'tag'; did you mean 'tags'"):
        ArtifactConfig(name="x", tag=["a"])  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="there are: name, version"):
        ArtifactConfig(qqq=1)  # type: ignore[call-arg]


def test_a_mistake_in_an_annotation_is_found_when_the_class_is_defined():
    with pytest.raises(TypeError, match="did you mean 'name'"):

        class Flow(Base):
            model: Annotated[Any, ArtifactConfig(nme="x")]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"name": "a/b"}, InvalidNameError),
        ({"name": "x", "version": "latest"}, InvalidNameError),
        ({"name": "x", "version": 0}, InvalidNameError),
        ({"version": "v1"}, DefinitionError),
        ({"name": "x", "tags": "abc"}, DefinitionError),
        ({"name": "x", "tags": [""]}, TaggingError),
        ({"name": "x", "artifact_type": "MODLE"}, DefinitionError),
        ({"name": "x", "run_metadata": 3}, DefinitionError),
        ({"name": "x{"}, DefinitionError),
        ({"name": "x{0}"}, DefinitionError),
    ],
    ids=str,
)
def test_arguments_are_checked(arguments, error):
    with pytest.raises(error):
        ArtifactConfig(**arguments)


@pytest.mark.parametrize("value", ["MODEL", "ModelArtifact", ArtifactType.MODEL])
def test_an_artifact_type_is_given_by_name_or_value(value):
    assert ArtifactConfig(artifact_type=value).artifact_type is ArtifactType.MODEL


def test_templates_name_facts_and_parameters():
    class Flow(Base):
        country = Parameter("country")
        scores: Annotated[Any, ArtifactConfig(name="scores_{country}", version="{date}")]
        parts: Annotated[Any, ArtifactConfig(name="part_{index}")]

    found = declared(Flow)

    assert found["scores"].config.templates == ("country", "date")
    assert not found["scores"].config.is_per_task
    assert found["parts"].config.is_per_task
    with pytest.raises(DefinitionError, match=r"names \{nothing\}; there are: date, time"):

        class Bad(Base):
            scores: Annotated[Any, ArtifactConfig(name="scores_{nothing}")]
