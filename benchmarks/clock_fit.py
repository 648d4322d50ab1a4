"""Fit a `StepClock` (onset_ms, ms_per_step) to a time course, by least squares over a grid of clocks.

A model's curve over steps becomes a curve over time in one way only: it is at chance until onset_ms, reaches
what step 0 gives at onset_ms + ms_per_step, when step 0 ends, what step k gives at onset_ms + (k + 1) ms_per_step,
and stays where the last step left it; in between it is interpolated linearly. There is no warping. A model of
one step is thereby a ramp with the same two parameters: the null that further steps must beat.

The grid makes fits of many resamples one matrix product, and an optimum cannot be missed for a local one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.bootstrap import interval, shifted

N_WITHIN = 5
"""Points at which a window of time is read, evenly spaced, before they are averaged."""


@dataclass(frozen=True)
class ClockGrid:
    """Every clock that is tried.

    Parameters
    ----------
    onset_ms, ms_per_step
        (clock,), float64.
    """

    onset_ms: NDArray[np.float64]
    ms_per_step: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of clocks."""
        return len(self.onset_ms)

    def at_edge(self, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say of clocks, given by index, whether one of their parameters is the smallest or largest tried.

        There the data do not bound the clock; an onset of 0 ms counts too.
        """
        edge = np.zeros(np.shape(chosen), bool)
        for values in (self.onset_ms, self.ms_per_step):
            edge |= np.isin(values[chosen], (values.min(), values.max()))
        return edge


def clock_grid(onsets_ms: NDArray, ms_per_step: NDArray) -> ClockGrid:
    """Combine every onset with every duration of a step.

    Raises
    ------
    ValueError
        If an onset is before the stimulus, or a step does not last.
    """
    onsets_ms, ms_per_step = np.asarray(onsets_ms, float), np.asarray(ms_per_step, float)
    if not (onsets_ms.size and ms_per_step.size and onsets_ms.min() >= 0 and ms_per_step.min() > 0):
        raise ValueError(
            f"clock_grid: expected onsets of 0 ms or more and steps that last, got {onsets_ms.tolist()} and "
            f"{ms_per_step.tolist()}. Times are in milliseconds after stimulus onset."
        )
    onset, duration = np.meshgrid(onsets_ms, ms_per_step, indexing="ij")
    return ClockGrid(onset.ravel(), duration.ravel())


def clock_interval(samples: NDArray, tried: NDArray) -> tuple[float, float]:
    """Return the 95 % interval of one parameter of clocks that were picked from a grid, estimate first.

    Resamples are shifted to have the estimate as their mean. A clock stands for all that are nearer to it than to its
    neighbours: bounds are moved outwards by half the gap there; percentiles of grid points alone would be too narrow.
    No time is below 0.

    Parameters
    ----------
    samples
        (resample + 1,), values of the grid; the first is the estimate.
    tried
        Values of the grid.
    """
    tried = np.unique(tried)
    half_gap = np.gradient(tried) / 2
    low, high = interval(shifted(samples[1:], samples[0]))
    return max(0.0, low - float(np.interp(low, tried, half_gap))), high + float(np.interp(high, tried, half_gap))


def read_at(
    curve: NDArray, times_ms: NDArray, grid: ClockGrid, before: float, window_ms: float = 0.0
) -> NDArray[np.float64]:
    """Read a curve over steps at times, under every clock of a grid.

    Parameters
    ----------
    curve
        (step,), finite; what the model gives at the end of each step.
    times_ms
        (time,), ms after stimulus onset; the centres of windows where `window_ms` is given.
    grid
        Clocks.
    before
        Value before onset: chance.
    window_ms
        Width of the window that a recording was averaged over.

    Returns
    -------
    ndarray
        (clock, time), float64.
    """
    within = window_ms * ((np.arange(N_WITHIN) + 0.5) / N_WITHIN - 0.5) if window_ms else np.zeros(1)
    times = np.asarray(times_ms, float)[:, None] + within
    steps = (times - grid.onset_ms[:, None, None]) / grid.ms_per_step[:, None, None]
    values = np.concatenate([[before], np.asarray(curve, float)])
    return np.interp(steps, np.arange(len(values)), values).mean(axis=-1)


def time_weights(times_ms: NDArray, n_steps: int, grid: ClockGrid, window_ms: float = 0.0) -> NDArray[np.float64]:
    """Weight of each step at each time: (step, time, clock). What `read_at` gives is linear in the curve, less chance.

    Parameters
    ----------
    times_ms, grid, window_ms
        As in `read_at`.
    n_steps
        The last step.
    """
    single = np.eye(n_steps + 1)
    return np.stack([np.ascontiguousarray(read_at(curve, times_ms, grid, 0.0, window_ms).T) for curve in single])


@dataclass(frozen=True)
class ScaledFit:
    """Recorded time courses, ready to be fitted by many curves over steps: clock and amplitude ≥ 0 are free.

    Parameters
    ----------
    power
        (sample,), sum of squares of each course.
    products
        (step, sample, clock), of each course with the weights of the steps.
    gram
        (step × step, clock), products of the weights of two steps.
    """

    power: NDArray[np.float64]
    products: NDArray[np.float64]
    gram: NDArray[np.float64]

    def errors(self, shapes: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Least sum of squared differences of each course from its own shape, and the amplitude of it.

        Parameters
        ----------
        shapes
            (sample, step), above chance; the last may be repeated for a model that is stopped early.

        Returns
        -------
        errors, amplitudes
            (sample, clock) each.
        """
        product = np.zeros(self.products.shape[1:])
        for step, part in enumerate(self.products):
            product += part * shapes[:, step, None]
        product = np.maximum(product, 0)
        power = (shapes[:, :, None] * shapes[:, None, :]).reshape(len(shapes), -1) @ self.gram
        with np.errstate(invalid="ignore", divide="ignore"):
            amplitude = np.where(power > 1e-12, product / power, 0.0)
        return self.power[:, None] - amplitude * product, amplitude


def step_gram(weights: NDArray) -> NDArray[np.float64]:
    """Products over time of the weights of every two steps: (step × step, clock) from (step, time, clock)."""
    return np.stack([(first * second).sum(axis=0) for first in weights for second in weights])
