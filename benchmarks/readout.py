"""A linear readout of object category, learnt from whole objects and applied at every step.

The readout is ridge regression on one-against-rest targets (+1, -1); its answer is the category of the
largest decision value. It is solved in the dual, because a layer has many more units than there are objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from benchmarks.matrix import product, self_product

PENALTIES = tuple(10.0**k for k in range(-4, 3))
"""Ridge penalties tried, in units of the mean squared length of the centred activations."""


@dataclass(frozen=True)
class Readout:
    """One linear readout per fold; readout `f` has not seen the objects of fold `f`.

    Parameters
    ----------
    weights
        float32, (fold, unit, category).
    intercepts
        float64, (fold, category).
    penalties
        float64, (fold,), chosen inside each fold's training objects, in units of `PENALTIES`.
    accuracy
        float64, (step,), proportion of whole objects answered rightly by the readout that had not seen them.
    """

    weights: NDArray[np.float32]
    intercepts: NDArray[np.float64]
    penalties: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    def decide(self, activations: NDArray, folds: ArrayLike) -> NDArray[np.float32]:
        """Return decision values (step, presentation, category) for activations (step, presentation, unit).

        Parameters
        ----------
        activations
            (step, presentation, unit).
        folds
            (presentation,), the fold of the object that each presentation shows.

        Raises
        ------
        ValueError
            If the number of units or presentations differs from what the readout and `folds` hold.
        """
        activations, folds = np.asarray(activations), np.asarray(folds)
        expected = (len(folds), self.weights.shape[1])
        if activations.ndim != 3 or activations.shape[1:] != expected:
            raise ValueError(
                f"decide: expected activations (step, presentation={expected[0]}, unit={expected[1]}), "
                f"got {activations.shape}. Pass the layer that the readout was trained on."
            )
        values = np.empty((*activations.shape[:2], self.weights.shape[2]), np.float32)
        for fold in np.unique(folds):
            here = folds == fold
            values[:, here] = activations[:, here] @ self.weights[fold] + self.intercepts[fold].astype(np.float32)
        return values


def object_folds(labels: ArrayLike, n_folds: int = 10, seed: int = 0) -> NDArray[np.int64]:
    """Deal objects into folds, each category evenly.

    Parameters
    ----------
    labels
        (object,), category of each object.
    n_folds
        Number of folds, at least 3 (the penalty is chosen with one more fold left out).
    seed
        Seed of the shuffle.

    Returns
    -------
    ndarray
        int64, (object,), the fold of each object, 0 to `n_folds` - 1.

    Raises
    ------
    ValueError
        If there are fewer than 3 folds, or a category has fewer objects than there are folds.
    """
    labels = np.asarray(labels)
    if n_folds < 3:
        raise ValueError(f"object_folds: expected at least 3 folds, got {n_folds}. Pass n_folds=3 or more.")
    rng = np.random.default_rng(seed)
    folds = np.empty(len(labels), np.int64)
    start = 0
    for category in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == category))
        if len(members) < n_folds:
            raise ValueError(
                f"object_folds: expected at least {n_folds} objects in every category, "
                f"got {len(members)} of {category!r}. Use fewer folds or more objects."
            )
        # The next category deals on where this one stopped: fold sizes stay within one of each other.
        folds[members] = (start + np.arange(len(members))) % n_folds
        start += len(members)
    return folds


def fit_readout(activations: NDArray, labels: ArrayLike, folds: ArrayLike, penalties=PENALTIES) -> Readout:
    r"""Fit one readout per fold to whole objects, all steps pooled.

    The activations of all steps are pooled, every step with the same number of rows, so that no step is
    favoured: a readout trained at step 0 would be at home in the feedforward sweep and call every later step
    a departure from it; a readout per step would hide whether the *representation* moved or the readout did.
    All steps of an object are in the same fold.

    With centred kernel :math:`K = XX^\top`, the unpenalised intercept and penalty :math:`a`, the dual
    coefficients are :math:`c = Gy`, :math:`G = A^{-1} - A^{-1}11^\top A^{-1} / (1^\top A^{-1} 1)`, :math:`A =
    K + aI`. For any set of rows T left out (all from the same G, no refit)

    .. math:: y_T - f_{-T}(x_T) = G_{TT}^{-1} c_T, \qquad c^{(-T)}_R = c_R - G_{RT} G_{TT}^{-1} c_T.

    With T one fold this gives the held-out answers and the fold's readout; with T two folds it gives the
    error by which a fold's penalty is chosen among its training objects only (nested cross-validation,
    squared error).

    Parameters
    ----------
    activations
        (step, object, unit), finite.
    labels
        (object,), category index, 0 to C - 1.
    folds
        (object,), from `object_folds`.
    penalties
        Ridge penalties to choose from, in units of the mean squared length of the centred activations of all
        whole objects (the unit knows no labels; only the choice among penalties does).

    Raises
    ------
    ValueError
        If shapes disagree, or activations are not finite or are all the same.
    """
    activations, labels, folds = np.asarray(activations), np.asarray(labels), np.asarray(folds)
    kernel, centre, scale = _centred_kernel(activations, labels, folds)
    n_steps, n_objects, n_units = activations.shape
    n_folds, n_categories = int(folds.max()) + 1, int(labels.max()) + 1
    targets = np.tile(np.where(labels[:, None] == np.arange(n_categories), 1.0, -1.0), (n_steps, 1))
    rows = [np.flatnonzero(np.tile(folds == fold, n_steps)) for fold in range(n_folds)]

    error = np.full((n_folds, len(penalties)), np.inf)  # infinite until a penalty's turn comes
    dual = np.zeros((n_folds, len(targets), n_categories))
    intercepts, chosen = np.zeros((n_folds, n_categories)), np.zeros(n_folds)
    held_out = np.zeros_like(targets)
    for number, penalty in enumerate(penalties):
        bordered = _bordered_inverse(kernel, penalty * scale)
        coefficients = product(bordered, targets)
        error[:, number] = _inner_error(bordered, coefficients, rows)
        for fold in np.flatnonzero(error.argmin(axis=1) == number):
            left, kept = rows[fold], np.setdiff1d(np.arange(len(targets)), rows[fold])
            residual = np.linalg.solve(bordered[np.ix_(left, left)], coefficients[left])
            dual[fold] = coefficients - bordered[:, left] @ residual
            dual[fold, left] = 0.0
            fitted = product(kernel[kept], dual[fold])
            intercepts[fold] = (targets[kept] - fitted - penalty * scale * dual[fold, kept]).mean(axis=0)
            held_out[left] = targets[left] - residual
            chosen[fold] = penalty
    flat = activations.reshape(-1, n_units)
    weights = np.stack([product(d.T.astype(np.float32), flat).T for d in dual])  # dual sums to 0: centring drops out
    intercepts -= np.einsum("u,fuc->fc", centre, weights)
    right = (held_out.argmax(axis=1) == np.tile(labels, n_steps)).reshape(n_steps, n_objects)
    return Readout(weights, intercepts, chosen, right.mean(axis=1))


def choose_layer(readouts: Mapping[str, Readout]) -> str:
    """Return the layer whose readouts are most accurate on held-out whole objects, averaged over steps.

    Neither observers nor occluded stimuli enter. Of layers that tie, the last in the mapping's order is
    taken.

    Raises
    ------
    ValueError
        If there are no layers.
    """
    if not readouts:
        raise ValueError("choose_layer: expected at least one layer, got none. Pass the readouts of some layers.")
    accuracy = {layer: float(readout.accuracy.mean()) for layer, readout in readouts.items()}
    best = max(accuracy.values())
    return [layer for layer, value in accuracy.items() if value == best][-1]


def _centred_kernel(activations, labels, folds, chunk: int = 4096):
    """Check the input; give the kernel of all rows (step, object), the mean activation, and the scale."""
    if activations.ndim != 3 or not (activations.shape[1] == len(labels) == len(folds)):
        raise ValueError(
            f"fit_readout: expected activations (step, object, unit) with a label and a fold per object, got "
            f"{activations.shape}, {len(labels)} labels, {len(folds)} folds. Pass one row per whole object."
        )
    flat = activations.reshape(-1, activations.shape[2])
    centre = flat.mean(axis=0, dtype=np.float64)
    kernel = np.zeros((len(flat), len(flat)))
    for start in range(0, flat.shape[1], chunk):  # float64 sums without a float64 copy of the whole layer
        part = flat[:, start : start + chunk] - centre[start : start + chunk]
        kernel += self_product(part)
    scale = float(np.trace(kernel)) / len(kernel)
    if not np.isfinite(scale) or scale <= 0:
        raise ValueError(
            "fit_readout: expected finite activations that differ between objects, got mean squared length "
            f"{scale}. Check the layer and the images."
        )
    return kernel, centre, scale


def _bordered_inverse(kernel, penalty: float):
    """Give G, the block of the bordered ridge system's inverse that turns targets into dual coefficients."""
    # Positive definite: half the work of a general inverse; torch's is twice as fast at it as numpy's.
    factor = torch.linalg.cholesky(torch.from_numpy(kernel + penalty * np.eye(len(kernel))))
    inverse = torch.cholesky_inverse(factor).numpy()
    column = inverse.sum(axis=1)
    return inverse - np.outer(column, column) / column.sum()


def _inner_error(bordered, coefficients, rows) -> NDArray[np.float64]:
    """Mean squared error on each fold's training objects, predicted without that fold and their own."""
    total, count = np.zeros(len(rows)), np.zeros(len(rows))
    for first in range(len(rows)):
        for second in range(first + 1, len(rows)):
            both, cut = np.concatenate([rows[first], rows[second]]), len(rows[first])
            residual = np.linalg.solve(bordered[np.ix_(both, both)], coefficients[both])
            for outer, part in ((first, residual[cut:]), (second, residual[:cut])):
                total[outer] += (part**2).sum()
                count[outer] += part.size
    return total / count
