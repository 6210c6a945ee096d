"""Which materializer takes a value, and which one reads what is stored."""

import importlib
from collections.abc import Mapping
from typing import Any

from flowkit.exceptions import ArtifactUnloadable
from flowkit.ports.materializer import Materializer


class Registry:
    """Finds materializers by the qualified names of types, so that none is imported in vain.

    Args:
        default: Takes every value that no other one does.
        special: Qualified type name, such as ``pandas.DataFrame``, to ``module:class`` of the
            materializer for that type and its subclasses; imported when first chosen.
        main_module: Importable name of the flow file, which stands for ``__main__`` in the names
            of types. None: no name is changed.
    """

    def __init__(
        self,
        default: Materializer,
        *,
        special: Mapping[str, str] | None = None,
        main_module: str | None = None,
    ) -> None:
        self._default = default
        self._special = dict(special or {})
        self._main_module = main_module
        self._loaded: dict[str, Materializer] = {}

    def choose(self, value: Any) -> Materializer:
        """Return the materializer for a value: of the nearest type in the MRO, else the default.

        One that does not claim the value is passed over.
        """
        if self._special:
            for kind in type(value).__mro__:
                target = self._special.get(self.type_name(kind))
                if target is not None and (materializer := self._load(target)).claims(value):
                    return materializer
        return self._default

    def named(self, name: str) -> Materializer:
        """Return the materializer with this stored name.

        Raises:
            ArtifactUnloadable: There is none here.
        """
        if name == self._default.name:
            return self._default
        for target in self._special.values():
            if (materializer := self._load(target)).name == name:
                return materializer
        raise ArtifactUnloadable(f"there is no materializer {name!r} in this environment")

    def type_name(self, kind: type) -> str:
        """Return a type's qualified name, without the module for built-in types."""
        module = kind.__module__
        if module == "builtins":
            return kind.__qualname__
        if module == "__main__" and self._main_module is not None:
            module = self._main_module
        return f"{module}.{kind.__qualname__}"

    def _load(self, target: str) -> Materializer:
        if target not in self._loaded:
            module, _, attribute = target.partition(":")
            self._loaded[target] = getattr(importlib.import_module(module), attribute)()
        return self._loaded[target]
