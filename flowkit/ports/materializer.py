"""How values of a type become bytes and come back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flowkit.ports.blobs import Buffer


@dataclass(frozen=True, slots=True)
class Payload:
    """A serialized value: its small in-band bytes and its large buffers, each a blob of its own."""

    inband: bytes
    buffers: Sequence[Buffer] = ()


class Materializer(Protocol):
    """Turns values into a `Payload` and back; lossless for what it claims."""

    name: str
    """Stored in every ref; never changes once released."""

    def claims(self, value: Any) -> bool:
        """Whether this materializer gives the value back as it is: equal and of the same type."""

    def dump(self, value: Any) -> Payload:
        """Serialize.

        Raises:
            UnpicklableArtifactException: A part of the value can't be stored; the message names
                the part by its path inside the value.
        """

    def load(self, payload: Payload) -> Any:
        """Rebuild the value. Buffers may be kept: they are private to this process.

        Raises:
            ArtifactUnloadable: The value needs something that this environment lacks.
        """
