"""What can be done with a stored value, whether a version or a task's artifact leads to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowkit.client.differ import Difference
    from flowkit.content.preview import Preview


class StoredValue(ABC):
    """A value in the content store; ``str()`` of it says which one."""

    @property
    @abstractmethod
    def content(self) -> str:
        """What equal values share, also where their digests differ."""

    @abstractmethod
    def load(self) -> Any:
        """Return the value, verified against its digest."""

    @property
    @abstractmethod
    def preview(self) -> Preview:
        """What is known and shown of the value; nothing is unpickled for it."""

    @property
    def visualizations(self) -> Sequence[Any]:
        """What shows the value, the most telling first."""
        return self.preview.visualizations

    def visualize(self) -> Any:
        """Show the value in a notebook; elsewhere, return the text of it."""
        from flowkit.client.showing import shown  # noqa: PLC0415 - rarely needed

        return shown(str(self), self.preview)

    def download(self, path: str, *, overwrite: bool = False) -> str:
        """Write the value to a file, or what it leads to into a directory; return its path.

        Bytes and texts are written as they are, files and directories are copied; frames become
        CSV or Parquet and anything else JSON when the path ends in that way, else a pickle.

        Raises:
            UsageError: There is something at the path, or the value can't be written like this.
        """
        from flowkit.client.downloading import write_value  # noqa: PLC0415 - rarely needed

        return write_value(self.load(), path, overwrite=overwrite)

    def difference_from(self, before: StoredValue) -> Difference:
        """Return what differs between another value, and this one; equal ones are not loaded."""
        from flowkit.client.differ import difference  # noqa: PLC0415 - rarely needed

        if before.content and before.content == self.content:
            return difference(str(before), str(self), None, None)
        return difference(str(before), str(self), before.load(), self.load())
