"""What is known and shown of values of libraries: bounded work, and nothing of theirs is lost."""

import io
import json
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from matplotlib.figure import Figure
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from flowkit.enums import ArtifactType
from flowkit.materializers.tables import MOST_COLUMNS
from flowkit.types import HTMLString

ON = {"data": 0, "target": 1}


def tables(preview):
    return {v.title: json.loads(v.data) for v in preview.visualizations if v.kind == "table"}


def test_an_array_is_described_by_shape_type_and_numbers(preview):
    found = preview(np.array([[1.0, np.nan], [3.0, 5.0]]))

    assert found.artifact_type is ArtifactType.DATA
    assert found.summary == {
        "shape": [2, 2],
        "dtype": "float64",
        "nan": 1,
        "min": 1.0,
        "max": 5.0,
        "mean": 3.0,
        "std": pytest.approx(1.632993),
    }
    assert tables(found)["values"]["rows"] == [["0", "1", "nan"], ["1", "3", "5"]]


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((0, 3)),
        np.empty((0, 3, 2)),
        np.empty((2, 0, 3, 2)),
        np.empty((3, 2, 0), "U3"),
        np.full(30, np.nan),
        np.full(30, np.inf),
        np.array([True, False]),
        np.array(["2024"], "M8[ns]"),
        np.array([1j]),
        np.array(["a"]),
        np.zeros(2, [("a", "i4")]),
        np.ma.array([1, 2], mask=[True, False]),
        np.zeros((3, 4, 5, 6)),
        np.arange(3_000_000).reshape(1000, 3000)[::2, ::-1],
        np.asfortranarray(np.ones((700, 800))),
        np.array([None, 1], dtype=object),
        np.zeros((64, 64), np.uint8),
    ],
    ids=lambda value: f"{value.dtype}{value.shape}",
)
def test_every_kind_of_array_has_a_preview(preview, value):
    assert preview(value).summary["shape"] == list(value.shape)


def test_a_large_array_is_looked_at_in_parts(preview):
    found = preview(np.arange(1_000_000))

    assert 100_000 < found.summary["sampled"] <= 200_000
    assert (
        sum(int(row[2]) for row in tables(found)["histogram"]["rows"]) == (found.summary["sampled"])
    )


@pytest.mark.parametrize(
    ("value", "mode"),
    [
        (np.arange(64 * 32, dtype=np.uint8).reshape(64, 32), "L"),
        (np.random.default_rng(0).random((16, 20, 3)), "RGB"),
        (np.zeros((9, 8, 4), np.uint8), "RGBA"),
    ],
    ids=["grey", "colour", "alpha"],
)
def test_an_array_that_looks_like_a_picture_is_shown_as_one(preview, value, mode):
    shown = preview(value).visualizations[0]

    assert shown.kind == "image/png"
    image = Image.open(io.BytesIO(shown.data))
    assert (image.size, image.mode) == ((value.shape[1], value.shape[0]), mode)
    pixels = value if value.dtype == np.uint8 else np.rint(value * 255)
    assert np.array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1, 2, None], "b": ["x", None, None]}),
        pl.DataFrame({"a": [1, 2, None], "b": ["x", None, None]}),
        pa.table({"a": [1, 2, None], "b": ["x", None, None]}),
    ],
    ids=["pandas", "polars", "arrow"],
)
def test_a_frame_is_described_by_rows_columns_types_and_missing_values(preview, frame):
    found = preview(frame)

    assert (found.summary["rows"], found.summary["columns"]) == (3, 2)
    assert found.summary["nulls"] == {"a": 1, "b": 2}
    assert set(found.summary["dtypes"]) == {"a", "b"}
    assert "counted_rows" not in found.summary
    assert len(tables(found)["rows"]["rows"]) == 3


def test_a_long_frame_shows_its_ends(preview):
    found = tables(preview(pd.DataFrame({"a": range(1000)})))["rows"]

    assert [row[1] for row in found["rows"]] == ["0", "1", "2", "3", "4"] + [
        str(number) for number in range(995, 1000)
    ]
    assert found["note"] == "the first and last 5 of 1,000 rows"


def test_a_huge_frame_is_counted_in_part(preview):
    found = preview(pd.DataFrame({"a": np.zeros(6_000_000)}))

    assert found.summary["counted_rows"] == 5_000_000


