"""Who describes a value, and how wiring's registry finds everything by name."""

import importlib
import subprocess
import sys

import pytest

from flowkit.materializers.standard import standard_registry
from flowkit.materializers.table import DESCRIBERS, MATERIALIZERS, ON_REQUEST
from flowkit.ports.materializer import Describer

TARGETS = sorted({*MATERIALIZERS.values(), *DESCRIBERS.values(), ON_REQUEST})


@pytest.mark.parametrize("target", TARGETS)
def test_every_name_of_the_table_leads_to_a_class(target):
    module, _, attribute = target.partition(":")
    made = getattr(importlib.import_module(module), attribute)()

    assert isinstance(made, Describer) or made.name


def test_stored_names_of_materializers_are_unique_and_found():
    registry = standard_registry()
    names = {"pickle", "numpy", "pandas", "polars", "arrow"}

    assert {registry.named(name).name for name in names} == names


def test_storing_plain_values_imports_no_library():
    code = (
        "import sys\n"
        "from flowkit.content.store import ArtifactStore\n"
        "from flowkit.materializers.standard import standard_registry\n"
        "from flowkit.stores.memory import MemoryBlobStore\n"
        "store = ArtifactStore(MemoryBlobStore(), standard_registry())\n"
        "refs = store.save({'a': 1, 'b': {'c': [1]}, 'd': 'x' * 100_000}).refs\n"
        "assert all(store.preview(ref).visualizations for ref in refs.values())\n"
        "print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    heavy = {"numpy", "pandas", "polars", "pyarrow", "tempfile", "shutil", "cloudpickle", "torch"}
    assert set(run.stdout.split()) & heavy == set()
