"""What a task would find at each token that another one has read; no value is loaded."""

from collections.abc import Callable, Mapping, Sequence

from flowkit.content.canonical import canonical_digest
from flowkit.content.hashing import digest_of
from flowkit.model.manifest import ArtifactRef, Frame, Manifest, Read
from flowkit.model.tasks import TaskSpec
from flowkit.model.traces import Change, FoundElsewhere

OF_CLIENT = ("version", "record")
"""Reads of named artifacts that a step finds by itself: which one, and what is known of it."""


Elsewhere = Callable[[str], FoundElsewhere | None]


class TaskInputs:
    """The inputs of one task.

    Args:
        spec: The task.
        root: The manifest of parameters and constants.
        manifests: Those of the preceding tasks, in order.
        read_only: Names that are the same in all steps.
        class_digest: Returns a digest of the code of a class by its qualified name, "" for one
            that is not the user's.
        elsewhere: Finds what is at a token of the client's.
    """

    def __init__(
        self,
        spec: TaskSpec,
        root: Manifest,
        manifests: Sequence[Manifest],
        read_only: frozenset[str],
        class_digest: Callable[[str], str],
        elsewhere: Elsewhere = lambda _token: None,
    ) -> None:
        self._spec = spec
        self._manifests = manifests
        self._class_digest = class_digest
        self._elsewhere = elsewhere
        basis = root if spec.is_join or not manifests else manifests[0]
        self.inherited = {
            name: ref
            for name, ref in basis.artifacts.items()
            if not name.startswith("_") and (not spec.is_join or name in read_only)
        }

    def identity(self, token: str) -> str | None:
        """Return what tells what is at a token from anything else; None if nothing is there."""
        kind, _, rest = token.partition(":")
        if kind in OF_CLIENT:
            found = self._elsewhere(token)
            return None if found is None else found.identity
        frames = self._spec.key.frames
        if kind == "attr":
            return self._attribute(rest)
        if kind == "inputs":
            return self._of_inputs(rest)
        if kind == "depth":
            return str(len(frames))
        if kind in ("materializer", "artifact"):  # the value of an id never changes
            return f"{rest}+{self._code_of(rest)}"
        return self._of_frames(frames, token)

    @property
    def everything(self) -> str:
        """The digest of all that the task could read: equal ones read the same."""
        frames = [
            [frame.step, frame.index, frame.num_splits, self._of_ref(frame.item)]
            for frame in self._spec.key.frames
        ]
        parts = [self._of_all(self.inherited), frames]
        if self._spec.is_join:
            parts += [
                [manifest.step, len(manifest.frames), self._of_all(manifest.artifacts)]
                for manifest in self._manifests
            ]
        return canonical_digest(parts) or digest_of(repr(parts).encode())

    def is_steady(self, read: Read) -> bool:
        """Whether what a task has found by itself is still there when the task has ended."""
        if read.token.partition(":")[0] not in OF_CLIENT:
            return True
        found = self._elsewhere(read.token)
        return (None if found is None else found.digest) == read.digest

    def digest(self, read: Read) -> str | None:
        """Return the digest that a read finds today; None if it finds none."""
        kind, _, rest = read.token.partition(":")
        name = rest
        artifacts: Mapping[str, ArtifactRef] = self.inherited
        if kind == "merge":
            refs = [m.artifacts[name] for m in self._manifests if name in m.artifacts]
            return refs[0].digest if refs else None
        if kind == "inputs":
            position, _, name = rest.partition(":")
            artifacts = self._manifests[int(position)].artifacts
        if kind in ("attr", "inputs") and name in artifacts:
            return artifacts[name].digest
        return None if kind == "attr" else read.digest

    def differing(self, changes: Sequence[Change]) -> set[str]:
        """Return the attributes that merges have to compare, as the inputs have several values."""
        merges = [change for change in changes if change.is_merge]
        return {
            name
            for name in (self.names if merges else ())
            if any(change.takes(name) for change in merges) and len(self.values(name)) > 1
        }

    def values(self, name: str) -> dict[str, ArtifactRef]:
        """Return the different values that the inputs of a join have for an attribute."""
        refs = (m.artifacts[name] for m in self._manifests if name in m.artifacts)
        found: dict[str, ArtifactRef] = {}
        for ref in refs:
            found[ref.digest] = ref
        return found

    @property
    def names(self) -> list[str]:
        """The attributes that the inputs have, in the order in which a merge takes them."""
        return list(dict.fromkeys(name for m in self._manifests for name in m.artifacts))

    def _attribute(self, name: str) -> str | None:
        if name in self.inherited or not self._spec.is_join:
            return self._of_ref(self.inherited.get(name))
        found = [self._of_ref(manifest.artifacts.get(name)) for manifest in self._manifests]
        # A merge may have put it there: then it depends on what each of the inputs has.
        return _joined(found) if any(found) else None

    def _of_inputs(self, rest: str) -> str | None:
        position, _, name = rest.partition(":")
        if not position:
            return _joined([f"{m.step}/{len(m.frames)}" for m in self._manifests])
        if int(position) >= len(self._manifests):
            return None
        manifest = self._manifests[int(position)]
        kind = name.partition(":")[0]
        if kind in ("input", "index", "foreach_stack"):
            return self._of_frames(manifest.frames, name)
        own = self._of_ref(manifest.artifacts.get(name))
        if name == "names":  # also the name of an attribute, perhaps
            return _joined([own, *sorted(manifest.artifacts)])
        return own

    def _of_frames(self, frames: Sequence[Frame], token: str) -> str | None:
        kind, _, depth = token.partition(":")
        at = int(depth) if depth else len(frames) - 1
        if not 0 <= at < len(frames):
            return None
        if kind == "input":
            return self._of_ref(frames[at].item)
        if kind == "index":
            return str(frames[at].index)
        return _joined([f"{frame.index}/{frame.num_splits}" for frame in frames])

    def _of_all(self, artifacts: Mapping[str, ArtifactRef]) -> list[list[str | None]]:
        return [
            [name, self._of_ref(artifacts[name])] for name in sorted(artifacts) if name[0] != "_"
        ]

    def _of_ref(self, ref: ArtifactRef | None) -> str | None:
        """Return the identity of a value and of the user's classes that make it what it is."""
        if ref is None:
            return None
        code = self._code_of(ref.type) + self._code_of(ref.materializer)
        return f"{ref.identity}+{code}" if code else ref.identity

    def _code_of(self, name: str) -> str:
        """Return a digest of a class of the user's, "" for other names."""
        return self._class_digest(name) if "." in name else ""


def _joined(parts: Sequence[str | None]) -> str:
    return canonical_digest(list(parts)) or ""
