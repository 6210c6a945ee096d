"""Fits materializers that users write as classes with files to the port, which knows bytes."""

import importlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flowkit.exceptions import (
    ArtifactUnloadable,
    Interrupted,
    TimeoutException,
    UnpicklableArtifactException,
)
from flowkit.materializers.custom import BaseMaterializer, registered
from flowkit.materializers.parcels import head_digest, pack, parcel_digest, unpack
from flowkit.materializers.trees import read_tree, write_tree
from flowkit.ports.materializer import Payload, Visualization

_NOT_ABOUT_THE_VALUE = (MemoryError, TimeoutException, Interrupted)


class DirectoryMaterializers:
    """The classes derived from `BaseMaterializer`, as far as they are loaded.

    Args:
        main_module: Importable name of the flow file, which stands for ``__main__`` in stored
            names. None: no name is changed.
    """

    def __init__(self, main_module: str | None = None) -> None:
        self._main_module = main_module
        self._adapted: dict[type, DirectoryMaterializer] = {}

    def choose(
        self, value: Any, preferred: Sequence[type | str] = ()
    ) -> "DirectoryMaterializer | None":
        """Return the one for a value: of those asked for, else of the nearest type in the MRO."""
        if not preferred and not BaseMaterializer.__subclasses__():
            return None  # nobody has defined one, as nearly always
        for entry in preferred:
            cls = self._class_named(entry) if isinstance(entry, str) else entry
            if cls is not None and _takes(cls, value):
                return self._adapt(cls)
        classes = list(registered())
        for kind in type(value).__mro__:
            for cls in classes:
                if kind in cls.ASSOCIATED_TYPES:
                    return self._adapt(cls)
        return None

    def required(self, value: Any, classes: Sequence[type]) -> "DirectoryMaterializer":
        """Return the one of these classes that takes the value.

        Raises:
            UnpicklableArtifactException: None of them does.
        """
        for cls in classes:
            if _takes(cls, value):
                return self._adapt(cls)
        names = ", ".join(cls.__qualname__ for cls in classes)
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise UnpicklableArtifactException(
            f"a {kind} is of none of the types that output_materializers has for it ({names})"
        )

    def named(self, name: str) -> "DirectoryMaterializer | None":
        """Return the one with this stored name, importing its module if need be."""
        cls = self._class_named(name)
        return None if cls is None else self._adapt(cls)

    def _adapt(self, cls: type) -> "DirectoryMaterializer":
        if cls not in self._adapted:
            self._adapted[cls] = DirectoryMaterializer(cls, self._main_module)
        return self._adapted[cls]

    def _class_named(self, name: str) -> type | None:
        for cls in registered():
            if _name_of(cls, self._main_module) == name:
                return cls
        found = _imported(name)
        is_one = isinstance(found, type) and issubclass(found, BaseMaterializer)
        return found if is_one else None


