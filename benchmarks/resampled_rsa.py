"""Comparison of dissimilarities inside bootstrap resamples of images, from one sort of the whole.

A resample is a row of counts: how often it holds each pair of images (`benchmarks.bootstrap.pair_counts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.rsa import ascending, check_inner_product

RESAMPLES_PER_BLOCK = 50
"""Standardised at a time: a block of 92 images' pairs (1.7 MB) then stays in cache."""


@dataclass(frozen=True)
class SortedPairs:
    """A condensed vector, sorted once, so that midranks in any resample are a cumulative sum.

    Parameters
    ----------
    order
        (pair,), indices that sort the vector.
    first, last
        (pair,), for each pair the first and last place of its group of ties in that order.
    """

    order: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


def sort_pairs(dissimilarities: NDArray) -> SortedPairs:
    """Sort a condensed vector (pair,) and find its ties."""
    order = ascending(dissimilarities)
    ordered = dissimilarities[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    ends = np.r_[starts[1:], len(ordered)] - 1
    group = np.repeat(np.arange(len(starts)), ends - starts + 1)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = group
    return SortedPairs(order, starts[place], ends[place])


def resampled_midranks(pairs: SortedPairs, counts: NDArray) -> NDArray[np.float64]:
    """Midranks of every pair in resamples that hold it `counts` times.

    Parameters
    ----------
    pairs
        The sorted vector.
    counts
        (resample, pair), how often each pair occurs in each resample.

    Returns
    -------
    ndarray
        (resample, pair): the rank each copy of the pair has among the resample's pairs (from 1, ties shared).
        Pairs that do not occur get the rank between their neighbours, and weight 0 wherever this is used.
    """
    cumulative = np.zeros((len(counts), counts.shape[1] + 1))
    np.cumsum(counts[:, pairs.order], axis=1, out=cumulative[:, 1:])
    return (cumulative[:, pairs.first] + cumulative[:, pairs.last + 1] + 1) / 2


def resampled_standardise(
    dissimilarities: NDArray, metric: str, counts: NDArray, pairs: SortedPairs | None = None
) -> NDArray[np.float64]:
    """`benchmarks.rsa.standardise` inside each resample: the sum over pairs of ``counts * a * b`` is then the metric.

    Parameters
    ----------
    dissimilarities
        (pair,), finite.
    metric
        ``"pearson"``, ``"spearman"`` or ``"cosine"``.
    counts
        (resample, pair).
    pairs
        `sort_pairs` of the dissimilarities, where they are sorted already.

    Returns
    -------
    ndarray
        (resample, pair), float64; NaN in resamples where nothing varies.
    """
    check_inner_product(metric)
    if metric == "cosine":
        norms = np.sqrt(counts @ np.square(dissimilarities))
        with np.errstate(invalid="ignore", divide="ignore"):
            return dissimilarities / np.where(norms > 0, norms, np.nan)[:, None]
    n_drawn = counts.sum(axis=1, keepdims=True)
    if metric == "pearson":
        values = np.asarray(dissimilarities, dtype=np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            values = values - (counts @ values)[:, None] / n_drawn
    else:
        values = resampled_midranks(pairs or sort_pairs(dissimilarities), counts)
        # ranks 1 ... n with ties shared always have the mean (n + 1) / 2
        values -= (n_drawn + 1) / 2
    norms = np.sqrt(np.einsum("ij,ij,ij->i", counts, values, values))
    values /= np.where(norms > 0, norms, np.nan)[:, None]
    return values


def resampled_mean(vectors: NDArray, metric: str, counts: NDArray) -> NDArray[np.float64]:
    """Mean of condensed vectors (vector, pair), each standardised inside each resample: (resample, pair)."""
    mean = np.empty(counts.shape)
    ordered = [_sorted(vector, metric) for vector in vectors]
    for block in _blocks(len(counts)):
        mean[block] = sum(
            resampled_standardise(vector, metric, counts[block], pairs)
            for vector, pairs in zip(vectors, ordered, strict=True)
        )
    mean /= len(vectors)
    return mean


def _sorted(dissimilarities: NDArray, metric: str) -> SortedPairs | None:
    """Sort where the metric is of ranks."""
    return sort_pairs(dissimilarities) if metric == "spearman" else None


def _blocks(n_resamples: int) -> list[slice]:
    return [slice(start, start + RESAMPLES_PER_BLOCK) for start in range(0, n_resamples, RESAMPLES_PER_BLOCK)]


def resampled_products(
    dissimilarities: NDArray, metric: str, counts: NDArray, others: Sequence[NDArray]
) -> NDArray[np.float64]:
    """Inner products of others with a condensed vector standardised inside each resample.

    Parameters
    ----------
    dissimilarities, metric, counts
        As in `resampled_standardise`.
    others
        Each (resample, pair).

    Returns
    -------
    ndarray
        (other, resample), float64; NaN in resamples where nothing varies.
    """
    products = np.empty((len(others), len(counts)))
    pairs = _sorted(dissimilarities, metric)
    for block in _blocks(len(counts)):
        standard = resampled_standardise(dissimilarities, metric, counts[block], pairs)
        for row, other in zip(products, others, strict=True):
            np.einsum("ij,ij->i", standard, other[block], out=row[block])
    return products
