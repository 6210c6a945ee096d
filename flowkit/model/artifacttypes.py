"""What values are to their users, told from the qualified names of their types."""

from flowkit.enums import ArtifactType

_MODEL_LIBRARIES = ("keras", "lightgbm", "sklearn", "xgboost")
_NO_MODELS = ("sklearn.utils.", "xgboost.core.DMatrix", "lightgbm.basic.Dataset")
_ANALYSES = frozenset({"HTMLString", "MarkdownString", "CSVString", "JSONString"})


def default_type(type_name: str) -> ArtifactType:
    """Return the artifact type for values of a type that nobody has said it of.

    Args:
        type_name: Qualified name of the type, as refs have it.
    """
    library, _, rest = type_name.partition(".")
    if library in _MODEL_LIBRARIES and not type_name.startswith(_NO_MODELS):
        return ArtifactType.MODEL
    if type_name.startswith("torch.nn."):
        return ArtifactType.MODEL
    if library == "flowkit" and rest.rpartition(".")[2] in _ANALYSES:
        return ArtifactType.DATA_ANALYSIS
    return ArtifactType.DATA
