"""``Parameter``: a value given to a run on the command line, read-only in every step."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, runtime_checkable

from flowkit.authoring.config_values import is_lazy, resolved
from flowkit.exceptions import (
    DefinitionError,
    ParameterError,
    ParameterFieldFailed,
    ParameterFieldTypeMismatch,
    UsageError,
)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,127}")
_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
_FALSE = frozenset({"0", "false", "f", "no", "n", "off"})
_RESERVED = frozenset(
    {
        "params",
        "with",
        "tag",
        "namespace",
        "obj",
        "tags",
        "decospecs",
        "run-id-file",
        "max-num-splits",
        "max-workers",
        "max-log-size",
        "user-namespace",
        "run-id",
        "task-id",
        "runner-attribute-file",
        "executor",
        "help",
    }
)


class JSONTypeClass:
    """The type of parameters whose text is JSON; `JSONType` is the instance to use."""

    name = "JSON"

    def parse(self, value: object) -> object:
        """Return the object that the JSON text stands for; other values as they are.

        Raises:
            ValueError: The text is no JSON.
        """
        return json.loads(value) if isinstance(value, str | bytes) else value

    def __repr__(self) -> str:
        return "JSON"


JSONType = JSONTypeClass()


@runtime_checkable
class ClickType(Protocol):
    """What flowkit needs of a ``click.ParamType``; click itself isn't imported here."""

    name: str

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the converted value, or raise an exception that says why not."""


@dataclass(frozen=True, slots=True)
class ParameterContext:
    """What a function given as a parameter's ``default`` is called with."""

    flow_name: str
    user_name: str
    parameter_name: str
    logger: Callable[[str], None] = field(default=lambda _: None)
    ds_type: str = "local"
    configs: Mapping[str, Any] = field(default_factory=dict)


class Parameter:
    """A value given to a run; on the command line ``--NAME VALUE``, in steps ``self.<attribute>``.

    Args:
        name: Name of the option; may have dashes.
        default: Value when the option is not given, or a function that gets a
            `ParameterContext` and returns it, called once per run. None: the value is None.
        type: str, int, float, bool, `JSONType` or a click type; the type of ``default`` when
            omitted, else str. A bool takes a value: ``--flag True``.
        help: One sentence for ``--help``.
        required: Whether a run can't start without it.
        show_default: Whether ``--help`` shows the default.
        separator: Splits the text into a list of strings; only for str.

    Raises:
        DefinitionError: The name can't be an option, or the arguments contradict each other.

    Example::

        class Train(FlowSpec):
            alpha = Parameter("alpha", default=0.1, help="learning rate")
    """

    _given: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *arguments: Any, **options: Any) -> Self:
        """Make a parameter that knows its arguments: some may wait for the configs."""
        parameter = super().__new__(cls)
        parameter._given = (arguments, options)
        return parameter

    def __init__(  # noqa: PLR0913 - the signature that Metaflow users know
        self,
        name: str,
        default: Any = None,
        type: Any = None,  # noqa: A002 - the name that Metaflow users write
        help: str | None = None,  # noqa: A002
        required: bool | None = None,
        show_default: bool | None = None,
        *,
        separator: str | None = None,
        **options: Any,
    ) -> None:
        self.name = name
        self.attribute = ""
        if not _NAME.fullmatch(name):
            raise DefinitionError(
                f"parameter name {name!r} is not valid: use letters, digits, _ and -"
            )
        if is_lazy(self._given):
            return  # `resolved` makes the real one
        self.default = default
        self.kind = _kind(type, default)
        self.help = help
        self.required = bool(required)
        self.show_default = True if show_default is None else show_default
        self.separator = separator
        self.options = options
        if separator is not None and self.kind is not str:
            raise DefinitionError(f"parameter '{name}': a separator goes with type str only")
        for field_name in ("required", "show_default", "separator"):
            value = {"required": required, "show_default": show_default, "separator": separator}
            if callable(value[field_name]):
                raise DefinitionError(f"parameter '{name}': '{field_name}' can't be a function")

    def __set_name__(self, owner: type, attribute: str) -> None:
        self.attribute = attribute

    def __get__(self, flow: Any, owner: type | None = None) -> Any:
        return self if flow is None else flow.__getattr__(self.attribute)

    def __set__(self, flow: object, value: object) -> None:
        raise AttributeError(
            f"can't set '{self.attribute}': Flow level attributes and Parameters are not modifiable"
        )

    def __repr__(self) -> str:
        return f"Parameter({self.name!r})"

    def resolved(self, configs: Mapping[str, Any]) -> Self:
        """Return the parameter with what comes from configs in place.

        Args:
            configs: By name, as steps see them.

        Raises:
            DefinitionError: A config has no such value, or it doesn't fit.
        """
        if not is_lazy(self._given):
            return self
        arguments, options = resolved(self._given, configs)
        try:
            made = type(self)(*arguments, **options)
        except (TypeError, ValueError) as error:
            raise DefinitionError(f"parameter '{self.name}': {error}") from error
        made.attribute = self.attribute
        return made

    @property
    def type_name(self) -> str:
        """The word for the parameter's type: "int", "JSON", "choice"."""
        return getattr(self.kind, "__name__", None) or str(self.kind.name)

    def parse(self, value: Any) -> Any:
        """Return the value of an option's text, or of a Python value given instead of one.

        Raises:
            ParameterError: The value doesn't fit the type; the message says what was expected.
        """
        if value is None:
            return None
        try:
            return self._convert(value)
        except ParameterError:
            raise
        except Exception as error:  # noqa: BLE001 - a click type may raise anything
            reason = getattr(error, "message", None) or error
            raise ParameterError(
                f"{value!r} is not a valid {self.type_name} for parameter '{self.name}': {reason}"
            ) from None

    def _convert(self, value: Any) -> Any:
        if isinstance(self.kind, JSONTypeClass):
            return self.kind.parse(value)
        if isinstance(self.kind, ClickType):
            return self.kind.convert(value, None, None)
        if self.kind is bool:
            return _to_bool(value)
        if self.separator is not None and isinstance(value, str):
            return value.split(self.separator)
        if self.separator is not None and isinstance(value, list | tuple):
            return [str(part) for part in value]
        if self.kind in (int, float) and isinstance(value, bool):
            raise ValueError("it is a bool")
        if self.kind is str and not isinstance(value, str):
            raise ValueError(f"it is of type {type(value).__name__}")
        if self.kind is int and isinstance(value, float) and not value.is_integer():
            raise ValueError("it has a fraction")
        return self.kind(value)

    def stored(self, value: Any, context: ParameterContext) -> Any:  # noqa: ARG002 - for subclasses
        """Return what a run keeps for a parsed value, which is the value itself."""
        return value

    def resolve_default(self, context: ParameterContext) -> Any:
        """Return the value for a run that doesn't give one.

        Raises:
            ParameterFieldFailed: The default is a function and raised.
            ParameterFieldTypeMismatch: The function's result is of another type.
        """
        if not callable(self.default):
            return self.parse(self.default)
        try:
            value = self.default(context)
        except Exception as error:
            raise ParameterFieldFailed(
                self.name, "default", f"{type(error).__name__}: {error}"
            ) from error
        if isinstance(self.kind, type) and self.separator is None:
            allowed: tuple[type, ...] = (int, float) if self.kind is float else (self.kind,)
            is_bool_for_number = isinstance(value, bool) and self.kind is not bool
            if value is not None and (not isinstance(value, allowed) or is_bool_for_number):
                got = type(value).__name__
                raise ParameterFieldTypeMismatch(
                    self.name, "default", f"expected {self.type_name}, got {got}"
                )
        return self.parse(value)


