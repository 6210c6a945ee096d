"""Versions of named artifacts as rows: numbers, tags, aliases, metadata, and who used what."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from flowkit.model.manifest import Read
from flowkit.model.records import ArtifactRecord
from flowkit.model.versions import (
    AliasMove,
    AnnotationRecord,
    NameRecord,
    Output,
    Pin,
    Producer,
    Publication,
    Use,
    VersionQuery,
    VersionRecord,
)

Lost = Callable[[int, Collection[str]], Collection[str]]
"""Of the store's counter of collections, and the blobs that are being deleted: which are lost."""


def nothing_lost(_sweeps: int, _buried: Collection[str]) -> Collection[str]:
    """Return no blob: of a value that something else keeps alive, none is."""
    return ()


class VersionWriter(Protocol):
    """What is written about versions outside of runs; those of tasks come with their attempts.

    Every method is one transaction, durable when it returns. A version never changes but for its
    tags, metadata and aliases, and for being deleted.
    """

    def publish(
        self,
        publication: Publication,
        user: str,
        lost: Lost = nothing_lost,
        producer: Producer | None = None,
    ) -> VersionRecord:
        """Make a version of a value that is stored already, and return it.

        Versions that choose none are numbered 1, 2, 3, ... per name: without gap or duplicate
        under any number of concurrent writers and aborted transactions. A number that was ever
        used, also by a version that chose it or that was deleted, is not used again. A version
        that exists already with the same digest is returned as it is.

        Args:
            publication: What to make it of.
            user: Who makes it.
            lost: Asked in the transaction, which no collection of garbage can come between, for
                the blobs of the value that were deleted since they were stored.
            producer: The attempt that made the value; None for what no task has made.

        Raises:
            NotFoundError: The producer's run is not there.
            VersionExistsError: It exists with another digest, or existed and was deleted.
            BlobMissing: A blob of the value is lost: nothing was made.
        """

    def change_tags(
        self, version_id: str, add: Iterable[str], remove: Iterable[str]
    ) -> tuple[str, ...]:
        """Remove, then add tags of a version; return those that it has then, sorted.

        Raises:
            NotFoundError: There is no such version.
            TaggingError: A tag is not valid, or there would be more than 50.
        """

    def move_alias(self, name: str, alias: str, version_id: str | None, user: str) -> None:
        """Let an alias of a name point to one of its versions; None takes the alias away.

        Every move is kept; one that changes nothing isn't.

        Raises:
            NotFoundError: There is no such version of this name, or it was deleted.
            InvalidNameError: The alias is a version of this name, or no valid alias.
        """

    def annotate(self, subject: str, values: Mapping[str, object], user: str) -> None:
        """Add to the metadata of something.

        Args:
            subject: Id of a version, or pathspec of a run, a task or an artifact.
            values: Plain JSON values by key.
            user: Who says so.
        """

    def delete(self, version_id: str, user: str, *, force: bool = False) -> None:
        """Delete a version: its content may be freed, its row and its number stay.

        Args:
            version_id: Which one.
            user: Who deletes it.
            force: Also when it is used.

        Raises:
            NotFoundError: There is no such version, or it is deleted already.
            VersionInUseError: Something uses it: an alias, a run that pinned it, a task other
                than its producer that read it. The message lists them.
        """


class VersionReader(Protocol):
    """What readers see of versions: one snapshot per call; deleted ones only where it says so.

    Unknown objects give None or an empty sequence.
    """

    def names(self, *, after: str = "", limit: int = 100) -> Sequence[NameRecord]:
        """Return named artifacts in the order of their names, from behind ``after`` on."""

    def name(self, name: str) -> NameRecord | None:
        """Return one named artifact."""

    def versions(
        self, query: VersionQuery, *, before: int | None = None, limit: int = 100
    ) -> Sequence[VersionRecord]:
        """Return versions, newest first.

        Args:
            query: Which ones.
            before: Only those made before the version with this ``key``: the next page.
            limit: How many at most.
        """

    def find(self, name: str, version: str) -> VersionRecord | None:
        """Return one version by its text, also a deleted one."""

    def highest(self, name: str) -> VersionRecord | None:
        """Return the version with the highest number."""

    def at_alias(self, name: str, alias: str) -> VersionRecord | None:
        """Return the version that an alias points to now."""

    def with_id(self, prefix: str, *, limit: int = 10) -> Sequence[VersionRecord]:
        """Return the versions whose id begins like this, also deleted ones."""

    def outputs(self, flow: str, run_id: str) -> Sequence[Output]:
        """Return the versions that the tasks of a run made or took over, also deleted ones."""

    def alias_moves(self, name: str) -> Sequence[AliasMove]:
        """Return every move of every alias of a name, oldest first."""

    def annotations(self, subject: str) -> Sequence[AnnotationRecord]:
        """Return the metadata of something as it was logged, oldest first."""

    def pins(self, flow: str, run_id: str) -> Sequence[Pin]:
        """Return what the external artifacts of a run stand for."""

    def pinned_by(self, version_id: str) -> Sequence[str]:
        """Return the pathspecs of the runs that pinned a version, oldest first."""

    def uses(self, version_id: str) -> Sequence[Use]:
        """Return who read a version, oldest first: where it was made, pinned or taken over.

        A read counts when it saw the digest of the version under the attribute that stands for
        it in that run. An attempt that took over the result of one that read it is listed too.
        """

    def reads(self, flow: str, run_id: str, task_id: int, attempt: int) -> Sequence[Read]:
        """Return what an attempt read, in that order."""

    def readers(self, flow: str, run_id: str, name: str, digest: str) -> Sequence[Use]:
        """Return who read, in one run, an artifact with this name and digest."""

    def writers(self, flow: str, run_id: str, name: str, digest: str) -> Sequence[ArtifactRecord]:
        """Return who wrote, in one run, an artifact with this name and digest, oldest first."""

    def origins(self, flow: str, run_id: str) -> Sequence[str]:
        """Return the pathspecs of the tasks whose results a run took over, oldest first."""
