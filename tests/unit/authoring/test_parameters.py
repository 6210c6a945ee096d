"""Parameters: their types, defaults, names, and the messages when a value does not fit."""

import click
import pytest

from flowkit.authoring.flowspec import FlowSpec, definition
from flowkit.authoring.parameters import (
    JSONType,
    JSONTypeClass,
    Parameter,
    ParameterContext,
    check_parameters,
    parameter_values,
)
from flowkit.exceptions import (
    DefinitionError,
    ParameterError,
    ParameterFieldFailed,
    ParameterFieldTypeMismatch,
    UsageError,
)


class Percent(click.ParamType):  # type: ignore[type-arg] # generic since click 8.5 only
    name = "percent"

    def convert(self, value, param, ctx):
        if isinstance(value, float):
            return value
        if not value.endswith("%"):
            self.fail(f"{value} has no %", param, ctx)
        return float(value[:-1]) / 100


def context(name):
    return ParameterContext(flow_name="Train", user_name="ada", parameter_name=name)


def values(given=None, **parameters):
    return parameter_values(parameters, given or {}, context)


@pytest.mark.parametrize(
    ("parameter", "text", "expected"),
    [
        (Parameter("p"), "5", "5"),
        (Parameter("p", type=str), "", ""),
        (Parameter("p", type=int), " 5", 5),
        (Parameter("p", default=1), "5", 5),
        (Parameter("p", default=0.5), "1e-3", 0.001),
        (Parameter("p", type=float), 3, 3.0),
        (Parameter("p", default=True), "no", False),
        (Parameter("p", type=bool), "TRUE", True),
        (Parameter("p", type=bool), True, True),
        (Parameter("p", type=JSONType), '{"a": [1, null]}', {"a": [1, None]}),
        (Parameter("p", type=JSONTypeClass), "3", 3),
        (Parameter("p", type=JSONType), [1], [1]),
        (Parameter("p", default={"a": 1}), "[2]", [2]),
        (Parameter("p", default=[1]), '"x"', "x"),
        (Parameter("p", type=click.Choice(["s", "m"])), "m", "m"),
        (Parameter("p", type=click.IntRange(1, 3)), "2", 2),
        (Parameter("p", type=Percent()), "50%", 0.5),
        (Parameter("p", separator=","), "a,b,,c", ["a", "b", "", "c"]),
        (Parameter("p", separator="::"), "a::b:c", ["a", "b:c"]),
        (Parameter("p", separator=","), ("a", 1), ["a", "1"]),
    ],
    ids=str,
)
def test_a_value_is_parsed_as_its_type_says(parameter, text, expected):
    parsed = parameter.parse(text)

    assert (type(parsed), parsed) == (type(expected), expected)


@pytest.mark.parametrize(
    ("parameter", "text", "message"),
    [
        (Parameter("p", type=int), "x", "'x' is not a valid int for parameter 'p'"),
        (Parameter("p", type=int), True, "it is a bool"),
        (Parameter("p", type=int), 1.5, "it has a fraction"),
        (Parameter("p", type=float), "x", "not a valid float"),
        (Parameter("p", type=bool), "maybe", "use True or False"),
        (Parameter("p", type=JSONType), "{", "not a valid JSON"),
        (Parameter("p", type=str), 5, "it is of type int"),
        (Parameter("p", type=click.Choice(["s", "m"])), "x", "not one of 's', 'm'"),
        (Parameter("p", type=Percent()), "5", "5 has no %"),
    ],
    ids=str,
)
def test_a_value_that_does_not_fit_is_refused_with_the_reason(parameter, text, message):
    with pytest.raises(ParameterError, match=message):
        parameter.parse(text)


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (Parameter("p"), None),
        (Parameter("p", default=3), 3),
        (Parameter("p", default={"a": 1}), {"a": 1}),
        (Parameter("p", default="a,b", separator=","), ["a", "b"]),
        (Parameter("p", default=lambda c: f"{c.flow_name} {c.user_name} {c.parameter_name}"),) * 1
        + ("Train ada p",),
        (Parameter("p", default=lambda _: 3, type=int), 3),
        (Parameter("p", default=lambda _: 3, type=float), 3.0),
        (Parameter("p", default=lambda _: {"a": 1}, type=JSONType), {"a": 1}),
        (Parameter("p", default=lambda _: ["a"], separator=","), ["a"]),
        (Parameter("p", default=lambda _: "m", type=click.Choice(["s", "m"])), "m"),
        (Parameter("p", default=lambda _: None, type=int), None),
        (Parameter("p", default="50%", type=Percent()), 0.5),
    ],
    ids=str,
)
def test_the_default_is_taken_when_nothing_is_given(parameter, expected):
    assert values(attribute=parameter) == {"attribute": expected}


