"""Whether a value fits a type annotation: one shallow look, like ``isinstance``."""

import sys
import types
from collections.abc import Callable
from typing import (
    Annotated,
    Any,
    Literal,
    NewType,
    TypeVar,
    Union,
    get_args,
    get_origin,
    is_typeddict,
)

from flowkit.authoring.declarations import Declaration
from flowkit.authoring.typehints import is_unknown
from flowkit.exceptions import ArtifactTypeError


def check_assigned(flow: str, step: str, declared: Declaration, value: object) -> None:
    """Raise `ArtifactTypeError` unless a value fits what is declared for its attribute.

    To be called from ``__setattr__``: the line is that of the assignment.
    """
    if fits(value, declared.type):
        return
    line = sys._getframe(2).f_lineno  # noqa: SLF001 - where the attribute is assigned
    raise ArtifactTypeError(
        f"flow '{flow}', step '{step}', line {line}: self.{declared.attribute} is declared as "
        f"{type_text(declared.type)}, but a value of type {type_text(type(value))} was assigned"
    )


def fits(value: object, annotation: Any) -> bool:
    """Whether a value is of an annotated type, as far as one look can tell.

    Of ``list[int]`` only the list is checked, and an int is a float, as for type checkers. What
    can't be checked fits.
    """
    if annotation is Any or is_unknown(annotation) or isinstance(annotation, str):
        return True
    if annotation is None:
        return value is None
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in get_args(annotation))
    if origin is Annotated:
        return fits(value, get_args(annotation)[0])
    if origin is Literal:
        return any(value == one and type(value) is type(one) for one in get_args(annotation))
    return _is_instance(value, _class_of(annotation, origin))


def type_text(annotation: Any) -> str:
    """Return an annotation as people write it: "DataFrame", "int | None", "list[str]"."""
    if annotation is None or annotation is type(None):
        return "None"
    if get_origin(annotation) in (Union, types.UnionType):
        return " | ".join(type_text(one) for one in get_args(annotation))
    if get_origin(annotation) is Annotated:
        return type_text(get_args(annotation)[0])
    if get_origin(annotation) is None and isinstance(annotation, type):
        return annotation.__qualname__
    return str(annotation).replace("typing.", "")


def _class_of(annotation: Any, origin: Any) -> Any:
    if origin is not None:
        return origin
    if isinstance(annotation, NewType):
        return annotation.__supertype__
    if isinstance(annotation, TypeVar):
        return annotation.__bound__ or object
    if is_typeddict(annotation):
        return dict
    return getattr(annotation, "__value__", annotation)  # the value of a `type` statement


def _is_instance(value: object, kind: Any) -> bool:
    if kind is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    if kind is complex:
        return isinstance(value, complex | float | int) and not isinstance(value, bool)
    if kind is Callable:
        return callable(value)
    if not isinstance(kind, type):
        return fits(value, kind) if get_origin(kind) is not None else True
    try:
        return isinstance(value, kind)
    except TypeError:
        return True  # a protocol that can't be checked at run time
