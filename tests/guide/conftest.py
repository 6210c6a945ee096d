"""The samples of guides for artifacts, as flow files run through the real command line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flowkit import metadata, namespace
from tests.flows.conftest import Program, program

__all__ = ["guide", "program"]

IMPORTS = """\
from typing import Annotated, Any

import numpy as np
import pandas as pd

from flowkit import (
    ArtifactConfig, ArtifactType, Client, ExternalArtifact, log_artifact_metadata, save_artifact,
)
"""


@pytest.fixture
def guide(tmp_path: Path) -> Callable[..., Program]:
    """A function that makes a program of a sample; the client reads the sample's store."""

    def make(source: str, file: str = "flow.py") -> Program:
        program = Program(tmp_path, IMPORTS + source, file)
        metadata(str(tmp_path))
        namespace(None)
        return program

    return make
