"""Learning curves over seeds: means, spread, and paired differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import t as student

KEYS = ["data", "input", "model", "n_per_class", "step"]
# Each first model against the second, on the same labelled images.
CONTRASTS = (
    ("cnnf", "cnn"),
    ("lateral", "cnn"),
    ("cnnf", "lateral"),
    ("naive-bayes", "logistic"),
    ("lda", "logistic"),
)
LEVEL = 0.95


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds.

    Parameters
    ----------
    runs
        Columns `KEYS`, seed, accuracy, n_test; a row per seed.

    Returns
    -------
    pandas.DataFrame
        `KEYS`, mean, sd (of the seeds, n - 1; NaN of one), n_seeds, n_test.
    """
    groups = runs.groupby(KEYS, sort=False, as_index=False)
    return groups.agg(
        mean=("accuracy", "mean"), sd=("accuracy", "std"), n_seeds=("seed", "nunique"), n_test=("n_test", "first")
    )


def differences(runs: pd.DataFrame) -> pd.DataFrame:
    """Compare models on the same labels, seed by seed.

    Parameters
    ----------
    runs
        As in `summarise`.

    Returns
    -------
    pandas.DataFrame
        data, input, contrast ("cnnf - cnn", …), n_per_class, step (of the first; the second has the same, or its last
        one where it is feedforward), difference (mean over seeds), low, high, n_seeds. The interval is Student's 95 %:
        so few seeds, resampled, give intervals that are too narrow. NaN with one seed.
    """
    rows = []
    for (data, source), part in runs.groupby(["data", "input"], sort=False):
        tables = {
            model: each.pivot(index=["n_per_class", "seed"], columns="step", values="accuracy")
            for model, each in part.groupby("model")
        }
        for first, second in CONTRASTS:
            if first not in tables or second not in tables:
                continue
            for step, ours in tables[first].items():
                theirs = tables[second][min(step, tables[second].columns.max())]
                for n, paired in (ours - theirs).dropna().groupby("n_per_class"):
                    low, high = mean_interval(paired.to_numpy())
                    row = {"data": data, "input": source, "contrast": f"{first} - {second}", "n_per_class": n}
                    row |= {"step": step, "difference": paired.mean(), "low": low, "high": high}
                    rows.append(row | {"n_seeds": len(paired)})
    return pd.DataFrame(rows)


def mean_interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Student's interval of a mean of independent values (n,); NaN for fewer than two."""
    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    half = student.ppf((1 + level) / 2, n - 1) * np.std(values, ddof=1) / np.sqrt(n)
    return float(np.mean(values) - half), float(np.mean(values) + half)
