"""Decorators given as text, ``retry:times=2``, and put on every step that lacks them."""

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from flowkit import plugins
from flowkit.authoring.builtin import BUILTIN
from flowkit.authoring.decorators import StepDecorator, kind_of, made
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.steps import StepDef
from flowkit.exceptions import InvalidDecoratorAttribute, UnknownStepDecoratorException

_LAZY = {"secrets": "flowkit.authoring.secretsources:secrets"}
"""Those that come with flowkit and are only loaded when they are used."""
_BASES = tuple(f"flowkit.authoring.{m}" for m in ("decorators", "userdecorators", "mutators"))
"""Where the classes are that decorators derive from."""


def parse_decospec(text: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the attributes of ``name:attr=value,attr2=value2``.

    A value is JSON where it can be read as such, commas included; otherwise it is the text up to
    the next comma.

    Raises:
        InvalidDecoratorAttribute: A part is not of the form ``attr=value``.
    """
    name, _, rest = text.partition(":")
    attributes: dict[str, Any] = {}
    while rest:
        attribute, equals, rest = rest.partition("=")
        if not equals or not attribute.strip().isidentifier():
            raise InvalidDecoratorAttribute(
                f"decorator '{name}': {attribute!r} is not of the form attribute=value"
            )
        attributes[attribute.strip()], rest = _first_value(rest)
    return name.strip(), attributes


def _first_value(text: str) -> tuple[Any, str]:
    """Return the value at the start of a text, and what follows the comma behind it."""
    plain, _, after = text.partition(",")
    try:
        value, end = json.JSONDecoder().raw_decode(text.lstrip())
    except ValueError:
        return plain.strip(), after
    rest = text.lstrip()[end:].lstrip()
    return (value, rest[1:]) if rest[:1] in ("", ",") else (plain.strip(), after)


def step_decorator(flow: FlowDef, name: str) -> type[StepDecorator]:
    """Return the class of step decorators with this name.

    Looked for among those that come with flowkit, those that the flow's module has (defined there
    or imported), and those that are installed.

    Raises:
        UnknownStepDecoratorException: There is none; the message lists the others.
    """
    known: dict[str, Any] = {**_LAZY, **BUILTIN, **_of_module(flow)}
    found = known.get(name) or plugins.find("decorators", name)
    if isinstance(found, str):
        found = plugins.load(found)
    if found is None:
        raise UnknownStepDecoratorException(
            f"Unknown step decorator {name}. The following decorators are supported: "
            f"{', '.join(sorted(known))}"
        )
    kind: type[StepDecorator] = found
    return kind


def _of_module(flow: FlowDef) -> dict[str, type[StepDecorator]]:
    kinds = [
        value
        for value in vars(sys.modules[flow.cls.__module__]).values()
        if isinstance(value, type)
        and issubclass(value, StepDecorator)
        and value.__module__ not in _BASES
    ]
    by_class_name = {kind.__name__: kind for kind in kinds}
    return {**by_class_name, **{kind.title(): kind for kind in kinds}}


def from_decospec(flow: FlowDef, text: str) -> StepDecorator:
    """Return the decorator that a text describes.

    Raises:
        UnknownStepDecoratorException: There is no such decorator.
        DefinitionError: It doesn't take these attributes.
    """
    name, attributes = parse_decospec(text)
    decorator: StepDecorator = made(step_decorator(flow, name), (), attributes)
    return decorator


def attach(flow: FlowDef, decospecs: Iterable[str]) -> FlowDef:
    """Return the flow with these decorators outermost on every step that has none of their kind.

    Raises:
        UnknownStepDecoratorException: There is no such decorator.
        DefinitionError: One doesn't take its attributes.
    """
    texts = tuple(decospecs)
    steps = dict(flow.steps)
    for text in texts:
        decorator = from_decospec(flow, text)
        steps = {name: _with(step, decorator) for name, step in steps.items()}
    return replace(flow, steps=steps, decospecs=(*flow.decospecs, *texts))


def _with(step: StepDef, decorator: StepDecorator) -> StepDef:
    title = kind_of(decorator).title()
    if any(kind_of(present).title() == title for present in step.decorators):
        return step
    return replace(step, decorators=(decorator, *step.decorators))
