"""Uses the model that ``examples/register.py`` has promoted, whichever that is when it starts.

Run it with ``python examples/use_registered.py run``; ``--pin model=iris_model@1`` takes another
version. ``flowkit artifact lineage iris_predictions`` says what the result was made of.
"""

from typing import Annotated

import numpy as np
import pandas as pd

from flowkit import ArtifactConfig, ExternalArtifact, FlowSpec, step


class UseRegistered(FlowSpec):
    """Predicts with the promoted model."""

    model = ExternalArtifact(name="iris_model", alias="production")
    samples = ExternalArtifact(name="iris_samples")
    predictions: Annotated[pd.Series, ArtifactConfig(name="iris_predictions")]

    @step
    def start(self):
        """Predict for every tenth flower."""
        some = self.samples.iloc[::10]
        predicted = self.model.predict(some.drop(columns="target").to_numpy())
        self.predictions = pd.Series(predicted, index=some.index, name="species")
        self.share = float(np.mean(predicted == some["target"]))
        self.next(self.end)

    @step
    def end(self):
        """Say how well it went."""
        print(f"{len(self.predictions)} flowers, {self.share:.0%} right.")


if __name__ == "__main__":
    UseRegistered()
