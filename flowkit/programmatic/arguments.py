"""Python arguments as arguments of a flow file's command line, checked against its options."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TOP_LEVEL = ""
"""The key of the options that stand before the command."""
_ALIASES = {"user_namespace": "namespace"}
_OURS = "runner_attribute_file"
_INTEGER = ("int", "integer", "integer range")
_NUMBER = ("float", "float range")
_BOOL = ("bool", "boolean")
_TEXT = ("str", "text", "path", "file", "directory")


@dataclass(frozen=True, slots=True)
class Option:
    """One option or positional argument of one command.

    Attributes:
        name: Its Python name.
        flag: What it is on the command line, such as ``--max-workers``; "" for a positional one.
        off_flag: What stands for False; "" when nothing does.
        kind: The word for its type.
        is_flag: Whether it takes no value.
        is_multiple: Whether it may be repeated.
        nargs: How many values it takes each time.
        choices: The only texts that it takes; () when it takes any.
        separator: What stands between the parts of a list; "" when it takes none.
    """

    name: str
    flag: str
    off_flag: str
    kind: str
    is_flag: bool
    is_multiple: bool
    nargs: int
    choices: Sequence[str]
    separator: str

    def texts(self, value: Any) -> Iterator[str]:
        """Yield the arguments that give this option a value.

        Raises:
            TypeError: The value is of another type.
        """
        if self.is_flag:
            flag = self.flag if self._checked(value, bool, "bool") else self.off_flag
            yield from [flag] if flag else []
            return
        for one in self._checked(value, list | tuple, "list") if self.is_multiple else [value]:
            if self.nargs == 1:
                text = self._text(one)
                yield f"{self.flag}={text}" if self.flag else text
                continue
            parts = self._checked(one, list | tuple, f"tuple of {self.nargs}")
            if len(parts) != self.nargs:
                raise self._misfit(one, f"tuple of {self.nargs}")
            yield from [self.flag, *(_plain(part) for part in parts)]

    def _text(self, value: Any) -> str:
        if self.choices and value not in self.choices:
            raise self._misfit(value, f"one of {', '.join(self.choices)}")
        if self.kind in _INTEGER:
            return str(self._checked(value, int, "int"))
        if self.kind in _NUMBER:
            return repr(self._checked(value, int | float, "float"))
        if self.kind in _BOOL:
            return str(self._checked(value, bool, "bool"))
        if self.separator and isinstance(value, list | tuple):
            return self.separator.join(str(part) for part in value)
        if self.kind in _TEXT:
            return str(os.fspath(self._checked(value, str | os.PathLike, "str")))
        return _plain(value)

    def _checked(self, value: Any, kind: Any, expected: str) -> Any:
        is_odd_bool = isinstance(value, bool) and kind is not bool  # a bool is an int as well
        if is_odd_bool or not isinstance(value, kind):
            raise self._misfit(value, expected)
        return value

    def _misfit(self, value: Any, expected: str) -> TypeError:
        return TypeError(
            f"Invalid type for '{self.name}': {value!r} ({type(value).__name__}), "
            f"expected: {expected}"
        )


class CommandLine:
    """The options of a flow file, by command.

    Args:
        described: What the file's command ``options`` prints.
    """

    def __init__(self, described: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self._commands = {
            command: {entry["name"]: Option(**entry) for entry in options if entry["name"] != _OURS}
            for command, options in described.items()
        }

    def arguments(self, command: str, given: Mapping[str, Any]) -> list[str]:
        """Return the arguments for a command; what is None counts as not given.

        Args:
            command: Name of the command, or `TOP_LEVEL`.
            given: Values by Python name.

        Raises:
            ValueError: There is no such option.
            TypeError: A value is of another type than the option.
        """
        options = self._commands[command]
        texts: list[str] = []
        positional: list[str] = []
        for name, value in given.items():
            option = options.get(_ALIASES.get(name, name))
            if option is None:
                known = ", ".join(sorted(options))
                raise ValueError(f"Unknown argument: '{name}', possible args are: {known}")
            if value is not None:
                (texts if option.flag else positional).extend(option.texts(value))
        return [*texts, "--", *positional] if positional else texts


def _plain(value: Any) -> str:
    """Return a value as text: a text as it is, everything else as JSON."""
    if isinstance(value, str | os.PathLike):
        return os.fspath(value)
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return str(value)
