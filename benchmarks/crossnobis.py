"""Dissimilarities without the bias of noise, where images were shown more than once.

The squared Mahalanobis distance of two patterns is at least 0, so noise alone makes patterns look different. Taking
the difference from one repetition and its product with the difference from another leaves noise out on average:
equal patterns then have distance 0, and single distances can be negative.

Source: Walther, Nili, Ejaz, Alink, Kriegeskorte and Diedrichsen (2016) NeuroImage 137:188.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from benchmarks.rsa import upper_triangle


def crossnobis_rdm(repeats: NDArray, precision: NDArray | None = None) -> NDArray[np.float64]:
    r"""Cross-validated squared Mahalanobis distance of each pair of images, per neuroid.

    With whitened responses :math:`x_{ik}` to image i in repetition k, the mean over pairs :math:`k \ne l` of
    repetitions that show both images of :math:`(x_{ik} - x_{jk}) \cdot (x_{il} - x_{jl})`, over the number of neuroids.

    Parameters
    ----------
    repeats
        (presentation, neuroid, repetition), NaN where an image was not shown (again). A repetition counts for an image
        where all neuroids are finite.
    precision
        (neuroid, neuroid), inverse of the noise's covariance; from `noise_precision` where None, the identity for
        cross-validated Euclidean distances.

    Returns
    -------
    ndarray
        (pair,), float64; NaN for images that share fewer than two repetitions.

    Raises
    ------
    ValueError
        If the array is not three-dimensional, or no image was shown twice.
    """
    repeats = np.asarray(repeats, dtype=np.float64)
    shown = _shown(repeats)
    if precision is None:
        precision = noise_precision(repeats)
    root = np.linalg.cholesky(precision)
    n, n_neuroids, n_repetitions = repeats.shape
    patterns = [np.where(shown[:, k, None], repeats[:, :, k], 0) @ root for k in range(n_repetitions)]
    total, count = np.zeros((n, n)), np.zeros((n, n))
    for first in range(n_repetitions):
        for second in range(first):
            both = shown[:, first] & shown[:, second]
            product = patterns[first] @ patterns[second].T
            own = np.diag(product)
            pairs = np.outer(both, both)
            total += np.where(pairs, own[:, None] + own - product - product.T, 0)
            count += pairs
    with np.errstate(invalid="ignore", divide="ignore"):
        return upper_triangle(total / np.where(count > 0, count, np.nan) / n_neuroids)


def noise_precision(repeats: NDArray) -> NDArray[np.float64]:
    """Inverse of the noise's covariance between neuroids, shrunk towards a multiple of the identity.

    Parameters
    ----------
    repeats
        (presentation, neuroid, repetition), padded with NaN.

    Returns
    -------
    ndarray
        (neuroid, neuroid), from the deviations of single repeats from their image's mean, scaled for the degrees of
        freedom that the means cost.

    Raises
    ------
    ValueError
        As `crossnobis_rdm`.

    Notes
    -----
    Ledoit and Wolf (2004) J Multivar Anal 88:365.
    """
    repeats = np.asarray(repeats, dtype=np.float64)
    shown = _shown(repeats)
    n_shown = shown.sum(axis=1)
    values = np.where(shown[:, None, :], repeats, 0)
    deviations = values - (values.sum(axis=2) / np.maximum(n_shown, 1)[:, None])[:, :, None]
    single = deviations.transpose(0, 2, 1)[shown & (n_shown >= 2)[:, None]]
    n_images = int((n_shown >= 2).sum())
    covariance = ledoit_wolf(single, assume_centered=True)[0] * len(single) / (len(single) - n_images)
    return np.linalg.inv(covariance)


def _shown(repeats) -> NDArray[np.bool_]:
    """Which repetitions of which images are there: (presentation, repetition)."""
    if repeats.ndim != 3:
        raise ValueError(
            f"repeats: expected (presentation, neuroid, repetition), got shape {repeats.shape}. "
            "Pass the single repeats, not their mean."
        )
    shown = np.isfinite(repeats).all(axis=1)
    if not (shown.sum(axis=1) >= 2).any():
        raise ValueError(
            "repeats: expected images with two repetitions or more, finite for every neuroid, got none. Leave out "
            "neuroids that were not recorded throughout, or use benchmarks.rsa.correlation_rdm."
        )
    return shown
