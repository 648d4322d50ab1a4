"""Where the outside comes in: a model's activations, within a budget of memory, and the studies' files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

EachLayer = Callable[..., dict[str, NDArray[np.float32]]]

MEMORY_BUDGET = 1_500_000_000
"""Bytes of activations held at once; layers beyond it are recorded in a further pass over the stimuli."""


def layer_groups(sizes: Mapping[str, int], n_presentations: int, n_steps: int, budget: int) -> list[list[str]]:
    """Group layers, in order, so that each group's float32 activations fit the budget.

    A layer that is larger than the budget goes alone.

    Parameters
    ----------
    sizes
        Layer to number of units.
    n_presentations, n_steps
        Size of the recording; there are ``n_steps + 1`` steps.
    budget
        Bytes.
    """
    groups: list[list[str]] = []
    room = 0
    for layer, units in sizes.items():
        needed = 4 * units * n_presentations * (n_steps + 1)
        if not groups or needed > room:
            groups.append([])
            room = budget
        groups[-1].append(layer)
        room -= needed
    return groups


def each_activation(
    model: Any,
    stimuli: Any,
    layers: Sequence[str],
    n_steps: int,
    each_layer: EachLayer,
    budget: int = MEMORY_BUDGET,
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield (layer, activations (step, presentation, unit)), with at most `budget` bytes of layers in memory.

    Parameters
    ----------
    model, stimuli, layers, n_steps, each_layer
        ``each_layer(model, stimuli, layers, n_steps)`` as in `neurocnnf.record`.
    budget
        Bytes.
    """
    first = each_layer(model, stimuli.subset(slice(0, 1)), layers, 0)
    sizes = {layer: first[layer].shape[-1] for layer in layers}
    for group in layer_groups(sizes, len(stimuli), n_steps, budget):
        recorded = each_layer(model, stimuli, group, n_steps)
        for layer in group:
            yield layer, recorded.pop(layer)


def default_each_layer() -> EachLayer:
    """Return what records a model: its own ``each_layer(stimuli, layers, n_steps)``, else `neurocnnf.record`'s."""
    return _record


def _record(model: Any, stimuli: Any, layers: Sequence[str], n_steps: int) -> dict[str, NDArray[np.float32]]:
    if hasattr(model, "each_layer"):
        return model.each_layer(stimuli, layers, n_steps)
    from neurocnnf.record import each_layer

    return each_layer(model, stimuli, layers, n_steps)


def as_model(model: Any) -> Any:
    """Return a model that benchmarks can score: a Brain-Score ``BrainModel`` is wrapped, all else stays as it is.

    Every benchmark calls this first. Brain-Score is not imported for models that do not come from it.
    """
    interface = sys.modules.get("brainscore_vision.model_interface")
    if interface is not None and isinstance(model, interface.BrainModel):
        from benchmarks.brainscore import foreign

        return foreign(model)
    return model


def open_store(studies: tuple[str, ...], store):
    """Return `store`, or a `DataStore` with its defaults if files are needed and none was given."""
    if store is None and studies:
        from neurocnnf.datastore import DataStore

        return DataStore()
    return store


def files_used(studies: tuple[str, ...], store) -> tuple[str, ...]:
    """Name the files of some studies that are present."""
    names: list[str] = []
    for study in studies:
        names += store.glob(study) if "*" in study else [study]
    return tuple(names)


def files_available(studies: tuple[str, ...], store) -> bool:
    """Say whether each file, or a file of each pattern, is present."""
    store = open_store(studies, store)
    return all(bool(store.glob(study)) if "*" in study else store.available(study) for study in studies)
