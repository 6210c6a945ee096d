"""Declarations of artifacts: what a flow class says, by annotations, about what its steps make."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, ClassVar, Self, get_args, get_origin

from flowkit.authoring.steps import is_step
from flowkit.authoring.typehints import evaluated
from flowkit.enums import ArtifactType
from flowkit.exceptions import DefinitionError
from flowkit.model.artifactnames import check_name, check_version
from flowkit.model.pathspec import check_tag

FACTS = ("date", "time", "index", "input", "run_id")
"""What templates can name beside parameters."""
PER_TASK = ("index", "input")
"""What differs between the tasks of a foreach."""


@dataclass(frozen=True, slots=True)
class ArtifactConfig:
    """What an artifact is called and how it is described; stands in an ``Annotated``.

    ``name`` and ``version`` may be templates: ``{date}`` (2024_07_31), ``{time}`` (23_59_59, both
    UTC), ``{index}`` and ``{input}`` (of the innermost foreach), ``{run_id}``, and the flow's
    parameters.

    Attributes:
        name: Name of the artifact across flows; the artifact is not versioned without one.
        version: The version to make: a text, or a whole number from 1 on. It never changes: a run
            that would give it other content fails. The next number when omitted.
        tags: Tags of each new version.
        artifact_type: What the artifact is to its users; told from its type when omitted.
        run_metadata: Metadata of each new version.
        materializer: Class that stores the value.
        per_task: Whether each task of a foreach makes a version of its own.

    Raises:
        TypeError: There is no such argument.
        DefinitionError: An argument can't be used.

    Example::

        class Train(FlowSpec):
            model: Annotated[Any, ArtifactConfig(name="trained_model", tags=["xgboost"])]
    """

    name: str | None = None
    version: str | int | None = None
    tags: Sequence[str] = ()
    artifact_type: ArtifactType | str | None = None
    # Left out of the hash, which Optional[Annotated[...]] needs: a dict has none.
    run_metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    materializer: Any = None
    per_task: bool = False

    def __new__(cls, *_: Any, **arguments: Any) -> Self:
        """Make a config, after a look at the names of its arguments."""
        known = [one.name for one in fields(cls)]
        for name in arguments:
            if name not in known:
                import difflib  # noqa: PLC0415 - only for the message

                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known)}"
                raise TypeError(f"ArtifactConfig has no argument '{name}'; {hint}")
        return object.__new__(cls)

    def __post_init__(self) -> None:
        """Check and normalise."""
        for what in ("name", "version"):
            self._set(what, _checked_text(what, getattr(self, what)))
        if isinstance(self.tags, str):
            raise DefinitionError(f"ArtifactConfig: tags is a list of tags, not {self.tags!r}")
        self._set("tags", tuple(check_tag(tag) for tag in self.tags))
        self._set("artifact_type", artifact_type(self.artifact_type))
        if not isinstance(self.run_metadata, Mapping):
            raise DefinitionError("ArtifactConfig: run_metadata is a dict of keys and values")
        if self.version is not None and self.name is None:
            raise DefinitionError("ArtifactConfig: a version needs a name")

    def _set(self, attribute: str, value: object) -> None:
        object.__setattr__(self, attribute, value)

    @property
    def templates(self) -> tuple[str, ...]:
        """The names in braces in name and version."""
        texts = [str(text) for text in (self.name, self.version) if text is not None]
        return tuple(dict.fromkeys(one for text in texts for one in template_fields(text)))

    @property
    def is_per_task(self) -> bool:
        """Whether the tasks of a foreach make versions that don't get into each other's way."""
        return self.per_task or not set(PER_TASK).isdisjoint(self.templates)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a flow class declares about one attribute.

    Attributes:
        attribute: Name of the attribute.
        type: The annotation without ``Annotated``; Any where it can't be known.
        config: What the artifact is called; None for a type alone.
    """

    attribute: str
    type: Any = Any
    config: ArtifactConfig | None = None

    @property
    def artifact(self) -> str | None:
        """Name of the artifact across flows, perhaps a template; None when it has none."""
        return None if self.config is None else self.config.name


