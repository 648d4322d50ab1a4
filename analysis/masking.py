"""Masking as truncation: a mask leaves people so many milliseconds, and the model so many steps.

A backward mask ends the processing of what came before. Under a `StepClock`, processing that is ended at time t has
finished step (t − onset_ms) / ms_per_step − 1: step 0 lasts from onset_ms to onset_ms + ms_per_step. Before it has
begun the model guesses; between steps accuracy is interpolated. People's accuracy is chance + scale × (the truncated
model's accuracy − chance): the scale takes up that people see better pictures with a better brain than the model, and
that they lapse. Only the course over time is explained, by the two parameters of the clock. The mask itself takes as
long as the stimulus to arrive, so onset_ms is the share of the stimulus's head start that step 0 does not use, not a
latency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from neurocnnf.clock import StepClock

ONSETS_MS = np.arange(0.0, 101.0, 2.5)
MS_PER_STEP = np.concatenate([np.arange(2.5, 60.0, 2.5), np.arange(60.0, 201.0, 10.0)])
"""Clocks looked at."""
_TINY = 1e-9


@dataclass(frozen=True)
class MaskingCurve:
    """Human answers after stimuli of given durations.

    Parameters
    ----------
    duration_ms
        (duration,), time from stimulus onset to mask, or to its end where there is no mask.
    n_correct, n_trials
        (duration,).
    dispersion
        Variance of subjects' counts over the binomial's, 1 or more (Pearson's chi-squared of subject × duration cells
        about each duration's mean, over its degrees of freedom). Log likelihoods are divided by it.
    """

    duration_ms: NDArray[np.float64]
    n_correct: NDArray[np.float64]
    n_trials: NDArray[np.float64]
    dispersion: float = 1.0


@dataclass(frozen=True)
class ClockFit:
    """The clock that makes truncated models most like people, with its profile-likelihood intervals.

    Parameters
    ----------
    clock, scale
        Of largest likelihood.
    onset_interval, step_interval
        95 %, ms; the other parameters at their best. A bound at the edge of what was looked at is that edge.
    log_likelihood, saturated
        Over dispersion; of the fit, and of a curve through every point.
    n_parameters
        Clock and scales.
    surface
        (onset, ms_per_step), log likelihood of each clock looked at, scales at their best.
    scales
        (onset, ms_per_step, curve), those scales.
    onsets_ms, ms_per_step
        Of the surface.
    n_points
        Number of durations, over all curves.
    """

    clock: StepClock
    scale: NDArray[np.float64]
    onset_interval: tuple[float, float]
    step_interval: tuple[float, float]
    log_likelihood: float
    saturated: float
    n_parameters: int
    surface: NDArray[np.float64]
    scales: NDArray[np.float64]
    onsets_ms: NDArray[np.float64]
    ms_per_step: NDArray[np.float64]
    n_points: int

    @property
    def aic(self) -> float:
        """Akaike's criterion of quasi-likelihood."""
        return 2 * self.n_parameters - 2 * self.log_likelihood

    @property
    def misfit_p(self) -> float:
        """P value of the fit against a curve through every point; NaN without degrees of freedom.

        Chi-squared with as many degrees of freedom as there are durations over parameters.
        """
        df = self.n_points - self.n_parameters
        return float(chi2.sf(2 * (self.saturated - self.log_likelihood), df)) if df > 0 else float("nan")


def masking_curve(trials: pd.DataFrame, masked: bool) -> MaskingCurve:
    """Count right answers at each nominal duration, over all trials, masked or not; no trial is left out.

    Parameters
    ----------
    trials
        Columns subject, soa_s, masked, correct.
    masked
        Which of the two.

    Raises
    ------
    ValueError
        If there are fewer than two durations.
    """
    part = trials[trials["masked"].astype(bool) == masked]
    cells = part.groupby(["soa_s", "subject"])["correct"].agg(["sum", "size"]).astype(float)
    total = cells.groupby("soa_s").sum()
    if len(total) < 2:
        raise ValueError(
            f"masking_curve: expected two durations or more with masked={masked}, got {len(total)}. Pass a study that "
            "varies the duration."
        )
    p = (total["sum"] / total["size"]).reindex(cells.index.get_level_values("soa_s")).to_numpy()
    spread = (cells["sum"] - cells["size"] * p) ** 2 / np.maximum(cells["size"] * p * (1 - p), _TINY)
    df = len(cells) - len(total)
    dispersion = max(1.0, float(spread.sum() / df)) if df > 0 else 1.0
    return MaskingCurve(total.index.to_numpy() * 1000, total["sum"].to_numpy(), total["size"].to_numpy(), dispersion)


def truncated_accuracy(accuracy: ArrayLike, duration_ms: ArrayLike, clock: StepClock, chance: float):
    """Accuracy of the model if its steps are ended after a time, (duration,).

    Parameters
    ----------
    accuracy
        (step,), of the model at each step, with the stimuli that people saw.
    duration_ms
        (duration,).
    clock, chance
        Steps to milliseconds; accuracy of guessing.
    """
    return grid_accuracy(accuracy, duration_ms, chance, [clock.onset_ms], [clock.ms_per_step])[0, 0]


def grid_accuracy(
    accuracy: ArrayLike, duration_ms: ArrayLike, chance: float, onsets_ms: ArrayLike, ms_per_step: ArrayLike
) -> NDArray[np.float64]:
    """Give the accuracy of the truncated model under every clock, (onset, ms_per_step, duration)."""
    accuracy = np.concatenate([[chance], np.asarray(accuracy, np.float64)])
    since = np.asarray(duration_ms, np.float64) - np.asarray(onsets_ms, np.float64)[:, None]
    finished = since[:, None] / np.asarray(ms_per_step, np.float64)[:, None]  # 1: step 0 is done
    return np.interp(finished, np.arange(len(accuracy)), accuracy)


def fit_clock(
    curves: Sequence[MaskingCurve],
    accuracy: ArrayLike,
    chance: float,
    *,
    one_scale: bool = True,
    onsets_ms: NDArray = ONSETS_MS,
    ms_per_step: NDArray = MS_PER_STEP,
) -> ClockFit:
    """Fit one clock to one or more curves by binomial likelihood, over a grid of clocks.

    Parameters
    ----------
    curves
        With the same model behind them: masked and unmasked trials of one study.
    accuracy, chance
        As in `truncated_accuracy`.
    one_scale
        Whether the curves share their scale.
    onsets_ms, ms_per_step
        The grid.
    """
    groups = [list(curves)] if one_scale else [[curve] for curve in curves]
    shape = len(onsets_ms), len(ms_per_step)
    surface, scales = np.zeros(shape), np.zeros((*shape, len(groups)))
    for k, group in enumerate(groups):
        durations = np.concatenate([c.duration_ms for c in group])
        excess = grid_accuracy(accuracy, durations, chance, onsets_ms, ms_per_step) - chance
        right = np.concatenate([c.n_correct / c.dispersion for c in group])
        n = np.concatenate([c.n_trials / c.dispersion for c in group])
        scales[..., k], likelihood = best_scales(right, n, excess, chance)
        surface += likelihood
    i, j = np.unravel_index(surface.argmax(), shape)
    best = float(surface[i, j])
    within = surface >= best - chi2.ppf(0.95, 1) / 2
    found_onsets, found_steps = onsets_ms[within.any(axis=1)], ms_per_step[within.any(axis=0)]
    return ClockFit(
        clock=StepClock(float(onsets_ms[i]), float(ms_per_step[j])),
        scale=scales[i, j],
        onset_interval=(float(found_onsets[0]), float(found_onsets[-1])),
        step_interval=(float(found_steps[0]), float(found_steps[-1])),
        log_likelihood=best,
        saturated=sum(_likelihood(c, c.n_correct / c.n_trials) for c in curves),
        n_parameters=2 + len(groups),
        surface=surface,
        scales=scales,
        onsets_ms=np.asarray(onsets_ms, float),
        ms_per_step=np.asarray(ms_per_step, float),
        n_points=sum(len(c.n_trials) for c in curves),
    )


def constant_fit(curve: MaskingCurve) -> float:
    """Log likelihood if duration did not matter: all steps are run, however short the stimulus (one parameter)."""
    return _likelihood(curve, np.full(len(curve.n_trials), curve.n_correct.sum() / curve.n_trials.sum()))


def best_scales(right: NDArray, n: NDArray, excess: NDArray, chance: float) -> tuple[NDArray, NDArray]:
    """Scales of largest likelihood, 0 or more with probabilities below 1, by bisection; and those log likelihoods.

    Parameters
    ----------
    right, n
        (…, duration), right answers and all, over dispersion.
    excess
        (…, duration), what is scaled: accuracy of a truncated model less chance.
    chance
        Accuracy of guessing.

    Returns
    -------
    scales, log_likelihood
        (…).
    """
    high = (1 - 1e-6 - chance) / np.maximum(excess.max(axis=-1), _TINY)
    low = np.zeros_like(high)
    for _ in range(20):  # concave in the scale: halve where the slope changes sign, to 1e-6 of the range
        scale = (low + high) / 2
        p = np.clip(chance + scale[..., None] * excess, _TINY, 1 - _TINY)
        rising = (excess * (right / p - (n - right) / (1 - p))).sum(axis=-1) > 0
        low, high = np.where(rising, scale, low), np.where(rising, high, scale)
    scale = (low + high) / 2
    return scale, log_likelihood(right, n, chance + scale[..., None] * excess)


def log_likelihood(right: NDArray, n: NDArray, p: NDArray) -> NDArray[np.float64]:
    """Binomial log likelihood but for a constant, (…), of counts and probabilities (…, duration)."""
    p = np.clip(p, _TINY, 1 - _TINY)
    return (right * np.log(p) + (n - right) * np.log(1 - p)).sum(axis=-1)


def _likelihood(curve: MaskingCurve, p: NDArray) -> float:
    return float(log_likelihood(curve.n_correct, curve.n_trials, p)) / curve.dispersion
