"""``IncludeFile``: a parameter whose value is the content of a local file."""

import os
import stat
from typing import Any

from flowkit.authoring.parameters import Parameter, ParameterContext
from flowkit.authoring.parsers import Parser, find_parser
from flowkit.exceptions import ParameterError

LARGEST = 1 << 30
"""Bytes that an included file may have: it is held in memory as a whole."""


class IncludeFile(Parameter):
    """A file that each run takes along; on the command line ``--NAME PATH``.

    The file is read once, when the run starts; in steps ``self.<attribute>`` is its content, and
    so it is for the client. A resumed run keeps the content of its origin.

    Args:
        name: Name of the option.
        required: Whether a run can't start without it; otherwise the value is None.
        is_text: Whether the content is text (so it is by default) or bytes.
        encoding: Of a text file; UTF-8 by default.
        help: One sentence for ``--help``.
        parser: Function from the content to the value, or its dotted name. The value is what is
            stored, so it must be one that can be.
        default: Path, or a function that gets a `ParameterContext` and returns it.
        show_default: Whether ``--help`` shows the default.
        options: As for `Parameter`.

    Example::

        class Train(FlowSpec):
            words = IncludeFile("words", parser=str.split, default="words.txt")
    """

    def __init__(  # noqa: PLR0913 - the signature that Metaflow users know
        self,
        name: str,
        required: bool | None = None,
        is_text: bool | None = None,
        encoding: str | None = None,
        help: str | None = None,  # noqa: A002 - the name that Metaflow users write
        parser: Parser | str | None = None,
        *,
        default: Any = None,
        show_default: bool | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name, default, str, help, required, show_default, **options)
        self._is_text = is_text is not False
        self._encoding = encoding or "utf-8"
        self._parser = parser

    @property
    def type_name(self) -> str:
        """The word for the parameter's type."""
        return "path"

    def parse(self, value: Any) -> Any:
        """Return the path of a file that can be included.

        Raises:
            ParameterError: It is none; the message says why.
        """
        if value is None:
            return None
        if not isinstance(value, str | os.PathLike):
            raise ParameterError(f"parameter '{self.name}' takes the path of a file, not {value!r}")
        path = os.path.expanduser(os.fspath(value))
        if "://" in path:
            raise ParameterError(f"parameter '{self.name}': {path} is not a local file")
        try:
            found = os.stat(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ParameterError(f"parameter '{self.name}': file {path!r}: {reason}") from None
        if not stat.S_ISREG(found.st_mode):
            raise ParameterError(f"parameter '{self.name}': {path} is not a regular file")
        if found.st_size > LARGEST:
            raise ParameterError(
                f"parameter '{self.name}': {path} has {found.st_size} bytes, and {LARGEST} can be "
                "included at most: store it elsewhere and give its address as a parameter"
            )
        return path

    def stored(self, value: Any, context: ParameterContext) -> Any:
        """Return the content of the file, and tell that it is included.

        Raises:
            ParameterError: The file can't be read, decoded or parsed.
        """
        if value is None:
            return None
        # The parser is the user's and may raise anything.
        try:
            with open(value, "rb") as file:
                raw = file.read()
            context.logger(f"Including file {value} of size {len(raw)}B")
            content = raw.decode(self._encoding) if self._is_text else raw
            return content if self._parser is None else find_parser(self._parser)(content)
        except Exception as error:
            raise ParameterError(
                f"parameter '{self.name}': file {value!r} can't be included: "
                f"{type(error).__name__}: {error}"
            ) from error
