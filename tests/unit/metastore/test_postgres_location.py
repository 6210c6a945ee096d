"""URLs without their passwords."""

import pytest

from flowkit.exceptions import UsageError
from flowkit.metastore.location import without_password
from flowkit.metastore.pgconnection import connection_parameters

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:s3cr3t@db:5432/x", "postgresql://ada@db:5432/x"),
        ("postgres://:s3cr3t@db/x", "postgres://@db/x"),
        ("postgresql://ada@db/x?password=s3cr3t", "postgresql://ada@db/x"),
        (
            "postgresql://ada:s3cr3t@[::1]:5432,h2/x?sslpassword=s3cr3t&sslmode=require",
            "postgresql://ada@[::1]:5432,h2/x?sslmode=require",
        ),
        ("postgresql:///x?host=/tmp&password=s3cr3t", "postgresql:///x?host=/tmp"),
        ("postgresql://db:5432/x", "postgresql://db:5432/x"),
        ("postgresql://ada:%40%2Fs3cr3t@db/x", "postgresql://ada@db/x"),
        ("sqlite:////home/ada/.flowkit/flowkit.db", "sqlite:////home/ada/.flowkit/flowkit.db"),
    ],
)
def test_a_shown_url_has_no_password_and_leads_to_the_same_store(url, shown):
    assert without_password(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:s3@cr3t@db/x",
        "postgresql://ada:s3/s3cr3t@db/x",
        "postgresql://ada:%zzs3cr3t@db/x",
        "postgresql://ada:s3cr3t@db/x?s3cr3t",
        "postgresql://ada@db/x?password=s3@s3cr3t",
        "postgresql://ada:s3cr3t@[db/x",
    ],
)
def test_a_url_that_can_t_be_read_is_never_repeated(url):
    with pytest.raises(UsageError, match="metadata database") as raised:
        connection_parameters(url)

    assert SECRET not in str(raised.value)
    assert "cr3t" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_options_of_a_url_win_over_our_defaults():
    given = connection_parameters(
        "postgresql://ada:s3cr3t@db/x?connect_timeout=3&sslmode=verify-full&application_name=me"
    )

    assert given["connect_timeout"] == "3"
    assert given["sslmode"] == "verify-full"
    assert given["application_name"] == "me"
    assert given["password"] == SECRET
    assert given["keepalives_idle"] == "10"
