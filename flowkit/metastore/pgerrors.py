"""Errors of PostgreSQL: which of them pass, how long they are waited for, what they become."""

import os
import time
from collections.abc import Callable

import psycopg

from flowkit.exceptions import FlowkitError, IntegrityError, InternalError, MetadataError

MAX_CONFLICTS = 10
"""How often a transaction is repeated that collided with another one."""
_LONGEST_PAUSE = 5.0
_FIRST_NEWS = 2.0
_NEWS_EVERY = 30.0

# Serialization failure, deadlock, lock timeout. And a row that is there already: somebody, it may
# have been us before the connection broke, was faster; the repeated transaction will see it.
_CONFLICTS = ("40001", "40P01", "55P03", "23505")
# Connection exceptions, too few resources, and what operators do: shut down, fail over, cancel.
_OUTAGE_CLASSES = ("08", "53", "57")
# A standby after a failover; a session that the server ended since it stood still.
_OUTAGES = ("25006", "25P03", "25P04")
_DROPPED = "57P04"


def is_conflict(error: psycopg.Error) -> bool:
    """Whether another transaction was in the way, so that this one is worth repeating."""
    return error.sqlstate in _CONFLICTS


def is_outage(error: psycopg.Error) -> bool:
    """Whether the server can't be used for now, over a new connection perhaps again later."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    if error.sqlstate == _DROPPED:
        return False
    return error.sqlstate[:2] in _OUTAGE_CLASSES or error.sqlstate in _OUTAGES


class Patience:
    """How long one transaction is tried again.

    Args:
        seconds: How long an outage is waited for. The first new connection is always tried.
        clock: Seconds, monotonic.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._deadline = 0.0
        self._next_news = 0.0
        self._outages = 0
        self._conflicts = 0

    def after(self, error: psycopg.Error) -> float | None:
        """Return the seconds to wait before the next try; None when there is to be none."""
        if is_outage(error):
            return self._after_outage()
        if is_conflict(error) and self._conflicts < MAX_CONFLICTS:
            self._conflicts += 1
            return _jittered(0.01 * 2**self._conflicts)
        return None

    def news(self) -> float | None:
        """Return for how many seconds an outage is still waited for; None when that was just said.

        There is something to say after two seconds and then twice a minute.
        """
        now = self._clock()
        if not self._outages or now < self._next_news:
            return None
        self._next_news = now + _NEWS_EVERY
        return max(0.0, self._deadline - now)

    def _after_outage(self) -> float | None:
        now = self._clock()
        self._outages += 1
        if self._outages == 1:
            self._deadline = now + self._seconds
            self._next_news = now + _FIRST_NEWS
            return 0.0
        if now >= self._deadline:
            return None
        pause = min(0.05 * 2 ** min(self._outages, 10), _LONGEST_PAUSE)
        return min(_jittered(pause), self._deadline - now)


def _jittered(seconds: float) -> float:
    """Return between half and all of it. Not from `random`, whose state belongs to the user."""
    return seconds * (0.5 + os.urandom(1)[0] / 510)


def translation(error: psycopg.Error, name: str) -> FlowkitError:
    """Return our exception for one of psycopg's.

    Args:
        error: What was raised, after everything that could be tried again was.
        name: The database as it may be shown.
    """
    state = error.sqlstate or ""
    reason = _reason(error)
    if is_conflict(error):
        return MetadataError(f"the metadata database {name} is too busy: {reason}")
    if state in ("42P01", "42703"):  # no such table, no such column
        return MetadataError(f"the database {name} is not a metadata store of flowkit: {reason}")
    if state in ("42P07", "42710"):  # such a table, such an object is there already
        return MetadataError(
            f"the database {name} has something else under a name that flowkit needs ({reason}): "
            "use another database, or another schema with ?options=-csearch_path%3DNAME"
        )
    if state in ("XX001", "XX002"):
        return IntegrityError(f"the metadata database {name} is damaged: {reason}")
    if state != "42501" and state[:2] in ("22", "23", "42"):  # all but a lack of privileges
        return InternalError(f"the metadata database {name} refused a statement: {reason}")
    return MetadataError(f"can't use the metadata database {name}: {reason}")


def _reason(error: psycopg.Error) -> str:
    """Return what the server or the driver said, on one line; neither of them names a password."""
    text = error.diag.message_primary or str(error)
    return " ".join(text.removeprefix("connection failed: ").split())
