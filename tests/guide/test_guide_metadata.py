"""The guide's samples on types, tags and metadata: declared (3, 4, 10), logged (11)."""

from flowkit import ArtifactType, Client
from flowkit.enums import ArtifactType as TypeOfTheDoor

CONFIGURED = """
class Configured(FlowSpec):
    model: Annotated[
        Any,
        ArtifactConfig(
            name="trained_model",
            artifact_type=ArtifactType.MODEL,
            tags=["xgboost", "v2"],
            run_metadata={"framework": "xgboost", "accuracy": 0.95},
        ),
    ]

    @step
    def start(self):
        self.model = np.zeros(3)
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_sample_3_and_10_a_configured_artifact_has_type_tags_and_metadata(guide):
    guide(CONFIGURED).run()
    client = Client()
    model = client.get_artifact_version("trained_model")

    assert TypeOfTheDoor is ArtifactType
    assert model.type is ArtifactType.MODEL
    assert model.tags == ("v2", "xgboost")
    assert model.run_metadata["framework"] == "xgboost"
    assert list(client.list_artifact_versions(type=ArtifactType.MODEL)) == [model]
    assert list(client.list_artifact_versions(tags=["xgboost"])) == [model]
    assert list(client.list_artifact_versions(run_metadata=["accuracy:gte:0.9"])) == [model]
    assert not client.list_artifact_versions(run_metadata=["accuracy:gt:0.95"])


TYPED = """
class Typed(FlowSpec):
    model: Annotated[Any, ArtifactConfig(name="model", artifact_type=ArtifactType.MODEL)]
    plain: Annotated[Any, "plain"]

    @step
    def start(self):
        self.model = self.plain = np.zeros(3)
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_sample_4_a_type_is_declared_where_the_value_does_not_tell(guide):
    guide(TYPED).run()
    client = Client()

    assert client.get_artifact_version("model").type is ArtifactType.MODEL
    assert client.get_artifact_version("plain").type is ArtifactType.DATA
    assert [one.name for one in client.list_artifact_versions(type="ModelArtifact")] == ["model"]


DYNAMIC = """
class Dynamic(FlowSpec):
    df: Annotated[pd.DataFrame, ArtifactConfig(name="processed")]

    @step
    def start(self):
        df = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
        log_artifact_metadata(
            metadata={
                "row_count": len(df),
                "column_count": len(df.columns),
                "memory_usage": df.memory_usage(deep=True).sum(),
                "dtypes": df.dtypes.to_dict(),
                "std": float("nan"),
            }
        )
        self.df = df
        self.next(self.end)

    @step
    def end(self):
        self.annotate("df", seen_by="end")
"""


def test_sample_11_metadata_that_json_lacks_are_logged_as_they_come(guide):
    guide(DYNAMIC).run()
    metadata = Client().get_artifact_version("processed").run_metadata

    assert (metadata["row_count"], metadata["column_count"]) == (2, 2)
    assert metadata["memory_usage"] > 0
    assert metadata["dtypes"]["a"] == "int64"
    assert metadata["std"] != metadata["std"]
    assert metadata["seen_by"] == "end"
