"""Observers' accuracy by deadline against a model's by step, under clocks: errors, and what observers can expect.

An observer is always predicted from the others: neither the clock nor the ceiling's mean saw the observer that is
scored.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.ceilings import spearman_brown
from benchmarks.clock_fit import ClockGrid, read_at

N_SPLITS = 100


def clock_errors(
    accuracy: NDArray, model: NDArray, deadlines_ms: NDArray, grid: ClockGrid, chance: float
) -> NDArray[np.float64]:
    """Mean squared error over deadlines of each observer, in each condition, under each clock.

    Parameters
    ----------
    accuracy
        (observer, condition, deadline); NaN where nothing was answered.
    model
        (condition, step), accuracy.
    deadlines_ms
        (deadline,).
    grid
        Clocks.
    chance
        Accuracy before onset.

    Returns
    -------
    ndarray
        (observer, condition, clock); NaN where an observer answered nothing.
    """
    errors = np.full((*accuracy.shape[:2], len(grid)), np.nan)
    for condition, curve in enumerate(model):
        predicted = read_at(curve, deadlines_ms, grid, chance)
        for observer in np.flatnonzero(np.isfinite(accuracy[:, condition]).any(axis=1)):
            known = np.isfinite(accuracy[observer, condition])
            difference = predicted[:, known] - accuracy[observer, condition, known]
            errors[observer, condition] = np.square(difference).mean(axis=1)
    return errors


def observer_errors(errors: NDArray) -> NDArray[np.float64]:
    """Average (observer, condition, clock) over each observer's conditions: (observer, clock)."""
    known = np.isfinite(errors[..., 0])
    return np.where(known[..., None], errors, 0).sum(axis=1) / known.sum(axis=1)[:, None]


def held_out_clock(errors: NDArray) -> NDArray[np.int64]:
    """Clock that is best for all other observers, for each: (observer, …) from (observer, …, clock); NaN counts 0."""
    values = np.nan_to_num(errors)
    return (values.sum(axis=0) - values).argmin(axis=-1)


def held_out_errors(errors: NDArray) -> NDArray[np.float64]:
    """Mean squared error of each observer under the one clock that is best for the others: (observer,)."""
    per_observer = observer_errors(errors)
    return np.take_along_axis(per_observer, held_out_clock(per_observer)[:, None], axis=1)[:, 0]


def others_mean(accuracy: NDArray) -> NDArray[np.float64]:
    """Mean accuracy of the other observers of a condition: (observer, condition, deadline); NaN where there is none."""
    known = np.isfinite(accuracy)
    values = np.where(known, accuracy, 0)
    n = known.sum(axis=0) - known
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 0, (values.sum(axis=0) - values) / n, np.nan)


def prediction_errors(accuracy: NDArray, predicted: NDArray) -> NDArray[np.float64]:
    """Mean squared error over deadlines, then over conditions, of each observer: (observer,)."""
    squared = np.square(accuracy - predicted)
    known = np.isfinite(squared)
    n = known.sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        cells = np.where(n > 0, np.where(known, squared, 0).sum(axis=2) / n, np.nan)
    return np.nanmean(cells, axis=1)


def category_accuracy(right: NDArray, answered: NDArray) -> NDArray[np.float64]:
    """Share right of answered trials by condition and category, observers and deadlines pooled.

    Parameters
    ----------
    right, answered
        (…, condition, deadline, category), observers added up already.

    Returns
    -------
    (…, condition, category); NaN where nothing was answered.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return right.sum(axis=-2) / answered.sum(axis=-2)


def category_correlation(first: NDArray, second: NDArray) -> NDArray[np.float64]:
    """Pearson r over categories, mean over conditions: (…,) from (…, condition, category); NaN where undefined."""
    first = first - first.mean(axis=-1, keepdims=True)
    second = second - second.mean(axis=-1, keepdims=True)
    norms = np.sqrt(np.square(first).sum(axis=-1) * np.square(second).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return ((first * second).sum(axis=-1) / np.where(norms > 1e-12, norms, np.nan)).mean(axis=-1)


def category_ceiling(right: NDArray, answered: NDArray, study: NDArray, rng: np.random.Generator) -> float:
    """Largest expected category-wise correlation: sqrt of the split-half reliability (Spearman-Brown) over observers.

    Parameters
    ----------
    right, answered
        (observer, condition, deadline, category).
    study
        (observer,): observers are split within studies, so that both halves have all conditions.
    rng
        Source of the splits.

    Returns
    -------
    float
        NaN where a study has one observer, or reliability is not above 0.
    """
    halves = []
    for _ in range(N_SPLITS):
        first = np.zeros(len(study), bool)
        for name in np.unique(study):
            members = rng.permutation(np.flatnonzero(study == name))
            first[members[: (len(members) + rng.integers(2)) // 2]] = True
        a, b = (category_accuracy(right[half].sum(axis=0), answered[half].sum(axis=0)) for half in (first, ~first))
        halves.append(category_correlation(a, b))
    half = float(np.mean(halves))
    reliability = float(spearman_brown(half)) if np.isfinite(half) else float("nan")
    return float(np.sqrt(reliability)) if reliability > 0 else float("nan")


def steepness(curves: NDArray) -> NDArray[np.float64]:
    """Slope of the least-squares line, with time from 0 (first) to 1 (last): accuracy gained over the course.

    Parameters
    ----------
    curves
        (…, time), evenly spaced; NaN with fewer than two times.
    """
    n = curves.shape[-1]
    if n < 2:
        return np.full(curves.shape[:-1], np.nan)
    time = np.linspace(-0.5, 0.5, n)
    return curves @ time / np.square(time).sum()
