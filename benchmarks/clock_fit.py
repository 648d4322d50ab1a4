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


def scaled_errors(shapes: NDArray, curves: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum of squared differences of curves from each shape, times the amplitude ≥ 0 that makes it least.

    Parameters
    ----------
    shapes
        (clock, time), above chance.
    curves
        (sample, time), above chance.

    Returns
    -------
    errors, amplitudes
        (sample, clock) each.
    """
    products, power = curves @ shapes.T, np.square(shapes).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        amplitudes = np.where(power > 0, np.maximum(products, 0) / power, 0.0)
    return np.square(curves).sum(axis=1)[:, None] - amplitudes * np.maximum(products, 0), amplitudes
