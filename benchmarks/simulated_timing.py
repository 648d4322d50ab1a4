"""Spikes and answers over time whose clock is known: made from a curve over steps.

They check that a known clock is found again, and stand in where a study is not at hand. Names say "simulated".
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from benchmarks.clock_fit import clock_grid, read_at
from benchmarks.recordings.zhang2011 import OBJECTS, POSITIONS
from neurocnnf.clock import StepClock

BASE_HZ, TUNING = 10.0, 1.0
N_NEURONS, N_TRIALS = 40, 10


def simulated_neurons(
    curve: NDArray,
    clock: StepClock,
    rng: np.random.Generator,
    n_neurons: int = N_NEURONS,
    n_trials: int = N_TRIALS,
    tuning: float = TUNING,
) -> list[xr.DataArray]:
    """Simulate Poisson neurons whose tuning to objects grows and shrinks as a curve over steps does.

    Parameters
    ----------
    curve
        (step,), 0 or more: strength of tuning at the end of each step; 0 before onset.
    clock
        When the steps happen: the truth.
    rng
        Source of tuning and spikes.
    n_neurons, n_trials
        Neurons, and trials of each of the 21 conditions.
    tuning
        Standard deviation over objects, in units of the rate of 10 Hz, at strength 1; 0: nothing to decode.

    Returns
    -------
    list of DataArray
        The form of `zhang2011.load_neurons`.
    """
    times = np.arange(-500, 500)
    strength = read_at(curve, times + 0.5, clock_grid([clock.onset_ms], [clock.ms_per_step]), 0.0)[0]
    conditions = [(o, p) for o in OBJECTS for p in POSITIONS for _ in range(n_trials)]
    objects, positions = map(np.array, zip(*conditions, strict=True))
    shown = np.searchsorted(OBJECTS, objects)
    neurons = []
    for k in range(n_neurons):
        preference = tuning * rng.standard_normal(len(OBJECTS))
        rate = BASE_HZ / 1000 * np.maximum(1 + preference[:, None] * strength, 0)
        spikes = (rng.random((len(shown), len(times)), np.float32) < rate[shown]).astype(np.uint8)
        coords = {"object": ("trial", objects), "position": ("trial", positions), "time_ms": times}
        attrs = {"simulated": 1, "onset_ms": clock.onset_ms, "ms_per_step": clock.ms_per_step}
        neurons.append(xr.DataArray(spikes, coords, ("trial", "time_ms"), f"simulated-{k}", attrs))
    return neurons


def simulated_trials(
    accuracy: NDArray,
    conditions: pd.DataFrame,
    clock: StepClock,
    rng: np.random.Generator,
    *,
    deadlines_ms: NDArray,
    categories: tuple[str, ...],
    n_observers: int = 12,
    n_trials: int = 10,
    spread: float = 0.1,
    timeouts: float = 0.1,
) -> pd.DataFrame:
    """Simulate observers who answer at deadlines as well as a model does at the step that is under way then.

    Parameters
    ----------
    accuracy
        (condition, step, category), the model's: the truth, with `clock`.
    conditions
        Columns ``study`` and ``perturbation``, a row per condition; each study has observers of its own.
    clock
        The truth.
    rng
        Source of observers and answers.
    deadlines_ms
        (deadline,).
    categories
        Names, in the order of `accuracy`.
    n_observers, n_trials
        Observers of each study; trials per condition, deadline and category.
    spread
        Standard deviation over observers of the factor on the part of accuracy that is above chance.
    timeouts
        Share of trials without an answer.

    Returns
    -------
    DataFrame
        The form of `kumbhar2021.load_trials`; ``study`` begins with "simulated".
    """
    grid = clock_grid([clock.onset_ms], [clock.ms_per_step])
    chance = 1 / len(categories)
    frames, subject = [], 0
    for study, rows in conditions.groupby("study", sort=False):
        curves = accuracy[rows.index].transpose(0, 2, 1)  # condition, category, step
        p = np.array([[read_at(curve, deadlines_ms, grid, chance)[0] for curve in one] for one in curves])
        skill = np.maximum(1 + spread * rng.standard_normal(n_observers), 0)
        p = np.clip(chance + skill[:, None, None, None] * (p - chance), 0, 1)
        right = rng.random((*p.shape, n_trials)) < p[..., None]
        answered = rng.random(right.shape) >= timeouts
        observer, condition, category, deadline, _ = (i.ravel() for i in np.indices(right.shape))
        frame = pd.DataFrame({"subject": subject + observer, "deadline_ms": np.asarray(deadlines_ms)[deadline]})
        frame["perturbation"] = rows["perturbation"].to_numpy()[condition]
        frame["category"] = np.array(categories)[category]
        frame["answered"], frame["correct"] = answered.ravel(), (right & answered).ravel()
        frames.append(frame.assign(study=f"simulated {study}"))
        subject += n_observers
    return pd.concat(frames, ignore_index=True)
