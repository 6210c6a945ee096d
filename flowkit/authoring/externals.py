"""``ExternalArtifact``: an artifact from elsewhere that a flow uses, decided once per run."""

from collections.abc import Callable, Mapping
from typing import Any

from flowkit import plugins
from flowkit.exceptions import DefinitionError
from flowkit.model.references import DataReference
from flowkit.model.selectors import Selector

_CLIENT = "flowkit.client.artifactclient:Client"
_CHECKED_PATH = "flowkit.client.referenced:checked_path"
_NOT_GIVEN = object()


class _Upload:
    """``upload_by_value``: of the class it takes the value, of an instance it has it already."""

    def __get__(self, external: "ExternalArtifact | None", owner: type) -> Callable[..., Any]:
        def upload_by_value(value: Any = _NOT_GIVEN, name: str = "", **options: Any) -> Any:
            """Make a version of a value; see `flowkit.Client.save_artifact`."""
            if value is _NOT_GIVEN:
                value = None if external is None else external.given()
            return plugins.load(_CLIENT)().save_artifact(value, name, **options)

        return upload_by_value


class ExternalArtifact:
    """An artifact from elsewhere, as an attribute of a flow class; read-only in every step.

    Which version it is, is decided when a run starts, for the whole run; ``resume`` keeps it, and
    ``run --pin ATTRIBUTE=NAME@VERSION`` chooses another one. A step that reads it uses it: it is
    part of the lineage.

    Args:
        value: The value itself, or a function that returns it, called once per run.
        name: Name of the artifact; its latest version unless something else is said.
        version: Text or number of the version, or "highest".
        alias: An alias, such as "production".
        tag: The newest version with this tag.
        where: The newest version with such metadata: ``{"accuracy": ">=0.9"}``.
        id: Id of the version, or its beginning.
        pathspec: An artifact that has no name: "Other/latest/train/model".

    Raises:
        TypeError: Not exactly one of value, name, id and pathspec is given.

    Example::

        class Predict(FlowSpec):
            model = ExternalArtifact(name="trained_model", alias="production")
    """

    upload_by_value = _Upload()

    def __init__(  # noqa: PLR0913 - the ways to name a version
        self,
        value: Any = _NOT_GIVEN,
        *,
        name: str | None = None,
        version: str | int | None = None,
        alias: str | None = None,
        tag: str | None = None,
        where: Mapping[str, Any] | None = None,
        id: str | None = None,  # noqa: A002 - the name that guides use
        pathspec: str | None = None,
    ) -> None:
        given = [one for one in (name, id, pathspec) if one is not None]
        if len(given) + (value is not _NOT_GIVEN) != 1:
            raise TypeError("ExternalArtifact: give one of value, name, id and pathspec")
        chosen = [one for one in (version, alias, tag, where) if one is not None]
        if len(chosen) > 1 or (chosen and name is None):
            raise TypeError(
                "ExternalArtifact: one of version, alias, tag and where goes with a name"
            )
        self.attribute = ""
        self._value = value
        self._selector = Selector(name or id or "", version, alias, tag, where or {}, pathspec)

    def __set_name__(self, owner: type, attribute: str) -> None:
        if attribute.startswith("_"):
            raise DefinitionError(
                f"external artifact '{attribute}': attributes that start with _ are private"
            )
        self.attribute = attribute

    def __get__(self, flow: Any, owner: type | None = None) -> Any:
        if flow is None:
            return self
        value = flow.__getattr__(self.attribute)
        if isinstance(value, DataReference):
            return plugins.load(_CHECKED_PATH)(value)
        return value

    def __set__(self, flow: object, value: object) -> None:
        raise AttributeError(f"can't set '{self.attribute}': it is an external artifact")

    def __repr__(self) -> str:
        shown = "value" if self.selector is None else str(self._selector)
        return f"ExternalArtifact({shown})"

    @property
    def selector(self) -> Selector | None:
        """What finds the version; None where a value was given."""
        return self._selector if self._value is _NOT_GIVEN else None

    def given(self) -> Any:
        """Return the value that was given; a function is called."""
        return self._value() if callable(self._value) else self._value


class ArtifactSelectorType:
    """The type of parameters that name a version; `ArtifactSelector` is the instance to use.

    On the command line ``--model trained_model@v1.0``, in steps the value of that version.
    """

    name = "artifact"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:  # noqa: ARG002 - click's signature
        """Return the text that names the version."""
        return str(value).removeprefix("artifact:")

    def __repr__(self) -> str:
        return "ARTIFACT"


ArtifactSelector = ArtifactSelectorType()
