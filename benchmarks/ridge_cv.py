r"""Ridge with one penalty for all neuroids, as scikit-learn's ``RidgeCV`` chooses it, from a few solves.

Solving for a penalty costs far more than bounding its leave-one-out error from solved ones (`benchmarks.ridge_bounds`).
So each split's search keeps penalties *open* that may still be the best. A penalty is closed once it was solved, or
once its lower bound exceeds the smallest error of those solved; the search ends when none is open, and the solved
penalty with the smallest error is the one that the whole grid would have chosen. What is solved next is the middle of
the widest gap of open penalties: bounds tighten from solved penalties outwards.

Sources: Golub, Heath and Wahba (1979) Technometrics 21:215 (leave-one-out and generalised cross-validation).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.matrix import product
from benchmarks.ridge import LeftOut, RidgeDesign, RidgeResult, informative, unused_result
from benchmarks.ridge_bounds import SolvedFits, Spectrum
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

FIRST_FACTORS = (1 / 4, 1, 4)
"""Where the search begins, in units of the penalty that is best by generalised cross-validation."""


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
    spectrum = Spectrum.of(design.values)
    solved = [SolvedFits() for _ in design.held_out]
    is_open = np.ones((len(solved), len(grid)), dtype=bool)

    def solve(index, splits):
        fits = design.leave_out(grid[index], [design.held_out[split] for split in splits])
        for split, fit in zip(splits, fits, strict=True):
            solved[split].add(index, fit)
            is_open[split, index] = False

    for index in _first_penalties(design, grid):
        solve(index, range(len(solved)))
    while True:
        _close(is_open, solved, spectrum, grid)
        if not is_open.any():
            break
        index = _middle_of_widest_gap(is_open[is_open.sum(axis=1).argmax()], grid)
        solve(index, np.flatnonzero(is_open[:, index]))
    # of equals the first in the grid, as scikit-learn
    best = [min(sorted(one.errors), key=one.errors.__getitem__) for one in solved]
    return [(index, one[index]) for index, one in zip(best, solved, strict=True)]


def _first_penalties(design: RidgeDesign, grid) -> list[int]:
    """Return the indices of penalties to begin with: near the best by generalised cross-validation, and at both ends.

    All responses enter here, but only how soon the search ends depends on it.
    """
    functions = grid / (design.values[:, None] + grid)
    squares = np.square(product(design.vectors.T, design.targets)).sum(axis=1)
    freedom = functions.sum(axis=0) - grid / (design.lift + grid)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        errors = np.where(freedom > 0, squares @ functions**2 / freedom**2, np.inf)
    wanted = [*(grid[np.argmin(errors)] * factor for factor in FIRST_FACTORS), grid.min(), grid.max()]
    return sorted({int(np.argmin(np.abs(np.log(grid / penalty)))) for penalty in wanted})


def _close(is_open, solved: list[SolvedFits], spectrum: Spectrum, grid) -> None:
    """Close penalties (split, penalty) that cannot be the best of a split."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for split in np.flatnonzero(is_open.any(axis=1)):
        groups.setdefault(tuple(solved[split].sound), []).append(int(split))
    for known, splits in groups.items():
        if not known:
            continue
        wanted = np.flatnonzero(is_open[splits].any(axis=0))
        between = spectrum.interpolate(grid[list(known)], grid[wanted])
        for split in splits:
            lowest = solved[split].lowest_errors(between)
            is_open[split, wanted] &= lowest <= min(solved[split].errors.values())


def _middle_of_widest_gap(is_open, grid) -> int:
    """Return the index in the middle, in log penalty, of the widest run of open penalties."""
    order = np.argsort(grid)
    runs = np.split(order, np.flatnonzero(np.diff(is_open[order])) + 1)
    widest = max((run for run in runs if is_open[run[0]]), key=lambda run: grid[run[-1]] / grid[run[0]])
    middle = np.sqrt(grid[widest[0]]) * np.sqrt(grid[widest[-1]])
    return int(widest[np.argmin(np.abs(np.log(grid[widest] / middle)))])
