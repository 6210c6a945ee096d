"""Configs: where they come from, what they look like, and what waits for them."""

import copy
import json
import pickle
from dataclasses import dataclass

import pytest

from flowkit.authoring.builtin import environment, resources, retry
from flowkit.authoring.config_values import ConfigValue, config_expr
from flowkit.authoring.configs import Config, ConfigChoices, declared, read_configs
from flowkit.authoring.decorators import FlowDecorator, StepDecorator
from flowkit.authoring.flowspec import FlowSpec, declaration, definition
from flowkit.authoring.parameters import JSONType, Parameter, ParameterContext
from flowkit.authoring.parsers import find_parser, toml_parser, yaml_parser
from flowkit.authoring.steps import step
from flowkit.exceptions import (
    BadStepDecoratorException,
    DefinitionError,
    DuplicateStepDecoratorException,
    InvalidDecoratorAttribute,
    NotFoundError,
    UsageError,
)

FACTOR = 10
CONTENT = {"model": {"depth": 3, "name": "tree"}, "layers": [{"size": 1}, 2]}


def context(name):
    return ParameterContext(flow_name="Train", user_name="ada", parameter_name=name)


def read(*configs, files=None, values=None):
    by_name = {declared(config).name: declared(config) for config in configs}
    return read_configs(by_name, ConfigChoices(files or {}, values or {}), context)


@dataclass(frozen=True, kw_only=True)
class labelled(StepDecorator):  # noqa: N801
    text: str
    size: int = 0

    def __post_init__(self):
        if self.size < 0:
            raise ValueError("too small")


@dataclass(frozen=True)
class titled(FlowDecorator):  # noqa: N801
    text: str = ""


# --- values ---------------------------------------------------------------------------------------


def test_keys_of_a_config_value_are_attributes_all_the_way_down():
    value = ConfigValue(CONTENT)

    assert value.model.depth == value["model"]["depth"] == 3
    assert value.layers[0].size == 1
    assert value.get("none", 7) == 7
    assert "model" in value
    assert list(value) == list(value.keys()) == ["model", "layers"]
    assert dict(**value.model) == {"depth": 3, "name": "tree"}
    with pytest.raises(AttributeError, match=r"no key 'modl'; its keys are: model, layers"):
        _ = value.modl


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update(a=1),
        lambda value: value.pop("model"),
        lambda value: value.clear(),
        lambda value: value.setdefault("x", 1),
        lambda value: value.model.__setitem__("depth", 1),
        lambda value: value.__delitem__("model"),
        lambda value: value.__ior__({}),
        lambda value: setattr(value, "model", 1),
        lambda value: delattr(value, "model"),
    ],
)
def test_a_config_value_can_not_be_changed(change):
    value = ConfigValue(CONTENT)

    with pytest.raises(TypeError, match="ConfigValue is immutable"):
        change(value)

    assert value == CONTENT


def test_a_config_value_is_stored_and_dumped_as_the_dict_it_is_equal_to():
    value = ConfigValue(CONTENT)

    loaded = pickle.loads(pickle.dumps(value))

    assert value == CONTENT
    assert loaded == CONTENT
    assert type(loaded) is type(loaded["model"]) is type(loaded["layers"][0]) is dict
    assert type(value.to_dict()["layers"][0]) is dict
    assert json.loads(json.dumps(value)) == CONTENT
    assert copy.deepcopy(value) == CONTENT


# --- reading --------------------------------------------------------------------------------------


def test_a_config_comes_from_the_choice_then_from_its_default(tmp_path):
    path = tmp_path / "c.json"
    path.write_text('{"a": "file"}')
    of_file, of_value = Config("f", default=str(path)), Config("v", default_value={"a": "value"})
    of_text = Config("t", default_value='{"a": "text"}')
    of_call = Config("c", default=lambda _: str(path))
    of_computed = Config("d", default_value=lambda context: {"a": context.parameter_name})

    got = read(of_file, of_value, of_text, of_call, of_computed, Config("nothing"))
    chosen = read(of_file, of_value, files={"v": str(path)}, values={"f": '{"a": "given"}'})

    assert {name: value and value["a"] for name, value in got.items()} == {
        "f": "file", "v": "value", "t": "text", "c": "file", "d": "d", "nothing": None,
    }  # fmt: skip
    assert chosen == {"f": {"a": "given"}, "v": {"a": "file"}}


