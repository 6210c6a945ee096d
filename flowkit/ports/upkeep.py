"""What people do to a metadata store itself: look at it, check it, bring it up to date."""

from collections.abc import Iterator
from typing import Protocol

from flowkit.model.findings import Finding, MetadataDescription


class MetadataUpkeep(Protocol):
    """A metadata store for those who look after it. Opening it creates nothing.

    Every method raises `MetadataError` when the store can't be reached or used.
    """

    def describe(self) -> MetadataDescription:
        """Return what is there."""

    def migrate(self) -> None:
        """Create the store, or bring its schema up to date; nothing happens when it is.

        One transaction per version: killed anywhere, it leaves the schema of some version, and
        can be repeated.

        Raises:
            SchemaTooNew: A newer flowkit wrote the store.
        """

    def check(self) -> Iterator[Finding]:
        """Yield what a look at settings, rights and content found; writes nothing that stays."""

    def look(self) -> Iterator[Finding]:
        """Yield the same without trying to write: not one byte changes."""

    def close(self) -> None:
        """Close the connection. May be repeated."""
