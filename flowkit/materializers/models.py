"""Describes models: their parameters and what they were fitted to, never their predictions."""

from collections.abc import Iterator, Mapping
from typing import Any

from flowkit.enums import ArtifactType
from flowkit.materializers.outline import outline
from flowkit.materializers.tables import table
from flowkit.ports.materializer import Visualization

_MOST = 200  # entries of a list or layers of a network
_FITTED = ("n_features_in_", "n_iter_", "n_classes_", "n_outputs_", "n_estimators_")


class EstimatorDescriber:
    """Describes estimators of scikit-learn, and of packages that follow it."""

    artifact_type = ArtifactType.MODEL

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return the class, its parameters and what fitting has found."""
        fitted = {
            name.rstrip("_"): _plain(vars(value)[name]) for name in _FITTED if name in vars(value)
        }
        for name in ("feature_names_in_", "classes_"):
            if name in vars(value):
                fitted[name.rstrip("_")] = list(vars(value)[name][:_MOST].tolist())
        parameters = {name: _plain(part) for name, part in _parameters(value).items()}
        return {"parameters": parameters, "fitted": _is_fitted(value), **fitted}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        """Yield its parameters."""
        rows = [(name, outline(part)) for name, part in _parameters(value).items()]
        yield table(("parameter", "value"), rows, title=type(value).__name__)


class BoosterDescriber:
    """Describes boosters of xgboost and lightgbm."""

    artifact_type = ArtifactType.MODEL

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return how many trees and features it has."""
        counts = {"trees": ("num_trees", "num_boosted_rounds"), "features": _FEATURES}
        found = {}
        for word, names in counts.items():
            method = next((getattr(value, n) for n in names if hasattr(value, n)), None)
            if method is not None:
                found[word] = int(method())
        return found

    def visualize(self, value: Any) -> Iterator[Visualization]:  # noqa: ARG002 - the port's signature
        """Yield nothing."""
        return iter(())


_FEATURES = ("num_feature", "num_features")


class ModuleDescriber:
    """Describes modules of torch."""

    artifact_type = ArtifactType.MODEL

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return how many numbers are learned, and where they are."""
        parameters = list(value.parameters())
        return {
            "parameters": sum(int(one.numel()) for one in parameters),
            "trainable": sum(int(one.numel()) for one in parameters if one.requires_grad),
            "devices": sorted({str(one.device) for one in parameters}),
            "training": bool(value.training),
        }

    def visualize(self, value: Any) -> Iterator[Visualization]:
        """Yield its layers."""
        rows = [
            (name, type(one).__name__, sum(int(p.numel()) for p in one.parameters(recurse=False)))
            for name, one in _first(value.named_modules())
            if name
        ]
        yield table(("layer", "type", "parameters"), rows, title=type(value).__name__)


class KerasDescriber:
    """Describes models of keras."""

    artifact_type = ArtifactType.MODEL

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return how many numbers are learned in how many layers."""
        return {"parameters": int(value.count_params()), "layers": len(value.layers)}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        """Yield its layers."""
        rows = [
            (layer.name, type(layer).__name__, int(layer.count_params()))
            for layer in value.layers[:_MOST]
        ]
        yield table(("layer", "type", "parameters"), rows, title=type(value).__name__)


def _parameters(estimator: Any) -> dict[str, Any]:
    return dict(estimator.get_params(deep=False))


def _is_fitted(estimator: Any) -> bool:
    if hasattr(estimator, "__sklearn_is_fitted__"):
        return bool(estimator.__sklearn_is_fitted__())
    return any(name.endswith("_") and not name.startswith("_") for name in vars(estimator))


def _plain(value: Any) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if hasattr(value, "tolist") and getattr(value, "size", _MOST) < _MOST:
        return value.tolist()  # an array, or a number of numpy
    return outline(value)


def _first(entries: Any) -> Iterator[Any]:
    for number, entry in enumerate(entries):
        if number == _MOST:
            return
        yield entry
