"""How well the best model could do, given the noise of the recordings, and the rules that use it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.rsa import check_metric, compare, midranks, standardise

RIDGE_RULE = "median over neuroids of r / sqrt(Spearman-Brown split-half reliability)"
RSA_RULE = "mean over subjects of rho / upper noise ceiling (Nili et al. 2014)"
NO_RULE = "none: no repeats"
NO_RULE_RSA = "none: no subjects"

N_SPLITS = 100
MIN_IMAGES = 10
"""Fewer images with repeats than this give no split-half correlation worth stating."""


@dataclass(frozen=True)
class SplitHalf:
    """Reliability of the mean over repeats.

    Parameters
    ----------
    half
        (neuroid,), Pearson r over images between the means of two halves of the repeats, averaged over random
        splits; uncorrected. NaN where it has no meaning.
    reliability
        (neuroid,), `half` stepped up to all repeats (Spearman-Brown): the share of the variance of the
        repeat-averaged response that is signal.
    n_images, n_images_total
        Images with at least two repeats, which the estimate rests on, and all images.
    """

    half: NDArray[np.float64]
    reliability: NDArray[np.float64]
    n_images: int
    n_images_total: int

    @property
    def ceiling(self) -> NDArray[np.float64]:
        """Largest expected r of a noiseless prediction, sqrt(reliability): (neuroid,), NaN unless above 0."""
        with np.errstate(invalid="ignore"):
            return np.where(self.reliability > 0, np.sqrt(np.maximum(self.reliability, 0)), np.nan)


def spearman_brown(half, factor: float = 2.0):
    """Reliability of `factor` times as many measurements: factor r / (1 + (factor - 1) r).

    Parameters
    ----------
    half
        Correlation between two measurements, any shape.
    factor
        How many times longer the wanted measurement is; 2 for halves of it.

    Returns
    -------
    Same shape as `half`; NaN where r is -1.

    Notes
    -----
    Spearman (1910) and Brown (1910), Br J Psychol 3:271 and 3:296.
    """
    half = np.asarray(half, dtype=np.float64)
    denominator = 1 + (factor - 1) * half
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, factor * half / denominator, np.nan)[()]


def split_half(repeats: NDArray, rng: np.random.Generator, n_splits: int = N_SPLITS) -> SplitHalf:
    """Split-half reliability of each neuroid, over random splits of each image's repeats.

    Repeats of an image are shuffled and dealt to two halves; an odd one is dealt to either at random. Images
    with fewer than two repeats (all neuroids finite) are left out and counted. The neuroids of a repetition
    stay together.

    Parameters
    ----------
    repeats
        (presentation, neuroid, repetition), padded with NaN where an image was shown fewer times.
    rng
        Source of the splits.
    n_splits
        Random splits to average the correlation over.

    Returns
    -------
    SplitHalf
        Reliabilities and the images they rest on.

    Raises
    ------
    ValueError
        If the array is not three-dimensional.
    """
    repeats = np.asarray(repeats, dtype=np.float64)
    if repeats.ndim != 3:
        raise ValueError(
            f"repeats: expected (presentation, neuroid, repetition), got shape {repeats.shape}. "
            "Pass the single repeats, not their mean."
        )
    # a neuroid without any data must not cost the others theirs
    recorded = np.isfinite(repeats).any(axis=(0, 2))
    shown = np.isfinite(repeats[:, recorded]).all(axis=1)
    if not recorded.any():
        shown[:] = False
    kept = shown.sum(axis=1) >= 2
    unknown = np.full(repeats.shape[1], np.nan)
    if kept.sum() < MIN_IMAGES:
        return SplitHalf(unknown, unknown, int(kept.sum()), len(repeats))
    shown = shown[kept]
    values = np.where(shown[:, None, :], repeats[kept], 0)
    total = np.zeros(repeats.shape[1])
    for _ in range(n_splits):
        first = _first_half(shown, rng)
        second = shown & ~first
        total += _columnwise_correlation(_mean(values, first), _mean(values, second))
    half = total / n_splits
    return SplitHalf(half, spearman_brown(half), int(kept.sum()), len(repeats))


def _first_half(shown: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Deal half of each row's true entries at random: (presentation, repetition)."""
    n_shown = shown.sum(axis=1)
    size = (n_shown + rng.integers(2, size=len(shown))) // 2
    keys = np.where(shown, rng.random(shown.shape), np.inf)
    rank = np.argsort(np.argsort(keys, axis=1), axis=1)
    return shown & (rank < size[:, None])


def _mean(values, half):
    """Mean over the repeats of a half: (presentation, neuroid)."""
    return np.einsum("inr,ir->in", values, half) / half.sum(axis=1)[:, None]


def _columnwise_correlation(first, second):
    first = first - first.mean(axis=0)
    second = second - second.mean(axis=0)
    norms = np.linalg.norm(first, axis=0) * np.linalg.norm(second, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(norms > 0, (first * second).sum(axis=0) / norms, np.nan)


def rsa_noise_ceiling(subjects: NDArray, metric: str) -> tuple[float, float]:
    """Bounds on the mean similarity that any model can reach to the dissimilarities of these subjects.

    Upper: the mean similarity of each subject to the average of all subjects, itself among them. Lower: to
    the average of the others. Averages are taken of the subjects' ranks (Spearman, Kendall) or of their vectors scaled
    to unit length (cosine, Pearson). No matrix can be above the upper bound by cosine or Pearson; by ranks, none by
    more than what ranking the average again costs.

    Parameters
    ----------
    subjects
        (subject, pair), one condensed vector each.
    metric
        One of `benchmarks.rsa.METRICS`.

    Returns
    -------
    lower, upper
        NaN with fewer than two subjects, or where a subject's vector holds NaN.

    Raises
    ------
    ValueError
        If the metric is unknown.

    Notes
    -----
    Nili et al. (2014) PLoS Comput Biol 10:e1003553.
    """
    check_metric(metric)
    subjects = np.asarray(subjects, dtype=np.float64)
    if len(subjects) < 2 or not np.isfinite(subjects).all():
        return float("nan"), float("nan")
    # ranks are halves of integers, whose sums keep the ties that scaled ranks would lose to rounding
    scale = midranks if metric in ("spearman", "kendall") else partial(standardise, metric=metric)
    scaled = np.stack([scale(subject) for subject in subjects])
    group = scaled.sum(axis=0)
    upper = np.mean([compare(one, group, metric) for one in scaled])
    lower = np.mean([compare(one, group - one, metric) for one in scaled])
    return float(lower), float(upper)
