"""Linear mixed models with crossed random intercepts, of subjects and of objects, by maximum likelihood.

statsmodels fits crossed effects as variance components of one group that holds all trials; its default optimiser does
not converge on small simulations of this kind, and dozens of fits to 4,000 trials are needed. Here the random effects
of objects are eliminated exactly (their block is diagonal), and each evaluation of the likelihood costs one Cholesky
factor of (subject, subject). Pinheiro & Bates (2000),
Mixed-Effects Models in S and S-PLUS, chapter 2; the tests compare with statsmodels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.stats import chi2, norm

SMALLEST_LOG_RATIO = -14.0
"""Log of a variance ratio below which a random effect counts as absent."""


@dataclass(frozen=True)
class MixedFit:
    """Fit of y = X b + subject + object + noise.

    Parameters
    ----------
    coefficients, errors
        (fixed effect,), estimates and standard errors.
    subject_variance, object_variance, residual_variance
        In squared units of y.
    log_likelihood
        Maximised; restricted where `reml`.
    n_parameters
        Fixed effects and three variances.
    marginal_r2, conditional_r2
        Share of variance due to fixed effects, and to fixed and random ones (Nakagawa & Schielzeth 2013, Methods
        Ecol. Evol. 4:133).
    n_trials
        Number of trials.
    """

    coefficients: NDArray[np.float64]
    errors: NDArray[np.float64]
    subject_variance: float
    object_variance: float
    residual_variance: float
    log_likelihood: float
    n_parameters: int
    marginal_r2: float
    conditional_r2: float
    n_trials: int

    @property
    def log_ratios(self) -> tuple[float, float]:
        """Log of subject and of object variance over residual variance."""
        return (
            float(np.log(self.subject_variance / self.residual_variance)),
            float(np.log(self.object_variance / self.residual_variance)),
        )

    @property
    def aic(self) -> float:
        """Akaike's criterion; compare fits by maximum likelihood to the same trials only."""
        return 2 * self.n_parameters - 2 * self.log_likelihood

    def interval(self, number: int, level: float = 0.95) -> tuple[float, float]:
        """Wald interval of one fixed effect."""
        half = norm.ppf((1 + level) / 2) * self.errors[number]
        return float(self.coefficients[number] - half), float(self.coefficients[number] + half)


@dataclass(frozen=True)
class LikelihoodRatio:
    """Test of nested models: twice the gain in log likelihood, extra parameters, p (chi-squared), gain in AIC.

    A positive `delta_aic` speaks for the larger model.
    """

    statistic: float
    df: int
    p: float
    delta_aic: float


def fit_mixed(
    y: ArrayLike,
    design: ArrayLike,
    subjects: ArrayLike,
    objects: ArrayLike,
    reml: bool = False,
    start: tuple[float, float] = (-1.0, -3.0),
) -> MixedFit:
    """Fit crossed random intercepts.

    Parameters
    ----------
    y
        (trial,), finite.
    design
        (trial, fixed effect), finite, of full column rank, with a column of ones.
    subjects, objects
        (trial,), names or numbers.
    reml
        Restricted likelihood: less biased variances, but fits with different designs cannot be compared.
    start
        Where the search begins: log of subject and object variance over residual variance.

    Raises
    ------
    ValueError
        If values are not finite, shapes disagree, or columns are linearly dependent.
    """
    y, x = np.asarray(y, np.float64), np.asarray(design, np.float64)
    if x.ndim != 2 or len(x) != len(y) or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError(
            f"fit_mixed: expected finite y (trial,) and design (trial, effect), got {y.shape} and {x.shape}, or values "
            "that are not finite. Leave out, and count, trials without a value first."
        )
    if np.linalg.matrix_rank(x / np.maximum(np.linalg.norm(x, axis=0), 1e-300)) < x.shape[1]:
        raise ValueError(
            f"fit_mixed: expected linearly independent columns, got rank below {x.shape[1]}. Leave out the column that "
            "others determine."
        )
    blocks = _Blocks(y, x, subjects, objects)
    bounds = [(SMALLEST_LOG_RATIO, 6.0)] * 2
    best = minimize(blocks.deviance, start, (reml,), method="L-BFGS-B", bounds=bounds)
    if best.x.min() < SMALLEST_LOG_RATIO + 4:  # the likelihood is flat where a variance is nothing: look from elsewhere
        other = minimize(blocks.deviance, (-2.0, -1.0), (reml,), method="L-BFGS-B", bounds=bounds)
        best = min(best, other, key=lambda one: one.fun)
    return blocks.fit(best.x, reml)


