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
* the residual maker of the fit on the training set T (without S), from the Schur complement:
  :math:`R_{TT} - R_{TS} R_{SS}^{-1} R_{ST}`. Its leave-one-out residuals are
  :math:`c_i / d_i`, with :math:`c = (R y)_T - R_{TS} R_{SS}^{-1} (R y)_S` and d its diagonal.

So one eigendecomposition gives, for each penalty and split, the held-out predictions and the leave-one-out
error inside the training set that chooses the penalty; the held-out responses never enter that choice.
`ridge_predictions` chooses for each neuroid; `benchmarks.ridge_cv` chooses one penalty for all, as scikit-learn's
``RidgeCV`` and Brain-Score do.

Sources: Golub, Heath and Wahba (1979) Technometrics 21:215 (leave-one-out); Saunders, Gammerman and Vovk
(1998) ICML (dual ridge).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky
from scipy.linalg.blas import dtrsm

from benchmarks.matrix import eigenvectors, product, self_product, subtract_product
from benchmarks.splits import HeldOut, check_splits, usable_neuroids

RELATIVE_PENALTIES = np.logspace(-3, 3, 13)
"""Penalties in units of the mean eigenvalue of the centred Gram matrix, half a decade apart."""


@dataclass(frozen=True)
class RidgeResult:
    """Held-out predictions and how they came about.

    Parameters
    ----------
    predictions
        For each split (held-out presentation, neuroid), float64, in the units of the responses. NaN for neuroids
        that could not be used.
    penalties
        (split, neuroid), float64, the penalty chosen inside each training set. NaN for neuroids not used.
    grid
        (penalty,), float64, the penalties that were compared.
    usable
        (neuroid,), bool: finite and varying over the presentations of every training set.
    """

    predictions: tuple[NDArray[np.float64], ...]
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


def ridge_predictions(
    products: NDArray[np.float64],
    responses: NDArray[np.float64],
    held_out: HeldOut,
    relative_penalties: NDArray[np.float64] = RELATIVE_PENALTIES,
) -> RidgeResult:
    """Predict each split's held-out responses from its others, with a penalty chosen by leave-one-out on those.

    The penalty is chosen for each neuroid and split from a grid that all neuroids share. The grid is scaled by
    the mean eigenvalue of the whole Gram matrix: that uses the held-out presentations' features, never their
    responses.

    Parameters
    ----------
    products
        (presentation, presentation), float64, from `benchmarks.gram.gram`.
    responses
        (presentation, neuroid). Neuroids with NaN, or constant, are left out and marked in ``usable``.
    held_out
        Of each split; the splits need not be disjoint.
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
        If the numbers of presentations disagree or a split leaves nothing to fit.
    """
    responses = np.asarray(responses, dtype=np.float64)
    check_splits(products, responses, held_out)
    result = unused_result(responses.shape[1], held_out, len(relative_penalties))
    usable = usable_neuroids(responses, held_out)
    if not (informative(products) and usable.any()):
        return result
    grid = np.asarray(relative_penalties, dtype=np.float64) * mean_eigenvalue(products)
    targets = responses[:, usable]
    design = RidgeDesign.decompose(products, targets, held_out)
    best_error = np.full((len(held_out), targets.shape[1]), np.inf)
    for penalty in grid:
        for split, one in enumerate(design.leave_out(penalty)):
            error = np.square(one.loo_residuals).mean(axis=0)
            chosen = np.flatnonzero(usable)[error < best_error[split]]
            better = error < best_error[split]
            best_error[split, better] = error[better]
            result.penalties[split, chosen] = penalty
            result.predictions[split][:, chosen] = responses[np.ix_(held_out[split], chosen)] - one.residuals[:, better]
    return RidgeResult(result.predictions, result.penalties, grid, usable)


def unused_result(n_neuroids: int, held_out: HeldOut, n_penalties: int) -> RidgeResult:
    """Return a result in which nothing was fitted, of the right shapes."""
    predictions = tuple(np.full((len(part), n_neuroids), np.nan) for part in held_out)
    penalties = np.full((len(held_out), n_neuroids), np.nan)
    return RidgeResult(predictions, penalties, np.full(n_penalties, np.nan), np.zeros(n_neuroids, dtype=bool))


def mean_eigenvalue(products: NDArray) -> float:
    """Mean eigenvalue of a centred Gram matrix, the direction of ones left out."""
    return float(np.trace(products) / (len(products) - 1))


