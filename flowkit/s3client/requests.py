"""Requests that are repeated while that can help.

boto3's own retries end after a number of attempts, do not cover the body of an answer and say
nothing meanwhile; so they are off, and this is the only loop.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flowkit.s3client.connection import PARALLEL, Connection

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - an item

PATIENCE = 900.0
"""Seconds that a service which says "later" is asked again."""

_UNREACHABLE = 60.0  # seconds that one which says nothing is tried: enough for its restart
_FIRST_DELAY = 0.2  # seconds; doubled each time
_LONGEST_DELAY = 10.0
_NEWS_EVERY = 30.0


class Requests:
    """Sends requests over a connection until they succeed or can't.

    Waits grow exponentially with full jitter: a thousand tasks that a service has turned away do
    not come back together.

    Args:
        connection: Gives the client.
        patience: Seconds until a request that the service postpones has failed; one that gets no
            answer at all fails after a minute, if that is sooner.
    """

    def __init__(self, connection: Connection, patience: float = PATIENCE) -> None:
        self.connection = connection
        self._patience = patience

    def hurried(self, patience: float) -> "Requests":
        """Return what sends requests over the same connection, with no more patience than this."""
        return Requests(self.connection, min(patience, self._patience))

    def call(self, doing: str, place: str, request: Callable[[Any], T]) -> T:
        """Return what ``request`` returns for a client; it may be called several times.

        Args:
            doing: For messages: such as "read".
            place: For messages: the URL of the object.
            request: Sends the request and reads all of its answer.

        Raises:
            S3Exception: It failed; the class says why, as far as there is a class for it.
        """
        retry: _Retry | None = None
        while True:
            try:
                return request(self.connection.client())
            except _boto_errors() as error:
                failure: Exception = error
            if retry is None:
                retry = _Retry(self._patience, doing, place)
            retry.wait(failure, self.connection.renew)


def _boto_errors() -> tuple[type[Exception], ...]:
    """Return what requests raise; called only after something was raised."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - 0.1 s
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    return (BotoCoreError, ClientError, ResponseParserError)


class _Retry:
    """Decides after each failure of one request whether it is worth another attempt."""

    def __init__(self, patience: float, doing: str, place: str) -> None:
        self._patience = patience
        self._doing = doing
        self._place = place
        self._began = self._told = time.monotonic()
        self._attempts = 0
        self._renewed = False

    def wait(self, error: Exception, renew: Callable[[], None]) -> None:
        """Wait before the next attempt, or raise what tells of the failure."""
        from flowkit.s3client.errors import Trouble, raised, trouble_of  # noqa: PLC0415 - as above

        trouble = trouble_of(error)
        if trouble is Trouble.EXPIRED and not self._renewed:
            self._renewed = True
            renew()
            return
        budget = {
            Trouble.BUSY: self._patience,
            Trouble.UNREACHABLE: min(self._patience, _UNREACHABLE),
            Trouble.DAMAGED: min(self._patience, _UNREACHABLE),
        }.get(trouble, 0.0)
        self._attempts += 1
        now = time.monotonic()
        left = self._began + budget - now
        if left <= 0:
            waited = f"tried {self._attempts} times in {now - self._began:.0f} s" if budget else ""
            raise raised(error, self._doing, self._place, waited) from None
        self._tell(now, f"can't {self._doing} {self._place} yet: {trouble.value}", left)
        longest = min(_LONGEST_DELAY, _FIRST_DELAY * 2**self._attempts, left)
        threading.Event().wait(longest * _random())

    def _tell(self, now: float, what: str, left: float) -> None:
        if now - self._told < _NEWS_EVERY:
            return
        self._told = now
        import logging  # noqa: PLC0415 - loaded by botocore

        logging.getLogger("flowkit.s3").warning("%s; giving up in %.0f s", what, left)


def in_parallel(function: Callable[[I], T], items: Sequence[I], workers: int = PARALLEL) -> list[T]:
    """Return the function's value for each item, in order; the first error is raised."""
    if len(items) <= 1:
        return [function(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - not for one request

    with ThreadPoolExecutor(min(workers, len(items)), "flowkit-s3") as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _random() -> float:
    """Return a number from [0, 1) without touching the generator that users seed."""
    return int.from_bytes(os.urandom(4), "big") / 2**32
