"""Files and directories as artifacts: what a path leads to, where a step asks for it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from flowkit.enums import ArtifactType
from flowkit.materializers.custom import BaseMaterializer


class PathMaterializer(BaseMaterializer):
    """Stores the file or directory that a ``pathlib.Path`` leads to.

    A path is a value like any other and comes back as it was. A step that wants to hand on what
    lies there says so: ``@step(output_materializers={"data": PathMaterializer})``. Later steps
    then get the path of a read-only copy, of the same name, in a temporary directory.
    """

    ASSOCIATED_TYPES: ClassVar[tuple[type, ...]] = (Path,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA
    SKIP_REGISTRATION: ClassVar[bool] = True
    KEEPS_FILES: ClassVar[bool] = True

    def save(self, data: Path) -> None:
        """Copy the file or directory."""
        import shutil  # noqa: PLC0415 - only where files are stored

        target = os.path.join(self.uri, data.resolve().name)
        if data.is_dir():
            shutil.copytree(data, target)
        else:
            shutil.copyfile(data, target)

    def load(self, data_type: type) -> Path:  # noqa: ARG002 - the signature of the base
        """Return the path of the copy."""
        return Path(self.uri, *os.listdir(self.uri))

    def extract_metadata(self, data: Path) -> Mapping[str, Any]:
        """Return the number of files and their bytes."""
        files = [data] if data.is_file() else [path for path in data.rglob("*") if path.is_file()]
        return {"files": len(files), "bytes": sum(path.stat().st_size for path in files)}
