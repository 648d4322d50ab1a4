"""Rank correlations of bootstrap samples without drawing them: ranks and correlations of weighted objects.

An object that is taken twice is two that tie. So the ranks of a sample follow from the order of the objects, sorted
once, and a running sum of how often each is taken; sorting every sample anew would cost several times as much.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from analysis.inference import partial_of


def weighted_normal_scores(values: ArrayLike, weights: NDArray) -> NDArray[np.float64]:
    """Give each object its normal score in every sample: the normal quantile of (rank - 1/2) / n, ties averaged.

    Parameters
    ----------
    values
        (object,), the same in every sample, or (sample, object); finite where the weight is not 0.
    weights
        (sample, object), how often each object is taken.

    Returns
    -------
    float64, (sample, object); 0 where the weight is 0.
    """
    values, weights = np.asarray(values, np.float64), np.asarray(weights, np.float64)
    order = np.argsort(values, axis=-1)
    if values.ndim == 1:
        taken, ordered = weights[:, order], values[order]
    else:
        taken, ordered = np.take_along_axis(weights, order, -1), np.take_along_axis(values, order, -1)
    place = np.arange(values.shape[-1])
    new = np.ones(ordered.shape, bool)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    last = np.ones(ordered.shape, bool)
    last[..., :-1] = new[..., 1:]
    start = np.maximum.accumulate(np.where(new, place, 0), axis=-1)
    end = np.minimum.accumulate(np.where(last, place, place[-1])[..., ::-1], axis=-1)[..., ::-1]
    total = np.cumsum(taken, axis=1)
    start, end = (np.broadcast_to(at, total.shape) for at in (start, end))
    before = np.take_along_axis(total - taken, start, -1)
    through = np.take_along_axis(total, end, -1)
    with np.errstate(divide="ignore", invalid="ignore"):  # objects that are not taken, beside or beyond all that are
        scores = np.where(taken > 0, ndtri((before + through) / (2 * total[:, -1:])), 0.0)
    found = np.empty_like(scores)
    np.put_along_axis(found, np.broadcast_to(order, scores.shape), scores, -1)
    return found


def weighted_partial_correlation(x: NDArray, y: NDArray, given: list[NDArray], weights: NDArray) -> NDArray[np.float64]:
    """Correlate x and y in every sample, holding constant what is given.

    Parameters
    ----------
    x, y, given
        Each (sample, object), as from `weighted_normal_scores`.
    weights
        (sample, object).

    Returns
    -------
    Correlations, (sample,); NaN where x or y is constant, or fully explained by what is given, as in
    `inference.rank_correlation`.
    """
    share = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1)
    rows = np.stack([x, y, *given], axis=1)
    rows = (rows - (rows * share[:, None]).sum(axis=2, keepdims=True)) * np.sqrt(share)[:, None]
    length = np.sqrt((rows**2).sum(axis=2, keepdims=True))
    rows /= np.where(length > 0, length, 1.0)
    return partial_of(rows @ rows.transpose(0, 2, 1))
