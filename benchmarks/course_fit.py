"""Fit a clock to a time course of decoding: which steps, when, take the course that IT takes.

The amplitude is free. Step 0 alone is a ramp, the null that recurrence must beat (``gain``); the flat null has R² 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.bootstrap import interval, shifted
from benchmarks.clock_fit import ScaledFit, clock_grid, clock_interval, step_gram, time_weights
from benchmarks.it_courses import CHANCE, WINDOW_MS, TimeCourse, time_bins

GRID = clock_grid(np.arange(0, 251, 2), np.r_[2:60, 60:201:7])
STATISTICS = ("raw", "gain", "onset_ms", "ms_per_step")


@dataclass(frozen=True)
class CourseFit:
    """A time course, ready to be fitted by curves over steps; sample 0 is the measured one, the others resamples."""

    course: TimeCourse
    fit: ScaledFit
    total: NDArray[np.float64]  # (sample,), sum of squares about the mean over time: the flat null's error


def prepare_fit(course: TimeCourse, n_steps: int) -> CourseFit:
    """Prepare a time course, of the windows of `time_bins`, for curves of steps 0 … n_steps."""
    curves = np.concatenate([course.accuracy[None], course.resampled]) - CHANCE
    total = np.square(curves - curves.mean(axis=1, keepdims=True)).sum(axis=1)
    weights, gram = _weights(n_steps)
    products = np.stack([curves @ part for part in weights])
    return CourseFit(course, ScaledFit(np.square(curves).sum(axis=1), products, gram), total)


@cache
def _weights(n_steps: int) -> tuple[NDArray, NDArray]:
    weights = time_weights(time_bins().mean(axis=1), n_steps, GRID, WINDOW_MS)
    return weights, step_gram(weights)


def fit_course(prepared: CourseFit, curve: NDArray, resampled: NDArray) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Fit a clock to a time course for the model stopped at each step.

    Parameters
    ----------
    prepared
        The course.
    curve
        (step,), the model's decodability.
    resampled
        (resample, step), of resampled pictures; each meets one resample of the neurons.

    Returns
    -------
    table
        A row per step it is stopped at: ``raw`` (R²), ``gain`` (R² less that of step 0), ``onset_ms``,
        ``ms_per_step``, each with ``_low`` and ``_high``; ``amplitude``, ``rmse``, ``rmse_flat`` and ``at_edge`` (the
        data do not bound the clock).
    r2
        (step, resample + 1): the estimate, then resamples, shifted to have it as their mean.
    """
    samples = np.concatenate([curve[None], resampled]) - CHANCE
    n_times, every = len(prepared.course.times_ms), np.arange(len(samples))
    rows, kept, first = [], [], None
    for step in range(len(curve)):
        errors, amplitudes = prepared.fit.errors(samples[:, np.minimum(np.arange(len(curve)), step)])
        best = errors.argmin(axis=1)
        least = errors[every, best]
        r2 = 1 - least / prepared.total
        first = r2 if first is None else first
        values = (r2, r2 - first, GRID.onset_ms[best], GRID.ms_per_step[best])
        row: dict[str, Any] = {"step": step}
        for name, sample in zip(STATISTICS, values, strict=True):
            tried = getattr(GRID, name, None)
            bounds = interval(shifted(sample[1:], sample[0])) if tried is None else clock_interval(sample, tried)
            row |= {name: sample[0]} | dict(zip((f"{name}_low", f"{name}_high"), bounds, strict=True))
        row |= {"amplitude": amplitudes[0, best[0]], "rmse": np.sqrt(max(least[0], 0) / n_times)}
        row |= {"rmse_flat": np.sqrt(prepared.total[0] / n_times), "at_edge": bool(GRID.at_edge(best[:1])[0])}
        rows.append(row)
        kept.append(np.r_[r2[0], shifted(r2[1:], r2[0])])
    return pd.DataFrame(rows), np.array(kept)
