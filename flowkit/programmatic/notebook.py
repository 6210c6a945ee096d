"""``NBRunner``: a flow defined in a notebook's cell, run in a process of its own."""

import ast
import inspect
import linecache
import os
import shutil
from collections.abc import Mapping
from typing import Any
from weakref import finalize

from flowkit.access import open_private
from flowkit.authoring.flowspec import FlowSpec
from flowkit.client.objects import Run
from flowkit.exceptions import UsageError
from flowkit.programmatic.process import private_directory
from flowkit.programmatic.runner import Runner


class NBRunner(Runner):
    """Runs a flow whose class is in a notebook's cell, as `Runner` runs a file.

    A file is made of the cell, up to the class. So whatever the flow needs, imports above all, has
    to be in the same cell; calls that stand alone, such as this one, are left out.

    Args:
        flow: The flow class.
        show_output: Whether what the flow prints is shown here as well.
        profile: Name of the profile of settings.
        env: Environment variables to add.
        base_dir: Directory in which the file is made; that for temporary files when None.
        file_read_timeout: Seconds until the process must have said which run it has started.
        top_level: As for `Runner`.

    Raises:
        UsageError: The source of the class can't be had.

    Example::

        run = NBRunner(Train).nbrun(alpha=0.5)
        run.data.accuracy
    """

    def __init__(
        self,
        flow: type[FlowSpec],
        show_output: bool = True,
        profile: str | None = None,
        env: Mapping[str, str] | None = None,
        base_dir: str | os.PathLike[str] | None = None,
        file_read_timeout: float = 3600,
        **top_level: Any,
    ) -> None:
        source = cell_source(flow)
        directory = private_directory(None if base_dir is None else os.fspath(base_dir))
        self._forget = finalize(self, shutil.rmtree, directory, ignore_errors=True)
        file = directory / f"{flow.__name__}.py"
        with open(file, "w", encoding="utf-8", opener=open_private) as target:
            target.write(source)
        super().__init__(
            file, show_output, profile, env, file_read_timeout=file_read_timeout, **top_level
        )

    def nbrun(self, **arguments: Any) -> Run:
        """Run the flow to its end and return the run; raises as `Runner.run`."""
        try:
            return self.run(**arguments).run
        finally:
            super().cleanup()

    def nbresume(self, **arguments: Any) -> Run:
        """Resume a run to its end and return the new run; raises as `Runner.run`."""
        try:
            return self.resume(**arguments).run
        finally:
            super().cleanup()

    def cleanup(self) -> None:
        """End what still runs, and delete the log files and the file made of the cell."""
        super().cleanup()
        self._forget()


def cell_source(flow: type[FlowSpec]) -> str:
    """Return a flow file made of the cell that a flow class was defined in.

    It keeps what the cell defines and imports up to the class, on the same lines.

    Raises:
        UsageError: The source of the class can't be had.
    """
    own = [value for value in vars(flow).values() if inspect.isfunction(value)]
    names = {inspect.unwrap(function).__code__.co_filename for function in own}
    for name in names:
        lines = linecache.getlines(name)
        kept = _kept_lines(lines, flow.__name__)
        if kept is not None:
            return f"{kept}\n\nif __name__ == '__main__':\n    {flow.__name__}()\n"
    raise UsageError(
        f"the source of flow '{flow.__name__}' is not available: define it at the top level of a "
        "notebook cell"
    )


def _kept_lines(lines: list[str], flow: str) -> str | None:
    """Return the lines up to a class; those that only call something are blank."""
    try:
        statements = ast.parse("".join(lines)).body
    except SyntaxError:
        return None
    kept = [""] * len(lines)
    for statement in statements:
        if isinstance(statement, ast.Expr):
            continue
        decorators = getattr(statement, "decorator_list", ())
        begin = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
        for number in range(begin - 1, statement.end_lineno or begin):
            kept[number] = lines[number]
        if isinstance(statement, ast.ClassDef) and statement.name == flow:
            return "".join(line or "\n" for line in kept[: statement.end_lineno])
    return None
