"""Finding one artifact version by name, version, alias or id; errors say what there is."""

import re
from collections.abc import Iterator
from difflib import get_close_matches

from flowkit.content.observing import observed
from flowkit.exceptions import NotFoundError
from flowkit.model.artifactnames import HIGHEST, LATEST
from flowkit.model.versions import NameRecord, VersionQuery, VersionRecord
from flowkit.ports.versions import VersionReader

_ID = re.compile(r"[0-9a-f]{32}")
_PREFIX = re.compile(r"[0-9a-f]{4,32}")
_NAMES_PER_PAGE = 200
_VERSIONS_PER_PAGE = 100
_LISTED = 10


def find_version(
    reader: VersionReader, name_or_id: str, version: str | int | None = None
) -> VersionRecord:
    """Return one version; in a step, which one is found is a read like any other.

    Args:
        reader: Where versions are.
        name_or_id: A name, "name@version", "name:alias", an id, or the beginning of one.
        version: The version: its text or number, an alias, "latest" or "highest"; the latest one
            when omitted.

    Raises:
        NotFoundError: There is none, or several; the message says what there is.
    """
    token = f"version:{selector_text(name_or_id, version)}"
    try:
        found = _find_version(reader, name_or_id, version)
    except NotFoundError:
        observed(token, None)
        raise
    observed(token, found.ref.digest)
    return found


def selector_text(name_or_id: str, version: str | int | None) -> str:
    """Return what a version was looked for by, as one text that finds it again."""
    return name_or_id if version is None else f"{name_or_id}@{version}"


def _find_version(
    reader: VersionReader, name_or_id: str, version: str | int | None
) -> VersionRecord:
    text = name_or_id.replace("-", "") if "-" in name_or_id else name_or_id
    if _ID.fullmatch(text):
        found = reader.with_id(text)
        if found:
            return found[0]
    name, version = _split(name_or_id, version)
    record = reader.name(name)
    if record is not None:
        return _of_name(reader, record, "" if version is None else str(version))
    return _with_prefix(reader, name_or_id)


def _split(text: str, version: str | int | None) -> tuple[str, str | int | None]:
    if version is None and "@" in text:
        name, _, version = text.partition("@")
        return name, version
    if version is None and ":" in text:
        name, _, version = text.partition(":")
        return name, version
    return text, version


def _of_name(reader: VersionReader, name: NameRecord, version: str) -> VersionRecord:
    if version in ("", LATEST):
        found = next(iter(reader.versions(VersionQuery(name.name), limit=1)), None)
    elif version == HIGHEST:
        found = reader.highest(name.name)
    else:
        found = reader.find(name.name, version) or reader.at_alias(name.name, version)
    if found is not None and found.deleted_at is None:
        return found
    if found is not None:
        raise NotFoundError(f"artifact version {found.label} was deleted by {found.deleted_by}")
    if not name.versions:
        raise NotFoundError(f"all versions of artifact '{name.name}' were deleted")
    what = f"version '{version}'" if version else "version"
    raise NotFoundError(f"artifact '{name.name}' has no {what}; {_what_there_is(reader, name)}")


def _what_there_is(reader: VersionReader, name: NameRecord) -> str:
    records = reader.versions(VersionQuery(name.name), limit=_LISTED)
    more = f" and {name.versions - _LISTED} more" if name.versions > _LISTED else ""
    aliases = sorted({alias for record in records for alias in record.aliases})
    listed = f"versions: {', '.join(record.version for record in records)}{more}"
    return f"{listed}; aliases: {', '.join(aliases)}" if aliases else listed


def _with_prefix(reader: VersionReader, text: str) -> VersionRecord:
    found = reader.with_id(text) if _PREFIX.fullmatch(text) else []
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(f"{record.id} ({record.label})" for record in found)
        raise NotFoundError(
            f"several artifact versions have an id that begins with {text}: {listed}"
        )
    raise missing_name(reader, text)


def missing_name(reader: VersionReader, text: str) -> NotFoundError:
    """Return the error for a name that doesn't exist, with names that are near."""
    name = text.partition("@")[0].partition(":")[0]
    known = [record.name for record in each_name(reader)]
    near = get_close_matches(name, known, 3)
    if near:
        hint = f"; did you mean {' or '.join(repr(one) for one in near)}?"
    else:
        hint = f"; there are: {', '.join(known[:_LISTED])}" if known else "; there is none yet"
    return NotFoundError(f"there is no artifact with the name or id '{name}'{hint}")


def each_name(reader: VersionReader) -> Iterator[NameRecord]:
    """Yield all named artifacts, a page at a time."""
    after = ""
    while page := reader.names(after=after, limit=_NAMES_PER_PAGE):
        yield from page
        after = page[-1].name


def each_version(reader: VersionReader, query: VersionQuery) -> Iterator[VersionRecord]:
    """Yield versions, newest first, a page at a time; pages grow, as most callers want few."""
    before, limit = None, 10
    while True:
        page = reader.versions(query, before=before, limit=limit)
        yield from page
        if len(page) < limit:
            return
        before, limit = page[-1].key, _VERSIONS_PER_PAGE
