"""Centred kernel alignment of a layer and recordings, or of two layers, from their Gram matrices alone.

Linear CKA is the cosine of two centred Gram matrices. It is biased upwards where units outnumber presentations: two
sets of noise look alike. The debiased form replaces the inner product of the matrices by Song et al.'s unbiased
estimate, HSIC_1, and is 0 on average for independent features; it can be negative.

Sources: Kornblith, Norouzi, Lee and Hinton (2019) ICML, section 3; Song, Smola, Gretton, Bedo and Borgwardt (2012)
JMLR 13:1393, equation 5 (HSIC_1); Nguyen, Raghu and Kornblith (2021) ICLR (the two together).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.gram import centred

MIN_PRESENTATIONS = 4
"""HSIC_1 divides by n - 3."""


def linear_cka(first: NDArray, second: NDArray, *, debiased: bool = True) -> float:
    """Centred kernel alignment of two sets of features.

    Parameters
    ----------
    first, second
        (presentation, presentation), Gram matrices over the same presentations, centred or not; see
        `benchmarks.gram.gram`.
    debiased
        Whether by HSIC_1, or the cosine of the matrices.

    Returns
    -------
    float
        NaN where either holds a NaN, does not vary, or (debiased) its estimated variance is not above 0.

    Raises
    ------
    ValueError
        If the matrices are not square and of one size, or of fewer than 4 presentations.
    """
    return float(cka_matrix([first], [second], debiased=debiased)[0, 0])


def cka_matrix(first: Sequence[NDArray], second: Sequence[NDArray], *, debiased: bool = True) -> NDArray[np.float64]:
    """Centred kernel alignment of each of some Gram matrices with each of others.

    Parameters
    ----------
    first, second
        Sequences of (presentation, presentation), such as a layer's steps and a recording's time bins.
    debiased
        As in `linear_cka`.

    Returns
    -------
    ndarray
        (first, second), float64.

    Raises
    ------
    ValueError
        As `linear_cka`.
    """
    shapes = {np.shape(matrix) for matrix in (*first, *second)}
    n = next(iter(shapes))[0]
    if shapes != {(n, n)} or n < MIN_PRESENTATIONS:
        raise ValueError(
            f"expected Gram matrices of the same {MIN_PRESENTATIONS} or more presentations, got shapes "
            f"{sorted(shapes)}. Show both the same stimuli, in one order."
        )
    prepare = u_centred if debiased else centred
    ours, theirs = (
        np.stack([prepare(np.asarray(matrix, dtype=np.float64)).ravel() for matrix in each]) for each in (first, second)
    )
    inner = ours @ theirs.T
    squares = [np.einsum("ij,ij->i", each, each) for each in (ours, theirs)]
    # what centring leaves of constant features is rounding, not variance
    floors = [_floor(each) for each in (first, second)]
    norms = [np.sqrt(np.where(s > f, s, np.nan)) for s, f in zip(squares, floors, strict=True)]
    return inner / norms[0][:, None] / norms[1]


def _floor(matrices) -> NDArray[np.float64]:
    return np.array([np.finfo(np.float64).eps ** 2 * np.size(m) ** 2 * np.square(m).mean() for m in matrices])


def u_centred(products: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Centre a Gram matrix so that inner products of two such matrices are HSIC_1, times n (n - 3).

    With the diagonal of K set to 0, subtract from each entry off the diagonal the sums of its row and column over
    n - 2, and add the sum of all over (n - 1)(n - 2); the diagonal stays 0. Expanding
    :math:`\sum_{ij} \tilde K_{ij} \tilde L_{ij}` gives Song et al.'s
    :math:`\mathrm{tr} KL + \frac{1^T K 1\, 1^T L 1}{(n-1)(n-2)} - \frac{2}{n-2} 1^T K L 1`.

    Parameters
    ----------
    products
        (presentation, presentation), symmetric.

    Notes
    -----
    Székely and Rizzo (2014) Ann Stat 42:2382, definition 2.
    """
    n = len(products)
    hollow = products.copy()
    np.fill_diagonal(hollow, 0)
    rows = hollow.sum(axis=0) / (n - 2)
    hollow -= rows[:, None] + rows[None, :]
    hollow += rows.sum() / (n - 1)
    np.fill_diagonal(hollow, 0)
    return hollow
