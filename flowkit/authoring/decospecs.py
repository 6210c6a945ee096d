"""Decorators given as text, ``retry:times=2``, and put on every step that lacks them."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from flowkit import plugins
from flowkit.authoring.builtin import BUILTIN
from flowkit.authoring.decorators import StepDecorator, kind_of
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.steps import StepDef
from flowkit.exceptions import (
    DefinitionError,
    InvalidDecoratorAttribute,
    UnknownStepDecoratorException,
)


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
    stripped = text.lstrip()
    try:
        value, end = json.JSONDecoder().raw_decode(stripped)
    except ValueError:
        end = -1
    rest = stripped[end:].lstrip() if end >= 0 else "?"
    if not rest or rest.startswith(","):
        return value, rest[1:]
    plain, _, rest = text.partition(",")
    return plain.strip(), rest


def step_decorator(flow: FlowDef, name: str) -> type[StepDecorator]:
    """Return the class of step decorators with this name.

    Looked for among those that come with flowkit, those that the flow's module has (defined there
    or imported), and those that are installed.

    Raises:
        UnknownStepDecoratorException: There is none; the message lists the others.
    """
    known = {**BUILTIN, **_of_module(flow)}
    found: type[StepDecorator] | None = known.get(name) or plugins.find("decorators", name)
    if found is None:
        raise UnknownStepDecoratorException(
            f"Unknown step decorator {name}. The following decorators are supported: "
            f"{', '.join(sorted(known))}"
        )
    return found


def _of_module(flow: FlowDef) -> dict[str, type[StepDecorator]]:
    kinds = [
        value
        for value in vars(sys.modules[flow.cls.__module__]).values()
        if isinstance(value, type)
        and issubclass(value, StepDecorator)
        and not value.__module__.startswith("flowkit.authoring.")
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
    return made(step_decorator(flow, name), (), attributes)


def made(kind: type[Any], arguments: Iterable[Any], attributes: Mapping[str, Any]) -> Any:
    """Return a decorator of this class.

    Raises:
        DefinitionError: It doesn't take these arguments.
    """
    try:
        return kind(*arguments, **attributes)
    except (TypeError, ValueError) as error:
        raise DefinitionError(f"@{kind.title()}: {error}") from error


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
