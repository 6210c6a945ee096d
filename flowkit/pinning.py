"""The external artifacts of a run about to be created: found once, and kept as its pins."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from flowkit import wiring
from flowkit.authoring.externals import ArtifactSelectorType
from flowkit.content.store import ArtifactStore
from flowkit.exceptions import UsageError
from flowkit.launching import Launch
from flowkit.model.manifest import ArtifactRef
from flowkit.model.selectors import Selector
from flowkit.model.versions import Pin


@dataclass(frozen=True, slots=True)
class Externals:
    """What a run gets from elsewhere, beside what it is given as values.

    Attributes:
        values: Parameters and external artifacts that were given as values, by attribute.
        refs: External artifacts, and what is inherited from another run, by attribute.
        pins: What the external artifacts stand for.
    """

    values: Mapping[str, Any]
    refs: Mapping[str, ArtifactRef]
    pins: tuple[Pin, ...]


def externals_of(
    launch: Launch,
    store: ArtifactStore,
    values: Mapping[str, Any],
    inherited: Mapping[str, ArtifactRef] | None = None,
    pins: Sequence[Pin] = (),
) -> Externals:
    """Find the external artifacts of a run, all of them at once.

    Args:
        launch: The run.
        store: Where manifests are.
        values: Of the flow's parameters, by attribute.
        inherited: What is taken over from the run that is resumed.
        pins: What its external artifacts stand for.

    Raises:
        NotFoundError: Some can't be found; the message has all of them.
        UsageError: A pin is for something that is no external artifact.
    """
    taken = dict(inherited or {})
    given, selectors = dict(values), _selectors(launch, values, taken)
    for attribute in selectors:
        given.pop(attribute, None)
        taken.pop(attribute, None)
    for attribute, external in launch.flow.externals.items():
        if external.selector is None and attribute not in {*taken, *selectors}:
            given[attribute] = external.given()
    kept = tuple(pin for pin in pins if pin.attribute in taken)
    if not selectors:
        return Externals(given, taken, kept)
    from flowkit.client.externals import resolve  # noqa: PLC0415 - few flows have any

    with closing(wiring.open_reader(launch.settings)) as metadata:
        found = resolve(metadata, store, selectors)
    refs = {**taken, **{attribute: one.ref for attribute, one in found.items()}}
    return Externals(given, refs, (*kept, *(one.pin for one in found.values())))


def _selectors(
    launch: Launch, values: Mapping[str, Any], taken: Mapping[str, ArtifactRef]
) -> dict[str, Selector]:
    """Return what is to be found, by attribute: what is declared, chosen, or a parameter's."""
    flow, chosen = launch.flow, launch.request.pins
    for attribute in chosen:
        if attribute not in flow.externals:
            known = ", ".join(flow.externals) or "none"
            raise UsageError(f"'{attribute}' is no external artifact; the flow's are: {known}")
    declared = {
        attribute: external.selector
        for attribute, external in flow.externals.items()
        if external.selector is not None and attribute not in taken
    }
    of_parameters = {
        attribute: Selector(values[attribute])
        for attribute, parameter in flow.parameters.items()
        if isinstance(parameter.kind, ArtifactSelectorType) and values.get(attribute) is not None
    }
    return {**declared, **of_parameters, **{name: Selector(text) for name, text in chosen.items()}}
