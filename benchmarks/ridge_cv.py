r"""Ridge with one penalty for all neuroids, as scikit-learn's ``RidgeCV`` chooses it, from a few solves.

The leave-one-out errors of a long grid of penalties share more than an eigendecomposition. In the terms of
`benchmarks.ridge`, both c and d of every split are, as functions of the penalty a, sums of

.. math:: f_w(a) = \frac{a}{w + a}, \qquad 0 \le w \le w_{max},

since no split's eigenvalue exceeds the largest of all presentations. These functions are so smooth in log a that a
few penalties determine the others: a column-pivoted QR of :math:`f_w(a_j)` over a fine grid of w picks a skeleton of
penalties and weights W with

.. math:: \max_w \Big| f_w(a_j) - \sum_p f_w(a_p) W_{pj} \Big| \le \delta .

Solving at the skeleton alone then gives c, over all presentations together, within :math:`\delta \lVert y \rVert`
(eigenvectors are orthonormal), and each d within :math:`2 \delta`, at *every* penalty of the grid: so bounds on every
leave-one-out error. Penalties that could be the best within these bounds (one, or a few neighbours) are solved
themselves, and the best of those is taken: the penalty that the whole grid would have chosen.

The mean over neuroids needs no residual of the penalties in between. With c of the skeleton in the rows of
:math:`C_i` (penalty, neuroid), presentation i contributes :math:`W_j^T C_i C_i^T W_j / d_{ij}^2`.

Sources: Golub, Heath and Wahba (1979) Technometrics 21:215; Cheng, Gimbutas, Martinsson and Rokhlin (2005) SIAM J Sci
Comput 26:1389 (skeletons).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr, solve_triangular

from benchmarks.ridge import LeftOut, RidgeDesign, RidgeResult, informative, unused_result
from benchmarks.splits import HeldOut, check_splits, usable_neuroids

BRAIN_SCORE_PENALTIES = np.concatenate(
    [
        [0.01, 0.1, 0.5, 1.0],
        np.linspace(1e1, 1e2, 4, endpoint=False),
        *(np.linspace(10.0**k, 10.0 ** (k + 1), 18, endpoint=False) for k in range(2, 6)),
        np.linspace(1e6, 1e7, 19),
    ]
)
"""The 99 penalties of Brain-Score's ridgecv metrics (brainscore_vision 2.4.2, ``regression_correlation``)."""

SKELETON_ERROR = 1e-6
"""About the largest error of a function that the skeleton interpolates; the functions lie between 0 and 1. The error
that counts is measured."""
N_EIGENVALUES = 1500
ROUNDING = 100 * np.finfo(np.float64).eps
"""Of a sum of products whose terms cancel, relative to the largest of them."""


@dataclass(frozen=True)
class Skeleton:
    """Penalties that determine the others.

    Parameters
    ----------
    chosen
        (skeleton penalty,), indices into the grid.
    weights
        (skeleton penalty, penalty).
    error
        Largest error of an interpolated function.
    """

    chosen: NDArray[np.int64]
    weights: NDArray[np.float64]
    error: float


def make_skeleton(grid: NDArray[np.float64], largest: float) -> Skeleton:
    """Pick the penalties of a grid that determine all of it.

    Parameters
    ----------
    grid
        (penalty,), above 0.
    largest
        The largest eigenvalue.
    """
    functions = _functions(grid, largest, N_EIGENVALUES)
    _, upper, order = qr(functions, mode="economic", pivoting=True)
    size = int(np.sum(np.abs(np.diag(upper)) > SKELETON_ERROR * np.sqrt(len(functions)) / 10))
    chosen = order[:size]
    weights = np.zeros((size, len(grid)))
    weights[:, order] = solve_triangular(upper[:size, :size], upper[:size])
    # between the eigenvalues that were fitted, too
    finer = _functions(grid, largest, 3 * N_EIGENVALUES)
    error = np.abs(finer - finer[:, chosen] @ weights).max()
    return Skeleton(chosen, weights, float(error))


def _functions(grid, largest, n_eigenvalues):
    """f_w(a): (eigenvalue, penalty), for eigenvalues 0, and from all that a penalty can tell from 0 to `largest`."""
    smallest = min(grid.min() * 1e-12, largest)
    values = np.concatenate([[0], np.geomspace(smallest, largest, n_eigenvalues)])
    return grid / (values[:, None] + grid)


