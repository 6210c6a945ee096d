"""The guide's samples on versions: numbered (1), chosen (2), found (9); types enforced (19)."""

import pytest

from flowkit import Client
from flowkit.exceptions import NotFoundError

PIPELINE = """
class DataPipeline(FlowSpec):
    raw: Annotated[pd.DataFrame, ArtifactConfig(name="raw")]
    clean: Annotated[pd.DataFrame, ArtifactConfig(name="clean")]

    @step
    def start(self):
        self.raw = pd.DataFrame({"a": [1, None, 3]})
        self.next(self.preprocess)

    @step
    def preprocess(self):
        self.clean = self.raw.dropna()
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_sample_1_two_frames_through_two_steps_have_versions_of_their_own(guide):
    flow = guide(PIPELINE)
    flow.run()
    flow.run()
    client = Client()

    assert [str(one) for one in client.list_artifact_versions()] == [
        "clean@2", "raw@2", "clean@1", "raw@1",
    ]  # fmt: skip
    assert len(client.get_artifact_version("raw").load()) == 3
    assert len(client.get_artifact_version("clean").load()) == 2
    assert client.get_artifact_version("clean").diff().is_equal


VERSIONED = """
class Versioned(FlowSpec):
    customer_data: Annotated[pd.DataFrame, ArtifactConfig(name="customer_data", version="v1.0")]

    @step
    def start(self):
        self.customer_data = pd.DataFrame({"id": [1, 2, 3]})
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_sample_2_a_chosen_version_is_made_once_and_never_changes(guide):
    flow = guide(VERSIONED)
    flow.run()
    flow.run()
    (only,) = Client().list_artifact_versions(name="customer_data")

    assert str(only) == "customer_data@v1.0"
    flow.path.write_text(flow.path.read_text().replace("[1, 2, 3]", "[1, 2, 4]"))
    outcome = flow("run")
    assert outcome.code == 8
    assert "Task is starting" not in outcome.out
    flow.path.write_text(flow.path.read_text().replace('version="v1.0"', 'version="v1.1"'))
    flow.run()
    assert list(Client().load_artifact("customer_data", "v1.1")["id"]) == [1, 2, 4]


def test_sample_9_the_client_finds_the_latest_a_version_an_id_and_its_beginning(guide):
    guide(PIPELINE).run()
    client = Client()
    latest = client.get_artifact_version("clean")

    assert client.get_artifact_version("clean", version=1) == latest
    assert client.get_artifact_version("clean", version="1") == latest
    assert client.get_artifact_version(name_id_or_prefix=latest.id) == latest
    assert client.get_artifact_version(name_id_or_prefix=latest.id[:8]) == latest
    with pytest.raises(NotFoundError, match="versions: 1"):
        client.get_artifact_version("clean", version="v9")


WRONG = """
class Wrong(FlowSpec):
    table: pd.DataFrame

    @step
    def start(self):
        self.table = [1, 2]
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_sample_19_a_value_of_the_wrong_type_is_an_error_where_it_is_assigned(guide):
    flow = guide(WRONG)
    outcome = flow("run")

    assert outcome.code == 1
    assert (
        f"flow 'Wrong', step 'start', line {flow.line_of('self.table = [1, 2]')}: self.table is "
        "declared as DataFrame, but a value of type list was assigned"
    ) in outcome.err
