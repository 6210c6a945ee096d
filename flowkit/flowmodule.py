"""The flow file as a module: the name it has in other processes, and importing it there."""

import os
import sys

from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.flowspec import FlowSpec, importing
from flowkit.exceptions import DefinitionError


def main_module(flow: FlowDef) -> str:
    """Return the name under which other processes can import the flow's module, and register it.

    A class that is defined in a program lives in ``__main__``, and would be stored under that
    name, which means something else in every other process.
    """
    module = flow.cls.__module__
    if module != "__main__":
        return module
    name = module_name(flow.file)
    sys.modules[name] = sys.modules["__main__"]
    return name


def module_name(file: str) -> str:
    """Return the name under which a flow file is imported where it is not the program."""
    stem = os.path.splitext(os.path.basename(file))[0]
    name = stem if stem.isidentifier() else "".join(c if c.isalnum() else "_" for c in f"_{stem}")
    if name in sys.modules and sys.modules[name] is not sys.modules["__main__"]:
        return f"{name}_flow"
    return name


def load_class(file: str, flow: str, module: str) -> type[FlowSpec]:
    """Import a flow file under a module name and return one of its flow classes.

    Raises:
        DefinitionError: The file has no such flow.
    """
    from importlib.util import (  # noqa: PLC0415 - only where it is not the program
        module_from_spec,
        spec_from_file_location,
    )

    spec = spec_from_file_location(module, file)
    if spec is None or spec.loader is None:
        raise DefinitionError(f"flow file {file} can't be imported")
    loaded = module_from_spec(spec)
    sys.modules[module] = loaded
    sys.path.insert(0, os.path.dirname(file))
    with importing():
        spec.loader.exec_module(loaded)
    cls: type[FlowSpec] | None = getattr(loaded, flow, None)
    if cls is None:
        raise DefinitionError(f"flow file {file} has no class '{flow}'")
    return cls
