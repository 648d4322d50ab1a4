"""Which presentations a regression is fitted to, and which it then predicts; nothing here knows the method."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

HeldOut = Sequence[NDArray[np.int64]]
"""Indices of the presentations held out in each split; the others of each split are its training set."""


def make_folds(n_presentations: int, n_folds: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], ...]:
    """Split presentations into folds of (nearly) equal size, at random.

    Parameters
    ----------
    n_presentations, n_folds
        Every training fold must keep at least two presentations.
    rng
        Source of the permutation.

    Returns
    -------
    tuple of arrays
        Sorted indices of the presentations held out in each fold.

    Raises
    ------
    ValueError
        If there are fewer than two folds or more folds than half the presentations.
    """
    if not 2 <= n_folds <= n_presentations // 2:
        raise ValueError(
            f"n_folds: expected 2 to {n_presentations // 2} for {n_presentations} presentations, got "
            f"{n_folds}. Use fewer folds or more presentations."
        )
    return tuple(np.sort(part) for part in np.array_split(rng.permutation(n_presentations), n_folds))


def usable_neuroids(responses: NDArray, held_out: HeldOut) -> NDArray[np.bool_]:
    """Find neuroids that can be fitted: finite everywhere, and not constant over any training set.

    Parameters
    ----------
    responses
        (presentation, neuroid).
    held_out
        Of each split.

    Returns
    -------
    ndarray
        (neuroid,), bool.
    """
    usable = np.isfinite(responses).all(axis=0)
    for part in held_out:
        training = np.delete(responses, part, axis=0)
        usable &= (training != training[:1]).any(axis=0)
    return usable


def check_splits(products: NDArray, responses: NDArray, held_out: HeldOut) -> None:
    """Raise ValueError unless a Gram matrix, responses and splits speak about the same presentations.

    Parameters
    ----------
    products
        (presentation, presentation).
    responses
        (presentation, neuroid).
    held_out
        Of each split: any sets of presentations that leave at least two to fit.
    """
    n = len(responses)
    if responses.ndim != 2 or products.shape != (n, n):
        raise ValueError(
            "expected responses (presentation, neuroid) and a Gram matrix over the same presentations, got "
            f"{responses.shape} and {products.shape}. "
            "Record the model on the recording's own stimuli, in their order."
        )
    for part in held_out:
        distinct = np.unique(part)
        inside = len(part) and distinct[0] >= 0 and distinct[-1] < n
        if not inside or len(distinct) < len(part) or len(part) > n - 2:
            raise ValueError(
                f"held_out: expected 1 to {n - 2} different indices between 0 and {n - 1}, got {len(part)}, "
                f"{len(distinct)} of them different. Use make_folds, or leave presentations to fit."
            )


def in_place(parts: Sequence[NDArray], folds: HeldOut, n_presentations: int) -> NDArray[np.float64]:
    """Put each fold's predictions where its presentations are.

    Parameters
    ----------
    parts
        For each fold (held-out presentation, neuroid).
    folds
        Held-out presentations of each fold; together all presentations, once.
    n_presentations
        Of the recording.

    Returns
    -------
    ndarray
        (presentation, neuroid), float64.

    Raises
    ------
    ValueError
        If the folds do not cover every presentation once.
    """
    if not np.array_equal(np.sort(np.concatenate(folds)), np.arange(n_presentations)):
        raise ValueError(
            f"folds: expected every one of {n_presentations} presentations held out once, got "
            f"{sum(map(len, folds))} entries. Use make_folds."
        )
    predictions = np.empty((n_presentations, parts[0].shape[1]))
    for fold, part in zip(folds, parts, strict=True):
        predictions[fold] = part
    return predictions