def _kind(given: Any, default: Any) -> Any:
    if given is not None:
        return JSONType if given is JSONTypeClass else given
    if default is None or callable(default):
        return str
    if isinstance(default, dict | list):
        return JSONType
    return type(default)


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("use True or False")


def check_parameters(parameters: Mapping[str, Parameter]) -> None:
    """Raise `UsageError` when a name is reserved or specified twice.

    Names are compared without regard to case, since options are.
    """
    seen: dict[str, str] = {}
    for parameter in parameters.values():
        folded = parameter.name.lower().replace("_", "-")
        if folded in _RESERVED:
            raise UsageError(
                f"parameter name '{parameter.name}' is a reserved word: choose another one"
            )
        if folded in seen:
            raise UsageError(f"parameter '{parameter.name}' is specified twice")
        seen[folded] = parameter.name


def parameter_values(
    parameters: Mapping[str, Parameter],
    given: Mapping[str, Any],
    context: Callable[[str], ParameterContext],
) -> dict[str, Any]:
    """Return the value of every parameter of a run, by attribute name.

    Args:
        parameters: The flow's parameters by attribute name.
        given: Texts or values by parameter name; "-" and "_" are alike.
        context: Makes the `ParameterContext` for the parameter of this name.

    Raises:
        UsageError: A required parameter is missing, or a given one doesn't exist.
        ParameterError: A value doesn't fit.
    """
    check_parameters(parameters)
    left = {name.replace("-", "_"): value for name, value in given.items()}
    values = {}
    for attribute, parameter in parameters.items():
        key = parameter.name.replace("-", "_")
        around = context(parameter.name)
        if key in left:
            value = parameter.parse(left.pop(key))
        elif parameter.required and parameter.default is None:
            raise UsageError(f"missing option '--{parameter.name}'")
        else:
            value = parameter.resolve_default(around)
        values[attribute] = parameter.stored(value, around)
    if left:
        known = ", ".join(sorted(p.name for p in parameters.values())) or "none"
        raise UsageError(f"unknown parameter '{next(iter(left))}'; the flow's are: {known}")
    return values
