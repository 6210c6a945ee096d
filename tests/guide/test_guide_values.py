"""The guide's samples on values: round trips (5, 7), own materializers (6), what is shown (13)."""

import json

import pytest

from flowkit.client.session import current_session
from flowkit.enums import ArtifactType
from flowkit.previews.page import preview_page
from flowkit.previews.terminal import preview_text


@pytest.fixture
def run(program):
    """Run a flow file to its end; return the first run and what was printed."""

    def run_flow(source):
        outcome, found = program(source, "guide_flow.py").run()
        return found, outcome.out

    return run_flow


def preview_of(run, step, name):
    ref = run[step].task.contents().find(name)
    return current_session().store.preview(ref)


def test_sample_5_data_and_arrays_come_back_in_the_next_step(run):
    found, _ = run(
        """
        import numpy as np
        import pandas as pd
        from flowkit import FlowSpec, step

        class Guide(FlowSpec):
            @step
            def start(self):
                self.data = pd.DataFrame({"feature_1": [1, 2, 3], "feature_2": ["a", "b", None]})
                self.next(self.array_step)

            @step
            def array_step(self):
                self.array = self.data["feature_1"].to_numpy() * 2.5
                self.scores = np.array([[1, 2], [3, 4]], dtype="int8")
                self.next(self.end)

            @step
            def end(self):
                assert self.array.tolist() == [2.5, 5.0, 7.5]
                assert self.scores.dtype == "int8"
                self.total = self.array.sum()

        if __name__ == "__main__":
            Guide()
        """
    )

    data = found["end"].task.data
    assert list(data.data.columns) == ["feature_1", "feature_2"]
    assert data.data["feature_2"].isna().tolist() == [False, False, True]
    assert data.array.tolist() == [2.5, 5.0, 7.5]
    assert data.total == 15.0
    assert type(data.total).__name__ == "float64"


def test_sample_7_a_dict_of_what_a_frame_says(run):
    found, _ = run(
        """
        import pandas as pd
        from flowkit import FlowSpec, step

        class Guide(FlowSpec):
            @step
            def start(self):
                self.data = pd.DataFrame({"value": [1.0, 2.0, 6.0]})
                self.next(self.analyze)

            @step
            def analyze(self):
                self.stats = {
                    "mean": self.data["value"].mean(),
                    "count": len(self.data),
                    "columns": list(self.data.columns),
                }
                self.data.loc[0, "value"] = 100.0
                self.next(self.end)

            @step
            def end(self):
                pass

        if __name__ == "__main__":
            Guide()
        """
    )

    stats = found["end"].task.data.stats
    assert stats == {"mean": 3.0, "count": 3, "columns": ["value"]}
    assert found["start"].task.data.data["value"].tolist() == [1.0, 2.0, 6.0]
    assert found["analyze"].task.data.data["value"].tolist() == [100.0, 2.0, 6.0]


CUSTOM = """
    import json
    from flowkit import FlowSpec, step
    from flowkit.enums import ArtifactType
    from flowkit.io import fileio
    from flowkit.materializers import BaseMaterializer

    class CustomObject:
        def __init__(self, value):
            self.value = value
            self.lock = (line for line in [])  # can't be pickled

    class CustomMaterializer(BaseMaterializer):
        ASSOCIATED_TYPES = (CustomObject,)
        ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA{skip}

        def load(self, data_type):
            with fileio.open(f"{{self.uri}}/data.json", "r") as f:
                return CustomObject(json.load(f)["value"])

        def save(self, obj):
            with fileio.open(f"{{self.uri}}/data.json", "w") as f:
                json.dump({{"value": obj.value}}, f)

    class Guide(FlowSpec):
        {step}
        def start(self):
            self.custom = CustomObject([1, 2])
            self.next(self.look)

        @step
        def look(self):
            assert self.custom.value == [1, 2]
            self.next(self.change)

        @step
        def change(self):
            self.custom.value.append(3)
            self.next(self.end)

        @step
        def end(self):
            print("value:", self.custom.value)

    if __name__ == "__main__":
        Guide()
"""


