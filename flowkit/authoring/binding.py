"""What a flow instance needs of the task it runs in; the runtime implements it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flowkit.authoring.declarations import ArtifactConfig
from flowkit.authoring.transition import NextCall


@dataclass(frozen=True, slots=True)
class SavedArtifact:
    """One call of ``save_artifact``.

    Attributes:
        artifact: The attribute, or the artifact's name where there is none.
        value: The value.
        config: What the artifact is called and how it is described.
        is_attribute: Whether the value is assigned to the attribute as well.
    """

    artifact: str
    value: Any
    config: ArtifactConfig
    is_attribute: bool


class TaskBinding(Protocol):
    """The task behind a flow instance: recorded reads, captured writes."""

    step: str
    is_join: bool

    def read(self, name: str) -> Any:
        """Return an inherited artifact and record the read.

        Raises:
            AttributeError: There is none; that, too, is recorded.
        """

    def assigned(self, name: str) -> None:
        """Take note that the step assigns this attribute.

        Raises:
            AttributeError: It is the same in every step of the run.
        """

    def deleted(self, name: str) -> bool:
        """Take note of a ``del``; return whether there was such an artifact."""

    def index(self) -> int | None:
        """Return the position in the innermost foreach."""

    def item(self) -> Any:
        """Return the item of the innermost foreach, None outside one."""

    def foreach_stack(self) -> list[tuple[int, int, Any]]:
        """Return (index, number of splits, item) of each foreach, outermost first."""

    def set_next(self, call: NextCall) -> None:
        """Take the transition.

        Raises:
            InvalidNextException: It was taken already, or can't be.
        """

    def merge(self, inputs: Any, exclude: Sequence[str], include: Sequence[str]) -> None:
        """Take over what the inputs of a join agree on."""

    def save_artifact(self, saved: SavedArtifact) -> None:
        """Make a version of a named artifact when the task is committed."""

    def annotate(self, artifact: str | None, values: Mapping[Any, Any]) -> None:
        """Add to the metadata of an artifact when the task is committed.

        Args:
            artifact: The attribute, or the artifact's name; None for the only one of the step.
            values: Whatever it is, by key.

        Raises:
            NotFoundError: The step has nothing to do with such an artifact.
        """

    def log_metadata(self, subject: str | None, values: Mapping[Any, Any]) -> None:
        """Add to the metadata of the task, or of what a pathspec or a version's id names."""
