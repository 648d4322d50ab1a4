"""Internal consistency: how well two halves of the repetitions agree, at every time bin.

Sources: Spearman (1910) Br J Psychol 3:271; Brown (1910) Br J Psychol 3:296. `benchmarks.ceilings.split_half` is for
images with unequal numbers of repeats; here all images have the same repetitions, which are split as wholes, as
Brain-Score splits them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.ceilings import spearman_brown

RULE = "median over neuroids of Spearman-Brown split-half reliability, mean over splits of the repetitions"
N_SPLITS = 10


def random_halves(n_repetitions: int, rng: np.random.Generator, n_splits: int = N_SPLITS) -> NDArray[np.bool_]:
    """Draw half of the repetitions (the smaller half of an odd number): bool, (split, repetition).

    Raises
    ------
    ValueError
        If there are fewer than two repetitions.
    """
    if n_repetitions < 2:
        raise ValueError(f"repetitions: expected at least 2 to split, got {n_repetitions}. Pass single repetitions.")
    first = np.tile(np.arange(n_repetitions) < n_repetitions // 2, (n_splits, 1))
    return rng.permuted(first, axis=1)


def halves_agreement(repeats: NDArray, first: NDArray) -> NDArray[np.float64]:
    """Agreement between the means of two halves of the repetitions, stepped up to all of them.

    Parameters
    ----------
    repeats
        (..., presentation, neuroid, repetition), such as (time_bin, presentation, neuroid, repetition); finite.
    first
        bool, (split, repetition): the repetitions of the first half; the others are the second.

    Returns
    -------
    ndarray
        float64, (split, ..., neuroid): Pearson r over presentations, stepped up by Spearman-Brown 2r / (1 + r). NaN
        where a half does not vary, or r is -1. Its median over neuroids, then mean over splits, is the consistency.

    Raises
    ------
    ValueError
        If the repetitions differ in number, a half is empty, or a value is not finite.
    """
    repeats, first = np.asarray(repeats, np.float64), np.asarray(first, bool)
    sizes = first.sum(axis=-1)
    if first.ndim != 2 or first.shape[1] != repeats.shape[-1] or not ((sizes > 0) & (sizes < first.shape[1])).all():
        raise ValueError(
            f"first: expected bool (split, repetition={repeats.shape[-1]}) with both halves filled, got shape "
            f"{first.shape} and halves of {sizes.tolist()}. Draw them with random_halves."
        )
    if not np.isfinite(repeats).all():
        raise ValueError(
            f"repeats: expected finite values, got {np.count_nonzero(~np.isfinite(repeats))} that are not. "
            "Use benchmarks.ceilings.split_half where images have unequal numbers of repeats."
        )
    out = []
    for half, size in zip(first, sizes, strict=True):
        a = repeats @ half / size
        b = repeats @ ~half / (len(half) - size)
        a, b = a - a.mean(axis=-2, keepdims=True), b - b.mean(axis=-2, keepdims=True)
        length = np.sqrt((a * a).sum(axis=-2) * (b * b).sum(axis=-2))
        with np.errstate(invalid="ignore", divide="ignore"):
            out.append(np.where(length > 0, (a * b).sum(axis=-2) / length, np.nan))
    return spearman_brown(np.stack(out))


def internal_consistency(repeats: NDArray, rng: np.random.Generator, n_splits: int = N_SPLITS) -> NDArray[np.float64]:
    """Median over neuroids of `halves_agreement`, then mean over random splits: the rule `RULE`.

    Parameters
    ----------
    repeats
        (..., presentation, neuroid, repetition).
    rng
        Source of the splits.
    n_splits
        Number of random splits.

    Returns
    -------
    ndarray
        (...), such as (time_bin,).
    """
    first = random_halves(np.shape(repeats)[-1], rng, n_splits)
    return np.median(halves_agreement(repeats, first), axis=-1).mean(axis=0)
