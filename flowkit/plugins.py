"""Objects found by name: "module:attribute" references, and entry points scanned on first use."""

from importlib import import_module
from typing import Any

from flowkit.exceptions import NotFoundError


def load(reference: str) -> Any:
    """Import and return the object that a ``module:attribute`` reference names.

    Raises:
        NotFoundError: The reference is malformed, or there is no such attribute.
    """
    module_name, _, attribute = reference.partition(":")
    if not module_name or not attribute:
        raise NotFoundError(f"{reference!r} is not of the form 'module:attribute'")
    target: Any = import_module(module_name)
    for part in attribute.split("."):
        if not hasattr(target, part):
            raise NotFoundError(f"module '{module_name}' has no attribute '{attribute}'")
        target = getattr(target, part)
    return target


def find(group: str, name: str) -> Any | None:
    """Return the object that an installed distribution offers under ``name``, or None.

    Args:
        group: Kind of plugin; the entry-point group is ``flowkit.<group>``.
        name: The key: a URL scheme, an executor's name, a type's qualified name.
    """
    # Costs some 30 ms: only on a miss of the built-in names.
    from importlib.metadata import entry_points  # noqa: PLC0415

    for entry in entry_points(group=f"flowkit.{group}", name=name):
        return entry.load()
    return None
