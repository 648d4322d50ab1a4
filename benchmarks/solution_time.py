"""Object solution time: when a population's readout of an image reaches the observers' performance on it.

Source: Kar, Kubilius, Schmidt, Issa and DiCarlo (2019) Nat Neurosci 22:974; its use for models: Kubilius, Schrimpf
et al. (2019) NeurIPS 32. As in Brain-Score, the time is interpolated between the last step below and the first step
above. Unlike there, an image that is never solved is kept: it is later than every solved one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import spearmanr

from benchmarks.resampled_rsa import resampled_standardise


@dataclass(frozen=True)
class SolutionTimes:
    """Solution times, right-censored.

    Parameters
    ----------
    time
        (image,), in the units of the steps' times; NaN where never solved.
    solved, known
        bool, (image,). What is neither has no threshold to reach, or nothing to reach it with.
    """

    time: NDArray[np.float64]
    solved: NDArray[np.bool_]
    known: NDArray[np.bool_]

    @property
    def rankable(self) -> NDArray[np.float64]:
        """Times whose order is what is known, (image,): infinite where never solved, NaN where unknown."""
        return np.where(self.solved, self.time, np.where(self.known, np.inf, np.nan))


def solution_times(performance: NDArray, threshold: ArrayLike, times: ArrayLike) -> SolutionTimes:
    """Find when each image's performance first reaches its threshold.

    Parameters
    ----------
    performance
        (step, image), such as i1 at each step.
    threshold
        (image,), the observers' performance; NaN where unknown.
    times
        (step,), increasing: steps, or ms.

    Returns
    -------
    SolutionTimes
        Linear interpolation between the first step that reaches the threshold and the earlier step that came nearest
        to it from below; the first step itself where no earlier one lies below.

    Raises
    ------
    ValueError
        If shapes disagree or times do not increase.
    """
    performance, threshold = np.asarray(performance, np.float64), np.asarray(threshold, np.float64)
    times = np.asarray(times, np.float64)
    if performance.shape != (len(times), len(threshold)) or (np.diff(times) <= 0).any():
        raise ValueError(
            f"solution_times: expected performance (step={len(times)}, image={len(threshold)}) and increasing times, "
            f"got {performance.shape}. Pass one time per step and one threshold per image."
        )
    known = np.isfinite(threshold) & ~np.isnan(performance).all(axis=0)
    with np.errstate(invalid="ignore"):
        reached = performance >= threshold
    solved = reached.any(axis=0) & known
    hit = reached.argmax(axis=0)
    before = np.where(np.arange(len(times))[:, None] < hit, performance, np.nan)
    nearest = np.where(np.isnan(before), -np.inf, before)
    last, column = nearest.argmax(axis=0), np.arange(len(threshold))
    low, high = nearest[last, column], performance[hit, column]
    with np.errstate(invalid="ignore", divide="ignore"):
        between = times[last] + (threshold - low) * (times[hit] - times[last]) / (high - low)
    time = np.where(np.isfinite(low), between, times[hit])
    return SolutionTimes(np.where(solved, time, np.nan), solved, known)


@dataclass(frozen=True)
class TimesAgreement:
    """Rank correlation of two kinds of solution times over the same images.

    Parameters
    ----------
    rho, samples
        Spearman; and in each resample, where asked for.
    n_used, n_total
        Images that it rests on, and all.
    """

    rho: float
    samples: NDArray[np.float64]
    n_used: int
    n_total: int


def times_agreement(
    model: SolutionTimes, observers: SolutionTimes, counts: NDArray | None = None, *, drop_unsolved: bool = False
) -> TimesAgreement:
    """Spearman correlation of solution times, with unsolved images censored.

    All images of one side are censored at the same time, its last: unsolved is later than every solved image, and
    tied with the other unsolved ones, which is all that ranks need to know. No number is put in their place.

    Parameters
    ----------
    model, observers
        Over the same images.
    counts
        (resample, image), for the bootstrap.
    drop_unsolved
        Leave out images that either side never solves, as Brain-Score does: it keeps the easy ones.
    """
    a, b = (side.time if drop_unsolved else side.rankable for side in (model, observers))
    used = ~(np.isnan(a) | np.isnan(b))
    a, b = a[used], b[used]
    rho = float("nan")
    if len(a) > 2 and len(np.unique(a)) > 1 and len(np.unique(b)) > 1:
        rho = float(spearmanr(_places(a), _places(b))[0])
    samples = np.zeros(0)
    if counts is not None:
        samples = bootstrap_spearman(_places(a), _places(b), counts[:, used])
    return TimesAgreement(rho, samples, int(used.sum()), len(used))


def bootstrap_spearman(a: NDArray, b: NDArray, counts: NDArray) -> NDArray[np.float64]:
    """Spearman correlation in each resample, ranks taken anew: (resample,); NaN where nothing varies.

    Parameters
    ----------
    a, b
        (item,), finite.
    counts
        (resample, item), how often each item is drawn.
    """
    if len(a) < 3:
        return np.full(len(counts), np.nan)
    ranked_a, ranked_b = (resampled_standardise(np.asarray(x, np.float64), "spearman", counts) for x in (a, b))
    return np.einsum("ij,ij,ij->i", counts, ranked_a, ranked_b)


def _places(values):
    """Dense ranks, finite whatever the values are."""
    return np.unique(values, return_inverse=True)[1].astype(np.float64)
