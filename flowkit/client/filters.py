"""Conditions on metadata: "accuracy:gte:0.9"."""

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flowkit.exceptions import UsageError

Condition = str | Iterable[str] | Mapping[str, Any]
Operation = Callable[[Any, Any], bool]

_COMPARISONS: Mapping[str, Operation] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_SIGNS = {">=": "gte", "<=": "lte", "==": "equals", "!=": "notequals", ">": "gt", "<": "lt"}
_ABSENT = object()


def matcher(conditions: Condition | None) -> Callable[[Mapping[str, Any]], bool]:
    """Return what tells whether metadata meet all of the conditions.

    Args:
        conditions: "KEY:OPERATOR:VALUE" or "KEY:VALUE", several of these, or a dict of keys to
            values or to texts such as ">=0.9". Operators: equals, notequals, gt, gte, lt, lte,
            contains, startswith, endswith, oneof (values between commas), exists.

    Raises:
        UsageError: A condition can't be read.
    """
    tests = [_test(*parts) for parts in _parsed(conditions)]
    return lambda metadata: all(test(metadata) for test in tests)


def _parsed(conditions: Condition | None) -> Iterable[tuple[str, str, Any]]:
    if conditions is None:
        return []
    if isinstance(conditions, Mapping):
        return [_of_item(key, value) for key, value in conditions.items()]
    texts = [conditions] if isinstance(conditions, str) else conditions
    return [_of_text(text) for text in texts]


def _of_item(key: str, value: Any) -> tuple[str, str, Any]:
    if isinstance(value, str):
        for sign, name in _SIGNS.items():
            if value.startswith(sign):
                return key, name, value.removeprefix(sign).strip()
    return key, "equals", value


def _of_text(text: str) -> tuple[str, str, str]:
    key, colon, rest = text.partition(":")
    if not key or not colon:
        raise UsageError(f"condition {text!r}: write KEY:OPERATOR:VALUE, such as accuracy:gte:0.9")
    name, has_value, value = rest.partition(":")
    if has_value and name in _OPERATIONS:
        return key, name, value
    return (key, "exists", "") if rest == "exists" else (key, "equals", rest)


def _test(key: str, name: str, value: Any) -> Callable[[Mapping[str, Any]], bool]:
    operation = _OPERATIONS[name]

    def test(metadata: Mapping[str, Any]) -> bool:
        found = metadata.get(key, _ABSENT)
        return found is not _ABSENT and operation(found, value)

    return test


def _equals(found: Any, value: Any) -> bool:
    return (
        bool(found == value) or _text(found) == _text(value) or _numbers(operator.eq, found, value)
    )


def _comparing(compare: Operation) -> Operation:
    def compared(found: Any, value: Any) -> bool:
        if _is_number(found):
            return _numbers(compare, found, value)
        return isinstance(found, str) and bool(compare(found, str(value)))

    return compared


def _numbers(compare: Operation, found: Any, value: Any) -> bool:
    if not _is_number(found):
        return False
    try:
        return bool(compare(found, float(value)))
    except (TypeError, ValueError):
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _contains(found: Any, value: Any) -> bool:
    if isinstance(found, list | dict):
        return value in found or str(value) in map(_text, found)
    return str(value) in _text(found)


def _one_of(found: Any, value: Any) -> bool:
    values = value.split(",") if isinstance(value, str) else value
    return any(_equals(found, one.strip() if isinstance(one, str) else one) for one in values)


_OPERATIONS: Mapping[str, Operation] = {
    **{name: _comparing(compare) for name, compare in _COMPARISONS.items()},
    "equals": _equals,
    "notequals": lambda found, value: not _equals(found, value),
    "contains": _contains,
    "startswith": lambda found, value: _text(found).startswith(str(value)),
    "endswith": lambda found, value: _text(found).endswith(str(value)),
    "oneof": _one_of,
    "exists": lambda _found, _value: True,
}
