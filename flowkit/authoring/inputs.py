"""``inputs`` of a join: the finished tasks before it, each a read-only view of its artifacts."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, overload

from flowkit.authoring.configs import Config, declared
from flowkit.model.tasks import Frame

SOURCE = "__flowkit_source__"


class InputSource(Protocol):
    """The finished task behind one input; the runtime implements it."""

    @property
    def flow(self) -> type:
        """The flow class."""

    @property
    def step(self) -> str:
        """The step whose output this is."""

    @property
    def frames(self) -> Sequence[Frame]:
        """The foreach frames around the task."""

    def read(self, name: str) -> Any:
        """Return an artifact and record the read; AttributeError when there is none."""

    def item(self, frame: Frame) -> Any:
        """Return the foreach item of a frame."""

    def look(self, what: str) -> None:
        """Record that the task's "index" or "foreach_stack" is read."""

    def names(self) -> Sequence[str]:
        """Return the names of the artifacts."""


class Input:
    """One of the tasks that a join brings together; its artifacts are attributes, loaded lazily.

    Attributes that are no artifacts fall back to the flow class, so constants and helper methods
    are there as well.
    """

    def __init__(self, source: InputSource) -> None:
        self.__dict__[SOURCE] = source

    @property
    def index(self) -> int | None:
        """Position of this task in its innermost foreach; None outside one."""
        self._source.look("index")
        frames = self._source.frames
        return frames[-1].index if frames else None

    @property
    def input(self) -> Any:
        """Item of this task in its innermost foreach; None outside one."""
        frames = self._source.frames
        return self._source.item(frames[-1]) if frames else None

    def foreach_stack(self) -> list[tuple[int, int, Any]]:
        """Return (index, number of splits, item) of each foreach, outermost first."""
        self._source.look("foreach_stack")
        item = self._source.item
        return [(frame.index, frame.num_splits, item(frame)) for frame in self._source.frames]

    @property
    def _source(self) -> InputSource:
        source: InputSource = self.__dict__[SOURCE]
        return source

    @property
    def _current_step(self) -> str:
        return self._source.step

    def __getattr__(self, name: str) -> Any:
        source = self._source
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        try:
            value = source.read(name)
        except AttributeError:
            inherited = getattr(source.flow, name, None)
            if inherited is None:
                raise
            return inherited.__get__(self, source.flow) if callable(inherited) else inherited
        declaration = getattr(source.flow, name, None)
        if isinstance(declaration, Config):
            value = declared(declaration).seen(value)
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"can't set '{name}': the inputs of a join are read-only")

    def __dir__(self) -> list[str]:
        return sorted(self._source.names())

    def __repr__(self) -> str:
        return f"<input from step {self._current_step}>"

    def __getstate__(self) -> object:
        raise TypeError("an input of a join can't be stored: store the attributes that you need")


class Inputs(Sequence[Input]):
    """The inputs of a join, by position, by name of the step they come from, or in a loop.

    In order of the foreach index, or of the split's declaration. ``inputs.fit`` is the last
    input that comes from step ``fit``.
    """

    def __init__(self, sources: Sequence[InputSource]) -> None:
        self._inputs = [Input(source) for source in sources]
        self._by_step = {
            source.step: entry for source, entry in zip(sources, self._inputs, strict=True)
        }

    @overload
    def __getitem__(self, position: int) -> Input: ...
    @overload
    def __getitem__(self, position: slice) -> list[Input]: ...
    def __getitem__(self, position: int | slice) -> Input | list[Input]:
        return self._inputs[position]

    def __len__(self) -> int:
        return len(self._inputs)

    def __iter__(self) -> Iterator[Input]:
        return iter(self._inputs)

    def __getattr__(self, step: str) -> Input:
        by_step = self.__dict__.get("_by_step", {})
        if step not in by_step:
            known = ", ".join(by_step) or "none"
            raise AttributeError(
                f"'Inputs' object has no attribute '{step}'; the steps before this join: {known}"
            )
        entry: Input = by_step[step]
        return entry

    def __repr__(self) -> str:
        return f"<inputs from {', '.join(self._by_step)} ({len(self)} tasks)>"

    def __getstate__(self) -> object:
        raise TypeError("the inputs of a join can't be stored: store the attributes that you need")