def ridge_cv_predictions(
    products: NDArray[np.float64],
    responses: NDArray,
    held_out: HeldOut,
    penalties: NDArray[np.float64] = BRAIN_SCORE_PENALTIES,
) -> RidgeResult:
    """Predict each split's held-out responses as ``RidgeCV(penalties)`` does, fitted to its other presentations.

    Parameters
    ----------
    products
        (presentation, presentation), float64, from `benchmarks.gram.gram`.
    responses
        (presentation, neuroid). Neuroids with NaN, or constant, are left out and marked in ``usable``.
    held_out
        Of each split; the splits need not be disjoint.
    penalties
        (penalty,), in the units of the Gram matrix.

    Returns
    -------
    RidgeResult
        Each row of ``penalties`` holds one number: the penalty with the smallest leave-one-out error, averaged over
        training presentations and usable neuroids.

    Raises
    ------
    ValueError
        If the numbers of presentations disagree, a split leaves nothing to fit, or a penalty is not above 0.
    """
    responses = np.asarray(responses, dtype=np.float64)
    grid = np.asarray(penalties, dtype=np.float64)
    check_splits(products, responses, held_out)
    if not len(grid) or not (np.isfinite(grid) & (grid > 0)).all():
        raise ValueError(f"penalties: expected finite numbers above 0, got {grid}. Leave out what is not.")
    result = unused_result(responses.shape[1], held_out, len(grid))
    usable = usable_neuroids(responses, held_out)
    if not (informative(products) and usable.any()):
        return result
    design = RidgeDesign.decompose(products, responses[:, usable], held_out)
    fits = _best_fits(design, grid)
    for split, (part, (index, fit)) in enumerate(zip(held_out, fits, strict=True)):
        result.predictions[split][:, usable] = responses[np.ix_(part, usable)] - fit.residuals
        result.penalties[split, usable] = grid[index]
    return RidgeResult(result.predictions, result.penalties, grid, usable)


def _best_fits(design: RidgeDesign, grid) -> list[tuple[int, LeftOut]]:
    """For each split, the index of the best penalty and the fit with it."""
    skeleton = make_skeleton(grid, design.values[-1])
    solved = {index: list(design.leave_out(grid[index])) for index in skeleton.chosen}
    norm = np.linalg.norm(design.targets)
    best = []
    for split in range(len(design.held_out)):
        candidates = _candidates([solved[index][split] for index in skeleton.chosen], skeleton, norm)
        for index in candidates:
            if index not in solved:
                solved[index] = list(design.leave_out(grid[index]))
        errors = [np.square(solved[index][split].loo_residuals).mean() for index in candidates]
        index = candidates[int(np.argmin(errors))]
        best.append((int(index), solved[index][split]))
    return best


def _candidates(fits: list[LeftOut], skeleton: Skeleton, norm: float) -> NDArray[np.int64]:
    """Return the penalties (indices) that can be the best of one split, within the error of the skeleton."""
    weights, error = skeleton.weights, skeleton.error
    numerators = np.stack([fit.numerators for fit in fits], axis=1)  # (presentation, skeleton penalty, target)
    inner = np.matmul(numerators, numerators.transpose(0, 2, 1))
    squares = np.maximum(np.einsum("ipj,pj->ij", np.matmul(inner, weights), weights), 0)
    largest = inner.diagonal(axis1=1, axis2=2).max(axis=1)
    leverages = np.stack([fit.leverages for fit in fits], axis=1) @ weights
    smallest = (leverages - 2 * error).min(axis=0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        root = np.sqrt(np.sum(squares / leverages**2, axis=0))
        # c is off by error * norm in all, so c / d by (error * norm + 2 error |c / d|) / d; and the squares by rounding
        moved = error * (norm + 2 * root) / smallest
        lost = ROUNDING * largest.sum() / smallest**2
        low, high = np.square(np.maximum(root - moved, 0)) - lost, np.square(root + moved) + lost
    unknown = (smallest <= 0) | ~np.isfinite(low + high)
    low[unknown], high[unknown] = -np.inf, np.inf
    return np.flatnonzero(low <= high.min())
