"""People who each saw some of the conditions: resamples of them, and the ceilings that they set.

Observers of one experiment saw the same conditions. Resamples and halves keep the experiments' sizes: otherwise a
condition could lose its observers, and differences between experiments would pass for noise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from benchmarks.bootstrap import count_draws
from benchmarks.ceilings import N_SPLITS, spearman_brown

Groups = tuple[NDArray[np.int64], ...]


def experiments(seen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Say which experiment observers and conditions belong to: those that share observers belong together.

    Parameters
    ----------
    seen
        (observer, condition), whether the observer was shown the condition.

    Returns
    -------
    of_observer, of_condition
        int64 (observer,) and (condition,), numbered from 0.

    Raises
    ------
    ValueError
        If an observer saw nothing, or nobody saw a condition.
    """
    seen = np.asarray(seen, bool)
    if not (seen.any(axis=1).all() and seen.any(axis=0).all()):
        raise ValueError(
            f"observers: expected some condition for each observer, and some observer for each condition, got "
            f"{(~seen.any(axis=1)).sum()} observers and {(~seen.any(axis=0)).sum()} conditions without. "
            "Leave these out."
        )
    _, of_condition = connected_components(seen.T.astype(int) @ seen.astype(int), directed=False)
    return of_condition[seen.argmax(axis=1)].astype(np.int64), of_condition.astype(np.int64)


def groups(of_observer: NDArray[np.int64]) -> Groups:
    """Return the observers of each experiment."""
    return tuple(np.flatnonzero(of_observer == one) for one in np.unique(of_observer))


def resampled_means(
    values: NDArray, of_observer: NDArray[np.int64], n_resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Average over observers drawn with replacement within their experiments: (resample, condition).

    Parameters
    ----------
    values
        (observer, condition), NaN where the observer was not shown the condition.
    of_observer
        From `experiments`.
    n_resamples, rng
        Number and source of the draws.

    Returns
    -------
    ndarray
        NaN where a resample holds no observer of a condition.
    """
    counts = count_draws(groups(of_observer), n_resamples, rng)
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (counts @ np.where(known, values, 0.0)) / (counts @ known.astype(float))


def profile_ceiling(
    values: NDArray,
    of_observer: NDArray[np.int64],
    correlate: Callable[[NDArray, NDArray], NDArray],
    rng: np.random.Generator,
    n_splits: int = N_SPLITS,
) -> float:
    """Ceiling of a correlation with the mean over observers: sqrt(Spearman-Brown split-half reliability).

    Parameters
    ----------
    values
        (observer, condition), NaN where the observer was not shown the condition.
    of_observer
        From `experiments`; each experiment is split into halves.
    correlate
        Function of two profiles (…, condition): the correlation that the ceiling is for.
    rng, n_splits
        Source and number of the splits.

    Returns
    -------
    float
        NaN unless the reliability is above 0.
    """
    halves: list[list[NDArray]] = [[], []]
    for _ in range(n_splits):
        first = np.zeros(len(values), bool)
        for group in groups(of_observer):
            first[rng.permutation(group)[: (len(group) + rng.integers(2)) // 2]] = True
        for half, chosen in zip(halves, (first, ~first), strict=True):
            half.append(_mean(values[chosen]))
    reliability = spearman_brown(np.mean(correlate(np.stack(halves[0]), np.stack(halves[1]))))
    return float(np.sqrt(reliability)) if reliability > 0 else float("nan")


def _mean(values):
    """Mean over observers, NaN without any."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known, values, 0.0).sum(axis=0) / known.sum(axis=0)


def error_ceiling(means: NDArray, errors: NDArray) -> float:
    """Ceiling of a Pearson correlation with means of known standard errors: sqrt(1 - mean error variance / variance).

    Parameters
    ----------
    means, errors
        (condition,).

    Returns
    -------
    float
        NaN unless the means vary more than their errors would make them.
    """
    variance = np.var(means, ddof=1)
    reliability = 1 - np.mean(np.square(errors)) / variance if variance > 0 else 0.0
    return float(np.sqrt(reliability)) if reliability > 0 else float("nan")
