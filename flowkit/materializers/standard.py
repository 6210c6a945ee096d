"""The registry of everything that flowkit brings along, and of what users define."""

import importlib
import sys

from flowkit.content.registry import Registry
from flowkit.materializers.adapted import DirectoryMaterializers
from flowkit.materializers.pickled import PickleMaterializer
from flowkit.materializers.table import DESCRIBERS, MATERIALIZERS, ON_REQUEST


def standard_registry(main_module: str | None = None) -> Registry:
    """Return a new registry; the libraries it has materializers for are not imported.

    Args:
        main_module: Importable name of the flow file, which stands for ``__main__`` in what is
            stored. None: it stays ``__main__``.
    """
    return Registry(
        PickleMaterializer(main_module),
        special=MATERIALIZERS,
        describers=DESCRIBERS,
        on_request=ON_REQUEST,
        custom=DirectoryMaterializers(main_module),
        main_module=main_module,
    )


def import_ahead() -> None:
    """Import the materializers of builtin types, and of the libraries that are loaded by now.

    For a process that tasks are forked from: each of them would have to import them again.
    """
    for name, target in (*MATERIALIZERS.items(), *DESCRIBERS.items()):
        library, has_library, _ = name.partition(".")
        if not has_library or library in sys.modules:
            importlib.import_module(target.partition(":")[0])
