"""What is correlated with human times, and what is held constant meanwhile: a row of statistics for each."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.inference import (
    correlate_scores,
    explained_by,
    partial_ceiling,
    percentile_interval,
    permutation_p,
    permuted_correlations,
    rank_correlation,
    rank_rows,
    rank_scores,
)
from benchmarks.bootstrap import recentred

_CONFIDENCES = ("step0_confidence", "control_confidence")
CORRELATIONS = {
    "rho_model_time": ("model_time", ()),
    "rho_model_time_drop_unsolved": ("model_time_drop_unsolved", ()),
    "rho_step0_confidence": ("step0_confidence", ()),
    "rho_control_confidence": ("control_confidence", ()),
    "rho_occlusion": ("mean_occlusion", ()),
    "partial_given_step0_confidence": ("model_time", ("step0_confidence",)),
    "partial_given_control_confidence": ("model_time", ("control_confidence",)),
    "partial_given_both": ("model_time", _CONFIDENCES),
    "partial_given_occlusion": ("model_time", ("mean_occlusion",)),
    "partial_given_both_and_occlusion": ("model_time", (*_CONFIDENCES, "mean_occlusion")),
    "partial_given_category": ("model_time", ("category",)),
    "partial_given_both_and_category": ("model_time", (*_CONFIDENCES, "category")),
    "step0_confidence_given_category": ("step0_confidence", ("category",)),
    "control_confidence_given_category": ("control_confidence", ("category",)),
}
"""Statistic -> what is correlated (Spearman) with human time, over objects, and what is held constant.

Within categories: people are faster with some than with others, and so is a readout, for reasons of its own.
"""


def _numbers(objects, column: str) -> dict[str, NDArray[np.float64]]:
    """Give a column as numbers; one of names becomes an indicator for each name but the first."""
    if pd.api.types.is_numeric_dtype(objects[column]):
        return {column: np.asarray(objects[column], float)}
    names = objects[column].dropna().unique()
    return {f"{column} {one}": np.where(objects[column].isna(), np.nan, objects[column] == one) for one in names[1:]}


def correlation_rows(objects, human_drawn, drawn, reliability, n_permutations: int, seed: int) -> list[tuple]:
    """Make a row for each of `CORRELATIONS`: statistic, estimate, low, high, ceiling, p, n_used, n_total.

    A partial correlation has a second row, ``*_normal_scores``: the one to test by (see `rank_correlation`).

    Parameters
    ----------
    objects
        Columns human_time_z and those that `CORRELATIONS` names, one row per object; NaN where not known. A column
        of names (the category) is held constant as indicators.
    human_drawn, drawn
        (resample, object), human times of the objects drawn, from the subjects drawn; and which objects.
    reliability
        Of the human times, for the ceiling.
    n_permutations, seed
        Of the permutations.
    """
    human, rows, ranked = np.asarray(objects["human_time_z"], float), [], {}
    for name, (variable, given) in CORRELATIONS.items():
        columns = {k: v for each in (variable, "human_time_z", *given) for k, v in _numbers(objects, each).items()}
        names, values = list(columns), list(columns.values())
        x, _, *rest = values
        redrawn = np.stack(
            [human_drawn if v == "human_time_z" else u[drawn] for v, u in zip(names, values, strict=True)]
        )
        redrawn[:, np.isnan(redrawn).any(axis=0)] = np.nan
        # Sorting is the cost: what is ranked over the same objects for one statistic serves the others.
        keys = [(each, np.isnan(redrawn[0]).tobytes()) for each in names]
        ranked |= {k: rank_rows(v) for k, v in zip(keys, redrawn, strict=True) if k not in ranked}
        ranks = np.stack([ranked[k] for k in keys])
        n = int(np.isfinite(np.stack(values)).all(axis=0).sum())
        ceiling = partial_ceiling(reliability, explained_by(human, rest))
        for scores, ending in (("ranks", ""), ("normal", "_normal_scores"))[: 2 if given else 1]:
            estimate = float(rank_correlation(x, human, rest, scores))
            resampled = correlate_scores(rank_scores(ranks, scores))
            permuted = permuted_correlations(x, human, rest, n_permutations, seed, scores)
            interval, p = percentile_interval(recentred(resampled, estimate)), permutation_p(estimate, permuted)
            rows.append((name + ending, estimate, *interval, ceiling, p, n, len(human)))
    return rows
