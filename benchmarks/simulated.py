"""Recordings whose true answer is known: made from a layer and step of the model under test.

They check the benchmarks (do they find that layer and that step?), and stand in where a study is not at hand.
Everything made here says so: sessions, animals and targets are named "simulated", and tables have
``simulated`` True.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial.distance import squareform

from benchmarks.rsa import correlation_rdm
from neurocnnf.stimuli import Stimuli

N_REPEATS, N_INPUTS = 4, 20
NOISE = 0.7
"""Standard deviation of a single repeat's noise, in standard deviations of the signal."""


@dataclass(frozen=True)
class SimulatedSession:
    """Responses of simulated neuroids; the fields of a recorded session.

    Parameters
    ----------
    stimuli
        What was shown; None where only the activations were given.
    responses
        (presentation, neuroid), mean over repeats, in standard deviations of the signal; attrs name the
        truth.
    repeats
        (presentation, neuroid, repetition).
    animal
        Always begins with "simulated".
    """

    stimuli: Stimuli | None
    responses: xr.DataArray
    repeats: xr.DataArray
    animal: str


@dataclass(frozen=True)
class SimulatedDissimilarities:
    """Simulated dissimilarities of a macaque, and of people's brains and judgement; the fields of the recorded ones.

    Parameters
    ----------
    stimuli
        What was shown; None where only the activations were given.
    macaque_it
        (pair,), correlation distance.
    human_it
        (subject, session, presentation, presentation_2).
    judgements
        (subject, presentation, presentation_2), on a scale of each subject's own.
    """

    stimuli: Stimuli | None
    macaque_it: xr.DataArray
    human_it: xr.DataArray
    judgements: xr.DataArray


