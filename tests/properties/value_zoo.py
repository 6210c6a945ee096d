"""Saves and loads a zoo of values: a program, so that each step is a process of its own."""

import array
import datetime as dt
import enum
import json
import sys
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse
from matplotlib.figure import Figure
from PIL import Image
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from flowkit.content.manifests import encode_manifest, parse_manifest
from flowkit.content.store import ArtifactStore
from flowkit.materializers.standard import standard_registry
from flowkit.model.manifest import Manifest
from flowkit.stores.local import LocalBlobStore
from flowkit.types import CSVString, HTMLString, JSONString, MarkdownString

Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - users have such
WORDS = [f"word{number}" for number in range(50)]


class Whole(int):
    """An int of a class of its own."""


class Colour(enum.Enum):
    RED = "red"


class Flags(enum.Flag):
    A = 1
    B = 2


@dataclass
class Settings:
    rate: float = 0.1
    names: set[str] = field(default_factory=lambda: set(WORDS))


def frame():
    return pd.DataFrame(
        {"number": [1, 2, 3], "text": ["x", None, "ä"], "kind": pd.Categorical(list("aba"))}
    )


def models():
    features = np.random.default_rng(0).random((60, 3))
    target = features[:, 0] > features[:, 1]
    forest = RandomForestClassifier(n_estimators=3, random_state=0)
    return {
        "regression": LogisticRegression().fit(features, target),
        "forest": forest.fit(features, target),
    }


def zoo():
    noted = frame()
    noted.attrs["source"] = {"survey": 1}
    figure = Figure()
    figure.subplots().plot([1, 2])
    return {
        "none": None,
        "bool": True,
        "int": 10**30,
        "float": -0.0,
        "text": "ä\0\n",
        "bytes": b"\0\xff",
        "complex": 1 + 2j,
        "list": [1, [2.5, None], ("x",)],
        "dict": {"b": 1, "a": {1: 2}, None: ()},
        "set": set(WORDS),
        "frozen set": frozenset([("a", 1), ("b", 2)]),
        "sets inside": {"words": set(WORDS), "list": [set(WORDS[:9])]},
        "object with a set": Settings(),
        "named tuple": Pair(1, [2]),
        "tuple in a list": [(1, 2), (3, 4)],
        "ordered": OrderedDict(b=1, a=2),
        "default": defaultdict(list, a=[1]),
        "counter": Counter("aab"),
        "deque": deque([1, 2], 5),
        "int class": Whole(7),
        "numpy float": np.float64(0.95),
        "numpy int": np.int16(-3),
        "range": range(1, 10, 2),
        "slice": slice(1, None),
        "moment": dt.datetime(2024, 7, 31, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        "date": dt.date(2024, 7, 31),
        "span": dt.timedelta(days=1, microseconds=1),
        "decimal": Decimal("1.10"),
        "fraction": Fraction(1, 3),
        "uuid": UUID(int=5),
        "path": Path("/a/b"),
        "enum": Colour.RED,
        "flags": Flags.A | Flags.B,
        "error": ValueError("bad"),
        "bytearray": bytearray(b"abc"),
        "array": array.array("d", [1.0, 2.0]),
        "html": HTMLString("<p>x</p>"),
        "markdown": MarkdownString("# x"),
        "csv": CSVString("a,b\n1,2\n"),
        "json": JSONString('{"a": 1}'),
        "large text": "ä" * 100_000,
        "large list": [float(number) for number in range(50_000)],
        "numbers": np.arange(20_000),
        "no dimension": np.array(5.0),
        "empty": np.zeros((0, 3)),
        "no planes": np.empty((0, 3, 2)),
        "columns first": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "masked": np.ma.array([1, 2], mask=[True, False]),
        "records": np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")]),
        "objects": np.array([None, "a", 5], dtype=object),
        "texts": np.array(["a", "bcd"]),
        "frame": frame(),
        "empty frame": frame().iloc[:0],
        "noted frame": noted,
        "indexed frame": frame().set_index("text"),
        "levels": pd.DataFrame({"a": [1]}, pd.MultiIndex.from_tuples([(1, "x")], names=["p", "q"])),
        "daily": pd.Series([1.5, 2], pd.date_range("2024", periods=2, freq="D"), name="daily"),
        "mixed": pd.DataFrame({"a": [1, "x", None, (2,)]}),
        "wide": pd.DataFrame(np.arange(400.0).reshape(2, 200)),
        "series": frame()["text"],
        "index": pd.Index([1, 2], name="i"),
        "polars": pl.DataFrame({"a": [1, None], "b": [["x"], None]}),
        "polars series": pl.Series("s", [1.5, None]),
        "arrow": pa.table({"a": [1, None], "b": [{"c": 1}, None]}),
        "sparse": scipy.sparse.csr_array(np.eye(5)),
        "image": Image.linear_gradient("L"),
        "figure": figure,
        **models(),
    }


def of_array(value):
    mask = np.ma.getmaskarray(value).tolist() if isinstance(value, np.ma.MaskedArray) else None
    return value.dtype, value.shape, np.asarray(value).tolist(), value.flags.f_contiguous, mask


def of_frame(value):
    return value.to_dict(), value.index.names, value.attrs, str(value.dtypes), value.index.dtype


SEEN = {
    np.ndarray: of_array,
    pd.DataFrame: of_frame,
    pd.Series: of_frame,
    pd.Index: lambda value: (value.to_list(), value.dtype, value.name),
    pl.DataFrame: lambda value: (value.rows(), value.schema),
    pl.Series: lambda value: (value.to_list(), value.dtype, value.name),
    pa.Table: lambda value: (value.to_pylist(), value.schema),
    scipy.sparse.csr_array: lambda value: (value.toarray().tolist(), value.format),
    Image.Image: lambda value: (value.tobytes(), value.mode, value.size),
    Figure: lambda value: value.axes[0].lines[0].get_ydata().tolist(),
    ClassifierMixin: lambda value: (value.get_params(), value.predict_proba(np.eye(3)).tolist()),
    Exception: lambda value: value.args,
}
"""What users can see of values that can't be compared as a whole."""


def is_same(one, other):
    if type(one) is not type(other):
        return False
    look = next((look for kind, look in SEEN.items() if isinstance(one, kind)), None)
    return one == other if look is None else repr(look(one)) == repr(look(other))


def main(action, folder):
    store = ArtifactStore(LocalBlobStore(folder), standard_registry("value_zoo"))
    kept = Path(folder) / "manifest.json"
    if action == "save":
        saved = store.save(zoo())
        assert not saved.failures, saved.failures
        kept.write_bytes(encode_manifest(Manifest(saved.refs)))
        return {
            name: {
                "digest": ref.digest,
                "content": ref.content,
                "shown": bool(store.preview(ref).visualizations or store.preview(ref).summary),
            }
            for name, ref in saved.refs.items()
        }
    refs = parse_manifest(kept.read_bytes()).artifacts
    found = {name: (store.load(refs[name]), value) for name, value in zoo().items()}
    return {
        name: f"{one!r} instead of {other!r}"
        for name, (one, other) in found.items()
        if not is_same(one, other)
    }


if __name__ == "__main__":
    sys.modules["value_zoo"] = sys.modules["__main__"]
    print(json.dumps(main(*sys.argv[1:])))
