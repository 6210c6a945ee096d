"""Which errors are worth another try, how often, and for how long."""

import pytest
from psycopg import errors

from flowkit.exceptions import FlowkitError, IntegrityError, InternalError, MetadataError
from flowkit.metastore.pgerrors import MAX_CONFLICTS, Patience, is_outage, translation

LOST = errors.AdminShutdown("the server went away")
CONFLICT = errors.SerializationFailure("collided")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_conflict_is_tried_again_ten_times_with_growing_pauses():
    patience = Patience(0.0)
    pauses = [patience.after(CONFLICT) or 0.0 for _ in range(MAX_CONFLICTS)]

    assert all(0 < pause <= 0.01 * 2**n for n, pause in enumerate(pauses, start=1))
    assert patience.after(CONFLICT) is None


def test_an_outage_is_told_of_after_two_seconds_and_then_twice_a_minute():
    clock = Clock()
    patience = Patience(100.0, clock)
    told = []
    assert patience.news() is None
    patience.after(LOST)
    while clock.now < 200:
        left = patience.news()
        if left is not None:
            told.append((clock.now - 100, left))
        clock.now += 1

    assert told == [(2.0, 98.0), (32.0, 68.0), (62.0, 38.0), (92.0, 8.0)]


def test_the_first_new_connection_is_tried_at_once_even_without_patience():
    patience = Patience(0.0)

    assert patience.after(LOST) == 0.0
    assert patience.after(LOST) is None


def test_an_outage_is_waited_for_until_patience_ends():
    clock = Clock()
    patience = Patience(900.0, clock)
    waited = patience.after(LOST)
    tries = 0
    while waited is not None:
        tries += 1
        assert waited <= 5.0
        clock.now += waited
        waited = patience.after(LOST)

    assert clock.now == 1000.0
    assert tries < 500


@pytest.mark.parametrize(
    "kind",
    [
        errors.SyntaxError,
        errors.ForeignKeyViolation,
        errors.InsufficientPrivilege,
        errors.InvalidPassword,
        errors.DatabaseDropped,
    ],
)
def test_other_errors_are_final(kind):
    assert Patience(900.0).after(kind("no")) is None


@pytest.mark.parametrize(
    "kind",
    [
        errors.OperationalError,
        errors.InterfaceError,
        errors.AdminShutdown,
        errors.CrashShutdown,
        errors.CannotConnectNow,
        errors.TooManyConnections,
        errors.DiskFull,
        errors.ConnectionFailure,
        errors.ReadOnlySqlTransaction,
        errors.IdleInTransactionSessionTimeout,
    ],
)
def test_a_server_that_will_be_back_is_an_outage(kind):
    assert is_outage(kind("for now"))


@pytest.mark.parametrize(
    ("kind", "ours", "says"),
    [
        (errors.DeadlockDetected, MetadataError, "too busy"),
        (errors.UndefinedTable, MetadataError, "not a metadata store"),
        (errors.DuplicateTable, MetadataError, "another schema"),
        (errors.InsufficientPrivilege, MetadataError, "can't use"),
        (errors.DiskFull, MetadataError, "can't use"),
        (errors.DataCorrupted, IntegrityError, "damaged"),
        (errors.NotNullViolation, InternalError, "refused"),
        (errors.SyntaxError, InternalError, "refused"),
    ],
)
def test_errors_become_ours_and_name_the_database(kind, ours, says):
    error = translation(kind("connection failed: \n why"), "postgresql://db/x")

    assert type(error) is ours
    assert isinstance(error, FlowkitError)
    assert says in str(error)
    assert "postgresql://db/x" in str(error)
    assert "\n" not in str(error)
