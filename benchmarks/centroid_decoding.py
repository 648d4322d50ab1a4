"""Nearest-centroid decoding of objects, cross-validated, for all time bins (or steps) and resamples of units at once.

Each unit is divided by its standard deviation over training presentations, so that the answer is the object
whose mean over training presentations is nearest (Euclidean). The distance is a sum over units: what a resample of
units answers is a product of counts with each unit's part, without deciding anything anew.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

ALL_POSITIONS, NEW_POSITION = "all positions", "new position"
SPLITS = (ALL_POSITIONS, NEW_POSITION)
N_FOLDS = 10


def decode(responses: NDArray, split: str, counts: NDArray | None = None) -> NDArray[np.float64]:
    """Proportion of held-out presentations whose object is decoded rightly.

    Parameters
    ----------
    responses
        (time_bin, object, position, repeat, unit), finite.
    split
        "all positions": trained on all positions, on 9 of 10 folds of the repeats, tested on the tenth;
        "new position": trained on all but one position, tested on that one, all repeats: position tolerance.
    counts
        (resample, unit), how often a unit is drawn; each once where None.

    Returns
    -------
    ndarray
        (resample, time_bin), or (time_bin,) without `counts`.

    Raises
    ------
    ValueError
        If the shape or the name of the split is not one of those.
    """
    right = right_answers(responses, split, counts)
    accuracy = right.mean(axis=(2, 3, 4))
    return accuracy[0] if counts is None else accuracy


def right_answers(responses: NDArray, split: str, counts: NDArray | None = None) -> NDArray[np.bool_]:
    """As `decode`, before averaging: (resample, time_bin, object, position, repeat), each tested once."""
    responses = np.asarray(responses, np.float32)
    if responses.ndim != 5 or split not in SPLITS:
        raise ValueError(
            f"decode: expected (time_bin, object, position, repeat, unit) and one of {SPLITS}, got "
            f"{responses.shape} and {split!r}. Arrange presentations by object, position and repeat."
        )
    n_bins, n_objects, n_positions, n_repeats, _ = responses.shape
    right = np.zeros((1 if counts is None else len(counts), *responses.shape[:4]), bool)
    weights = None if counts is None else np.asarray(counts, np.float32).T
    labels = np.arange(n_objects)[:, None, None]
    for tested in _tested(split, n_positions, n_repeats):
        for k in range(n_bins):
            answers = _answers(responses[k], tested, weights)
            right[:, k, :, tested] = (answers == labels).transpose(1, 2, 0)
    return right


def _tested(split: str, n_positions: int, n_repeats: int) -> Iterator[NDArray[np.bool_]]:
    """Yield which (position, repeat) are held out."""
    parts = n_positions if split == NEW_POSITION else min(N_FOLDS, n_repeats)
    if (n_positions if split == NEW_POSITION else n_repeats) < 2:
        raise ValueError(f"decode: expected at least 2 to hold one out, got {parts} ({split}). Record more.")
    for part in range(parts):
        held = np.zeros((n_positions, n_repeats), bool)
        if split == NEW_POSITION:
            held[part] = True
        else:
            held[:, part::parts] = True
        yield held


def _answers(responses, tested, weights):
    """Decode one bin: (object, presentation, resample) answers to the presentations tested."""
    training, test = responses[:, ~tested], responses[:, tested]
    flat = training.reshape(-1, training.shape[-1])
    scale = flat.std(axis=0)
    # a unit that did not vary in training has nothing to say
    scale = np.where(scale > 1e-6 * np.abs(flat).max(axis=0, initial=0), scale, np.inf)
    centre = flat.mean(axis=0)
    test, centroids = (test - centre) / scale, (training.mean(axis=1) - centre) / scale
    if weights is None:
        scores = (test @ centroids.T - np.square(centroids).sum(axis=1) / 2)[..., None]
    else:
        parts = test[:, :, None] * centroids - np.square(centroids) / 2
        scores = parts @ weights
    return scores.argmax(axis=2)
