"""How much of the course of human accuracy behind a mask a truncated model explains, with intervals over subjects."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.inference import percentile_interval
from analysis.masking import MS_PER_STEP, ONSETS_MS, best_scales, grid_accuracy, log_likelihood
from benchmarks.bootstrap import shifted
from benchmarks.statistics import paired_test

COLUMNS = ("model", "share", "low", "high", "difference", "difference_low", "difference_high", "p", "n_subjects")
CHUNK = 16
"""Samples worked on at a time: each holds every clock."""


def masking_shares(
    trials: pd.DataFrame,
    accuracy: Mapping[str, ArrayLike],
    control: str,
    chance: float,
    n_resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Give the share of deviance that each model explains under its best clock.

    0 is a model that says that duration does not matter, 1 a curve through every point. Subjects are drawn anew, and
    the clock and the scale fitted anew, the same subjects for all models. Samples are shifted to their estimate, and
    shares kept below 1: counts of fewer different subjects are noisier, and less of them can be explained.

    Parameters
    ----------
    trials
        Columns subject, soa_s, masked, correct; the masked ones count.
    accuracy
        Model to (step,), its accuracy with the stimuli that people saw.
    control
        Which of the models the others are compared with.
    chance
        Accuracy of guessing.
    n_resamples, seed
        Of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        model, share, low, high (95 %), difference (from the control's) with _low, _high, p (two-sided); NaN for the
        control itself; n_subjects.
    """
    part = trials[trials["masked"].astype(bool)]
    cells = part.groupby(["subject", "soa_s"])["correct"].agg(["sum", "size"]).astype(float)
    right, n = (cells[column].unstack(fill_value=0.0) for column in ("sum", "size"))
    n_subjects, duration_ms = len(right), right.columns.to_numpy(float) * 1000
    drawn = np.random.default_rng(seed).multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), n_resamples)
    weights = np.concatenate([np.ones((1, n_subjects)), drawn])
    counts = weights @ right.to_numpy(), weights @ n.to_numpy()
    shares = {name: _shares(*counts, duration_ms, steps, chance) for name, steps in accuracy.items()}
    rows = []
    for name, values in shares.items():
        share = values[0]
        low, high = percentile_interval(np.minimum(shifted(values[1:], share), 1.0))
        row = {"model": name, "share": share, "low": low, "high": high, "n_subjects": n_subjects}
        if name != control:
            test = paired_test(values, shares[control])
            moved = shifted(values[1:] - shares[control][1:], test.difference)
            row |= dict(zip(("difference_low", "difference_high"), percentile_interval(moved), strict=True))
            row |= {"difference": test.difference, "p": test.p}
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _shares(right: NDArray, n: NDArray, duration_ms: NDArray, accuracy: ArrayLike, chance: float) -> NDArray:
    """Share of deviance explained in each sample, (sample,), of counts (sample, duration)."""
    excess = grid_accuracy(accuracy, duration_ms, chance, ONSETS_MS, MS_PER_STEP).reshape(-1, len(duration_ms)) - chance
    best = [
        best_scales(right[a : a + CHUNK, None], n[a : a + CHUNK, None], excess[None], chance)[1].max(axis=1)
        for a in range(0, len(right), CHUNK)
    ]
    constant = log_likelihood(right, n, (right.sum(axis=1) / n.sum(axis=1))[:, None])
    return (np.concatenate(best) - constant) / (log_likelihood(right, n, right / np.maximum(n, 1)) - constant)
