"""Spikes of single neurons in macaque IT while one of seven objects stands at one of three places.

Zhang, Meyers, Bichot, Serre, Poggio, Desimone (2011) Object decoding with attention in inferior temporal cortex,
PNAS 108:8850; released with NeuroDecodeR (Meyers). The pictures of the objects were not released: there is
nothing to show a model, and only the time course of decoding can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.io import loadmat

FILES = "zhang_desimone_it7/raster_mat/*.mat"
OBJECTS = ("car", "couch", "face", "flower", "guitar", "hand", "kiwi")
POSITIONS = ("upper", "middle", "lower")
STIMULUS_ON = 501  # the files' column, counted from 1, at which the stimulus appears
CITATION = "Zhang, Meyers, Bichot, Serre, Poggio, Desimone (2011) PNAS 108:8850"


@dataclass(frozen=True)
class PseudoPopulation:
    """Neurons that were recorded one after the other, as if at once.

    Parameters
    ----------
    responses
        (time_bin, object, position, repeat, neuroid), float32, spikes per bin.
    n_used, n_total
        Trials of all neurons that entered, and all there are: each neuron gives as many trials of each
        condition as the neuron with the fewest has.
    """

    responses: NDArray[np.float32]
    n_used: int
    n_total: int


def load_neurons(store) -> list[xr.DataArray]:
    """Read every neuron.

    Parameters
    ----------
    store
        Data store that holds ``zhang_desimone_it7/``.

    Returns
    -------
    list of DataArray
        Each (trial, time_ms), uint8, spikes per ms; coordinates ``object`` and ``position`` (trial), and ``time_ms``
        after stimulus onset; the name is the neuron's.

    Raises
    ------
    ValueError
        If a file is not a raster of this study.
    """
    return [read_raster(store.fetch(name)) for name in sorted(store.registered(FILES))]


def read_raster(path: Path) -> xr.DataArray:
    """Read one neuron's file; see `load_neurons`."""
    file = loadmat(path, squeeze_me=True)
    raster, labels, site = file["raster_data"], file["raster_labels"], file["raster_site_info"]
    objects = np.asarray(labels["stimulus_ID"].item(), dtype=str)
    positions = np.asarray(labels["stimulus_position"].item(), dtype=str)
    on = int(site["alignment_event_time"].item())
    unknown = sorted((set(objects) - set(OBJECTS)) | (set(positions) - set(POSITIONS)))
    if raster.ndim != 2 or len(raster) != len(objects) or unknown or on != STIMULUS_ON:
        raise ValueError(
            f"{path.name}: expected a raster (trial, ms) with one of {OBJECTS} at one of {POSITIONS} per trial, "
            f"the stimulus on at column {STIMULUS_ON}; got shape {raster.shape}, {len(objects)} labels, unknown "
            f"{unknown}, column {on}. Fetch the file again."
        )
    coords = {
        "object": ("trial", objects),
        "position": ("trial", positions),
        "time_ms": np.arange(raster.shape[1]) - (on - 1),
    }
    name = path.name.removesuffix("_raster_data.mat")
    attrs = {"session": int(site["session_ID"].item()), "region": "IT", "units": "spikes per ms", "citation": CITATION}
    return xr.DataArray(raster, coords, ("trial", "time_ms"), name, attrs)


def bin_spikes(neuron: xr.DataArray, bins_ms: NDArray) -> NDArray[np.float32]:
    """Count spikes: (trial, time_bin).

    Parameters
    ----------
    neuron
        (trial, time_ms), spikes per ms.
    bins_ms
        (time_bin, 2): time_bin_start and time_bin_end, ms after stimulus onset, the end left out. May overlap.

    Raises
    ------
    ValueError
        If a bin reaches beyond the recording.
    """
    first, last = int(neuron["time_ms"][0]), int(neuron["time_ms"][-1]) + 1
    edges = np.asarray(bins_ms, int) - first
    if edges.min() < 0 or edges.max() > last - first:
        raise ValueError(
            f"bins_ms: expected bins within the recording, {first} to {last} ms, got {np.min(bins_ms)} to "
            f"{np.max(bins_ms)}. Leave out those beyond."
        )
    total = np.pad(np.cumsum(neuron.values, axis=1, dtype=np.float32), ((0, 0), (1, 0)))
    return total[:, edges[:, 1]] - total[:, edges[:, 0]]


def condition_trials(neuron: xr.DataArray) -> list[NDArray[np.int64]]:
    """Return the trials of each condition, objects in order and positions within objects."""
    objects, positions = neuron["object"].values, neuron["position"].values
    return [np.flatnonzero((objects == o) & (positions == p)) for o in OBJECTS for p in POSITIONS]


def pseudo_population(
    counts: Sequence[NDArray], trials: Sequence[Sequence[NDArray]], rng: np.random.Generator
) -> PseudoPopulation:
    """Deal each neuron's trials of a condition, in random order, to the repeats of one population.

    Neurons of different sessions have no trials in common; any assignment is as good as another, so results
    are averaged over several.

    Parameters
    ----------
    counts
        (trial, time_bin) of each neuron, from `bin_spikes`.
    trials
        Trials of each condition of each neuron, from `condition_trials`.
    rng
        Source of the assignment.

    Raises
    ------
    ValueError
        If a neuron has no trial of some condition.
    """
    n_repeats = min(len(condition) for neuron in trials for condition in neuron)
    if n_repeats < 2:
        raise ValueError(
            f"pseudo_population: expected at least 2 trials of every condition of every neuron, got {n_repeats}. "
            "Leave that neuron out, and say so."
        )
    shape = (counts[0].shape[1], len(trials[0]), n_repeats, len(counts))
    responses = np.empty(shape, np.float32)
    for neuroid, (values, conditions) in enumerate(zip(counts, trials, strict=True)):
        for condition, members in enumerate(conditions):
            responses[:, condition, :, neuroid] = values[rng.permutation(members)[:n_repeats]].T
    shaped = responses.reshape(shape[0], len(OBJECTS), len(POSITIONS), *shape[2:])
    return PseudoPopulation(shaped, shape[1] * n_repeats * len(counts), sum(map(len, counts)))