def test_every_bad_config_is_named_in_one_error(tmp_path):
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "list.json").write_text("[1]")
    configs = [Config("missing", required=True), *map(Config, ("absent", "bad", "list", "both"))]
    files = {
        "absent": "nowhere.json",
        "bad": str(tmp_path / "bad.json"),
        "list": str(tmp_path / "list.json"),
        "both": "x",
        "unknown": "x",
    }

    with pytest.raises(UsageError) as caught:
        read(*configs, Config("bad"), files=files, values={"both": "{}"})

    lines = str(caught.value).splitlines()
    for part in (
        "no config 'unknown'; the flow's are: missing, absent",
        "missing config 'missing': give --config missing FILE",
        "file 'nowhere.json' could not be read for 'absent': No such file",
        "could not be read for 'bad': JSONDecodeError",
        "config 'list' is of type list: it must be a dict",
        "config 'both' is given as a file and as a value",
    ):
        assert [line for line in lines if part in line], part


def test_two_configs_of_one_name_are_an_error():
    configs = {"a": declared(Config("same")), "b": declared(Config("same"))}

    with pytest.raises(UsageError, match="config 'same' is declared twice"):
        read_configs(configs, ConfigChoices(), context)


def test_a_parser_reads_texts_and_plain_keeps_what_it_returns():
    toml = Config("toml", parser=".toml_parser", default_value="[a]\nb = 1")
    dotted = Config("dotted", parser="json.loads", default_value='{"a": 1}')
    words = Config("words", parser=str.split, plain=True, default_value="a b")
    plain = Config("plain", plain=True, default_value={"a": 1})

    got = read(toml, dotted, words, plain)

    assert (got["toml"], got["dotted"]) == ({"a": {"b": 1}}, {"a": 1})
    assert (got["words"], got["plain"]) == (["a", "b"], {"a": 1})
    assert type(declared(plain).seen(got["plain"])) is dict
    assert type(declared(toml).seen(got["toml"])) is ConfigValue


def test_a_parser_that_is_not_there_is_an_error_of_its_config():
    with pytest.raises(UsageError, match=r"read for 'c': NotFoundError: module 'json' has no"):
        read(Config("c", parser="json.nope", default_value="{}"))
    with pytest.raises(NotFoundError):
        find_parser("nodots")


def test_yaml_is_read_when_its_package_is_there():
    try:
        got = yaml_parser("a: [1, 2]")
    except UsageError as error:
        assert "pip install pyyaml" in str(error)  # noqa: PT017 - the other half of the promise
    else:
        assert got == {"a": [1, 2]}
    assert toml_parser("a = 1") == {"a": 1}


def test_choices_of_one_kind_replace_the_lower_ones_of_the_other():
    upper = ConfigChoices(files={"a": "f"}, values={"b": 1})
    lower = ConfigChoices(files={"b": "g", "c": "h"}, values={"a": 2, "d": 3})

    assert upper.over(lower) == ConfigChoices({"c": "h", "a": "f"}, {"d": 3, "b": 1})


def test_both_defaults_contradict_each_other():
    with pytest.raises(DefinitionError, match="give default or default_value, not both"):
        Config("c", default="a", default_value={})


# --- in the class body ----------------------------------------------------------------------------


class Train(FlowSpec):
    settings = Config("cfg")
    other = Config("other-one")
    _part = settings.step

    depth = Parameter("depth", default=settings.name.keys_of, help=config_expr("'at ' + cfg.place"))
    sizes = Parameter("sizes", default=settings.sizes, required=settings.flag)

    @retry(**settings.retry, minutes_between_retries=0)
    @environment(vars=settings.vars)
    @labelled(text=config_expr("cfg['place'] * 2"), size=config_expr("FACTOR + settings.one"))
    @step
    def start(self):
        self.next(self.end)

    @resources(**_part)
    @environment(vars={"A": [settings.list[0]][0], "B": config_expr("[FACTOR for _ in 'x'][0]")})
    @step
    def end(self):
        pass


VALUES = {
    "settings": {
        "name": {"keys_of": 5},
        "place": "x",
        "sizes": [1, {"a": 1}],
        "flag": False,
        "retry": {"times": 1},
        "vars": {"A": 1},
        "one": 1,
        "step": {"cpu": 2},
        "list": [7],
    }
}


