r"""Lower bounds on leave-one-out errors at penalties that were not solved, from those that were.

In the terms of `benchmarks.ridge`, both c and d of a split are, as functions of the penalty a, sums with fixed terms of

.. math:: f_w(a) = \frac{a}{w + a} > 0, \qquad w_{min} \le w \le w_{max},

where w runs over the eigenvalues of the training set's centred Gram matrix. That is the whole Gram matrix as seen by
vectors over the training set that sum to zero: so no w lies outside the range of the whole one's eigenvalues. Let
weights W of solved penalties have

.. math:: \max_w \Big| 1 - \sum_p W_{pj} \frac{f_w(a_p)}{f_w(a_j)} \Big| \le \delta_j < 1 .

The combinations :math:`\tilde c, \tilde d` of the solved c and d are then off by a share, whatever the penalty's size:
:math:`(1 - \delta^2) d_i \le (1 + \delta) \tilde d_i` since d sums positive terms, and
:math:`(1 - \delta^2) c = \tilde c + e` with :math:`\lVert e \rVert \le \delta \lVert \tilde c \rVert`, over all
presentations together, since the terms of c are orthogonal. So

.. math:: (1 + \delta)^2 \sum_i \frac{\lVert c_i \rVert^2}{d_i^2} \ge
    \min_e \sum_i \frac{\lVert \tilde c_i + e_i \rVert^2}{\tilde d_i^2}
    \ge \sum_i \frac{\lambda \lVert \tilde c_i \rVert^2}{1 + \lambda \tilde d_i^2}
    - \lambda \delta^2 \lVert \tilde c \rVert^2

for every :math:`\lambda \ge 0` (weak duality); the one taken here is the best where all d are equal, or
:math:`\delta` is small.

The sum over neuroids needs no c of the penalties in between: with the solved ones in the rows of :math:`C_i` (penalty,
neuroid), :math:`\lVert \tilde c_i \rVert^2 = W_j^T C_i C_i^T W_j`, and a further solve adds a row to :math:`C_i C_i^T`.

Sources: Golub, Heath and Wahba (1979) Technometrics 21:215 (leave-one-out); Boyd and Vandenberghe (2004) Convex
Optimization, 5.2 (weak duality).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.matrix import product
from benchmarks.ridge import LeftOut

PER_E_FOLD = 6
"""Eigenvalues at which functions are compared, per factor of e. They are smooth: their poles are pi away."""
ROUNDING = 100 * np.finfo(np.float64).eps
"""Of a sum of products whose terms cancel, relative to the largest of them."""


@dataclass(frozen=True)
class Interpolation:
    """Other penalties' c and d, from those of solved penalties.

    Parameters
    ----------
    weights
        (solved penalty, penalty).
    error
        (penalty,): the largest relative error, that of rounding included.
    """

    weights: NDArray[np.float64]
    error: NDArray[np.float64]


@dataclass(frozen=True)
class Spectrum:
    """Between which eigenvalues those of every training set lie.

    Parameters
    ----------
    lowest, highest
        In the units of the Gram matrix, and of penalties.
    """

    lowest: float
    highest: float

    @classmethod
    def of(cls, values: NDArray) -> Spectrum:
        """Return the range of ascending eigenvalues, as far as rounding leaves it known."""
        lost = len(values) * np.finfo(np.float64).eps * values[-1]
        return cls(float(max(values[0] - lost, 0)), float(values[-1] + lost))

    def functions(self, penalties: NDArray, per_e_fold: float) -> NDArray[np.float64]:
        """f_w(a): (eigenvalue, penalty), for eigenvalues at equal ratios, as far as any penalty tells them apart."""
        first = min(max(self.lowest, 1e-8 * penalties.min()), self.highest)
        size = int(np.ceil(per_e_fold * np.log(self.highest / first))) + 2
        values = np.concatenate([[self.lowest], np.geomspace(first, self.highest, size)])
        return penalties / (values[:, None] + penalties)

    def interpolate(self, solved: NDArray, wanted: NDArray) -> Interpolation:
        """Find weights of solved penalties (solved penalty,) for wanted ones (penalty,)."""
        count = len(solved)
        both = np.concatenate([solved, wanted])
        # what rounding does to a fit grows with the range that its functions span
        rounding = ROUNDING * (self.highest + solved) / (self.lowest + solved)
        rounding = rounding * np.maximum(1, solved / wanted[:, None])
        functions = self.functions(both, PER_E_FOLD)
        ratios = functions[:, :count] / functions.T[count:, :, None]  # (wanted, eigenvalue, solved)
        damping = np.sqrt(len(functions)) * rounding[:, :, None] * np.eye(count)
        basis, upper = np.linalg.qr(np.concatenate([ratios, damping], axis=1))
        weights = np.linalg.solve(upper, basis[:, : len(functions)].sum(axis=1)[:, :, None])
        # between the eigenvalues that were fitted, too
        finer = self.functions(both, 2 * PER_E_FOLD)
        off = 1 - np.matmul(finer[:, :count] / finer.T[count:, :, None], weights)[:, :, 0]
        weights = weights[:, :, 0]
        error = 1.1 * np.abs(off).max(axis=1) + np.sum(np.abs(weights) * rounding, axis=1)
        return Interpolation(weights.T, error)


class SolvedFits:
    """The fits to one training set that were solved, and what they say about other penalties.

    `errors` holds, for each penalty's index in the order of solving, the sum of squared leave-one-out errors over
    training presentations and targets.
    """

    def __init__(self) -> None:
        self.errors: dict[int, float] = {}
        self._fits: dict[int, LeftOut] = {}
        self._inner = np.zeros((0, 0, 0))  # (solved penalty, solved penalty, training presentation)

    def __getitem__(self, index: int) -> LeftOut:
        return self._fits[index]

    @property
    def sound(self) -> list[int]:
        """Indices of penalties whose fit rounding has left intact."""
        return [index for index, error in self.errors.items() if np.isfinite(error)]

    def add(self, index: int, fit: LeftOut) -> None:
        """Take in the fit with the penalty of this index."""
        squares = np.einsum("it,it->i", fit.numerators, fit.numerators)
        before = [self._fits[other] for other in self.sound]
        self._fits[index] = fit
        self.errors[index] = float(np.sum(squares / fit.leverages**2))
        if not np.isfinite(self.errors[index]):
            return
        size = len(before)
        grown = np.empty((size + 1, size + 1, len(squares)))
        grown[:size, :size] = self._inner if size else 0
        for row, other in enumerate(before):
            grown[row, size] = grown[size, row] = np.einsum("it,it->i", other.numerators, fit.numerators)
        grown[size, size] = squares
        self._inner = grown

    def lowest_errors(self, between: Interpolation) -> NDArray[np.float64]:
        """Bound other penalties' sums of squared leave-one-out errors from below.

        Parameters
        ----------
        between
            From the `sound` penalties, in their order.

        Returns
        -------
        ndarray
            (penalty,); 0 where nothing is known.
        """
        weights, share = between.weights, between.error
        size = len(weights)
        pairs = (weights[:, None] * weights).reshape(size * size, -1)
        squares = product(self._inner.reshape(size * size, -1).T, pairs)  # of c: (presentation, penalty)
        leverages = np.stack([self._fits[index].leverages for index in self.sound], axis=1) @ weights
        lengths = np.sqrt(self._inner.sum(axis=2).diagonal())
        lost = ROUNDING * np.square(lengths @ np.abs(weights))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            spread = leverages**2
            moved = share**2 * (squares.sum(axis=0) + lost)
            # price is lambda of the module's text
            price = (1 - share) * np.sqrt(np.sum(squares / spread**2, axis=0) / moved)
            low = np.sum(squares / (1 / price + spread), axis=0) - price * moved - lost / spread.min(axis=0)
        unknown = (share >= 1) | (leverages.min(axis=0) <= 0) | ~np.isfinite(low)
        return np.where(unknown, 0, np.maximum(low, 0) / np.square(1 + share))
