"""Recovery: how often 95 % intervals hold the truth of studies simulated from a known clock, bound and noise.

Run ``python -m analysis.recovery --out build/recovery.csv``. Everything is simulated; no study and no model is read.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, chi2

from analysis.human_times import object_times, subject_object_sums
from analysis.inference import percentile_interval, rank_correlation, resamples, taken
from analysis.masking import MaskingCurve, fit_clock, truncated_accuracy
from analysis.mixed import fit_mixed, likelihood_ratio
from analysis.model_time import evidence_step, softmax
from analysis.tables import as_csv
from benchmarks.bootstrap import recentred
from neurocnnf.clock import StepClock
from neurocnnf.stages import write_atomically

TRUE_CLOCK, TRUE_SCALE = StepClock(20.0, 22.5), 1.2
TRUE_BOUND, TRUE_NOISE_MS = 1.6, 60.0
BOUNDS = np.round(np.arange(1.0, 2.21, 0.1), 10)
RISING = np.array([0.3, 0.42, 0.52, 0.6, 0.66, 0.7])
"""Accuracy by step of a model that gains from its steps."""


@dataclass(frozen=True)
class Timing:
    """Clock, bound and noise of reaction times: estimate, low and high of each."""

    onset_ms: tuple[float, float, float]
    ms_per_step: tuple[float, float, float]
    noise_ms: tuple[float, float, float]
    bound: tuple[float, float, float]


def fit_timing(rt_ms: ArrayLike, steps: NDArray, reached: NDArray, bounds: ArrayLike) -> Timing:
    """Fit RT = onset + ms_per_step × step(bound) + noise, by Gaussian likelihood, over candidate bounds.

    Trials in which the bound was not reached have a mean of their own: a censored time is not given a number.

    Parameters
    ----------
    rt_ms
        (trial,).
    steps, reached
        (bound, trial), the model's times for each candidate bound.
    bounds
        (bound,).

    Returns
    -------
    Timing
        With 95 % profile-likelihood intervals, the bound among what is maximised over; of the bound itself over the
        candidates, half a distance added at each end; of the noise by chi-squared at the best bound.
    """
    rt, bounds = np.asarray(rt_ms, np.float64), np.asarray(bounds, np.float64)
    fits = [_line(rt, step, seen) for step, seen in zip(steps, reached, strict=True)]
    squares = np.array([fit[2] for fit in fits])
    best, n = int(squares.argmin()), len(rt)
    # Of all lines of all bounds, those stay whose deviance n log(squares) is within chi-squared of the least.
    allowed = squares[best] * np.exp(chi2.ppf(0.95, 1) / n)
    within = np.flatnonzero(squares <= allowed)
    spans = []
    for number in range(2):
        centre = np.array([fits[k][0][number] for k in within])
        half = np.sqrt(np.array([fits[k][1][number] for k in within]) * (allowed - squares[within]))
        spans.append((float(fits[best][0][number]), float((centre - half).min()), float((centre + half).max())))
    df = n - fits[best][3]
    edges = np.sqrt(squares[best] / chi2.ppf([0.975, 0.025], df))
    noise = float(np.sqrt(squares[best] / df)), float(edges[0]), float(edges[1])
    space = np.diff(bounds).min() / 2 if len(bounds) > 1 else 0.0  # the truth may lie between two candidates
    bound = float(bounds[best]), float(bounds[within[0]] - space), float(bounds[within[-1]] + space)
    return Timing(spans[0], spans[1], noise, bound)


def _line(rt, step, seen):
    """Least squares: coefficients, diagonal of the inverse of X'X, sum of squares left, number of coefficients."""
    columns = [seen.astype(float), np.where(seen, step, 0.0), (~seen).astype(float)]
    x = np.column_stack([column for column in columns if column.any()])
    inverse = np.linalg.pinv(x.T @ x)
    b = inverse @ x.T @ rt
    return b, np.diag(inverse), float(((rt - x @ b) ** 2).sum()), x.shape[1]