def true_place(layer_names: tuple[str, ...], n_steps: int) -> tuple[str, int]:
    """Return the layer and step that offline recordings are made from: the middle layer and step."""
    return layer_names[len(layer_names) // 2], (n_steps + 1) // 2


def simulated_session(
    activations: Mapping[str, NDArray],
    layer: str,
    step: int,
    n_neuroids: int,
    noise: float,
    rng: np.random.Generator,
    *,
    stimuli: Stimuli | None = None,
    n_repeats: int = N_REPEATS,
    n_inputs: int = N_INPUTS,
    animal: str = "simulated animal A",
) -> SimulatedSession:
    """Simulate neuroids that each sum a few units of one layer at one step, with noise in every repeat.

    Parameters
    ----------
    activations
        Layer to (step, presentation, unit).
    layer, step
        The truth.
    n_neuroids
        How many to simulate.
    noise
        Standard deviation of one repeat's noise, in standard deviations of a neuroid's signal.
    rng
        Source of inputs, weights and noise.
    stimuli
        What the activations are responses to.
    n_repeats
        Repeats of every stimulus.
    n_inputs
        Units that a neuroid sums, each scaled to unit variance, with normal weights. Few inputs tell a layer
        from others that span the same leading dimensions.
    animal
        Name; must begin with "simulated".

    Returns
    -------
    SimulatedSession
        Reliability of ``responses`` is 1 / (1 + noise² / n_repeats) for every neuroid.

    Raises
    ------
    ValueError
        If the layer or step is not in the activations, no unit of it varies, or the animal's name hides what
        it is.
    """
    signal = _signal(_features(activations, layer, step), n_neuroids, n_inputs, rng)
    if not animal.startswith("simulated"):
        raise ValueError(f"animal: expected a name that begins with 'simulated', got {animal!r}. Prepend it.")
    repeats = signal[:, :, None] + noise * rng.standard_normal((*signal.shape, n_repeats))
    ids = _stimulus_ids(stimuli, len(signal))
    coords = {
        "stimulus_id": ("presentation", ids),
        "neuroid_id": ("neuroid", [f"simulated-{k}" for k in range(n_neuroids)]),
    }
    attrs = {"simulated": 1, "layer": layer, "step": step, "units": "standard deviations of the signal"}
    every = xr.DataArray(repeats, dims=("presentation", "neuroid", "repetition"), coords=coords, attrs=attrs)
    mean = every.mean("repetition", keep_attrs=True)
    return SimulatedSession(stimuli, mean, every, animal)


def simulated_dissimilarities(
    activations: Mapping[str, NDArray],
    layer: str,
    step: int,
    noise: float,
    rng: np.random.Generator,
    *,
    stimuli: Stimuli | None = None,
    n_subjects: int = 4,
    n_sessions: int = 2,
) -> SimulatedDissimilarities:
    """Simulate dissimilarities from noisy patterns of a layer at a step: a macaque, people's brains and judgement.

    Parameters
    ----------
    activations
        Layer to (step, presentation, unit).
    layer, step
        The truth.
    noise
        Standard deviation of each pattern's noise per unit, in standard deviations over all units and
        presentations.
    rng
        Source of the noise.
    stimuli
        What the activations are responses to.
    n_subjects, n_sessions
        Human subjects, and sessions of each, all with noise of their own; as many subjects judge, once.

    Raises
    ------
    ValueError
        If the layer or step is not in the activations.
    """
    features = _features(activations, layer, step).astype(np.float64)
    scale = noise * features.std()

    def measure():
        return correlation_rdm(features + scale * rng.standard_normal(features.shape))

    attrs = {"simulated": 1, "layer": layer, "step": step, "units": "1 - Pearson r"}
    macaque = xr.DataArray(measure(), dims=("pair",), attrs=attrs)
    human = np.stack([[squareform(measure()) for _ in range(n_sessions)] for _ in range(n_subjects)])
    judged = np.stack([(1 + subject) * squareform(measure()) for subject in range(n_subjects)])
    pairs = ("presentation", "presentation_2")
    return SimulatedDissimilarities(
        stimuli,
        macaque,
        xr.DataArray(human, dims=("subject", "session", *pairs), attrs=attrs),
        xr.DataArray(judged, dims=("subject", *pairs), attrs={**attrs, "units": "arbitrary scale per subject"}),
    )


def digits_stimuli(n_images: int) -> Stimuli:
    """Return the first handwritten digits of scikit-learn's test split, 16 × 16 gray, in the file's order."""
    from neurocnnf.images import load_training_set

    images, labels = load_training_set("digits", "test")
    n = min(n_images, len(images))
    table = pd.DataFrame({"stimulus_id": [f"digits-test-{k:04d}" for k in range(n)], "label": labels[:n]})
    return Stimuli(images[:n], table, "digits-test")


def _features(activations, layer, step) -> NDArray:
    if layer not in activations:
        raise ValueError(f"layer: expected one of {', '.join(activations)}, got {layer!r}. Record it too.")
    n_steps = len(activations[layer]) - 1
    if not 0 <= step <= n_steps:
        raise ValueError(f"step: expected 0 to {n_steps}, got {step}. Record more steps, or choose another.")
    return np.asarray(activations[layer][step])


def _signal(features, n_neuroids, n_inputs, rng) -> NDArray[np.float64]:
    """Sum a few standardised units per neuroid: (presentation, neuroid), zero mean, unit variance."""
    varying = np.flatnonzero(features.std(axis=0) > 0)
    if not len(varying):
        raise ValueError(
            "activations: expected units that vary over presentations, got none. Choose another layer, or "
            "show more stimuli."
        )
    signal = np.empty((len(features), n_neuroids))
    for neuroid in range(n_neuroids):
        units = rng.choice(varying, min(n_inputs, len(varying)), replace=False)
        inputs = features[:, units].astype(np.float64)
        inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
        signal[:, neuroid] = inputs @ rng.standard_normal(inputs.shape[1])
    signal -= signal.mean(axis=0)
    return signal / signal.std(axis=0)


def _stimulus_ids(stimuli, n: int) -> NDArray:
    if stimuli is None:
        return np.array([f"simulated-{k}" for k in range(n)])
    return stimuli.table["stimulus_id"].to_numpy()
