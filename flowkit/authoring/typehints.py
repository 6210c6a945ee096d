"""Annotations of a class as objects: also those that were written, or arrive, as strings."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from flowkit.exceptions import FlowkitError


def evaluated(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield the annotations that a class itself has, each evaluated on its own.

    A name that can't be resolved (imported for the type checker only, or defined further down)
    stands for Any: what is written around it, such as ``Annotated``, is still seen.
    """
    for name, annotation in _raw(cls).items():
        yield name, _evaluated(annotation, cls) if isinstance(annotation, str) else annotation


def _raw(cls: type) -> Mapping[str, Any]:
    if sys.version_info >= (3, 14):
        from annotationlib import Format, get_annotations  # noqa: PLC0415 - not there before

        found: Mapping[str, Any] = get_annotations(cls, format=Format.FORWARDREF)
        return {
            name: one.__forward_arg__ if hasattr(one, "__forward_arg__") else one
            for name, one in found.items()
        }
    own: Mapping[str, Any] = vars(cls).get("__annotations__", {})
    return own


def _evaluated(text: str, cls: type) -> Any:
    module = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
    try:
        return eval(text, {}, _Names(vars(cls), module))  # noqa: S307 - the flow's own source
    except FlowkitError:
        raise
    except Exception:
        if "ArtifactConfig" in text:
            raise
        return Any


class _Names(dict[str, Any]):
    """Names as a class body sees them; those that nobody knows are `_Unknown`."""

    def __init__(self, *scopes: Mapping[str, Any]) -> None:
        super().__init__()
        self._scopes = (*scopes, vars(sys.modules["builtins"]))

    def __missing__(self, name: str) -> Any:
        for scope in self._scopes:
            if name in scope:
                return scope[name]
        return _UNKNOWN


class _Unknown:
    """Stands for a name that can't be resolved; whatever is asked of it is as unknown."""

    def __getattr__(self, name: str) -> "_Unknown":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _: object) -> "_Unknown":
        return self

    def __call__(self, *_: object, **__: object) -> "_Unknown":
        return self

    def __or__(self, _: object) -> "_Unknown":
        return self

    __ror__ = __or__

    def __repr__(self) -> str:
        return "an unknown type"


_UNKNOWN = _Unknown()


def is_unknown(annotation: Any) -> bool:
    """Whether an annotation, or a part of it that was asked for, could not be resolved."""
    return isinstance(annotation, _Unknown)
