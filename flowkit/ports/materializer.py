"""How values of a type become bytes and come back, and what can be said of them on the way."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from flowkit.enums import ArtifactType
from flowkit.ports.blobs import Buffer


@dataclass(frozen=True, slots=True)
class Payload:
    """A serialized value: its small in-band bytes and its large buffers, each a blob of its own."""

    inband: bytes
    buffers: Sequence[Buffer] = ()


@dataclass(frozen=True, slots=True)
class Visualization:
    """One picture, table or text that shows a value.

    Attributes:
        kind: ``table``, ``html``, ``markdown``, ``csv``, ``json``, ``text`` or an image's media
            type such as ``image/png``.
        data: Text; bytes of an image. A table is JSON: an object with ``columns`` (names) and
            ``rows`` (lists of strings), and ``note`` (a sentence, may be missing).
        title: What it shows of the value; "" for the value itself.
    """

    kind: str
    data: str | bytes
    title: str = ""


@dataclass(frozen=True, slots=True)
class Peeked:
    """What a stored value tells of itself: its automatic metadata, and what shows it."""

    summary: Mapping[str, Any]
    visualizations: Sequence[Visualization]


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


@runtime_checkable
class SupportsContentDigest(Protocol):
    """A materializer that knows when values are equal although their bytes differ."""

    def content_digest(self, value: Any, payload: Payload, digests: Sequence[str]) -> str | None:
        """Return a digest that equal values share, in any process; None if it can't be told.

        Args:
            value: What was dumped.
            payload: What `Materializer.dump` returned for it.
            digests: Of the payload's buffers, so that nothing is read twice.
        """


@runtime_checkable
class SupportsPeek(Protocol):
    """A materializer that can show small stored values without running any code of theirs."""

    def shows(self, value: Any) -> bool:
        """Whether `peek` shows such a value, while it is small, as well as a preview would."""

    def peek(self, payload: Payload, type_name: str) -> Peeked:
        """Describe and show a stored value; what it raises means that there is nothing to show.

        Args:
            payload: The stored value.
            type_name: Qualified name of its type, as in its ref.
        """


@runtime_checkable
class Describer(Protocol):
    """Describes and shows values of a type while they are saved; a materializer may be one too.

    What it raises costs the preview and never the value. The work must be bounded whatever the
    size of the value is, and must not call code of the value's own.
    """

    artifact_type: ArtifactType
    """What such values are to their users."""

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return the automatic metadata: plain values that JSON has, also in lists and dicts."""

    def visualize(self, value: Any) -> Iterable[Visualization]:
        """Yield what shows the value, the most telling first; it may be asked for only some."""
