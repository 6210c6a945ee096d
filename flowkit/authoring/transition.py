"""What a call of ``self.next`` asks for, checked against the flow's steps."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from flowkit.authoring.steps import is_step
from flowkit.exceptions import InvalidNextException

_KEYWORDS = ("foreach", "num_parallel", "condition")


@dataclass(frozen=True, slots=True)
class NextCall:
    """One valid call of ``self.next``.

    Attributes:
        targets: The named steps; for a switch, those of all cases.
        foreach: Name of the foreach variable.
        num_parallel: Size of the gang.
        condition: Name of the switch's variable.
        cases: Value of that variable to step.
    """

    targets: tuple[str, ...]
    foreach: str | None = None
    num_parallel: int | None = None
    condition: str | None = None
    cases: Mapping[Any, str] | None = None


def read_next(
    step: str, steps: Collection[str], targets: tuple[Any, ...], keywords: Mapping[str, Any]
) -> NextCall:
    """Return what a call of ``self.next`` asks for.

    Args:
        step: The step that calls.
        steps: Names of the flow's steps.
        targets: Positional arguments of the call.
        keywords: Keyword arguments of the call.

    Raises:
        InvalidNextException: The call is none of the forms that there are.
    """
    keywords = {name: value for name, value in keywords.items() if value is not None}
    _check_keywords(step, keywords)
    if "condition" in keywords:
        return _read_switch(step, steps, targets, keywords["condition"])
    names = tuple(_step_name(step, steps, target) for target in targets)
    if not names:
        raise InvalidNextException(f"step '{step}': self.next() needs a step to go to")
    if keywords and len(names) != 1:
        (keyword,) = keywords
        raise InvalidNextException(
            f"step '{step}': self.next({keyword}=...) goes to exactly one step, not {len(names)}"
        )
    if len(set(names)) != len(names):
        raise InvalidNextException(f"step '{step}': self.next() names a step twice")
    if "foreach" in keywords and not isinstance(keywords["foreach"], str):
        raise InvalidNextException(
            f"step '{step}': foreach takes the name of an attribute as a string, "
            f"not {type(keywords['foreach']).__name__}"
        )
    return NextCall(names, keywords.get("foreach"), _gang_size(step, keywords))


def _check_keywords(step: str, keywords: Mapping[str, Any]) -> None:
    unknown = [name for name in keywords if name not in _KEYWORDS]
    if unknown:
        raise InvalidNextException(
            f"step '{step}': self.next() has no keyword '{unknown[0]}'; "
            f"there are: {', '.join(_KEYWORDS)}"
        )
    if len(keywords) > 1:
        raise InvalidNextException(
            f"step '{step}': self.next() takes one keyword at most, not {', '.join(keywords)}"
        )


def _gang_size(step: str, keywords: Mapping[str, Any]) -> int | None:
    size = keywords.get("num_parallel")
    if size is None:
        return None
    if isinstance(size, bool) or not hasattr(size, "__index__") or size.__index__() < 1:
        raise InvalidNextException(
            f"step '{step}': num_parallel takes a whole number of at least 1, not {size!r}"
        )
    return int(size)


def _read_switch(
    step: str, steps: Collection[str], targets: tuple[Any, ...], condition: Any
) -> NextCall:
    if not isinstance(condition, str):
        raise InvalidNextException(
            f"step '{step}': condition takes the name of an attribute as a string"
        )
    if len(targets) != 1 or not isinstance(targets[0], Mapping) or not targets[0]:
        raise InvalidNextException(
            f"step '{step}': self.next(condition=...) takes one dict of values to steps"
        )
    cases = {value: _step_name(step, steps, target) for value, target in targets[0].items()}
    return NextCall(tuple(dict.fromkeys(cases.values())), condition=condition, cases=cases)


def _step_name(step: str, steps: Collection[str], target: Any) -> str:
    if isinstance(target, Mapping):
        raise InvalidNextException(
            f"step '{step}': a dict in self.next() goes with condition='<attribute>'"
        )
    name = getattr(target, "__name__", None)
    if name is None or name not in steps or not is_step(getattr(target, "__func__", target)):
        raise InvalidNextException(
            f"step '{step}': {name or target!r} in self.next() is not a step of this flow"
        )
    return str(name)
