"""Which steps' results are reused, by what the user asked for; plain data for the others."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.steps import StepDef
from flowkit.exceptions import UsageError

HAZARDS = ("artifacts", "clock", "environment", "files", "network", "processes", "run")
"""What a step can look at that no trace records."""


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """Which results are reused.

    Attributes:
        steps: Steps whose results are looked up and kept.
        refresh: Steps that run even so; what comes of them is kept.
        is_read: False looks nothing up, and still keeps what comes of the steps.
        variables: Declared environment variables and their values.
    """

    steps: frozenset[str] = frozenset()
    refresh: frozenset[str] = frozenset()
    is_read: bool = True
    variables: Mapping[str, str | None] = field(default_factory=dict)


def cache_policy(
    flow: FlowDef,
    *,
    asked: bool | None,
    default: bool,
    refresh: Sequence[str],
    variable: Callable[[str], str | None],
) -> CachePolicy:
    """Return which results are reused: what a step says goes before the run, flow and settings.

    Args:
        flow: The flow; its class may have an attribute ``enable_cache``.
        asked: What the run says; False looks nothing up and leaves the rest as it is.
        default: What the settings say.
        refresh: Steps that run even so.
        variable: Returns the value of an environment variable.

    Raises:
        UsageError: There is no such step, or a step ignores what nobody knows.
    """
    unknown = [name for name in refresh if name not in flow.steps]
    if unknown:
        raise UsageError(f"--cache-refresh: there is no step {', '.join(unknown)}")
    of_flow = getattr(flow.cls, "enable_cache", default)
    for_all = bool(asked or of_flow) if asked is not False else bool(of_flow)
    steps = [step for step in flow.steps.values() if step.options.get("enable_cache", for_all)]
    names = {one[4:] for step in steps for one in _checked(step) if one.startswith("env:")}
    return CachePolicy(
        steps=frozenset(step.name for step in steps),
        refresh=frozenset(refresh),
        is_read=asked is not False,
        variables={name: variable(name) for name in sorted(names)},
    )


def texts(given: object) -> tuple[str, ...]:
    """Return an option that may be one text or several, as several."""
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(map(str, given))  # type: ignore[call-overload]


def _checked(step: StepDef) -> tuple[str, ...]:
    """Return what a step declares to read, after a look at what it ignores."""
    for kind in texts(step.options.get("cache_ignores")):
        if kind not in HAZARDS:
            known = ", ".join(HAZARDS)
            raise UsageError(f"step '{step.name}' ignores '{kind}': there are {known}")
    return texts(step.options.get("cache_depends"))


def declared_files(declared: Sequence[str]) -> list[str]:
    """Return the absolute paths of the files that declarations stand for, sorted.

    A path or a pattern that fits nothing stands for itself: the file may come.
    """
    import glob  # noqa: PLC0415 - few steps declare files

    found: set[str] = set()
    for entry in declared:
        if not entry.startswith("env:"):
            found.update(glob.glob(entry, recursive=True) or [entry])
    return sorted(map(os.path.abspath, found))
