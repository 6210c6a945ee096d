"""Where a database is, as it may be shown and kept: a URL without its secrets."""

import re

_SECRET_OPTION = re.compile(r"(?<=[?&])(?:ssl)?password=[^&]*&?")
_PASSWORD = re.compile(r"^([^:]+://[^:/?@]*):[^@]*@")


def without_password(url: str) -> str:
    """Return a URL without the passwords in it; what is left opens the same store.

    The password then comes from where the database's own programs take it: a password file or
    the environment.
    """
    kept = _SECRET_OPTION.sub("", url).rstrip("?&")
    return _PASSWORD.sub(r"\1@", kept)
