"""What a flow instance needs of the task it runs in; the runtime implements it."""

from collections.abc import Sequence
from typing import Any, Protocol

from flowkit.authoring.transition import NextCall


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