def simulate_answers(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Posteriors (step, presentation, category) of a model that grows sure at its own pace for each presentation."""
    pace = np.exp(0.6 * rng.standard_normal(n)) * 0.5
    decisions = 0.3 * rng.standard_normal((6, n, 5))
    decisions[..., 0] += pace * np.arange(1, 7)[:, None]
    return softmax(decisions)


def timing_recovered(seed: int, n: int = 400) -> dict[str, bool]:
    """Simulate reaction times from a clock, a bound and noise; say which intervals hold the truth."""
    rng = np.random.default_rng([seed, 21])
    p = simulate_answers(n, rng)
    times = [evidence_step(p, bound, noise=0.0) for bound in BOUNDS]
    steps, reached = np.stack([one.step for one in times]), np.stack([one.reached for one in times])
    true = int(np.argmin(np.abs(BOUNDS - TRUE_BOUND)))
    onset = TRUE_CLOCK.onset_ms + 300.0
    rt = onset + TRUE_CLOCK.ms_per_step * np.where(reached[true], steps[true], 8.0)
    found = fit_timing(rt + TRUE_NOISE_MS * rng.standard_normal(n), steps, reached, BOUNDS)
    truth = {"onset_ms": onset, "ms_per_step": TRUE_CLOCK.ms_per_step, "noise_ms": TRUE_NOISE_MS, "bound": TRUE_BOUND}
    return {
        f"timing {name}": getattr(found, name)[1] <= value <= getattr(found, name)[2] for name, value in truth.items()
    }


def masking_recovered(seed: int, n_trials: int = 1200) -> dict[str, bool]:
    """Simulate a masking curve from a clock; say which profile intervals hold it."""
    rng = np.random.default_rng([seed, 22])
    durations = np.array([25.0, 50.0, 75.0, 100.0, 150.0])
    p = 0.2 + TRUE_SCALE * (truncated_accuracy(RISING, durations, TRUE_CLOCK, 0.2) - 0.2)
    curve = MaskingCurve(durations, rng.binomial(n_trials, p).astype(float), np.full(5, float(n_trials)))
    fit = fit_clock([curve], RISING, 0.2, onsets_ms=np.arange(0, 40, 2.0), ms_per_step=np.arange(10, 60, 2.5))
    half = 1.0, 1.25  # half the distance between candidates
    return {
        f"masking {name}": low - h <= value <= high + h
        for name, (low, high), value, h in (
            ("onset_ms", fit.onset_interval, TRUE_CLOCK.onset_ms, half[0]),
            ("ms_per_step", fit.step_interval, TRUE_CLOCK.ms_per_step, half[1]),
        )
    }


def mixed_recovered(seed: int, effect: float = 0.03) -> dict[str, bool]:
    """Simulate log reaction times as of Tang et al.: 21 subjects, 300 objects, 10 trials of each subject in 15 objects.

    Model time varies between objects and between their presentations, and shares half its variance with confidence.
    Says whether the interval holds the effect, whether a null effect of a second such time is rejected, and the same
    for the rank correlation of objects' times under the null.
    """
    rng = np.random.default_rng([seed, 23])
    n, shape = 3000, (21, 300)
    subject, item = rng.integers(0, shape[0], n), rng.integers(0, shape[1], n)
    own = np.sqrt(0.5) * (rng.standard_normal((3, shape[1]))[:, item] + rng.standard_normal((3, n)))
    confidence, model, other = own[0], np.sqrt(0.5) * (own[0] + own[1]), np.sqrt(0.5) * (own[0] + own[2])
    random = 0.2 * rng.standard_normal(shape[0])[subject] + 0.06 * rng.standard_normal(shape[1])[item]
    y = -0.2 + effect * model + 0.05 * confidence + random + 0.25 * rng.standard_normal(n)
    x = np.column_stack([np.ones(n), confidence, model])
    fit = fit_mixed(y, x, subject, item)
    low, high = fit.interval(2)
    larger = fit_mixed(y, np.column_stack([x, other]), subject, item)
    return {"mixed effect": low < effect < high, "mixed null rejected": likelihood_ratio(fit, larger).p < 0.05}


def correlation_recovered(seed: int, n_resamples: int = 400) -> dict[str, bool]:
    """Simulate objects whose human times have nothing to do with model times; say whether the interval misses zero."""
    rng = np.random.default_rng([seed, 24])
    shape, n = (21, 300), 4000
    subject, item = rng.integers(0, shape[0], n), rng.integers(0, shape[1], n)
    human = (0.6 * rng.standard_normal(shape[1]))[item] + rng.standard_normal(n)
    x = rng.standard_normal(shape[1])
    sums, counts = subject_object_sums(subject, item, human, shape)
    subjects, objects = resamples(*shape, n_resamples, seed)
    drawn = taken(objects)
    redrawn = np.take_along_axis(object_times(sums, counts, subjects), drawn, axis=1)
    estimate = float(rank_correlation(x, object_times(sums, counts), scores="normal"))
    low, high = percentile_interval(recentred(rank_correlation(x[drawn], redrawn, scores="normal"), estimate))
    return {"correlation null rejected": not low <= 0 <= high}


PARTS = (timing_recovered, masking_recovered, mixed_recovered, correlation_recovered)


def measure(n_simulations: int = 200, parts=PARTS) -> pd.DataFrame:
    """Run all simulations: coverage of 95 % intervals, and false positives under the null.

    Returns
    -------
    pandas.DataFrame
        what, nominal (.95, or .05 of what is rejected under the null), share, low, high (exact binomial 95 %),
        n_simulations, simulated (always True).
    """
    rows = []
    for part in parts:
        found = pd.DataFrame([part(seed) for seed in range(n_simulations)])
        for what, values in found.items():
            result = binomtest(int(values.sum()), n_simulations)
            interval = result.proportion_ci(0.95)
            nominal = 0.05 if "rejected" in str(what) else 0.95
            rows.append((what, nominal, result.statistic, interval.low, interval.high, n_simulations, True))
    return pd.DataFrame(rows, columns=["what", "nominal", "share", "low", "high", "n_simulations", "simulated"])


def main(argv=None) -> None:
    """Write the table of coverage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="CSV file")
    parser.add_argument("--simulations", type=int, default=200)
    options = parser.parse_args(argv)
    table = measure(options.simulations)
    write_atomically(options.out, as_csv(table))
    print(table.to_string(index=False))
    print(options.out)


if __name__ == "__main__":
    main()
