"""The base of materializers that users write: values as files in a directory."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from flowkit.enums import ArtifactType
from flowkit.exceptions import DefinitionError


class BaseMaterializer:
    """Stores values of some types as files; derive from it to store types of your own.

    A class that derives from this one is used for its types, and types derived from those,
    wherever it is defined or imported: in a flow that is the flow file and what it imports. Of
    two classes for one type the later one is used, with a warning. A step can also ask for one
    by ``@step(output_materializers=...)``.

    Example::

        class TextMaterializer(BaseMaterializer):
            ASSOCIATED_TYPES = (Text,)
            ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA

            def load(self, data_type):
                with fileio.open(f"{self.uri}/text.txt", "r") as file:
                    return Text(file.read())

            def save(self, data):
                with fileio.open(f"{self.uri}/text.txt", "w") as file:
                    file.write(data.text)

    Attributes:
        ASSOCIATED_TYPES: The types that it stores.
        ASSOCIATED_ARTIFACT_TYPE: What such values are to their users.
        SKIP_REGISTRATION: True in a class that is only used where it is asked for, or that others
            derive from. Not inherited.
        KEEPS_FILES: True if loaded values go on reading the files that `load` has found; these
            are then kept in the temporary directory of the machine.
        uri: The directory to save to or load from. It is private to this object; what `save`
            leaves there is stored, file by file, so that equal files are stored once. Files to
            load from are read-only.

    Args:
        uri: As the attribute.

    Raises:
        DefinitionError: A derived class has no types, or something that is none.
    """

    ASSOCIATED_TYPES: ClassVar[tuple[type, ...]] = ()
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.BASE
    SKIP_REGISTRATION: ClassVar[bool] = True
    KEEPS_FILES: ClassVar[bool] = False

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if vars(cls).get("SKIP_REGISTRATION", False):
            return
        cls.SKIP_REGISTRATION = False
        if not cls.ASSOCIATED_TYPES:
            raise DefinitionError(f"materializer {cls.__name__} has no ASSOCIATED_TYPES")
        for kind in cls.ASSOCIATED_TYPES:
            if not isinstance(kind, type):
                raise DefinitionError(
                    f"materializer {cls.__name__} has {kind!r} in its ASSOCIATED_TYPES, which is "
                    "no class"
                )
            _warn_of_earlier(cls, kind)

    def save(self, data: Any) -> None:
        """Write the value to files below ``self.uri``."""
        raise NotImplementedError

    def load(self, data_type: type) -> Any:
        """Return the value that the files below ``self.uri`` hold.

        Args:
            data_type: The type that it had.
        """
        raise NotImplementedError

    def save_visualizations(self, data: Any) -> Mapping[str, str]:  # noqa: ARG002 - for overriding
        """Write files that show the value; what goes wrong here only costs the preview.

        Returns:
            Paths of the files, below ``self.uri``, to what they hold: ``html``, ``markdown``,
            ``csv``, ``json``, ``text``, ``image`` or a media type such as ``image/png``.
        """
        return {}

    def extract_metadata(self, data: Any) -> Mapping[str, Any]:  # noqa: ARG002 - for overriding
        """Return what to note of the value; what goes wrong here only costs the preview."""
        return {}

    def compute_content_hash(self, data: Any) -> str | None:  # noqa: ARG002 - for overriding
        """Return a text that only equal values have in common; None compares the files."""
        return None


def registered() -> Iterator[type[BaseMaterializer]]:
    """Yield the classes that are used without being asked for, the latest first."""
    return (cls for cls in reversed(list(_derived(BaseMaterializer))) if not cls.SKIP_REGISTRATION)


def _derived(base: type[BaseMaterializer]) -> Iterator[type[BaseMaterializer]]:
    for cls in base.__subclasses__():
        yield cls
        yield from _derived(cls)


def _warn_of_earlier(cls: type[BaseMaterializer], kind: type) -> None:
    for earlier in registered():
        if earlier is cls or kind not in earlier.ASSOCIATED_TYPES or earlier in cls.__mro__:
            continue
        if (earlier.__module__, earlier.__qualname__) != (cls.__module__, cls.__qualname__):
            import warnings  # noqa: PLC0415 - only for this rare case

            warnings.warn(
                f"materializer {cls.__qualname__} replaces {earlier.__qualname__} for "
                f"{kind.__qualname__}",
                stacklevel=4,
            )
        return
