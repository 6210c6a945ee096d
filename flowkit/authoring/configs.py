"""``Config``: values that are known before a flow is defined, from a file or the command line."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from flowkit.authoring.config_values import ConfigValue, LazyValue, unwrapped
from flowkit.authoring.parameters import ParameterContext
from flowkit.authoring.parsers import Parser, find_parser
from flowkit.exceptions import DefinitionError, UsageError

Context = Callable[[str], ParameterContext]
"""Makes what a function given as a default is called with, for the config of this name."""


@dataclass(frozen=True, slots=True)
class ConfigDef:
    """What a `Config` was declared with; see there."""

    name: str
    default: Any = None
    default_value: Any = None
    help: str = ""
    is_required: bool = False
    parser: Parser | str | None = None
    is_plain: bool = False

    def seen(self, value: Any) -> Any:
        """Return the stored value as steps see it."""
        is_wrapped = isinstance(value, Mapping) and not self.is_plain
        return ConfigValue(value) if is_wrapped else value


class Config(LazyValue):
    """Values that shape a flow: ``self.cfg.depth`` in steps, ``cfg.depth`` in decorators.

    Unlike parameters, configs are known before the flow is defined, so that the arguments of
    decorators and parameters can come from them. Each run keeps the configs it was started with.

    Args:
        name: Name for ``--config NAME FILE`` and ``--config-value NAME JSON``.
        default: Path of a file, or a function that gets a `ParameterContext` and returns it.
        default_value: Value, or its text, or a function that returns one of these.
        help: One sentence.
        required: Whether the flow can't be used without it.
        parser: Function from the file's text to a value, or its dotted name; JSON by default.
        plain: Take whatever the parser returns as it is; otherwise it must be a dict, and steps
            see a `ConfigValue`.
        options: Further keywords that Metaflow's users may bring along; without effect.

    Raises:
        DefinitionError: Both defaults are given.

    Example::

        class Train(FlowSpec):
            cfg = Config("cfg", default="train.json")
            depth = Parameter("depth", default=cfg.model.depth)

            @resources(cpu=cfg.cpu)
            @step
            def start(self):
                print(self.cfg.model.name)
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the signature that Metaflow users know
        self,
        name: str,
        default: Any = None,
        default_value: Any = None,
        help: str | None = None,  # noqa: A002 - the name that Metaflow users write
        required: bool | None = None,
        parser: Parser | str | None = None,
        plain: bool = False,
        **options: Any,  # noqa: ARG002
    ) -> None:
        if default is not None and default_value is not None:
            raise DefinitionError(f"config '{name}': give default or default_value, not both")
        super().__init__(lambda configs: configs[name], name)
        self._declared = ConfigDef(
            name, default, default_value, help or "", bool(required), parser, plain
        )
        self._attribute = name

    def __set_name__(self, owner: type, attribute: str) -> None:
        self._attribute = attribute

    def __get__(self, flow: Any, owner: type | None = None) -> Any:
        if flow is None:
            return self
        value = flow.__getattr__(self._attribute)
        if isinstance(value, ConfigValue):
            return value
        value = flow.__dict__[self._attribute] = self._declared.seen(value)
        return value

    def __set__(self, flow: object, value: object) -> NoReturn:
        raise AttributeError(
            f"can't set '{self._attribute}': Flow level attributes and Parameters are not "
            "modifiable"
        )

    def __repr__(self) -> str:
        return f"Config({self._declared.name!r})"


def declared(config: Config) -> ConfigDef:
    """Return what a config was declared with."""
    return config._declared  # noqa: SLF001 - its public names are keys of the config


# --- values ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConfigChoices:
    """Where a user wants configs to come from, by name.

    Attributes:
        files: Paths.
        values: Values, or their texts.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.files or self.values)

    def over(self, lower: "ConfigChoices") -> "ConfigChoices":
        """Return these choices, and for all other configs those of ``lower``."""
        mine = {*self.files, *self.values}
        files = {name: path for name, path in lower.files.items() if name not in mine}
        values = {name: value for name, value in lower.values.items() if name not in mine}
        return ConfigChoices({**files, **self.files}, {**values, **self.values})


def read_configs(
    configs: Mapping[str, ConfigDef], choices: ConfigChoices, context: Context
) -> dict[str, Any]:
    """Return the value of every config of a flow, by attribute name.

    Args:
        configs: The flow's configs by attribute name.
        choices: What the user wants; the defaults hold for the rest.
        context: For defaults that are functions.

    Raises:
        UsageError: Some of them can't be had; the message has a line for each.
    """
    names = [config.name for config in configs.values()]
    problems = [
        f"there is no config '{name}'; the flow's are: {', '.join(names) or 'none'}"
        for name in {**choices.files, **choices.values}
        if name not in names
    ]
    problems += [f"config '{name}' is declared twice" for name in _repeated(names)]
    values: dict[str, Any] = {}
    for attribute, config in configs.items():
        # Parsers and default functions are the user's and may raise anything.
        try:
            values[attribute] = _value(config, choices, context)
        except Exception as error:  # noqa: BLE001
            problems.append(_problem(config.name, error))
    if problems:
        raise UsageError("\n".join(problems))
    return values


class _Unreadable(Exception):
    """A config that can't be had; the text is a sentence."""


def _problem(name: str, error: Exception) -> str:
    if isinstance(error, _Unreadable):
        return str(error)
    return f"the value could not be read for '{name}': {type(error).__name__}: {error}"


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _value(config: ConfigDef, choices: ConfigChoices, context: Context) -> Any:
    name = config.name
    if name in choices.files and name in choices.values:
        raise _Unreadable(f"config '{name}' is given as a file and as a value: choose one")
    if name in choices.files:
        return _parsed(config, _text(name, choices.files[name]))
    if name in choices.values:
        return _parsed(config, choices.values[name])
    if config.default is not None:
        path = config.default(context(name)) if callable(config.default) else config.default
        return _parsed(config, _text(name, path))
    if config.default_value is not None:
        value = config.default_value
        return _parsed(config, value(context(name)) if callable(value) else value)
    if config.is_required:
        raise _Unreadable(
            f"missing config '{name}': give --config {name} FILE or --config-value {name} JSON"
        )
    return None


def _text(name: str, path: str) -> str:
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise _Unreadable(f"file {path!r} could not be read for '{name}': {reason}") from None


def _parsed(config: ConfigDef, content: Any) -> Any:
    """Return the value of a text; other values are taken as they are."""
    value = content
    if isinstance(content, str):
        parse = json.loads if config.parser is None else find_parser(config.parser)
        value = parse(content)
    if config.is_plain:
        return value
    if not isinstance(value, Mapping):
        kind = type(value).__name__
        raise _Unreadable(f"config '{config.name}' is of type {kind}: it must be a dict")
    return unwrapped(value)