class DirectoryMaterializer:
    """One class derived from `BaseMaterializer`, as the port wants it.

    Args:
        cls: The class.
        main_module: As for `DirectoryMaterializers`.
    """

    def __init__(self, cls: type[BaseMaterializer], main_module: str | None) -> None:
        self.name = _name_of(cls, main_module)
        self.artifact_type = cls.ASSOCIATED_ARTIFACT_TYPE
        self._cls = cls
        self._main_module = main_module

    def claims(self, value: Any) -> bool:
        """Claim what the class says it stores."""
        return _takes(self._cls, value)

    def dump(self, value: Any) -> Payload:
        """Let the class write its files, and take them."""
        import tempfile  # noqa: PLC0415 - only where somebody has a materializer of his own

        with tempfile.TemporaryDirectory(prefix="flowkit-") as directory:
            try:
                self._cls(directory).save(value)
                head, parts = read_tree(directory)
            except _NOT_ABOUT_THE_VALUE:
                raise
            except Exception as error:  # user code runs here and may raise anything
                said = f"{type(error).__name__}: {error}"
                raise UnpicklableArtifactException(f"{self.name} can't save it ({said})") from error
            return pack({**head, "type": _name_of(type(value), self._main_module)}, parts)

    def load(self, payload: Payload) -> Any:
        """Give the files back to the class."""
        import tempfile  # noqa: PLC0415 - as above

        head, parts = unpack(payload)
        kind = _imported(head["type"])
        data_type = kind if isinstance(kind, type) else self._cls.ASSOCIATED_TYPES[0]
        if self._cls.KEEPS_FILES:
            return self._load(_kept_tree(payload, head, parts), data_type)
        with tempfile.TemporaryDirectory(prefix="flowkit-") as directory:
            write_tree(directory, head, parts)
            return self._load(directory, data_type)

    def _load(self, directory: str, data_type: type) -> Any:
        try:
            return self._cls(directory).load(data_type)
        except _NOT_ABOUT_THE_VALUE:
            raise
        except Exception as error:  # user code runs here and may raise anything
            said = f"{type(error).__name__}: {error}"
            raise ArtifactUnloadable(f"{self.name} can't load it ({said})") from error

    def content_digest(self, value: Any, payload: Payload, digests: Sequence[str]) -> str | None:
        """Return the digest of what the class says of the content, or of the files."""
        try:
            said = self._cls("").compute_content_hash(value)
        except _NOT_ABOUT_THE_VALUE:
            raise
        except Exception:  # noqa: BLE001 - user code: the files are compared instead
            said = None
        if said is None:
            return parcel_digest(payload, digests)
        return head_digest([self.name, str(said)], ())

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return what the class notes of the value."""
        return self._cls("").extract_metadata(value)

    def visualize(self, value: Any) -> Iterator[Visualization]:
        """Yield what the files show that the class writes for this."""
        import tempfile  # noqa: PLC0415 - as above

        with tempfile.TemporaryDirectory(prefix="flowkit-") as directory:
            shown = self._cls(directory).save_visualizations(value)
            for path, kind in shown.items():
                with open(path, "rb") as file:
                    yield _visualization(os.path.basename(path), str(kind), file.read())


def _visualization(title: str, kind: str, data: bytes) -> Visualization:
    if kind == "image":
        ending = os.path.splitext(title)[1].lstrip(".").lower()
        kind = f"image/{'jpeg' if ending == 'jpg' else ending or 'png'}"
    is_image = kind.startswith("image/")
    return Visualization(kind, data if is_image else data.decode("utf-8", "replace"), title)


def _takes(cls: type, value: Any) -> bool:
    return issubclass(cls, BaseMaterializer) and isinstance(value, cls.ASSOCIATED_TYPES)


def _name_of(cls: type, main_module: str | None) -> str:
    is_main = cls.__module__ == "__main__" and main_module is not None
    return f"{main_module if is_main else cls.__module__}.{cls.__qualname__}"


def _imported(name: str) -> Any:
    """Return what a qualified name stands for; None if there is no such thing here."""
    steps = name.split(".")
    for count in range(len(steps) - 1, 0, -1):
        module = ".".join(steps[:count])
        try:
            found = sys.modules.get(module) or importlib.import_module(module)
            for step in steps[count:]:
                found = getattr(found, step)
        except (ImportError, AttributeError, ValueError):
            continue
        return found
    return None


def _kept_tree(payload: Payload, head: Any, parts: Sequence[Any]) -> str:
    """Return a directory with the files, one per content, for all processes of this user."""
    import hashlib  # noqa: PLC0415 - loaded already
    import tempfile  # noqa: PLC0415 - as above

    base = os.path.join(tempfile.gettempdir(), f"flowkit-trees-{os.getuid()}")
    os.makedirs(base, mode=0o700, exist_ok=True)
    if os.stat(base, follow_symlinks=False).st_uid != os.getuid():
        raise ArtifactUnloadable(f"{base} belongs to somebody else")
    digests = [hashlib.sha256(buffer).hexdigest() for buffer in payload.buffers]
    kept = os.path.join(base, parcel_digest(payload, digests))
    if not os.path.isdir(kept):
        made = tempfile.mkdtemp(dir=base)
        write_tree(made, head, parts)
        try:
            os.rename(made, kept)
        except OSError:  # another process was faster
            import shutil  # noqa: PLC0415 - only then

            shutil.rmtree(made, ignore_errors=True)
    return kept
