"""Built-in materializers, one group of types per file, and the base of those that users write."""

from flowkit.materializers.custom import BaseMaterializer

__all__ = ["BaseMaterializer"]