def test_decorators_and_parameters_get_values_from_configs():
    described = definition(Train, VALUES)

    start, end = described.steps["start"], described.steps["end"]
    assert start.decorators == (
        retry(times=1, minutes_between_retries=0),
        environment(vars={"A": 1}),
        labelled(text="xx", size=11),
    )
    assert end.decorators == (resources(cpu=2), environment(vars={"A": 7, "B": 10}))
    depth, sizes = described.parameters["depth"], described.parameters["sizes"]
    assert (depth.default, depth.kind, depth.help, depth.attribute) == (5, int, "at x", "depth")
    assert (sizes.default, sizes.kind, sizes.required) == ([1, {"a": 1}], JSONType, False)
    assert described.config_values == {**VALUES, "other": None}
    assert described.seen_configs["settings"].name.keys_of == 5
    assert described.read_only == {"settings", "other", "depth", "sizes", "name"}


def test_the_definition_as_written_is_left_alone():
    definition(Train, VALUES)

    assert list(declaration(Train).configs) == ["settings", "other"]
    assert declaration(Train).config_values == {}
    assert declaration(Train).constants == {}
    changed = {"settings": {**VALUES["settings"], "retry": {"times": 4}}}
    assert definition(Train, changed).steps["start"].decorators[0] == retry(
        times=4, minutes_between_retries=0
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, r"<cfg.retry> can't be found in the configs: AttributeError"),
        ({**VALUES["settings"], "list": {}}, r"<cfg.list\[0\]> can't be found.*KeyError: 0"),
        ({**VALUES["settings"], "one": -20}, "@labelled: too small"),
        ({**VALUES["settings"], "retry": {"tries": 1}}, "'retry' does not support .* 'tries'"),
        ({**VALUES["settings"], "retry": {"times": 9}}, "maximum number of retries"),
        ({**VALUES["settings"], "step": 5}, r"<cfg.step> is of type int, and \*\* needs a dict"),
    ],
)
def test_a_value_that_is_missing_or_does_not_fit_is_a_definition_error(value, message):
    with pytest.raises(DefinitionError, match=message):
        definition(Train, {"settings": value})


def test_flow_decorators_wait_for_configs_as_well():
    @titled(text=config_expr("cfg.text"))
    class Flow(FlowSpec):
        cfg = Config("cfg")

    assert definition(Flow, {"cfg": {"text": "a"}}).decorators == (titled(text="a"),)


def test_decorators_that_wait_are_checked_for_what_is_known():
    cfg = Config("cfg")

    @step
    def some(self):
        pass

    with pytest.raises(InvalidDecoratorAttribute, match="'tries'"):
        retry(tries=cfg.times)  # type: ignore[call-arg]
    with pytest.raises(DuplicateStepDecoratorException, match="already has a decorator 'retry'"):
        retry(times=cfg.times)(retry()(some))
    with pytest.raises(BadStepDecoratorException, match="@retry must be put above @step"):
        retry(times=cfg.times)(print)


@pytest.mark.parametrize("use", [bool, list, "{}".format], ids=["if", "for", "f-string"])
def test_a_value_to_come_can_not_be_computed_with(use):
    with pytest.raises(TypeError, match=r"'cfg.a' is not known yet.*config_expr"):
        use(Config("cfg").a)


def test_a_malformed_expression_is_an_error_where_it_stands():
    with pytest.raises(DefinitionError, match=r"config_expr\('1 \+'\)"):
        config_expr("1 +")


def test_a_constant_can_not_come_from_a_config():
    with pytest.raises(DefinitionError, match=r"class attribute 'limit' would come from a config"):

        class Flow(FlowSpec):
            cfg = Config("cfg")
            limit = cfg.limit


def test_a_config_with_a_private_attribute_is_an_error_at_class_creation():
    with pytest.raises(DefinitionError, match=r"config 'cfg' is bound to '_cfg'.*private"):

        class Flow(FlowSpec):
            _cfg = Config("cfg")


def test_subclasses_inherit_configs():
    class Child(Train):
        pass

    assert definition(Child, VALUES).steps["end"].decorators[0] == resources(cpu=2)


def test_outside_a_task_a_config_is_not_there_and_can_not_be_set():
    flow = Train(use_cli=False)

    with pytest.raises(AttributeError, match="no attribute 'settings'"):
        _ = flow.settings
    with pytest.raises(AttributeError, match="not modifiable"):
        flow.settings = {}
