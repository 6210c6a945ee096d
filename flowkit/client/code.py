"""The source files that a run was made with."""

import io
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowkit.access import make_directories, open_private
from flowkit.client.session import Session
from flowkit.model.records import RunRecord

if TYPE_CHECKING:
    import tarfile
    import tempfile

CODE = "_code"


class RunCode:
    """The flow file and the modules beside it, as they were when the run started.

    Args:
        files: Path relative to the flow file's directory to text.
        info: Facts about the run: versions, flow file, user.
    """

    def __init__(self, files: Mapping[str, str], info: Mapping[str, Any]) -> None:
        self.files = dict(files)
        self.info = dict(info)

    @property
    def script_name(self) -> str:
        """Base name of the flow file."""
        return os.path.basename(str(self.info.get("file", "")))

    @property
    def flowspec(self) -> str:
        """Source of the flow file."""
        return self.files.get(self.script_name, "")

    @property
    def path(self) -> str:
        """Where the flow file was when the run started."""
        return str(self.info.get("file", ""))

    @property
    def tarball(self) -> "tarfile.TarFile":
        """The files as an open tar archive in memory."""
        import tarfile  # noqa: PLC0415 - only for those who ask

        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, text in self.files.items():
                data = text.encode()
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        buffer.seek(0)
        return tarfile.open(fileobj=buffer, mode="r")

    def extract(self) -> "tempfile.TemporaryDirectory[str]":
        """Write the files into a new private directory; it goes when the returned object does."""
        import tempfile  # noqa: PLC0415 - only for those who ask

        directory = tempfile.TemporaryDirectory(prefix="flowkit-code-")
        for name, text in self.files.items():
            target = os.path.abspath(os.path.join(directory.name, name))
            if not target.startswith(os.path.abspath(directory.name) + os.sep):
                continue  # a name that leads elsewhere is none that flowkit wrote
            make_directories(os.path.dirname(target))
            with open(target, "w", encoding="utf-8", opener=open_private) as file:
                file.write(text)
        return directory

    def __repr__(self) -> str:
        return f"<RunCode {self.script_name}: {len(self.files)} file(s)>"


def code_of(session: Session, run: RunRecord) -> RunCode | None:
    """Return the source files of a run; None when it was made from no file."""
    ref = session.store.get_manifest(run.root).artifacts.get(CODE)
    files = None if ref is None else session.store.load(ref)
    return RunCode(files, run.info) if files else None
