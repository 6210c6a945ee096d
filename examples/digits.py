"""Model selection on real data: which classifier reads handwritten digits best?

The data are the 1,797 images of 8 by 8 pixels that scikit-learn ships. Four candidates are fitted
at the same time, each in a process of its own; the join keeps the one that does best on images
that it has not seen, and images that nobody has seen so far tell how good it really is.

Run it with ``python examples/digits.py run``.
"""

from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from flowkit import FlowSpec, Parameter, step


class Digits(FlowSpec):
    """Fits four classifiers to handwritten digits and keeps the best one."""

    test_size = Parameter(
        "test_size", default=0.2, help="Share of the images for validation, and again for the test."
    )
    seed = Parameter("seed", default=7, help="Seed of the split and of the random forest.")

    @step
    def start(self):
        """Load the images, split them three ways and list the candidates."""
        images, labels = load_digits(return_X_y=True)
        held_out = round(self.test_size * len(labels))
        rest, self.test = hold_out((images, labels), held_out, self.seed)
        self.train, self.validation = hold_out(rest, held_out, self.seed)
        print(f"{len(rest[1]) - held_out} images to fit, {held_out} to choose, {held_out} to test")
        self.candidates = [
            (
                "logistic regression",
                make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
            ),
            ("support vectors", make_pipeline(StandardScaler(), SVC(kernel="rbf"))),
            ("random forest", RandomForestClassifier(n_estimators=200, random_state=self.seed)),
            ("nearest neighbours", KNeighborsClassifier(n_neighbors=3)),
        ]
        self.next(self.fit, foreach="candidates")

    @step
    def fit(self):
        """Fit one candidate; this step runs once for each of them."""
        self.label, candidate = self.input
        self.model = clone(candidate).fit(*self.train)
        self.accuracy = self.model.score(*self.validation)
        print(f"{self.label}: {self.accuracy:.1%}")
        self.next(self.choose)

    @step
    def choose(self, inputs):
        """Rank the candidates and keep the best one."""
        ranking = sorted(inputs, key=lambda task: task.accuracy, reverse=True)
        self.leaderboard = [(task.label, task.accuracy) for task in ranking]
        best = ranking[0]
        self.label, self.model = best.label, best.model
        self.merge_artifacts(inputs, include=["test"])
        self.next(self.evaluate)

    @step
    def evaluate(self):
        """Test the winner on images that nobody has seen."""
        images, labels = self.test
        predicted = self.model.predict(images)
        self.confusion = confusion_matrix(labels, predicted)
        self.test_accuracy = float((predicted == labels).mean())
        print("rows: the digit written; columns: the digit read")
        print(confusion_table(self.confusion))
        self.next(self.end)

    @step
    def end(self):
        """Report."""
        for label, accuracy in self.leaderboard:
            print(f"{label:20} {accuracy:6.1%}")
        print(f"The winner, {self.label}, reads {self.test_accuracy:.1%} of the test images right.")


def hold_out(pair, count, seed):
    """Split `count` images off, each digit in its share; return the rest and them, as pairs."""
    images, labels = pair
    images, held_images, labels, held_labels = train_test_split(
        images, labels, test_size=count, stratify=labels, random_state=seed
    )
    return (images, labels), (held_images, held_labels)


def confusion_table(confusion):
    """Return a confusion matrix as text, with the digits at the edges and dots for zeros."""
    header = "    " + "".join(f"{digit:4}" for digit in range(len(confusion)))
    rows = [
        f"{digit:4}" + "".join(f"{count or '.':>4}" for count in row)
        for digit, row in enumerate(confusion)
    ]
    return "\n".join([header, *rows])


if __name__ == "__main__":
    Digits()
