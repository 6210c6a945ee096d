"""Changing the tags of a run."""

from abc import abstractmethod
from collections.abc import Iterable

from flowkit.exceptions import TaggingError
from flowkit.model.pathspec import check_tag

Tags = str | bytes | Iterable[str | bytes]
"""One tag, or several."""


class Taggable:
    """The methods that change a run's user tags.

    Each call is one change that others see whole or not at all: it removes first and adds then,
    so a tag that is in both is there in the end. Adding a tag that is there and removing one that
    isn't changes nothing. All of them raise `TaggingError` when there is nothing to add or
    remove, when a system tag is to be removed, when a tag is no valid one (1 to 500 characters)
    or when the run would have more than 50.
    """

    @abstractmethod
    def _change_tags(self, add: list[str], remove: list[str]) -> None:
        """Remove and add in one transaction."""

    def add_tag(self, tag: Tags) -> None:
        """Add one tag, or several."""
        self.replace_tags((), tag)

    def add_tags(self, tags: Tags) -> None:
        """Add tags."""
        self.replace_tags((), tags)

    def remove_tag(self, tag: Tags) -> None:
        """Remove one tag, or several."""
        self.replace_tags(tag, ())

    def remove_tags(self, tags: Tags) -> None:
        """Remove tags."""
        self.replace_tags(tags, ())

    def replace_tag(self, tag_to_remove: Tags, tag_to_add: Tags) -> None:
        """Remove one tag, or several, and add another one, or several."""
        self.replace_tags(tag_to_remove, tag_to_add)

    def replace_tags(self, tags_to_remove: Tags, tags_to_add: Tags) -> None:
        """Remove some tags and add others."""
        remove, add = _checked(tags_to_remove), _checked(tags_to_add)
        if not remove and not add:
            raise TaggingError("must add or remove at least one tag")
        self._change_tags(add, remove)


def _checked(tags: Tags) -> list[str]:
    several = (tags,) if isinstance(tags, str | bytes) else tags
    return [check_tag(tag) for tag in several]
