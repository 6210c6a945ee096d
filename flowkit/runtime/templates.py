"""Names and versions with braces, filled in from a task's facts, foreach and parameters."""

import time
from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any

from flowkit.content.store import ArtifactStore
from flowkit.exceptions import DefinitionError
from flowkit.model.manifest import ArtifactRef
from flowkit.model.tasks import TaskSpec


class TaskFacts(dict[str, Any]):
    """What templates can name; each value is made when it is asked for.

    Args:
        run_id: Id of the run.
        index: Position in the innermost foreach; None outside of one.
        item: Returns the item of the innermost foreach, None outside of one.
        parameter: Returns the value of a parameter or config by attribute name.
        at: When the task began, in seconds since 1970.
    """

    def __init__(
        self,
        run_id: str,
        index: int | None,
        item: Callable[[], Any],
        parameter: Callable[[str], Any],
        at: float,
    ) -> None:
        super().__init__(run_id=run_id)
        self._index = index
        self._item = item
        self._parameter = parameter
        self._at = time.gmtime(at)

    def __missing__(self, name: str) -> Any:
        if name == "date":
            return time.strftime("%Y_%m_%d", self._at)
        if name == "time":
            return time.strftime("%H_%M_%S", self._at)
        if name not in ("index", "input"):
            return self._parameter(name)
        if self._index is None:
            raise DefinitionError(f"{{{name}}} stands in a template, but the task is in no foreach")
        return self._index if name == "index" else self._item()


def task_facts(
    spec: TaskSpec, store: ArtifactStore, artifacts: Mapping[str, ArtifactRef]
) -> TaskFacts:
    """Return what templates can name in a task that begins now.

    Args:
        spec: The task.
        store: Where values are; they are loaded when a template names them.
        artifacts: What the task has, its parameters among it.
    """
    frames = spec.key.frames
    return TaskFacts(
        spec.run_id,
        frames[-1].index if frames else None,
        lambda: store.load(frames[-1].item),
        lambda name: store.load(artifacts[name]),
        time.time(),
    )


def filled(template: str, facts: TaskFacts) -> str:
    """Return a template's text; one without braces is its own."""
    return Formatter().vformat(template, (), facts) if "{" in template else template
