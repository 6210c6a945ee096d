"""Trains a small classifier, registers it as a version of ``iris_model`` and promotes a good one.

Run it with ``python examples/register.py run``, then let ``examples/use_registered.py`` use what
it has promoted. ``flowkit artifact versions iris_model`` lists what there is.
"""

from typing import Annotated, Any

import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from flowkit import ArtifactConfig, Client, FlowSpec, Parameter, current, step


class Register(FlowSpec):
    """Trains a model and makes it a version that other flows can use."""

    samples: Annotated[pd.DataFrame, ArtifactConfig(name="iris_samples", tags=["iris"])]
    model: Annotated[
        Any,
        ArtifactConfig(
            name="iris_model", artifact_type="MODEL", run_metadata={"library": "scikit-learn"}
        ),
    ]
    accuracy: float

    strength = Parameter("strength", default=1.0, help="Inverse of the regularisation.")

    @step
    def start(self):
        """Load the data; the frame becomes the next version of iris_samples."""
        self.samples = load_iris(as_frame=True).frame
        self.next(self.train)

    @step
    def train(self):
        """Fit the model; what is logged about it stays with its version."""
        train, test = train_test_split(self.samples, test_size=0.3, random_state=0)
        features = [name for name in train.columns if name != "target"]
        model = LogisticRegression(C=self.strength, max_iter=1000)
        self.model = model.fit(train[features].to_numpy(), train["target"].to_numpy())
        self.accuracy = float(
            self.model.score(test[features].to_numpy(), test["target"].to_numpy())
        )
        self.annotate("model", accuracy=self.accuracy, features=features)
        self.next(self.end)

    @step
    def end(self):
        """Promote the version of this run if none that is promoted is better."""
        client = Client()
        better = client.list_artifact_versions(
            "iris_model", run_metadata={"accuracy": f">{self.accuracy}"}
        )
        promoted = [one for one in better if "production" in one.aliases]
        if promoted:
            print(f"{promoted[0]} stays in production.")
            return
        this_run = f"{current.flow_name}/{current.run_id}"
        version = client.list_artifact_versions("iris_model", pipeline_run=this_run)[0]
        version.alias("production")
        print(f"{version} is in production, its accuracy is {self.accuracy:.2f}.")


if __name__ == "__main__":
    Register()
