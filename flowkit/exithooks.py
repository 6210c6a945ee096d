"""``@exit_hook``: calls the flow's functions when a run has ended, each in a fresh process."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from flowkit.authoring.flowdecorators import exit_hook
from flowkit.authoring.flowdef import FlowDef
from flowkit.client import Run
from flowkit.config import Settings, adopt
from flowkit.enums import Status
from flowkit.flowmodule import load_class, main_module
from flowkit.model.events import Notice, RunEnded, RunEvent
from flowkit.ports.listener import Listener

_CALL = (
    "import sys, pickle; from flowkit.exithooks import call; call(*pickle.load(sys.stdin.buffer))"
)


class ExitHooks:
    """A listener that calls the hooks of a flow, and tells what they print.

    Args:
        flow: The flow.
        settings: Where the run is.
        tell: Gets the lines that the hooks print.
    """

    def __init__(self, flow: FlowDef, settings: Settings, tell: Listener) -> None:
        self._flow = flow
        self._settings = settings
        self._tell = tell

    def __call__(self, event: RunEvent) -> None:
        """Call the hooks when the run has ended; a hook that fails only says so."""
        if not isinstance(event, RunEnded):
            return
        has_succeeded = event.status is Status.SUCCEEDED
        for decorator in self._flow.decorators:
            if isinstance(decorator, exit_hook):
                for hook in decorator.on_success if has_succeeded else decorator.on_error:
                    self._run(hook, f"{event.flow}/{event.run_id}")

    def _run(self, hook: Callable[..., Any], pathspec: str) -> None:
        import pickle  # noqa: PLC0415 - few flows have hooks

        module = main_module(self._flow)
        order = (self._settings, self._flow.file, self._flow.name, module, hook.__name__, pathspec)
        ended = subprocess.run(  # noqa: S603 - our own interpreter and program
            [sys.executable, "-c", _CALL],
            input=pickle.dumps(order),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        for line in ended.stdout.decode(errors="replace").splitlines():
            self._tell(Notice(f"[exit_hook {hook.__name__}] {line}"))
        if ended.returncode:
            self._tell(Notice(f"exit hook '{hook.__name__}' failed (exit code {ended.returncode})"))


def call(settings: Settings, file: str, flow: str, module: str, hook: str, pathspec: str) -> None:
    """Call one hook in this process.

    Args:
        settings: Where the run is.
        file: The flow file.
        flow: Name of the flow class.
        module: Name under which the file is imported.
        hook: Name of the function.
        pathspec: The run.
    """
    adopt(settings)
    loaded = load_class(file, flow, module)
    function = getattr(sys.modules[loaded.__module__], hook)
    parameters = inspect.signature(function).parameters.values()
    takes_run = any(p.name == "run" or p.kind is p.VAR_KEYWORD for p in parameters)
    arguments = {"run": Run(pathspec, _namespace_check=False)} if takes_run else {}
    function(**arguments)