def test_a_wide_frame_shows_its_first_columns(preview):
    found = preview(pd.DataFrame(np.zeros((2, 300))))

    assert found.summary["columns"] == 300
    assert len(found.summary["dtypes"]) == 200
    assert len(tables(found)["rows"]["columns"]) == MOST_COLUMNS
    assert tables(found)["rows"]["note"] == "271 more columns"


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame(),
        pd.DataFrame({"a": []}),
        pd.DataFrame({"a": [object(), [1]]}),
        pd.DataFrame([[1, 2]], columns=["x", "x"]),
        pd.DataFrame({("a", "b"): [1]}, pd.MultiIndex.from_tuples([(1, "x")])),
        pd.DataFrame({"p": pd.period_range("2024", periods=2, freq="M")}),
        pd.Series([1, 2]),
        pd.Index(["a"]),
        pd.Series(pd.Categorical(["a", None])),
        pl.Series("a", [[1], None]),
        pl.DataFrame(),
        pa.table({"a": pa.array([{"b": 1}])}),
    ],
    ids=lambda value: f"{type(value).__module__}.{type(value).__name__}",
)
def test_every_kind_of_frame_has_a_preview(preview, value):
    assert "rows" in preview(value).summary


def test_cells_are_short(preview):
    found = tables(preview(pd.DataFrame({"a": ["x" * 1000], "b": [3.14159265358979]})))

    assert [len(cell) for cell in found["rows"]["rows"][0]] == [1, 80, 7]


def test_a_sparse_matrix_is_described(preview):
    found = preview(scipy.sparse.csr_array(np.eye(4)))

    assert found.summary == {
        "shape": [4, 4],
        "dtype": "float64",
        "format": "csr",
        "stored": 4,
        "density": 0.25,
    }


def test_an_estimator_is_described_by_its_parameters(preview):
    features = np.random.default_rng(0).random((20, 3))
    model = LogisticRegression(C=2.5).fit(features, features[:, 0] > 0.5)

    found = preview(model)

    assert found.artifact_type is ArtifactType.MODEL
    assert found.summary["parameters"]["C"] == 2.5
    assert found.summary["fitted"] is True
    assert found.summary["n_features_in"] == 3
    assert found.summary["classes"] == [False, True]
    assert ["C", "2.5"] in tables(found)["LogisticRegression"]["rows"]


def test_an_estimator_made_of_others_and_not_fitted_is_described(preview):
    found = preview(make_pipeline(StandardScaler(), LogisticRegression()))

    assert found.summary["fitted"] is False
    assert "standardscaler" in found.summary["parameters"]["steps"]


def test_boosters_are_described(preview):
    lightgbm = pytest.importorskip("lightgbm")
    features = np.random.default_rng(0).random((400, 3))
    model = lightgbm.LGBMRegressor(n_estimators=3, verbose=-1).fit(features, features[:, 0])

    assert preview(model).summary["parameters"]["n_estimators"] == 3
    assert preview(model.booster_).summary == {"trees": 3, "features": 3}
    assert preview(model.booster_).artifact_type is ArtifactType.MODEL


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "F", "I;16"])
def test_an_image_is_shown_as_it_is(preview, mode):
    found = preview(Image.new(mode, (40, 30)))

    assert found.summary == {"width": 40, "height": 30, "mode": mode}
    assert Image.open(io.BytesIO(found.visualizations[0].data)).size == (40, 30)


def test_a_large_image_is_shown_smaller(preview):
    found = preview(Image.new("RGB", (4000, 1000)))

    assert Image.open(io.BytesIO(found.visualizations[0].data)).size == (800, 200)


def test_a_figure_is_drawn_and_left_as_it_was(preview):
    figure = Figure()
    figure.subplots().set_title("Loss")
    canvas = figure.canvas

    found = preview(figure)

    assert found.summary["titles"] == ["Loss"]
    assert Image.open(io.BytesIO(found.visualizations[0].data)).size == (640, 480)
    assert figure.canvas is canvas
    assert "matplotlib.pyplot" not in sys.modules or mpl.get_backend()


def test_a_figure_of_plotly_is_kept_as_its_description(preview):
    found = preview(go.Figure(go.Bar(y=[1, 2]), {"title": "Bars"}))

    assert found.summary == {"traces": ["bar"], "title": "Bars"}
    assert json.loads(found.visualizations[0].data)["data"][0]["type"] == "bar"


def test_a_long_marked_text_is_kept_whole(preview):
    text = HTMLString("<p>x</p>" * 10_000)

    found = preview(text)

    assert found.artifact_type is ArtifactType.DATA_ANALYSIS
    assert found.summary == {"characters": 80_000}
    assert found.visualizations[0].kind == "html"
    assert found.visualizations[0].data == text


def test_large_containers_and_texts_are_outlined(preview):
    assert preview(list(range(100_000))).summary == {"items": 100_000}
    assert preview(dict.fromkeys(range(100_000))).artifact_type is ArtifactType.BASE
    assert preview(b"x" * 100_000).summary == {"bytes": 100_000}
    assert len(preview("x" * 100_000).visualizations[0].data) < 10_000
