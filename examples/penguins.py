"""Statistics on a real table: how do three species of penguins differ?

The table has 344 penguins, measured near Palmer Station in Antarctica from 2007 to 2009; the
package ``palmerpenguins`` ships it. Two branches run at the same time: one counts the values that
are missing, the other describes each species in a task of its own and compares them.

Run it with ``python examples/penguins.py run``, or ``run --year 2008`` for one year only.
"""

import pandas as pd
from palmerpenguins import load_penguins

from flowkit import FlowSpec, Parameter, step


class Penguins(FlowSpec):
    """Describes three species of penguins and tells which measurement sets them apart."""

    measurements = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")

    year = Parameter("year", type=int, help="Only penguins of this study year.")

    @step
    def start(self):
        """Load the table."""
        table = load_penguins()
        self.table = table if self.year is None else table[table["year"] == self.year]
        print(f"{len(self.table)} penguins of {self.table['species'].nunique()} species")
        self.next(self.count_missing, self.group)

    @step
    def count_missing(self):
        """Count the values that are missing in each column."""
        counts = self.table.isna().sum()
        self.missing = {column: int(count) for column, count in counts.items() if count}
        self.next(self.report)

    @step
    def group(self):
        """Start one task for each species."""
        self.species = sorted(self.table["species"].unique())
        self.next(self.describe, foreach="species")

    @step
    def describe(self):
        """Describe the measurements of one species."""
        measured = self.table.loc[self.table["species"] == self.input, list(self.measurements)]
        self.name_of_species = self.input
        self.statistics = measured.agg(["count", "mean", "std"])
        print(f"{self.input}: {len(measured)} penguins")
        self.next(self.compare)

    @step
    def compare(self, inputs):
        """Put the species side by side."""
        self.statistics = pd.concat({task.name_of_species: task.statistics for task in inputs})
        self.explained = share_between_groups(self.statistics)
        self.next(self.report)

    @step
    def report(self, inputs):
        """Bring both branches together."""
        self.merge_artifacts(inputs, include=["missing", "statistics", "explained"])
        self.next(self.end)

    @step
    def end(self):
        """Print what was found."""
        means = self.statistics.xs("mean", level=1)
        print(means.round(1).to_string())
        print("Missing values:", self.missing)
        for measurement, share in self.explained.sort_values(ascending=False).items():
            print(f"{measurement:20} {share:6.1%} of the variance lies between the species")


def share_between_groups(statistics):
    """Return, for each measurement, the share of its variance that lies between the groups.

    This is eta squared of a one-way analysis of variance: sum of squares between groups divided
    by the total sum of squares.

    Args:
        statistics: Rows (group, "count" | "mean" | "std"), one column for each measurement.
    """
    count = statistics.xs("count", level=1)
    mean = statistics.xs("mean", level=1)
    deviation = statistics.xs("std", level=1)
    overall = (count * mean).sum() / count.sum()
    between = (count * (mean - overall) ** 2).sum()
    within = ((count - 1) * deviation**2).sum()
    return between / (between + within)


if __name__ == "__main__":
    Penguins()
