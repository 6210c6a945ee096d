"""Which materializer takes a value and which one reads it."""

import collections
import sys

import pytest

from flowkit.content.registry import Registry
from flowkit.exceptions import ArtifactUnloadable
from flowkit.materializers.pickled import PickleMaterializer
from flowkit.ports.materializer import Payload

DEFAULT = PickleMaterializer()
PLUGIN = """
class Ordered:
    name = "ordered"
    def claims(self, value):
        return len(value) < 3
    def dump(self, value): ...
    def load(self, payload): ...
"""


class MyDict(collections.OrderedDict[str, int]):
    """A subclass of a type that has a materializer."""


@pytest.fixture
def registry(tmp_path, monkeypatch):
    (tmp_path / "ordered_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    yield Registry(DEFAULT, special={"collections.OrderedDict": "ordered_plugin:Ordered"})
    sys.modules.pop("ordered_plugin", None)


def test_the_default_takes_what_no_other_one_does(registry):
    assert registry.choose(5) is DEFAULT
    assert "ordered_plugin" not in sys.modules


@pytest.mark.parametrize("kind", [collections.OrderedDict, MyDict])
def test_a_materializer_takes_its_type_and_subclasses(registry, kind):
    assert registry.choose(kind()).name == "ordered"
    assert registry.choose(kind()) is registry.choose(kind())


def test_one_that_does_not_claim_the_value_is_passed_over(registry):
    assert registry.choose(MyDict(a=1, b=2, c=3)) is DEFAULT


def test_materializers_are_found_by_their_stored_name(registry):
    assert registry.named("pickle") is DEFAULT
    assert "ordered_plugin" not in sys.modules
    assert registry.named("ordered").name == "ordered"


def test_an_unknown_stored_name_is_unloadable(registry):
    with pytest.raises(ArtifactUnloadable, match="no materializer 'arrow'"):
        registry.named("arrow")


def test_names_of_types_are_qualified_but_for_built_in_ones():
    main_class = type("Model", (), {"__module__": "__main__", "__qualname__": "Model.Part"})

    assert Registry(DEFAULT).type_name(int) == "int"
    assert Registry(DEFAULT).type_name(Payload) == "flowkit.ports.materializer.Payload"
    assert Registry(DEFAULT).type_name(main_class) == "__main__.Model.Part"
    assert Registry(DEFAULT, main_module="train").type_name(main_class) == "train.Model.Part"
