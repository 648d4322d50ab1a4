r"""Cross-validated ridge regression of recordings on activations, from one eigendecomposition per layer.

With features :math:`X` (presentation, unit), responses :math:`y` and an intercept that is not penalised,
ridge predicts :math:`\hat y = H y`. Centre the features over presentations (the intercept absorbs the shift)
and let
:math:`K = X X^T = U \,\mathrm{diag}(w)\, U^T`. The vector of ones is then an eigenvector of K with eigenvalue
0, and the residual maker is

.. math:: R = I - H = U \,\mathrm{diag}\Big(\frac{a}{w + a}\Big) U^T - \frac{1 1^T}{n}.

Everything that leaves presentations out follows from blocks of R, because fitting without the set S gives the
fit that would result if the responses in S were moved until their residuals, as predicted from the rest, were
zero:

* residuals on S of a fit without S: :math:`R_{SS}^{-1} (R y)_S`;
* the residual maker, up to the scale that cancels below, of the fit on the training set T (without S), from
the Schur
  complement: :math:`R_{TT} - R_{TS} R_{SS}^{-1} R_{ST}`. Its leave-one-out residuals are
  :math:`\big[(R y)_T - R_{TS} R_{SS}^{-1} (R y)_S\big]_i \,/\, \big[R_{TT} - R_{TS} R_{SS}^{-1}
  R_{ST}\big]_{ii}`.

So one eigendecomposition gives, for each penalty and fold, the held-out predictions and the leave-one-out
error inside the training fold that chooses the penalty; the held-out responses never enter that choice.

Sources: Golub, Heath and Wahba (1979) Technometrics 21:215 (leave-one-out); Saunders, Gammerman and Vovk
(1998) ICML (dual ridge).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.linalg.blas import dtrsm

RELATIVE_PENALTIES = np.logspace(-3, 3, 13)
"""Penalties in units of the mean eigenvalue of the centred Gram matrix, half a decade apart."""

UNITS_PER_BLOCK = 4096
"""Units per float32 product in `gram`; the products are summed in float64."""


@dataclass(frozen=True)
class RidgeResult:
    """Held-out predictions and how they came about.

    Parameters
    ----------
    predictions
        (presentation, neuroid), float64, in the units of the responses; each made by a fit without that
        presentation's fold. NaN for neuroids that could not be used.
    penalties
        (fold, neuroid), float64, the penalty chosen inside each training fold. NaN for neuroids not used.
    grid
        (penalty,), float64, the penalties that were compared.
    usable
        (neuroid,), bool: finite and varying over the presentations of every training fold.
    """

    predictions: NDArray[np.float64]
    penalties: NDArray[np.float64]
    grid: NDArray[np.float64]
    usable: NDArray[np.bool_]

    @property
    def share_at_edge(self) -> float:
        """Share of choices that fell on the smallest or largest penalty; NaN where nothing was chosen."""
        chosen = self.penalties[:, self.usable]
        if not chosen.size:
            return float("nan")
        return float(np.isin(chosen, self.grid[[0, -1]]).mean())


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


def gram(features: NDArray) -> NDArray[np.float64]:
    """Inner products of presentations, after each unit's mean has been removed.

    float32 features are multiplied in float32, `UNITS_PER_BLOCK` units at a time, and summed in float64: this
    moves the held-out correlation by less than 1e-4 (a test holds it to that) and takes half the time.

    Parameters
    ----------
    features
        (presentation, unit), float32 or float64.

    Returns
    -------
    ndarray
        (presentation, presentation), float64, symmetric; rows sum to zero.

    Raises
    ------
    ValueError
        If the features are not two-dimensional.
    """
    features = np.asarray(features)
    if features.ndim != 2:
        raise ValueError(
            f"features: expected (presentation, unit), got shape {features.shape}. Flatten the units of a layer first."
        )
    n = len(features)
    total = np.zeros((n, n))
    for start in range(0, features.shape[1], UNITS_PER_BLOCK):
        block = features[:, start : start + UNITS_PER_BLOCK]
        block = block - block.mean(axis=0, dtype=np.float64).astype(block.dtype)
        total += block @ block.T
    # float32 means leave a remainder of each unit's mean; remove it exactly from the products
    rows = total.mean(axis=0)
    return total - rows[:, None] - rows[None, :] + rows.mean()


def usable_neuroids(responses: NDArray, folds: tuple[NDArray[np.int64], ...]) -> NDArray[np.bool_]:
    """Find neuroids that can be fitted: finite everywhere, and not constant over any training fold.

    Parameters
    ----------
    responses
        (presentation, neuroid).
    folds
        Held-out presentations of each fold.

    Returns
    -------
    ndarray
        (neuroid,), bool.
    """
    usable = np.isfinite(responses).all(axis=0)
    for held_out in folds:
        training = np.delete(responses, held_out, axis=0)
        usable &= (training != training[:1]).any(axis=0)
    return usable


def ridge_predictions(
    products: NDArray[np.float64],
    responses: NDArray[np.float64],
    folds: tuple[NDArray[np.int64], ...],
    relative_penalties: NDArray[np.float64] = RELATIVE_PENALTIES,
) -> RidgeResult:
    """Predict each fold's responses from the other folds, with a penalty chosen by leave-one-out on those.

    The penalty is chosen for each neuroid and fold from a grid that all neuroids share. The grid is scaled by
    the mean eigenvalue of the whole Gram matrix: that uses the held-out presentations' features, never their
    responses.

    Parameters
    ----------
    products
        (presentation, presentation), float64, from `gram`.
    responses
        (presentation, neuroid). Neuroids with NaN, or constant, are left out and marked in ``usable``.
    folds
        Held-out presentations of each fold; together all presentations, once.
    relative_penalties
        (penalty,), in units of the mean eigenvalue of the Gram matrix.

    Returns
    -------
    RidgeResult
        Held-out predictions, chosen penalties, the grid, and which neuroids were used. Where no unit varies,
        or an activation is not finite, there is nothing to fit: no neuroid is usable.

    Raises
    ------
    ValueError
        If the numbers of presentations disagree or the folds do not cover every presentation once.
    """
    responses = np.asarray(responses, dtype=np.float64)
    n, n_neuroids = _checked_shape(products, responses, folds)
    predictions = np.full((n, n_neuroids), np.nan)
    chosen = np.full((len(folds), n_neuroids), np.nan)
    mean_eigenvalue = np.trace(products) / (n - 1)
    if not (np.isfinite(products).all() and mean_eigenvalue > 0):
        nothing = np.full(len(relative_penalties), np.nan)
        return RidgeResult(predictions, chosen, nothing, np.zeros(n_neuroids, dtype=bool))
    grid = np.asarray(relative_penalties, dtype=np.float64) * mean_eigenvalue
    usable = usable_neuroids(responses, folds)
    if usable.any():
        # Fold by fold, so that each block of the residual maker is a view and not a copy.
        order = np.concatenate(folds)
        targets = responses[np.ix_(order, usable)]
        targets -= targets.mean(axis=0)
        sizes = [len(fold) for fold in folds]
        residuals, best = _fit_sorted(products[np.ix_(order, order)], mean_eigenvalue, targets, sizes, grid)
        predictions[np.ix_(order, usable)] = responses[np.ix_(order, usable)] - residuals
        chosen[:, usable] = grid[best]
    return RidgeResult(predictions, chosen, grid, usable)


def _checked_shape(products, responses, folds) -> tuple[int, int]:
    n = len(responses)
    if responses.ndim != 2 or products.shape != (n, n):
        raise ValueError(
            "expected responses (presentation, neuroid) and a Gram matrix over the same presentations, got "
            f"{responses.shape} and {products.shape}. "
            "Record the model on the recording's own stimuli, in their order."
        )
    if not np.array_equal(np.sort(np.concatenate(folds)), np.arange(n)):
        raise ValueError(
            f"folds: expected every one of {n} presentations held out once, got {sum(map(len, folds))} "
            "entries. Use make_folds."
        )
    return responses.shape


def _fit_sorted(products, mean_eigenvalue, targets, sizes, grid):
    """Return held-out residuals (presentation, neuroid) and the index of the best penalty (fold, neuroid).

    Presentations are sorted by fold; targets have zero mean.
    """
    n = len(products)
    # The direction of ones has eigenvalue 0. Lifting it to the mean eigenvalue before the decomposition, and
    # taking its known share out of R afterwards, avoids subtracting 1 - 1 where the penalty is small.
    values, vectors = np.linalg.eigh(products + mean_eigenvalue / n)
    values = np.where(values > n * np.finfo(np.float64).eps * values[-1], values, 0)
    ends = np.cumsum(sizes)
    slices = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    best_error = np.full((len(sizes), targets.shape[1]), np.inf)
    best_index = np.zeros(best_error.shape, dtype=np.int64)
    residuals = np.full(targets.shape, np.nan)
    for index, penalty in enumerate(grid):
        maker = _residual_maker(values, vectors, penalty)
        maker -= penalty / (mean_eigenvalue + penalty) / n
        moved = maker @ targets
        diagonal = maker.diagonal()
        for fold, held_out in enumerate(slices):
            held_out_residuals, error = _leave_out(maker, moved, diagonal, held_out)
            better = error < best_error[fold]
            best_error[fold, better] = error[better]
            best_index[fold, better] = index
            residuals[held_out, better] = held_out_residuals[:, better]
    return residuals, best_index


def _residual_maker(values, vectors, penalty):
    """Return I - H with the lifted direction of ones still in it: the cheaper of two equal ways."""
    n = len(values)
    spanned = values > 0
    if 2 * spanned.sum() >= n:
        half = vectors * np.sqrt(penalty / (values + penalty))
        return half @ half.T
    values = values[spanned]
    half = vectors[:, spanned] * np.sqrt(values / (values + penalty))
    maker = -(half @ half.T)
    maker.flat[:: n + 1] += 1
    return maker


def _leave_out(maker, moved, diagonal, held_out: slice):
    """Return residuals on the held-out block, and the mean squared leave-one-out error on the rest."""
    try:
        root = cholesky(maker[held_out, held_out], lower=True, check_finite=False)
    except LinAlgError:
        # rounding has eaten the smallest penalties: such a fit interpolates, and cannot be chosen
        unknown = np.full(moved[held_out].shape, np.nan)
        return unknown, np.full(moved.shape[1], np.inf)
    # with R_SS = L L', everything the Schur complement needs is (R_TS L^-T): one triangular solve
    across = dtrsm(1.0, root, maker[held_out].T, side=1, lower=1, trans_a=1)
    whitened = solve_triangular(root, moved[held_out], lower=True, check_finite=False)
    residuals = solve_triangular(root, whitened, lower=True, trans="T", check_finite=False)
    errors = np.delete(moved - across @ whitened, held_out, axis=0)
    leverage = np.delete(diagonal - np.einsum("ij,ij->i", across, across), held_out)
    return residuals, np.square(errors / leverage[:, None]).mean(axis=0)
