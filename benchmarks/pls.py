r"""Partial least squares of recordings on activations, for all splits from one Gram matrix.

PLS2 by NIPALS, as scikit-learn's ``PLSRegression(scale=False)`` and Brain-Score's "pls" do it: with features X
and responses Y, both centred over the training presentations, each component takes

* the weights :math:`w`, the leading left singular vector of :math:`X^T Y`,
* the scores :math:`t \propto X w`, of unit length over the training presentations,
* and the residuals :math:`X - t t^T X` and :math:`Y - t y^T`, with :math:`y = Y^T t`, to go on with.

Held-out presentations are predicted by :math:`\bar y + \sum_a t_a y_a^T`, their scores made with the training
set's weights and deflated along with it.

**Only** :math:`K = X X^T` **is needed.** Let T hold the scores so far (orthonormal over the training set) and
:math:`Y_a = (I - T T^T) Y`. The singular vector is :math:`w \propto X_a^T Y_a c`, where c is the leading eigenvector of

.. math:: M_a = Y_a^T X_a X_a^T Y_a = Y_a^T K Y_a ,

(neuroid, neuroid): deflating the features drops out, since :math:`Y_a` lies in the complement of T already. So

.. math:: t \propto (I - T T^T) K Y_a c .

The same product, read in the rows of held-out presentations, gives their scores: the training set's deflations
chain to :math:`I - T_{all} T^T`, as the scores are orthonormal. After a component,
:math:`Y_{a+1} = Y_a - t y^T` gives a correction of rank two,

.. math:: M_{a+1} = M_a - y g^T - g y^T + (t^T K t)\, y y^T ,\qquad g = Y_a^T K t .

A component thus costs two products of K with one vector per split, which one matrix product does for all splits.
Features enter through K alone: five times as many cost five times the product that makes K, and nothing else.
Centring needs no copies of K: for a vector u over the training set that sums to zero, the product of the centred
matrix with u is :math:`K u` less its mean over the training set.

The singular vector is exact here. scikit-learn iterates until it moves by less than ``tol``; its default, 1e-6,
leaves a few thousandths in a prediction, and its results come to these as ``tol`` goes to 0.

Sources: Wold, Ruhe, Wold and Dunn (1984) SIAM J Sci Stat Comput 5:735 (NIPALS); Rännar, Lindgren, Geladi and Wold
(1994) J Chemometrics 8:111 (kernels for many variables); Yamins et al. (2014) PNAS 111:8619 (25 components).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from benchmarks.matrix import product
from benchmarks.splits import HeldOut, check_splits, usable_neuroids

N_COMPONENTS = 25
"""As Yamins et al. (2014) and Brain-Score."""


@dataclass(frozen=True)
class PlsResult:
    """Held-out predictions and how many components they rest on.

    Parameters
    ----------
    predictions
        For each split (held-out presentation, neuroid), float64, in the units of the responses. NaN for
        neuroids that could not be used.
    n_components
        (split,), int: components that were taken. Fewer than asked for where the features hold no more.
    usable
        (neuroid,), bool: finite, and varying over the presentations of every training set.
    """

    predictions: tuple[NDArray[np.float64], ...]
    n_components: NDArray[np.int64]
    usable: NDArray[np.bool_]


def pls_predictions(
    products: NDArray[np.float64], responses: NDArray, held_out: HeldOut, n_components: int = N_COMPONENTS
) -> PlsResult:
    """Predict each split's held-out responses by PLS2 from its other presentations.

    All neuroids share the components, so a neuroid's prediction depends on which others were recorded with it.

    Parameters
    ----------
    products
        (presentation, presentation), float64, from `benchmarks.gram.gram`.
    responses
        (presentation, neuroid). Neuroids with NaN, or constant, are left out and marked in ``usable``.
    held_out
        Of each split; the splits need not be disjoint.
    n_components
        As many as the training set and the features allow are taken, where that is fewer: none is made from
        what rounding left over.

    Returns
    -------
    PlsResult
        Where no unit varies, or an activation is not finite, there is nothing to fit: no neuroid is usable.

    Raises
    ------
    ValueError
        If the numbers of presentations disagree, a split leaves nothing to fit, or `n_components` is below 1.
    """
    responses = np.asarray(responses, dtype=np.float64)
    check_splits(products, responses, held_out)
    if n_components < 1:
        raise ValueError(f"n_components: expected 1 or more, got {n_components}. {N_COMPONENTS} is usual.")
    usable = usable_neuroids(responses, held_out)
    if not np.isfinite(products).all() or not np.trace(products) > 0:
        usable[:] = False
    predictions = tuple(np.full((len(part), len(usable)), np.nan) for part in held_out)
    if not usable.any():
        return PlsResult(predictions, np.zeros(len(held_out), dtype=np.int64), usable)
    targets, directions = _compressed(responses[:, usable])
    fitted, used = _fit(products, targets, held_out, n_components)
    for whole, part in zip(predictions, fitted, strict=True):
        whole[:, usable] = part @ directions.T if directions is not None else part
    return PlsResult(predictions, used, usable)


def _compressed(targets):
    """Rotate more targets than presentations into as many as there are presentations.

    Y = Z V' with orthonormal V gives X'Y V = X'Z: the singular vectors, so the scores, are those of Z.
    """
    n, n_targets = targets.shape
    if n_targets <= n:
        return targets, None
    directions, upper = np.linalg.qr(targets.T)
    return upper.T, directions


def _fit(products, targets, held_out, n_components):
    """Return predictions (held-out presentation, target) of each split, and components used (split,)."""
    n, n_targets = targets.shape
    n_splits = len(held_out)
    training = np.ones((n_splits, n))
    for mask, part in zip(training, held_out, strict=True):
        mask[part] = 0
    shares = training / training.sum(axis=1, keepdims=True)
    means = shares @ targets
    covariances = _covariances(products, targets, training, means)
    smallest = n * np.finfo(np.float64).eps * np.trace(products)
    scores = np.zeros((n_splits, n_components, n))  # T, with the rows of held-out presentations
    loadings = np.zeros((n_splits, n_components, n_targets))  # y of each component
    live = np.ones(n_splits, dtype=bool)
    used = np.zeros(n_splits, dtype=np.int64)

    def multiply(vectors):
        """Product of each split's centred Gram matrix with a vector over its training set: (split, n)."""
        whole = product(vectors, products)
        return whole - np.sum(shares * whole, axis=1, keepdims=True)

    for a in range(n_components):
        before, known = scores[:, :a], loadings[:, :a]
        mixed = np.stack([_leading_eigenvector(matrix) for matrix in covariances])
        residual = training * (product(mixed, targets.T) - np.sum(mixed * means, axis=1)[:, None])
        residual -= training * _combine(_project(known, mixed), before)
        score = multiply(residual)
        for _ in range(2):  # once more, for what rounding leaves of the scores before
            score -= _combine(_project(before, training * score), before)
        length = np.linalg.norm(training * score, axis=1)
        live &= length > smallest * np.linalg.norm(residual, axis=1)
        if not live.any():
            break
        # a split whose features are exhausted goes on with scores of zero, which change nothing
        score *= np.where(live, 1 / np.where(live, length, 1), 0)[:, None]
        fitted = training * score
        loading = product(fitted, targets) - fitted.sum(axis=1, keepdims=True) * means
        scores[:, a], loadings[:, a] = score, loading
        used += live
        spread = training * multiply(fitted)
        cross = product(spread, targets) - _combine(_project(before, spread), known)
        power = np.sum(fitted * spread, axis=1)
        cross -= power[:, None] * loading / 2
        covariances -= loading[:, :, None] * cross[:, None] + cross[:, :, None] * loading[:, None]
    predictions = [
        mean + score[:, part].T @ loading
        for mean, score, loading, part in zip(means, scores, loadings, held_out, strict=True)
    ]
    return predictions, used


def _covariances(products, targets, training, means):
    """M of each split, before the first component: (split, target, target)."""
    covariances = np.empty((len(training), targets.shape[1], targets.shape[1]))
    near = targets.mean(axis=0)
    whole = product(products, targets - near)
    for covariance, mask, mean in zip(covariances, training, means, strict=True):
        centred = (targets - mean) * mask[:, None]
        # the product of all presentations is shared; a split takes its held-out ones, and its mean, out of it
        left_out = np.flatnonzero(mask == 0)
        own = whole - product(products[:, left_out], targets[left_out] - near)
        own -= np.outer(products @ mask, mean - near)
        covariance[:] = product(centred.T, own)
    return covariances


def _project(basis, vectors):
    """Inner products of each split's vector with its basis: (split, component)."""
    return np.matmul(basis, vectors[:, :, None])[:, :, 0]


def _combine(weights, basis):
    """Sum each split's basis (split, component, ...) by its weights (split, component)."""
    return np.matmul(weights[:, None], basis)[:, 0]


def _leading_eigenvector(matrix):
    last = len(matrix) - 1
    return eigh(matrix, subset_by_index=[last, last], check_finite=False)[1][:, 0]
