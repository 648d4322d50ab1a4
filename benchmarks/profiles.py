"""Profiles over conditions: means of presentations, and how alike two profiles are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

METRICS = ("pearson", "spearman")
CONSTANT = 1e-10
"""Length of a profile, of length 1 before, that is left by what is given: below this it is explained away."""


def condition_means(
    values: NDArray, condition: NDArray[np.int64], n_conditions: int, counts: NDArray | None = None
) -> NDArray[np.float64]:
    """Average presentations by condition.

    Parameters
    ----------
    values
        (…, presentation).
    condition
        (presentation,), number of the condition.
    n_conditions
        How many there are.
    counts
        (resample, presentation), how often each is drawn; once where None.

    Returns
    -------
    ndarray
        (…, condition), or (resample, …, condition) with `counts`; NaN for a condition without presentations.
    """
    belongs = np.asarray(condition)[:, None] == np.arange(n_conditions)
    weights = np.ones((1, len(belongs))) if counts is None else counts
    flat = np.asarray(values, np.float64).reshape(-1, len(belongs))
    total = np.empty((len(weights), len(flat), n_conditions))
    for number in range(n_conditions):
        here = belongs[:, number]
        total[:, :, number] = weights[:, here] @ flat[:, here].T
    with np.errstate(invalid="ignore", divide="ignore"):
        means = total / (weights @ belongs)[:, None, :]
    means = means.reshape(len(weights), *np.shape(values)[:-1], n_conditions)
    return means[0] if counts is None else means


def correlate(x: NDArray, y: NDArray, metric: str = "pearson", given: Sequence[NDArray] = ()) -> NDArray[np.float64]:
    """Correlate profiles, partially where others are given.

    Parameters
    ----------
    x, y
        (…, condition); leading axes broadcast.
    metric
        ``"pearson"`` or ``"spearman"``: ranks, also of what is given.
    given
        Profiles to hold constant in both, each (…, condition).

    Returns
    -------
    ndarray
        (…), NaN where a profile has a NaN, is constant, or is wholly explained by what is given.

    Raises
    ------
    ValueError
        If the metric is unknown.
    """
    if metric not in METRICS:
        raise ValueError(f"metric: expected one of {METRICS}, got {metric!r}. Choose one.")
    profiles = [np.asarray(one, np.float64) for one in (*given, x, y)]
    if metric == "spearman":
        profiles = [rankdata(one, axis=-1, nan_policy="propagate") for one in profiles]
    basis: list[NDArray] = []
    for profile in map(_unit, profiles):
        left = profile
        for one in basis[: len(given)]:  # Gram-Schmidt: what is given comes first
            left = left - (left * one).sum(axis=-1, keepdims=True) * one
        basis.append(_unit(left, centre=False))
        if len(basis) <= len(given):
            basis[-1] = np.nan_to_num(basis[-1])  # a constant explains nothing
    return np.clip((basis[-2] * basis[-1]).sum(axis=-1), -1, 1)


def _unit(profile, centre: bool = True):
    """Scale to length 1, NaN where there is no length; centred first, unless it is already of length 1 or less."""
    scale = np.sqrt(np.square(profile).sum(axis=-1, keepdims=True)) if centre else 1.0
    profile = profile - profile.mean(axis=-1, keepdims=True) if centre else profile
    length = np.sqrt(np.square(profile).sum(axis=-1, keepdims=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(length > CONSTANT * scale, profile / length, np.nan)


def off_diagonal(confusions: NDArray) -> NDArray[np.float64]:
    """Return the cells (…, category, answer) of wrong answers, flattened: (…, cell)."""
    size = confusions.shape[-1]
    return np.asarray(confusions, np.float64)[..., ~np.eye(size, dtype=bool)]