def informative(products: NDArray) -> bool:
    """Say whether a Gram matrix is finite and any unit varies."""
    return bool(np.isfinite(products).all() and np.trace(products) > 0)


@dataclass(frozen=True)
class LeftOut:
    """A fit to one split's training set, with one penalty.

    Parameters
    ----------
    residuals
        (held-out presentation, target), responses minus predictions.
    numerators, leverages
        (training presentation, target) and (training presentation,): c and d of the module's text.
    """

    residuals: NDArray[np.float64]
    numerators: NDArray[np.float64]
    leverages: NDArray[np.float64]

    @property
    def loo_residuals(self) -> NDArray[np.float64]:
        """(training presentation, target): of fits that leave that presentation out too."""
        return self.numerators / self.leverages[:, None]


@dataclass(frozen=True)
class RidgeDesign:
    """A layer's decomposition with the targets and splits that share it.

    Parameters
    ----------
    values, vectors
        Eigenvalues (presentation,) and eigenvectors of the Gram matrix, whose direction of ones is lifted to `lift`.
    lift
        The mean eigenvalue.
    targets
        (presentation, target), zero mean.
    held_out
        Of each split.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    lift: float
    targets: NDArray[np.float64]
    held_out: HeldOut

    @classmethod
    def decompose(cls, products: NDArray, targets: NDArray, held_out: HeldOut) -> RidgeDesign:
        """Decompose a centred Gram matrix."""
        n, lift = len(products), mean_eigenvalue(products)
        # The direction of ones has eigenvalue 0. Lifting it to the mean eigenvalue before the decomposition, and
        # taking its known share out of R afterwards, avoids subtracting 1 - 1 where the penalty is small.
        values, vectors = eigenvectors(products + lift / n)
        values = np.where(values > n * np.finfo(np.float64).eps * values[-1], values, 0)
        return cls(values, vectors, lift, targets - targets.mean(axis=0), held_out)

    def leave_out(self, penalty: float, held_out: HeldOut | None = None) -> Iterator[LeftOut]:
        """Yield each split's fit with one penalty, of these splits only where they are given."""
        maker = self._residual_maker(penalty)
        moved = product(maker, self.targets)
        diagonal = maker.diagonal()
        held_out = self.held_out if held_out is None else held_out
        # Used again by every split: to be given fresh memory takes longer than what is computed in it.
        rows, left = np.empty((max(map(len, held_out), default=0), len(maker))), np.empty_like(moved)
        for part in held_out:
            yield _leave_out(maker, moved, diagonal, part, rows[: len(part)], left)

    def _residual_maker(self, penalty: float) -> NDArray[np.float64]:
        """Return I - H, the cheaper of two equal ways."""
        n = len(self.values)
        spanned = self.values > 0
        if 2 * spanned.sum() >= n:
            half = self.vectors * np.sqrt(penalty / (self.values + penalty))
            maker = self_product(half)
        else:
            values = self.values[spanned]
            half = self.vectors[:, spanned] * np.sqrt(values / (values + penalty))
            maker = -self_product(half)
            maker.flat[:: n + 1] += 1
        maker -= penalty / (self.lift + penalty) / n
        return maker


def _leave_out(maker, moved, diagonal, part, rows, left) -> LeftOut:
    """Fit without some presentations, from the residual maker of all; `rows` and `left` are memory to work in."""
    try:
        root = cholesky(maker[np.ix_(part, part)], lower=True, check_finite=False)
    except LinAlgError:
        # rounding has eaten the smallest penalties: such a fit interpolates, and cannot be chosen
        unknown = np.full((len(moved) - len(part), moved.shape[1]), np.inf)
        return LeftOut(np.full(moved[part].shape, np.nan), unknown, np.ones(len(unknown)))
    # with R_SS = L L', everything the Schur complement needs is (R_TS L^-T): one triangular solve
    np.take(maker, part, axis=0, out=rows, mode="clip")  # "raise" would copy
    across = dtrsm(1.0, root, rows.T, side=1, lower=1, trans_a=1, overwrite_b=1)
    whitened = dtrsm(1.0, root, moved[part], lower=1)
    residuals = dtrsm(1.0, root, whitened, lower=1, trans_a=1)
    np.copyto(left, moved)
    subtract_product(left, across, whitened)
    leverages = diagonal - np.einsum("ij,ij->i", across, across)
    training = np.delete(np.arange(len(moved)), part)
    return LeftOut(residuals, left[training], leverages[training])
