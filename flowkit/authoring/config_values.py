"""What configs hold: a read-only dict for steps, and expressions that wait until it is known."""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from flowkit.exceptions import DefinitionError, FlowkitError

_UNPACKED = "**"
"""What the keys of an unpacked expression begin with; no keyword of a user's does."""


class ConfigValue(dict[Any, Any]):
    """The content of a config, or a part of it: a dict that can't be changed.

    Keys that are names are attributes as well: ``cfg.model.depth`` is ``cfg["model"]["depth"]``.
    It is stored, and dumped as JSON, as the plain dict that it is equal to.
    """

    def __init__(self, content: Mapping[Any, Any]) -> None:
        super().__init__({key: wrapped(value) for key, value in content.items()})

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            known = ", ".join(map(str, self)) or "none"
            raise AttributeError(f"config has no key '{name}'; its keys are: {known}") from None

    def to_dict(self) -> dict[Any, Any]:
        """Return a plain dict, all the way down."""
        return {key: unwrapped(value) for key, value in self.items()}

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return (dict, (self.to_dict(),))

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("ConfigValue is immutable")

    __setattr__ = __delattr__ = __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse


def wrapped(value: Any) -> Any:
    """Return the value with each dict in it as a `ConfigValue`."""
    if isinstance(value, Mapping):
        return ConfigValue(value)
    return type(value)(map(wrapped, value)) if type(value) in (list, tuple) else value


def unwrapped(value: Any) -> Any:
    """Return the value with each mapping in it as a plain dict."""
    if isinstance(value, Mapping):
        return {key: unwrapped(part) for key, part in value.items()}
    return type(value)(map(unwrapped, value)) if type(value) in (list, tuple) else value


# --- before the configs are known -----------------------------------------------------------------


class LazyValue:
    """What ``cfg.a.b`` and ``config_expr(...)`` are in a class body: a value to come.

    May stand in the arguments of decorators and of parameters, also as ``**cfg.a``. Every public
    attribute but ``keys`` is a key of the value to come, so its own ones are private.

    Args:
        evaluate: Returns the value, given the configs by name.
        text: How the user wrote it.
    """

    def __init__(self, evaluate: Callable[[Mapping[str, Any]], Any], text: str) -> None:
        self._evaluate = evaluate
        self._text = text

    def __getattr__(self, name: str) -> Any:  # for type checkers it is what it will be
        if name.startswith("_"):
            raise AttributeError(name)
        evaluate = self._evaluate
        return LazyValue(lambda configs: getattr(evaluate(configs), name), f"{self._text}.{name}")

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str) and key.startswith(_UNPACKED):
            return self
        evaluate = self._evaluate
        return LazyValue(lambda configs: evaluate(configs)[key], f"{self._text}[{key!r}]")

    def keys(self) -> list[str]:
        """Return one key that stands for all of them: this is what ``**cfg.a`` asks for."""
        return [_UNPACKED + self._text]

    def __iter__(self) -> Iterator[Any]:
        self._refuse()

    def __bool__(self) -> bool:  # noqa: PLE0304 - it never returns
        self._refuse()

    def __format__(self, spec: str) -> str:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise TypeError(
            f"the value of '{self._text}' is not known yet when the class is defined: "
            "compute with it in config_expr('...') or in a step"
        )

    def __repr__(self) -> str:
        return f"<{self._text}>"


def config_expr(expression: str) -> Any:
    """Return a value that is computed from configs once they are known.

    May stand in the arguments of decorators and of parameters.

    Args:
        expression: A Python expression. It may use the flow's configs by name, and whatever the
            module has in which this is called.

    Raises:
        DefinitionError: The text is no Python expression.

    Example::

        @resources(cpu=config_expr("2 * cfg.workers"))
    """
    try:
        code = compile(expression, "<config_expr>", "eval")
    except SyntaxError as error:
        raise DefinitionError(f"config_expr({expression!r}): {error.msg}") from None
    names = sys._getframe(1).f_globals  # noqa: SLF001 - the caller's module is where its names are
    return LazyValue(
        lambda configs: eval(code, {**names, **configs}),  # noqa: S307 - written by the user
        expression,
    )


def is_lazy(value: object) -> bool:
    """Whether a value is a `LazyValue` or contains one in dicts, lists or tuples."""
    if isinstance(value, Mapping):
        return any(is_lazy(part) for part in value.values())
    if isinstance(value, list | tuple):
        return any(is_lazy(part) for part in value)
    return isinstance(value, LazyValue)


def is_unpacked(key: str) -> bool:
    """Whether a keyword stands for all those of an unpacked `LazyValue`."""
    return key.startswith(_UNPACKED)


def resolved(value: Any, configs: Mapping[str, Any]) -> Any:
    """Return the value with each `LazyValue` in it replaced, unpacked ones in place.

    Args:
        value: Any value.
        configs: By name, as steps see them.

    Raises:
        DefinitionError: An expression can't be evaluated.
    """
    if isinstance(value, LazyValue):
        return _evaluated(value, configs)
    if not is_lazy(value):
        return value
    if not isinstance(value, Mapping):
        return type(value)(resolved(part, configs) for part in value)
    result: dict[Any, Any] = {}
    for key, part in value.items():
        if isinstance(key, str) and is_unpacked(key):
            found = resolved(part, configs)
            if not isinstance(found, Mapping):
                kind = type(found).__name__
                raise DefinitionError(f"{part!r} is of type {kind}, and ** needs a dict")
            result.update(found)
        else:
            result[key] = resolved(part, configs)
    return result


def _evaluated(value: LazyValue, configs: Mapping[str, Any]) -> Any:
    # The expression is the user's code and may raise anything.
    try:
        return unwrapped(value._evaluate(configs))  # noqa: SLF001 - see there
    except FlowkitError:
        raise
    except Exception as error:
        raise DefinitionError(
            f"{value!r} can't be found in the configs: {type(error).__name__}: {error}"
        ) from error
