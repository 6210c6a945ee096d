"""Which strings may name an artifact across flows, one of its versions, or an alias of one."""

import re
import unicodedata

from flowkit.exceptions import InvalidNameError

MAX_NAME = 200
LATEST = "latest"
"""Stands for the version that was made last."""
HIGHEST = "highest"
"""Stands for the version with the highest number."""

_NUMBER_LIKE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_SEPARATORS = frozenset("/@:")


def check_name(name: object) -> str:
    """Return the name of an artifact in NFC form, or raise `InvalidNameError`."""
    text = _checked("artifact name", name)
    found = next((one for one in text if one in _SEPARATORS), None)
    if found is not None:
        raise InvalidNameError(f"artifact name {text!r} has a '{found}': leave out / @ and :")
    return text


def check_version(version: object) -> str:
    """Return the text of a version that somebody chose, or raise `InvalidNameError`.

    A whole number from 1 on may be given as such. Texts that look like a number but are written
    in another way, such as "07", are refused: they would be taken for one.
    """
    if isinstance(version, int) and not isinstance(version, bool):
        version = str(version)
    text = _checked("artifact version", version)
    if "/" in text or "@" in text:
        raise InvalidNameError(f"artifact version {text!r} is not valid: leave out / and @")
    if text.lower() in (LATEST, HIGHEST):
        raise InvalidNameError(
            f"artifact version {text!r} is not valid: '{text.lower()}' stands for a version that "
            "is there already"
        )
    if _NUMBER_LIKE.fullmatch(text) and not _NUMBER.fullmatch(text):
        raise InvalidNameError(
            f"artifact version {text!r} is not valid: numbers are written 1, 2, 3, ..."
        )
    return text


def check_alias(alias: object) -> str:
    """Return an alias, or raise `InvalidNameError`: it must not look like a version's number."""
    text = _checked("alias", alias)
    is_taken = text.lower() in (LATEST, HIGHEST) or _NUMBER_LIKE.fullmatch(text)
    if is_taken or not _SEPARATORS.isdisjoint(text):
        raise InvalidNameError(
            f"alias {text!r} is not valid: use a word such as 'production', no number, not "
            f"'{LATEST}', without / @ and :"
        )
    return text


def number_of(version: str) -> int | None:
    """Return the number that a version's text stands for; None when it is a name."""
    return int(version) if _NUMBER.fullmatch(version) else None


def _checked(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidNameError(f"{what} {value!r} is not valid: it is no string")
    text = unicodedata.normalize("NFC", value)
    if not 1 <= len(text) <= MAX_NAME or text != text.strip() or not text.isprintable():
        raise InvalidNameError(
            f"{what} {text!r} is not valid: use 1 to {MAX_NAME} printable characters, no space at "
            "the ends"
        )
    return text
