"""Versions that a flow declares and can't make any more: known before its first task."""

from collections.abc import Iterator, Mapping
from typing import Any

from flowkit.authoring.flowdef import FlowDef
from flowkit.exceptions import VersionExistsError
from flowkit.graph.graph import Graph
from flowkit.model.artifactnames import check_name, check_version
from flowkit.model.versions import VersionRecord
from flowkit.ports.versions import VersionReader
from flowkit.runtime.codedigest import code_digest, is_other_code


def chosen_versions(flow: FlowDef, values: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return name and version, by attribute, of the artifacts whose version is known at the start.

    Args:
        flow: The flow.
        values: Values of its parameters by attribute name, which templates may name.
    """
    chosen = {}
    for attribute, declared in flow.declarations.items():
        config = declared.config
        if config is None or config.version is None or config.name is None:
            continue
        if set(config.templates) <= set(values):
            texts = (config.name, str(config.version))
            name, version = (text.format(**values) if "{" in text else text for text in texts)
            chosen[attribute] = (check_name(name), check_version(version))
    return chosen


def refuse_taken(
    flow: FlowDef, graph: Graph, chosen: Mapping[str, tuple[str, str]], versions: VersionReader
) -> None:
    """Raise when a version is there already and the code that made it was not that of now.

    With the same code it may come out with the same content, and then nothing is wrong: this is
    seen when the task is committed.

    Args:
        flow: The flow.
        graph: Its graph.
        chosen: What `chosen_versions` returned.
        versions: Where versions are looked up.

    Raises:
        VersionExistsError: The message has all of them.
    """
    from flowkit.graph.dataflow import Dataflow  # noqa: PLC0415 - few flows choose versions

    dataflow = Dataflow(flow, graph)
    messages = [
        message
        for attribute, (name, version) in chosen.items()
        if (found := versions.find(name, version)) is not None
        for message in _problem(flow, dataflow.writers(attribute), found)
    ]
    if messages:
        raise VersionExistsError("\n".join(messages))


def _problem(flow: FlowDef, steps: list[str], found: VersionRecord) -> Iterator[str]:
    if found.deleted_at is not None:
        yield (
            f"artifact version {found.label} was deleted by {found.deleted_by}, and a version is "
            "never used again: declare another one"
        )
        return
    codes = [code_digest(flow.steps[step].function) for step in steps]
    if found.code and codes and all(is_other_code(found.code, code) for code in codes):
        maker = found.producer.pathspec if found.producer else "an upload"
        yield (
            f"artifact version {found.label} was made by {maker}, and step '{steps[0]}' has "
            "changed since: versions never change, so declare another one"
        )
