"""Which version of which artifact is meant: by name, version, alias, tag, metadata or id."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Selector:
    """What tells one version from all others.

    Attributes:
        text: A name, "name@version", "name:alias", an id or its beginning.
        version: Text or number of the version, "latest" or "highest".
        alias: An alias of the name.
        tag: The newest version with this tag.
        where: The newest version with such metadata: key to value, or to a text such as ">=0.9".
        pathspec: An artifact without a name: ``Flow/run/step/artifact``, with ``latest`` for the
            run that succeeded last.
    """

    text: str = ""
    version: str | int | None = None
    alias: str | None = None
    tag: str | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    pathspec: str | None = None

    def __str__(self) -> str:
        if self.pathspec is not None:
            return self.pathspec
        if self.version is not None:
            return f"{self.text}@{self.version}"
        if self.alias is not None:
            return f"{self.text}:{self.alias}"
        if self.tag is not None:
            return f"{self.text} tagged {self.tag}"
        if self.where:
            return f"{self.text} where {dict(self.where)}"
        return self.text