def artifact_type(value: ArtifactType | str | None) -> ArtifactType | None:
    """Return the type that a value or a name ("MODEL", "ModelArtifact") stands for.

    Raises:
        DefinitionError: There is no such type.
    """
    if value is None or isinstance(value, ArtifactType):
        return value
    for one in ArtifactType:
        if value in (one.name, one.value):
            return one
    names = ", ".join(one.name for one in ArtifactType)
    raise DefinitionError(f"there is no artifact type {value!r}: use one of {names}")


def template_fields(text: str) -> list[str]:
    """Return the names in braces of a template.

    Raises:
        DefinitionError: The braces don't match, or have something else than a name in them.
    """
    if "{" not in text and "}" not in text:
        return []
    from string import Formatter  # noqa: PLC0415 - most names have no braces

    try:
        found = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise DefinitionError(f"template {text!r}: {error}") from None
    for name in found:
        if not name.isidentifier():
            raise DefinitionError(f"template {text!r}: use names only, such as {{date}}")
    return found


def _checked_text(what: str, value: Any) -> str | None:
    if value is None:
        return None
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    check = check_name if what == "name" else check_version
    if isinstance(text, str) and template_fields(text):
        from string import Formatter  # noqa: PLC0415 - most names have no braces

        # The text around the braces is checked; what is put between them, in the run.
        check(Formatter().vformat(text, (), _Anything()))
        return text
    return check(text)


class _Anything(dict[str, str]):
    def __missing__(self, _: str) -> str:
        return "x"


# --- of a class -----------------------------------------------------------------------------------


def read_declarations(flow: type, base: type, found: Mapping[str, Any]) -> dict[str, Declaration]:
    """Return the declarations of a flow class and its bases, by attribute.

    An annotated attribute that has a value is a constant, a parameter or a step, and declares
    nothing; nor do private names and class variables.

    Args:
        flow: The class.
        base: `FlowSpec`; its own names can't be declared.
        found: Everything that the class and its bases define.

    Raises:
        DefinitionError: A name is one of FlowSpec's own, or a template names no parameter.
    """
    declarations: dict[str, Declaration] = {}
    for cls in reversed(flow.__mro__):
        if cls is object or cls is base:
            continue
        for name, annotation in evaluated(cls):
            if name.startswith("_") or get_origin(annotation) is ClassVar or annotation is ClassVar:
                continue
            declared = Declaration(name, _bare(annotation), next(_configs(annotation), None))
            if hasattr(base, name) or is_step(found.get(name)):
                _refuse(flow, base, cls, declared)
            else:
                declarations[name] = declared
    return {name: one for name, one in declarations.items() if name not in found}


def _refuse(flow: type, base: type, cls: type, declared: Declaration) -> None:
    """Raise, unless a mixin only tells the type checker what it finds on the flow."""
    if declared.config is None and not issubclass(cls, base):
        return
    of_base = hasattr(base, declared.attribute)
    raise DefinitionError(
        f"flow '{flow.__name__}' can't declare an artifact '{declared.attribute}': "
        + ("FlowSpec has an attribute of this name" if of_base else "it is a step")
    )


def check_templates(
    flow: str, declarations: Mapping[str, Declaration], parameters: Sequence[str]
) -> None:
    """Raise `DefinitionError` when a template names what is neither fact nor parameter."""
    known = (*FACTS, *parameters)
    for declaration in declarations.values():
        for name in declaration.config.templates if declaration.config else ():
            if name not in known:
                raise DefinitionError(
                    f"flow '{flow}': the template of artifact '{declaration.attribute}' names "
                    f"{{{name}}}; there are: {', '.join(known)}"
                )


def _configs(annotation: Any) -> Iterator[ArtifactConfig]:
    """Yield the configs in an annotation, also in nested ones; a bare text is a name."""
    if get_origin(annotation) is Annotated:
        inner, *extras = get_args(annotation)
        for extra in extras:
            if isinstance(extra, ArtifactConfig):
                yield extra
            elif isinstance(extra, str):
                yield ArtifactConfig(name=extra)
        yield from _configs(inner)
        return
    for part in get_args(annotation):
        if not isinstance(part, list | str):
            yield from _configs(part)


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
