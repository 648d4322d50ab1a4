"""A readout that gives probabilities of categories for images it was not fitted on, a new one at every step.

Multinomial logistic regression on standardised units with an L2 penalty: the decoder of object solution times (Kar et
al. 2019; Brain-Score's ``ost``), here at its optimum. Brain-Score stops Adam after 40 epochs at a rate of 1e-4, which
depends on its start, needs TensorFlow, and penalises the bias too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax

from benchmarks.matrix import eigenvectors, product, self_product

WEIGHT_DECAY = 0.463
"""Penalty on half the squared weights, beside the mean cross-entropy: Brain-Score, 1 / (C n), C = 1e-3, n = 2160."""


def held_out_log_probabilities(
    activations: NDArray,
    labels: ArrayLike,
    folds: ArrayLike,
    trains: ArrayLike | None = None,
    weight_decay: float = WEIGHT_DECAY,
) -> NDArray[np.float64]:
    """Read out each image's categories with a decoder that was fitted on the other folds.

    Parameters
    ----------
    activations
        (step, image, unit), finite.
    labels
        (image,), category index, 0 to C - 1.
    folds
        (image,), fold of each image; images that show the same thing share one.
    trains
        bool, (image,): images that decoders may be fitted on; all by default. All images are read out.
    weight_decay
        As `WEIGHT_DECAY`.

    Returns
    -------
    ndarray
        float64, (step, image, category), natural logarithms.

    Raises
    ------
    ValueError
        If shapes disagree, an activation is not finite, or a category has no image to be fitted on.
    """
    activations, labels, folds = np.asarray(activations), np.asarray(labels), np.asarray(folds)
    trains = np.ones(len(labels), bool) if trains is None else np.asarray(trains, bool)
    _check(activations, labels, folds, trains)
    n_categories = int(labels.max()) + 1
    result = np.empty((*activations.shape[:2], n_categories))
    for fold in np.unique(folds):
        left, fitted = folds == fold, (folds != fold) & trains
        absent = np.setdiff1d(np.arange(n_categories), labels[fitted])
        if len(absent):
            raise ValueError(
                f"held_out_log_probabilities: expected images of every category outside fold {fold}, got none of "
                f"category {absent[0]}. Use fewer folds or more images."
            )
        for step, features in enumerate(activations):
            result[step, left] = _fit_and_read(features[fitted], labels[fitted], features[left], weight_decay)
    return result


def _fit_and_read(fitted, labels, left, weight_decay):
    from sklearn.linear_model import LogisticRegression  # slow to import, and listing benchmarks needs none of it

    fitted, left = _standardise(fitted, left)
    fitted, left = _rotate(fitted, left)
    decoder = LogisticRegression(C=1 / (weight_decay * len(labels)), max_iter=2000, tol=1e-6).fit(fitted, labels)
    values = left @ decoder.coef_.T + decoder.intercept_
    if values.shape[1] == 1:  # scikit-learn gives one row of weights for two categories
        values = np.concatenate([np.zeros_like(values), values], axis=1)
    return log_softmax(values, axis=1)


def _standardise(fitted, left):
    fitted, left = fitted.astype(np.float64), left.astype(np.float64)
    centre, spread = fitted.mean(axis=0), fitted.std(axis=0)
    spread = np.where(spread > 1e-12 * (1 + np.abs(centre)), spread, 1)
    return (fitted - centre) / spread, (left - centre) / spread


def _rotate(fitted, left):
    """Turn to the space that the fitted images span: penalised weights lie in it, and there are fewer images."""
    if fitted.shape[1] <= len(fitted):
        return fitted, left
    values, vectors = eigenvectors(self_product(fitted))
    kept = values > 1e-12 * max(values[-1], 1e-300)
    scale = np.sqrt(values[kept])
    return vectors[:, kept] * scale, product(left, product(fitted.T, vectors[:, kept] / scale))


def _check(activations, labels, folds, trains):
    if activations.ndim != 3 or not activations.shape[1] == len(labels) == len(folds) == len(trains):
        raise ValueError(
            f"held_out_log_probabilities: expected activations (step, image, unit) with a label, a fold and a mark per "
            f"image, got {activations.shape}, {len(labels)}, {len(folds)}, {len(trains)}. Pass one of each per image."
        )
    if not np.isfinite(activations).all():
        raise ValueError(
            "held_out_log_probabilities: expected finite activations, got "
            f"{np.count_nonzero(~np.isfinite(activations))} that are not. Check the model and the images."
        )
