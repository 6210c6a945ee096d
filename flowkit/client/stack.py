"""Which stores are in use, under the names that guides for other tools have for them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StackArtifactStore:
    """Where values are. ``path`` is a directory, or a URL."""

    path: str


@dataclass(frozen=True, slots=True)
class Stack:
    """The stores in use."""

    artifact_store: StackArtifactStore
    metadata: str
