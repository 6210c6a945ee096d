"""Where the values of the running run came from, for whoever asks why a step ran."""

from collections.abc import Callable, Mapping

from flowkit.model.manifest import ArtifactRef, Manifest, Read
from flowkit.model.tasks import TaskSpec
from flowkit.runtime.causes import Cause
from flowkit.runtime.taskinputs import TaskInputs


class Producers:
    """Knows which step wrote a value in this run, and why that step ran.

    Args:
        manifest: Returns a manifest by its digest.
    """

    def __init__(self, manifest: Callable[[str], Manifest]) -> None:
        self._manifest = manifest
        self._writers: dict[tuple[str, str], str] = {}
        self._clauses: dict[str, str] = {}

    def ran(self, step: str, cause: Cause) -> None:
        """Take note of why a step ran."""
        self._clauses[step] = cause.clause

    def reused(self, step: str, origin: str) -> None:
        """Take note that a step's result was taken over."""
        self._clauses[step] = f"taken over from {origin}"

    def wrote(self, step: str, written: Mapping[str, ArtifactRef]) -> None:
        """Take note of what a task of a step has written, by name."""
        for name, ref in written.items():
            self._writers[name, ref.digest] = step

    def origin(self, spec: TaskSpec, inputs: TaskInputs, token: str) -> str:
        """Return where what a task finds at a token came from, "" when nobody knows."""
        step = self._step(spec, inputs, token)
        if step is None:
            return ""
        clause = self._clauses.get(step)
        return f"produced by {step}{f', {clause}' if clause else ''}"

    def _step(self, spec: TaskSpec, inputs: TaskInputs, token: str) -> str | None:
        kind, _, rest = token.partition(":")
        if kind == "input":
            frames = spec.key.frames
            return frames[int(rest) if rest else -1].step if frames else None
        name = rest.rpartition(":")[2]
        if kind not in ("attr", "inputs") or not name:
            return None
        digest = inputs.digest(Read(token, None))
        if digest is not None and (name, digest) in self._writers:
            return self._writers[name, digest]
        # Steps without caching tell nothing, but what came directly from one says so.
        at = int(rest.partition(":")[0]) if kind == "inputs" else 0
        before = self._manifest(spec.inputs[at]) if at < len(spec.inputs) else None
        return before.step if before is not None and name in before.written else None
