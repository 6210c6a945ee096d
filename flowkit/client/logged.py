"""Metadata that steps and people have logged about runs, tasks and artifacts."""

from collections.abc import Mapping
from typing import Any

from flowkit.client.session import Session
from flowkit.model.plainvalues import restored


def logged_metadata(session: Session, subject: str) -> Mapping[str, Any]:
    """Return metadata by key; of several entries with one key, the last one.

    Args:
        session: Where to look.
        subject: Pathspec of a run, a task or an artifact.
    """
    return {one.key: restored(one.value) for one in session.metadata.versions.annotations(subject)}