def likelihood_ratio(small: MixedFit, large: MixedFit) -> LikelihoodRatio:
    """Test a model against a larger one that holds it, both by maximum likelihood.

    Raises
    ------
    ValueError
        If the second has no more parameters than the first, or another number of trials.
    """
    df = large.n_parameters - small.n_parameters
    if df < 1 or small.n_trials != large.n_trials:
        raise ValueError(
            f"likelihood_ratio: expected the smaller of two nested models of the same trials first, got {df} more "
            f"parameters in the second, {small.n_trials} and {large.n_trials} trials. Swap them, or fit equal trials."
        )
    statistic = max(2 * (large.log_likelihood - small.log_likelihood), 0.0)
    return LikelihoodRatio(statistic, df, float(chi2.sf(statistic, df)), statistic - 2 * df)


def independent(design: ArrayLike) -> NDArray[np.intp]:
    """Return the places of a design's columns (trial, effect) that those before do not determine (as a constant is)."""
    x = np.asarray(design, np.float64)
    kept: list[int] = []
    for place, column in enumerate(x.T):
        left = column - x[:, kept] @ np.linalg.lstsq(x[:, kept], column, rcond=None)[0] if kept else column
        if left @ left > 1e-10 * max(column @ column, 1e-300):
            kept.append(place)
    return np.array(kept, dtype=np.intp)


def held_out_errors(y: ArrayLike, design: ArrayLike, subjects: ArrayLike, objects: ArrayLike) -> NDArray[np.float64]:
    """Mean squared error of each subject's y, predicted by fixed effects fitted to all other subjects, (subject,).

    A subject's own mean speed is not predicted: errors are centred within the subject. An effect that the other
    subjects' trials do not tell from the rest (of what happens to one subject alone, say) is predicted to be none.
    """
    y, x, subjects, objects = np.asarray(y, float), np.asarray(design, float), np.asarray(subjects), np.asarray(objects)
    errors, start = [], (-1.0, -3.0)
    for subject in np.unique(subjects):
        out = subjects == subject
        told = independent(x[~out])
        fit = fit_mixed(y[~out], x[~out][:, told], subjects[~out], objects[~out], start=start)
        start = fit.log_ratios  # close to the next ones
        left = y[out] - x[out][:, told] @ fit.coefficients
        errors.append(float(left.var()))
    return np.array(errors)


class _Blocks:
    """Cross products of y, X and the two sets of indicators: all that the likelihood needs."""

    def __init__(self, y, x, subjects, objects):
        _, s = np.unique(np.asarray(subjects), return_inverse=True)
        _, o = np.unique(np.asarray(objects), return_inverse=True)
        w = np.column_stack([x, y])
        self.x, self.n, self.p = x, len(y), x.shape[1]
        self.ww = w.T @ w
        self.n_s, self.n_o = np.bincount(s).astype(float), np.bincount(o).astype(float)
        self.cross = np.zeros((len(self.n_s), len(self.n_o)))
        np.add.at(self.cross, (s, o), 1.0)
        self.sw, self.ow = np.zeros((len(self.n_s), self.p + 1)), np.zeros((len(self.n_o), self.p + 1))
        np.add.at(self.sw, s, w)
        np.add.at(self.ow, o, w)

    def solve(self, log_ratios):
        """Give W'V⁻¹W and log |V|, in units of the residual variance."""
        ratio_s, ratio_o = np.exp(log_ratios)
        diagonal = self.n_o + 1 / ratio_o
        scaled = self.cross / diagonal
        schur = np.diag(self.n_s + 1 / ratio_s) - scaled @ self.cross.T
        rest = self.sw - scaled @ self.ow
        factor = np.linalg.cholesky(schur)
        half = np.linalg.solve(factor, rest)
        product = self.ww - self.ow.T @ (self.ow / diagonal[:, None]) - half.T @ half
        determinant = np.log(diagonal * ratio_o).sum() + 2 * np.log(np.diag(factor)).sum()
        return product, determinant + len(self.n_s) * np.log(ratio_s)

    def estimates(self, log_ratios, reml):
        product, determinant = self.solve(log_ratios)
        xx, xy = product[: self.p, : self.p], product[: self.p, self.p]
        b = np.linalg.solve(xx, xy)
        squares = max(float(product[self.p, self.p] - xy @ b), 1e-300)
        n = self.n - self.p if reml else self.n
        deviance = n * (np.log(2 * np.pi * squares / n) + 1) + determinant
        return b, xx, squares / n, deviance + (np.linalg.slogdet(xx)[1] if reml else 0.0)

    def deviance(self, log_ratios, reml):
        return self.estimates(log_ratios, reml)[3]

    def fit(self, log_ratios, reml) -> MixedFit:
        b, xx, noise, deviance = self.estimates(log_ratios, reml)
        subject, thing = noise * np.exp(log_ratios)
        fixed = float((self.x @ b).var())
        total = fixed + subject + thing + noise
        errors = np.sqrt(noise * np.diag(np.linalg.inv(xx)))
        conditional = (fixed + subject + thing) / total
        variances = float(subject), float(thing), float(noise)
        return MixedFit(b, errors, *variances, -deviance / 2, self.p + 3, fixed / total, float(conditional), self.n)
