"""The canonical digest of plain values: numbers, texts, bytes, and containers of them.

Two plain values have the same one just when they are equal and of equal types all the way down,
in any process and on any machine; a pickle also depends on which of its parts are the same
object, and on the order of sets, which differs between processes.

The digest is the SHA-256 of ``fk1`` and the value's code:

====================  ==========================================================================
None, True, False     ``n``, ``t``, ``f``
int                   ``i`` decimal digits ``;``
float                 ``d`` and 8 bytes, IEEE 754, big-endian; every NaN is ``7ff8 0000 0000 0000``
complex               ``c`` and the codes of its two floats
str, bytes            ``s`` or ``b``, length in bytes, ``:``, the bytes (UTF-8 of a text)
list, tuple           ``l`` or ``u``, length, ``:``, the codes of the items
dict                  ``m``, length, ``:``, the codes of each key and value in order
set, frozenset        ``S`` or ``F``, length, ``:``, the codes of the items, sorted
date, Decimal, ...    ``o``, and as texts and bytes the type's qualified name and its pickle
====================  ==========================================================================

The last row is for dates, times, decimals, fractions, UUIDs, paths and members of enums: they
can't be changed, so nothing in them depends on which of them are the same object.
"""

import hashlib
import pickle
import struct
from collections.abc import Callable
from typing import Any

_LONGEST = 100_000  # codes; a value with more of them has no canonical digest
_LARGEST_ITEM = 1024 * 1024  # bytes of one item of a set
_DOUBLE = struct.Struct(">d")
_FIXED = frozenset(
    {
        *(("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")),
        *(("pathlib", name) for name in ("PosixPath", "WindowsPath")),
        *(("pathlib", name) for name in ("PurePosixPath", "PureWindowsPath")),
        *(("pathlib._local", name) for name in ("PosixPath", "WindowsPath")),
        ("decimal", "Decimal"),
        ("fractions", "Fraction"),
        ("uuid", "UUID"),
    }
)
_NAN = b"d\x7f\xf8\0\0\0\0\0\0"


class _NotPlainError(Exception):
    """A part of the value has no code."""


def canonical_digest(value: Any) -> str | None:
    """Return the digest; None if the value is not plain, or too large to be worth it."""
    codes: list[bytes] = [b"fk1"]
    try:
        _encode(value, codes)
    except (_NotPlainError, RecursionError, ValueError):  # an int may have too many digits
        return None
    return hashlib.sha256(b"".join(codes)).hexdigest()


def _encode(value: Any, codes: list[bytes]) -> None:
    kind = type(value)
    if kind is str:
        text = value.encode("utf-8", "surrogatepass")
        codes.append(b"s%d:" % len(text))
        codes.append(text)
    elif kind is int:
        codes.append(b"i%d;" % value)
    elif kind is float:
        codes.append(_NAN if value != value else b"d" + _DOUBLE.pack(value))  # noqa: PLR0124 - NaN
    else:
        encode = _ENCODERS.get(kind)
        if encode is None and _is_fixed(kind):
            encode = _encode_fixed
        if encode is None or len(codes) > _LONGEST:
            raise _NotPlainError
        encode(value, codes)


def _is_fixed(kind: type) -> bool:
    """Whether values of a type never change; the modules are not imported for it."""
    return (kind.__module__, kind.__name__) in _FIXED or any(
        base.__module__ == "enum" and base.__name__ == "Enum" for base in kind.__mro__
    )


def _encode_fixed(value: Any, codes: list[bytes]) -> None:
    codes.append(b"o")
    kind = type(value)
    _encode(f"{kind.__module__}.{kind.__qualname__}", codes)
    try:
        _encode_bytes(pickle.dumps(value, 5), codes)
    except (pickle.PicklingError, AttributeError, TypeError):
        raise _NotPlainError from None


def _encode_bytes(value: bytes, codes: list[bytes]) -> None:
    codes.append(b"b%d:" % len(value))
    codes.append(value)


def _encode_complex(value: complex, codes: list[bytes]) -> None:
    codes.append(b"c")
    _encode(value.real, codes)
    _encode(value.imag, codes)


def _encode_items(tag: bytes) -> Callable[[Any, list[bytes]], None]:
    def encode(value: Any, codes: list[bytes]) -> None:
        codes.append(b"%b%d:" % (tag, len(value)))
        for item in value:
            _encode(item, codes)

    return encode


def _encode_dict(value: dict[Any, Any], codes: list[bytes]) -> None:
    codes.append(b"m%d:" % len(value))
    for key, part in value.items():
        _encode(key, codes)
        _encode(part, codes)


def _encode_set(tag: bytes) -> Callable[[Any, list[bytes]], None]:
    def encode(value: Any, codes: list[bytes]) -> None:
        codes.append(b"%b%d:" % (tag, len(value)))
        items: list[bytes] = []
        for item in value:
            own: list[bytes] = []
            _encode(item, own)
            items.append(b"".join(own))
            if len(items[-1]) > _LARGEST_ITEM:
                raise _NotPlainError
        codes.extend(sorted(items))

    return encode


_ENCODERS: dict[type, Callable[[Any, list[bytes]], None]] = {
    type(None): lambda _, codes: codes.append(b"n"),
    bool: lambda value, codes: codes.append(b"t" if value else b"f"),
    bytes: _encode_bytes,
    complex: _encode_complex,
    list: _encode_items(b"l"),
    tuple: _encode_items(b"u"),
    dict: _encode_dict,
    set: _encode_set(b"S"),
    frozenset: _encode_set(b"F"),
}
