"""Checking that everything that the metadata refers to is in the store, and is what was written."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from flowkit.content.store import ArtifactStore
from flowkit.exceptions import BlobMissing, FlowkitError, IntegrityError
from flowkit.model.garbage import Roots, RunRoot
from flowkit.ports.blobs import BlobStore

Kind = Literal["missing", "damaged", "unreadable", "orphan"]


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that a check found.

    Attributes:
        kind: "missing" and "damaged" are blobs, "unreadable" is what could not be followed any
            further; "orphan" is a blob that nothing needs, which is no damage.
        digest: The blob; "" where several may be concerned.
        needed_by: Runs and versions that need it, a few of them.
        message: What was found.
    """

    kind: Kind
    digest: str
    needed_by: tuple[str, ...]
    message: str

    @property
    def is_damage(self) -> bool:
        """Whether something is lost."""
        return self.kind != "orphan"


_NAMED = 5


class Check:
    """One look at a whole store. Damaged blobs are moved away as they are read.

    Args:
        blobs: The blobs.
        artifacts: The same, as values.
        roots: What refers to them.
    """

    def __init__(self, blobs: BlobStore, artifacts: ArtifactStore, roots: Roots) -> None:
        self._blobs = blobs
        self._artifacts = artifacts
        self._roots = roots
        self._needed: dict[str, list[str]] = {}
        self._values: dict[tuple[str, str | None], set[str]] = {}

    def run(self, *, with_data: bool = False) -> Iterator[Defect]:
        """Yield what is wrong, and blobs that nothing needs.

        Args:
            with_data: Also read every blob and compare it with its digest. Otherwise only those
                are read that say what else is needed.
        """
        broken: set[str] = set()
        for defect in self._followed():
            broken.add(defect.digest)
            yield defect
        stored = dict(self._blobs.list())
        for digest in sorted(self._needed.keys() - stored.keys() - broken):
            yield self._defect("missing", digest, "the blob is not in the store")
        if with_data:
            for digest in sorted(stored.keys() - broken):
                yield from self._read(digest)
        for digest in sorted(stored.keys() - self._needed.keys() - broken):
            yield Defect("orphan", digest, (), f"nothing needs this blob of {stored[digest]} bytes")

    def _followed(self) -> Iterator[Defect]:
        """Note which blobs are needed by whom; yield those that can't be followed."""
        broken: dict[str, Defect] = {}
        for run in self._roots.runs:
            for digest in dict.fromkeys(run.manifests):
                self._follow_manifest(run, digest, broken)
        for version in self._roots.versions:
            label = f"artifact {version.label}"
            try:
                needed = self._artifacts.blobs_of_value(version.ref)
            except FlowkitError as error:
                _note(broken, error, version.ref.digest, label)
            else:
                self._note_needs(needed, label)
        yield from broken.values()

    def _follow_manifest(self, run: RunRoot, digest: str, broken: dict[str, Defect]) -> None:
        self._note_needs({digest}, run.pathspec)
        try:
            needed = self._artifacts.blobs_of(digest, self._values)
        except FlowkitError as error:
            _note(broken, error, digest, run.pathspec)
        else:
            self._note_needs(needed, run.pathspec)

    def _note_needs(self, digests: set[str], owner: str) -> None:
        for digest in digests:
            owners = self._needed.setdefault(digest, [])
            if len(owners) < _NAMED and owner not in owners:
                owners.append(owner)

    def _read(self, digest: str) -> Iterator[Defect]:
        try:
            self._blobs.get(digest)
        except BlobMissing:
            # Deleted since it was listed; only what is needed is missed.
            if digest in self._needed:
                yield self._defect("missing", digest, "the blob is not in the store")
        except IntegrityError as error:
            yield self._defect("damaged", digest, str(error))

    def _defect(self, kind: Kind, digest: str, message: str) -> Defect:
        return Defect(kind, digest, tuple(self._needed.get(digest, ())), message)


def _note(broken: dict[str, Defect], error: FlowkitError, digest: str, owner: str) -> None:
    """Keep one defect per broken blob, with some of those that need it."""
    found = getattr(error, "digest", "") or digest
    kind: Kind = "unreadable"
    if isinstance(error, BlobMissing):
        kind = "missing"
    elif isinstance(error, IntegrityError):
        kind = "damaged"
    known = broken.get(found)
    owners = known.needed_by if known else ()
    if owner not in owners and len(owners) < _NAMED:
        owners = (*owners, owner)
    # The second look at a damaged blob finds that it was moved away: the first message counts.
    first = known or Defect(kind, found, (), str(error))
    broken[found] = Defect(first.kind, found, owners, first.message)
