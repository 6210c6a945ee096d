"""Statements as psycopg takes them."""

import pytest

from flowkit.metastore.placeholders import with_placeholders
from flowkit.metastore.statements import load_statements


@pytest.mark.parametrize(
    ("statement", "rewritten"),
    [
        ("a = :name AND b = :name_2", "a = %(name)s AND b = %(name_2)s"),
        ("a::bigint + :x::text", "a::bigint + %(x)s::text"),
        ("a LIKE '50%' OR a % 2 = :b", "a LIKE '50%%' OR a %% 2 = %(b)s"),
        ("':no' || 'it''s :no' || :yes", "':no' || 'it''s :no' || %(yes)s"),
        ('":no" = :yes', '":no" = %(yes)s'),
        ("SELECT 1 -- :no, 100%\n, :yes", "SELECT 1 -- :no, 100%%\n, %(yes)s"),
        ("'%(x)s' || :x", "'%%(x)s' || %(x)s"),
        ("x[1:2]", "x[1:2]"),
    ],
)
def test_names_become_placeholders_and_nothing_else_does(statement, rewritten):
    assert with_placeholders(statement) == rewritten


def test_no_statement_of_ours_keeps_a_colon():
    kept = [name for name, text in load_statements().items() if ":" in with_placeholders(text)]

    assert kept == []