@pytest.mark.parametrize(
    ("skip", "step"),
    [
        ("", "@step"),
        ("\n        SKIP_REGISTRATION = True", "@step(output_materializers=CustomMaterializer)"),
        (
            "\n        SKIP_REGISTRATION = True",
            "@step(output_materializers={'custom': CustomMaterializer})",
        ),
    ],
    ids=["by its types", "by the step", "by the attribute"],
)
def test_sample_6_a_materializer_of_users_stores_their_type(run, skip, step):
    found, printed = run(CUSTOM.format(skip=skip, step=step))

    assert "value: [1, 2, 3]" in printed
    refs = [found[name].task.contents().find("custom") for name in ("start", "look", "change")]
    assert {ref.materializer for ref in refs} == {"guide_flow.CustomMaterializer"}
    assert refs[0] == refs[1]
    assert refs[1].digest != refs[2].digest
    assert preview_of(found, "start", "custom").artifact_type is ArtifactType.DATA


def test_sample_13_frames_texts_and_images_are_shown(run):
    found, _ = run(
        """
        import numpy as np
        import pandas as pd
        from flowkit import FlowSpec, step
        from flowkit.types import CSVString, HTMLString, JSONString, MarkdownString

        class Report:
            def _repr_html_(self):
                return "<p>mine</p>"

        class Guide(FlowSpec):
            @step(enable_artifact_visualization=True)
            def start(self):
                self.frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
                self.html = HTMLString("<h1>Report</h1><script>alert(1)</script>")
                self.markdown = MarkdownString("# Report")
                self.csv = CSVString("a,b\\n1,2")
                self.json = JSONString('{"a": 1}')
                self.image = np.zeros((32, 32, 3), dtype="uint8")
                self.report = Report()
                self.next(self.end)

            @step(enable_artifact_visualization=False)
            def end(self):
                self.quiet = pd.DataFrame({"a": [1, 2]})

        if __name__ == "__main__":
            Guide()
        """
    )
    kinds = {
        name: [shown.kind for shown in preview_of(found, "start", name).visualizations]
        for name in ("frame", "html", "markdown", "csv", "json", "image", "report")
    }

    assert kinds == {
        "frame": ["table", "table"],
        "html": ["html"],
        "markdown": ["markdown"],
        "csv": ["csv"],
        "json": ["json"],
        "image": ["image/png", "table", "table"],
        "report": ["html"],
    }
    frame = preview_of(found, "start", "frame")
    assert frame.summary["nulls"] == {"a": 0, "b": 1}
    assert json.loads(str(frame.visualizations[0].data))["rows"] == [
        ["0", "1", "x"],
        ["1", "2", "nan"],
    ]
    html = preview_of(found, "start", "html")
    assert html.artifact_type is ArtifactType.DATA_ANALYSIS
    assert preview_text(html).endswith("Report")
    assert "<script>" not in preview_page("html", html)
    quiet = preview_of(found, "end", "quiet")
    assert quiet.visualizations == ()
    assert quiet.summary["rows"] == 2


def test_what_shows_a_value_never_fails_or_slows_its_step(run):
    found, _ = run(
        """
        from flowkit import FlowSpec, step

        class Evil:
            def __repr__(self):
                raise RuntimeError("repr")
            __len__ = __iter__ = __str__ = __repr__

        class Endless(list):
            def __iter__(self):
                while True:
                    yield 1
            def __reduce__(self):
                return Endless, ()

        class Rude:
            def _repr_html_(self):
                raise SystemError("no")

        class Huge:
            def __repr__(self):
                return "x" * 10**9

        class Guide(FlowSpec):
            @step(enable_artifact_visualization=True)
            def start(self):
                self.evil = Evil()
                self.inside = [Evil()] * 10_000
                self.endless = Endless()
                self.rude = Rude()
                self.huge = [Huge(), "x" * 20_000]
                self.next(self.end)

            @step
            def end(self):
                pass

        if __name__ == "__main__":
            Guide()
        """
    )

    assert found.successful
    text = preview_text(preview_of(found, "start", "huge"))
    assert text.startswith("items: 2")
    assert "Huge>" in text
    assert preview_of(found, "start", "rude").visualizations[0].data == "guide_flow.Rude()"
