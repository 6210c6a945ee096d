"""Functions that turn a file's text into a value, for ``parser=`` of configs and included files."""

from collections.abc import Callable
from typing import Any

from flowkit import plugins
from flowkit.exceptions import UsageError

Parser = Callable[[Any], Any]
"""Gets the content of a file (text, or bytes of an included binary file) and returns its value."""


def find_parser(parser: Parser | str) -> Parser:
    """Return the function that a ``parser=`` means.

    Args:
        parser: The function, or its name: ``"package.module.function"``; with a leading dot it
            is looked up in flowkit, as in ``".toml_parser"``.

    Raises:
        NotFoundError: The module has no such function.
        ImportError: There is no such module.
    """
    if not isinstance(parser, str):
        return parser
    module, _, name = parser.rpartition(".")
    is_own = parser.startswith(".")
    found: Parser = plugins.load(f"{'flowkit' if is_own else ''}{module}:{name}")
    return found


def toml_parser(content: str) -> Any:
    """Return the value of a TOML text."""
    import tomllib  # noqa: PLC0415 - only flows that have such a file need it

    return tomllib.loads(content)


def yaml_parser(content: str) -> Any:
    """Return the value of a YAML text, of plain data only.

    Raises:
        UsageError: PyYAML is not installed.
    """
    try:
        load = plugins.load("yaml:safe_load")
    except ImportError:
        raise UsageError("yaml_parser needs the package PyYAML: pip install pyyaml") from None
    return load(content)
