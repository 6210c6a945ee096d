"""Statements with ``:name`` parameters, rewritten with the ``%(name)s`` of psycopg."""

import re
from functools import lru_cache

# In the order of precedence; only the last two are rewritten, and % is doubled everywhere.
_TOKEN = re.compile(
    r"""'(?:[^']|'')*'      # a literal
    | "(?:[^"]|"")*"        # a quoted name
    | --[^\n]*              # a comment
    | ::                    # a cast
    | :(?P<name>[A-Za-z_]\w*)
    | %
    """,
    re.VERBOSE,
)


@lru_cache(maxsize=256)
def with_placeholders(statement: str) -> str:
    """Return the statement as psycopg takes it; to be run with parameters, also with none."""
    return _TOKEN.sub(_rewrite, statement)


def _rewrite(token: re.Match[str]) -> str:
    name = token["name"]
    return token[0].replace("%", "%%") if name is None else f"%({name})s"
