"""The type of a step decorator that is used bare or with keyword arguments."""

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])


class Decorating(Protocol[P]):
    """What type checkers see of ``@retry`` and its relatives: the step keeps its type."""

    @overload
    def __call__(self, function: F, /) -> F: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Callable[[F], F]: ...


def decorating(decorator: Callable[P, Any]) -> Decorating[P]:
    """Return the decorator class itself, typed as what it is used for."""
    return cast("Decorating[P]", decorator)
