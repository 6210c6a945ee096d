"""What Linux offers so that no process outlives the one it belongs to; no-ops elsewhere."""

import os
import signal
import sys
from typing import Any

_PDEATHSIG = 1
_CHILD_SUBREAPER = 36


class Prctl:
    """The system call ``prctl``, looked up once and handed down to forked processes."""

    def __init__(self) -> None:
        self._prctl: Any = None
        if sys.platform == "linux":
            import ctypes  # noqa: PLC0415 - only here, and only on Linux

            self._prctl = ctypes.CDLL(None).prctl
            self._prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4

    def die_with(self, parent: int, by: int = signal.SIGKILL) -> None:
        """Have this process signalled when its parent ends; exit if that has happened already."""
        if self._prctl is None:
            return
        self._prctl(_PDEATHSIG, by, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    def adopt_orphans(self) -> None:
        """Become the parent of descendants whose own parent ends."""
        if self._prctl is not None:
            self._prctl(_CHILD_SUBREAPER, 1, 0, 0, 0)


class Children:
    """The children of the process that creates this, adopted ones included."""

    def __init__(self) -> None:
        self.fd: int | None = None
        path = f"/proc/self/task/{os.getpid()}/children"
        if os.path.exists(path):
            self.fd = os.open(path, os.O_RDONLY)

    def pids(self) -> list[int]:
        """Return their process ids; nothing where the system does not list them."""
        if self.fd is None:
            return []
        listed = b""
        while chunk := os.pread(self.fd, 65536, len(listed)):
            listed += chunk
        return [int(pid) for pid in listed.split()]


def kill(pid: int, by: int = signal.SIGKILL) -> None:
    """Signal a process that may be gone already."""
    try:
        os.kill(pid, by)
    except (ProcessLookupError, PermissionError):
        return


def kill_group(pid: int, by: int = signal.SIGKILL) -> None:
    """Signal the group that a child leads; only the child while it does not lead one yet."""
    try:
        os.killpg(pid, by)
    except (ProcessLookupError, PermissionError):
        kill(pid, by)
