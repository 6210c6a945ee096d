"""Which materializer takes a value, which one reads what is stored, and who describes it."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from flowkit.exceptions import ArtifactUnloadable, UnpicklableArtifactException
from flowkit.ports.materializer import (
    Describer,
    Materializer,
    SupportsContentDigest,
    SupportsPeek,
)


class CustomMaterializers(Protocol):
    """The materializers that users have defined, as far as their code is loaded."""

    def choose(self, value: Any, preferred: Sequence[type | str]) -> Materializer | None:
        """Return the one for a value.

        Args:
            value: What is to be stored.
            preferred: Classes, or stored names, that go before all others if they take the value.
        """

    def required(self, value: Any, classes: Sequence[type]) -> Materializer:
        """Return the one of these classes that takes the value.

        Raises:
            UnpicklableArtifactException: None of them does.
        """

    def named(self, name: str) -> Materializer | None:
        """Return the one with this stored name, importing its module if need be."""


class Registry:
    """Finds materializers by the qualified names of types, so that none is imported in vain.

    Args:
        default: Takes every value that no other one does.
        special: Qualified type name, such as ``pandas.DataFrame``, to ``module:class`` of the
            materializer for that type and its subclasses; imported when first chosen.
        describers: The same for what describes values; a type may have one without the other.
        on_request: ``module:class`` of what describes objects that can show themselves; this runs
            code of theirs, so somebody has to ask for it.
        custom: Those that users define; asked before all others.
        main_module: Importable name of the flow file, which stands for ``__main__`` in the names
            of types. None: no name is changed.
    """

    def __init__(
        self,
        default: Materializer,
        *,
        special: Mapping[str, str] | None = None,
        describers: Mapping[str, str] | None = None,
        on_request: str | None = None,
        custom: CustomMaterializers | None = None,
        main_module: str | None = None,
    ) -> None:
        self._default = default
        self._special = dict(special or {})
        self._describers = dict(describers or {})
        self._on_request = on_request
        self._custom = custom
        self._main_module = main_module
        self._loaded: dict[str, Any] = {}
        # What was found for types and classes seen before: an MRO is walked once.
        self._candidates: dict[type, tuple[Materializer, ...]] = {}
        self._describer_of: dict[type, Describer | None] = {}
        self._comparing: dict[type, bool] = {}
        self._peeking: dict[type, bool] = {}

    def choose(self, value: Any, preferred: Sequence[type | str] = ()) -> Materializer:
        """Return the materializer for a value: of the nearest type in the MRO, else the default.

        One that does not claim the value is passed over.

        Args:
            value: What is to be stored.
            preferred: As `CustomMaterializers.choose` takes them.
        """
        custom = None if self._custom is None else self._custom.choose(value, preferred)
        return self.choose_built_in(value) if custom is None else custom

    def choose_built_in(self, value: Any) -> Materializer:
        """Return the materializer for a value, leaving out those that users define."""
        kind = type(value)
        candidates = self._candidates.get(kind)
        if candidates is None:
            found = (self._special.get(self.type_name(base)) for base in kind.__mro__)
            candidates = tuple(self._load(target) for target in found if target is not None)
            self._candidates[kind] = candidates
        for materializer in candidates:
            if materializer.claims(value):
                return materializer
        return self._default

    def required(self, value: Any, classes: Sequence[type]) -> Materializer:
        """Return the one of the classes that users define which takes a value.

        Raises:
            UnpicklableArtifactException: None of them does.
        """
        if self._custom is None:
            raise UnpicklableArtifactException("there are no materializers of users here")
        return self._custom.required(value, classes)

    def named(self, name: str) -> Materializer:
        """Return the materializer with this stored name.

        Raises:
            ArtifactUnloadable: There is none here.
        """
        found = self.built_in(name)
        if found is None and self._custom is not None:
            found = self._custom.named(name)
        if found is None:
            raise ArtifactUnloadable(f"there is no materializer {name!r} in this environment")
        return found

    def describer(
        self, value: Any, materializer: Materializer, *, is_asked: bool = False
    ) -> Describer | None:
        """Return what describes a value, if anything does.

        Args:
            value: The value.
            materializer: What stores it; describes it too if it can.
            is_asked: Whether objects may be asked to show themselves.
        """
        kind = type(value)
        if kind not in self._describer_of:
            found = (self._describers.get(self.type_name(base)) for base in kind.__mro__)
            target = next((target for target in found if target is not None), None)
            self._describer_of[kind] = None if target is None else self._load(target)
        if materializer is not self._default and isinstance(materializer, Describer):
            return materializer
        describer = self._describer_of[kind]
        if describer is None and is_asked and self._on_request and hasattr(kind, "_repr_html_"):
            return self._load(self._on_request)  # type: ignore[no-any-return]
        return describer

    def compares(self, materializer: Materializer) -> SupportsContentDigest | None:
        """Return the materializer as one that gives content digests, None if it gives none."""
        kind = type(materializer)
        if kind not in self._comparing:
            self._comparing[kind] = isinstance(materializer, SupportsContentDigest)
        return materializer if self._comparing[kind] else None  # type: ignore[return-value]

    def peeks(self, materializer: Materializer) -> SupportsPeek | None:
        """Return the materializer as one that shows stored values, None if it can't."""
        kind = type(materializer)
        if kind not in self._peeking:
            self._peeking[kind] = isinstance(materializer, SupportsPeek)
        return materializer if self._peeking[kind] else None  # type: ignore[return-value]

    def built_in(self, name: str) -> Materializer | None:
        """Return the materializer of flowkit's own with this stored name."""
        if name == self._default.name:
            return self._default
        found = map(self._load, self._special.values())
        return next((materializer for materializer in found if materializer.name == name), None)

    def type_name(self, kind: type) -> str:
        """Return a type's qualified name, without the module for built-in types."""
        module = kind.__module__
        if module == "builtins":
            return kind.__qualname__
        if module == "__main__" and self._main_module is not None:
            module = self._main_module
        return f"{module}.{kind.__qualname__}"

    def _load(self, target: str) -> Any:
        if target not in self._loaded:
            module, _, attribute = target.partition(":")
            self._loaded[target] = getattr(importlib.import_module(module), attribute)()
        return self._loaded[target]
