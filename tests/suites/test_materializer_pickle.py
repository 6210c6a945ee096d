"""The default materializer passes the suite."""

import datetime as dt
from collections import OrderedDict, defaultdict, namedtuple
from decimal import Decimal

import pytest

from flowkit.materializers.pickled import PickleMaterializer
from flowkit.testing.materializers import MaterializerSuite
from flowkit.types import HTMLString

Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - users have such


class Whole(int):
    """An int of a class of its own."""


class TestPickleMaterializer(MaterializerSuite):
    @pytest.fixture
    def materializer(self):
        return PickleMaterializer()

    def samples(self):
        return {
            "none": None,
            "int": 5,
            "bool": True,
            "float": 5.0,
            "text": "ä\ud800",
            "bytes": b"5",
            "list": [1, (2, "x"), {3}],
            "dict": {"a": [1], 2: None},
            "other order": {2: None, "a": [1]},
            "set": {1, 2, 3},
            "named tuple": Pair(1, 2),
            "ordered": OrderedDict(a=1),
            "default": defaultdict(list, a=[1]),
            "int class": Whole(5),
            "html": HTMLString("<p>"),
            "moment": dt.datetime(2024, 7, 31, tzinfo=dt.UTC),
            "decimal": Decimal("1.10"),
        }
