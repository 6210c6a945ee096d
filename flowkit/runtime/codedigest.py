"""What tells the code of a step from other code, without its source: names, constants, bytecode."""

import sys
from collections.abc import Callable
from inspect import unwrap
from types import CodeType
from typing import Any

from flowkit.content.hashing import digest_of


def code_digest(function: Callable[..., Any]) -> str:
    """Return a text that changes with what a function does, not with comments or its place.

    What it calls is not looked into. Texts can be compared when they begin with the same version
    of Python: the same source has other bytecode in another one.
    """
    code = getattr(unwrap(function), "__code__", None)
    if code is None:
        return ""
    digest = digest_of(repr(_parts(code, function.__doc__)).encode("utf-8", "backslashreplace"))
    return f"{sys.version_info.major}.{sys.version_info.minor}:{digest}"


def is_other_code(one: str, other: str) -> bool:
    """Whether two texts of `code_digest` certainly stand for different code."""
    version, _, digest = one.partition(":")
    other_version, _, other_digest = other.partition(":")
    return version == other_version and digest != other_digest and bool(digest and other_digest)


def _parts(code: CodeType, doc: str | None) -> list[object]:
    constants = [one for one in code.co_consts if doc is None or one != doc]
    return [
        code.co_code.hex(),
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        [_constant(one) for one in constants],
    ]


def _constant(value: object) -> object:
    if isinstance(value, CodeType):
        return _parts(value, None)
    if isinstance(value, frozenset):
        return "frozenset", sorted(map(repr, value))
    return type(value).__name__, value