def test_a_default_function_of_the_wrong_type_is_an_error():
    with pytest.raises(
        ParameterFieldTypeMismatch, match="'default' of parameter 'p': expected int"
    ):
        values(p=Parameter("p", default=lambda _: "x", type=int))
    with pytest.raises(ParameterFieldTypeMismatch, match="expected str, got int"):
        values(p=Parameter("p", default=lambda _: 3))
    with pytest.raises(ParameterFieldTypeMismatch, match="expected int, got bool"):
        values(p=Parameter("p", default=lambda _: True, type=int))


def test_a_default_function_that_raises_is_an_error_with_its_reason():
    def fails(_):
        raise ValueError("no luck")

    with pytest.raises(
        ParameterFieldFailed, match="'default' of parameter 'p': ValueError: no luc"
    ):
        values(p=Parameter("p", default=fails))


def test_a_given_value_wins_over_the_default_function():
    def fails(_):
        raise AssertionError

    assert values({"p": "x"}, p=Parameter("p", default=fails)) == {"p": "x"}


def test_a_required_parameter_must_be_given():
    with pytest.raises(UsageError, match="missing option '--the-name'"):
        values(p=Parameter("the-name", required=True))

    assert values(p=Parameter("p", required=True, default=1)) == {"p": 1}


def test_dashes_and_underscores_in_given_names_are_alike():
    parameter = Parameter("the-name", default=1)

    assert values({"the-name": "2"}, attribute=parameter) == {"attribute": 2}
    assert values({"the_name": "2"}, attribute=parameter) == {"attribute": 2}


def test_an_unknown_parameter_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"unknown parameter 'beta'; the flow's are: alpha"):
        values({"beta": 1}, alpha=Parameter("alpha"))


@pytest.mark.parametrize("name", ["tag", "max-workers", "max_workers", "With", "run_id", "help"])
def test_reserved_names_are_refused(name):
    with pytest.raises(UsageError, match=f"'{name}' is a reserved word"):
        check_parameters({"p": Parameter(name)})


@pytest.mark.parametrize("name", ["", "a b", "1a", "-a", "é", "a.b", "x" * 129])
def test_names_that_can_not_be_options_are_refused(name):
    with pytest.raises(DefinitionError, match="is not valid: use letters, digits, _ and -"):
        Parameter(name)


@pytest.mark.parametrize("other", ["alpha", "ALPHA"])
def test_names_specified_twice_are_refused_whatever_their_case(other):
    with pytest.raises(UsageError, match=f"parameter '{other}' is specified twice"):
        check_parameters({"a": Parameter("alpha"), "b": Parameter(other)})


def test_names_that_differ_in_dashes_only_are_the_same():
    with pytest.raises(UsageError, match="specified twice"):
        check_parameters({"a": Parameter("a-b"), "b": Parameter("a_b")})


@pytest.mark.parametrize("field", ["required", "show_default", "separator"])
def test_only_the_default_may_be_a_function(field):
    with pytest.raises(DefinitionError, match=f"'{field}' can't be a function"):
        Parameter("p", **{field: lambda _: None})  # type: ignore[arg-type]


def test_a_separator_goes_with_text_only():
    with pytest.raises(DefinitionError, match="separator goes with type str only"):
        Parameter("p", default=1, separator=",")


def test_the_attribute_may_have_another_name_than_the_option():
    class Named(FlowSpec):
        attribute = Parameter("other-name", default=1)

    described = definition(Named)
    assert list(described.parameters) == ["attribute"]
    assert described.parameters["attribute"].name == "other-name"
    assert repr(Named.attribute) == "Parameter('other-name')"


def test_a_parameter_is_read_only():
    class Named(FlowSpec):
        alpha = Parameter("alpha", default=1)

    flow = Named(use_cli=False)
    with pytest.raises(AttributeError, match="Flow level attributes and Parameters are not modif"):
        flow.alpha = 2
    with pytest.raises(AttributeError, match="Flow level attributes and Parameters are not modif"):
        del flow.alpha
