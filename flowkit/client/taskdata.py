"""A task's artifacts as attributes."""

from collections.abc import Callable, Iterable
from typing import Any


class TaskData:
    """The values of a task's artifacts; each is loaded when it is asked for, anew every time.

    Example::

        data = Run("Train/12")["end"].task.data
        "model" in data
        data.model
    """

    def __init__(self, pathspec: str, names: Iterable[str], load: Callable[[str], Any]) -> None:
        self._pathspec = pathspec
        self._names = tuple(names)
        self._load = load

    def __getattr__(self, name: str) -> Any:
        # Python asks for special names even before __init__ has run, so these go first.
        if name.startswith("_"):
            raise AttributeError(f"task data shows no names with _: take task[{name!r}].data")
        if name not in self._names:
            raise AttributeError(f"task '{self._pathspec}' has no artifact '{name}'")
        return self._load(name)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __dir__(self) -> list[str]:
        return list(self._names)

    def __str__(self) -> str:
        return f"<TaskData: {', '.join(self._names)}>"

    __repr__ = __str__
