"""When objects can be decoded from IT: the time course over a population of neurons, and how reliable it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.bootstrap import count_draws
from benchmarks.ceilings import spearman_brown
from benchmarks.centroid_decoding import SPLITS, decode
from benchmarks.recordings.zhang2011 import OBJECTS, bin_spikes, condition_trials, pseudo_population

CHANCE = 1 / len(OBJECTS)
WINDOW_MS, SLIDE_MS, FIRST_MS, LAST_MS = 50, 10, -100, 500
N_ASSIGNMENTS, N_NEURON_RESAMPLES, N_HALVES = 5, 200, 20


@dataclass(frozen=True)
class TimeCourse:
    """Decoding from IT over time.

    Parameters
    ----------
    times_ms
        (time,), centres of the windows, ms after stimulus onset.
    accuracy
        (time,), mean over assignments of trials.
    resampled
        (resample, time), neurons drawn with replacement: lower than `accuracy`, for the doubles among them.
    reliability
        Of `accuracy` over time: correlation of halves of the neurons, stepped up (Spearman-Brown).
    n_neurons, n_trials, n_trials_total
        Neurons; trials of all of them that entered, and that there are.
    """

    times_ms: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    resampled: NDArray[np.float64]
    reliability: float
    n_neurons: int
    n_trials: int
    n_trials_total: int

    @property
    def centred(self) -> NDArray[np.float64]:
        """`resampled`, shifted so that the mean is `accuracy`."""
        return self.resampled - self.resampled.mean(axis=0) + self.accuracy


def time_bins() -> NDArray[np.int64]:
    """Return the windows, (time_bin, 2), ms: 50 ms long, every 10 ms, from -100 to 500 ms."""
    starts = np.arange(FIRST_MS, LAST_MS - WINDOW_MS + 1, SLIDE_MS)
    return np.stack([starts, starts + WINDOW_MS], axis=1)


def time_courses(
    neurons,
    rng: np.random.Generator,
    n_assignments: int = N_ASSIGNMENTS,
    n_resamples: int = N_NEURON_RESAMPLES,
    splits: tuple[str, ...] = SPLITS,
) -> dict[str, TimeCourse]:
    """Decode the object at every time, with all positions known and at a new position.

    Parameters
    ----------
    neurons
        As `zhang2011.load_neurons` returns them.
    rng
        Source of assignments, resamples and halves; both splits share them.
    n_assignments, n_resamples
        Random assignments of trials that are averaged; resamples of neurons.
    splits
        As in `centroid_decoding.decode`.
    """
    bins = time_bins()
    spikes, trials = [bin_spikes(neuron, bins) for neuron in neurons], [condition_trials(n) for n in neurons]
    n = len(neurons)
    drawn = count_draws((np.arange(n),), n_resamples, rng)
    first = rng.permuted(np.tile(np.arange(n) < n // 2, (N_HALVES, 1)), axis=1)
    counts = np.concatenate([np.ones((1, n)), drawn, first, ~first])
    populations = [pseudo_population(spikes, trials, rng) for _ in range(n_assignments)]
    courses = {}
    for split in splits:
        curves = np.mean([decode(one.responses, split, counts) for one in populations], axis=0)
        accuracy, samples = curves[0], curves[1 : 1 + n_resamples]
        halves = curves[1 + n_resamples :].reshape(2, N_HALVES, -1)
        half = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(*halves, strict=True)])
        courses[split] = TimeCourse(
            bins.mean(axis=1),
            accuracy,
            samples,
            float(spearman_brown(half)),
            n,
            populations[0].n_used,
            populations[0].n_total,
        )
    return courses
