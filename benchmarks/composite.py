"""One number over all benchmarks, the "Turing test for deep networks", and how much hangs on its weights.

A benchmark enters with its normalised score (1: as good as the recordings' noise allows). Scores are averaged within a
family of benchmarks (V4, IT, behaviour, timing), then over families with equal weights, so that a family does not
count more because more was measured in it. What is missing stays missing: a benchmark that no model has a score on
is named and does not enter, for any model; a model that lacks a score which another has gets no number for that family,
and none for the composite. It is neither zero nor left out of its own mean.

Equal weights are a choice, so two more tables say what hangs on it: the share of all weightings of the families
(Dirichlet(1, ..., 1): uniform) under which each model ranks first, and the ranks when one benchmark is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd
from scipy.stats import norm

from benchmarks.bootstrap import LEVEL

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "V4": ("*.V4-*",),
    "IT": ("*.IT-rsa", "*.IT-ridge", "*.IT-pls", "*.IT-i1", "*.macaqueIT-*", "*.humanIT-*"),
    "behaviour": (
        "kriegeskorte2008.judgement-rsa",
        "cifar10h.*",
        "geirhos.accuracy-*",
        "maniquet2025.accuracy",
        "maniquet2025.confusion",
    ),
    "timing": (
        "zhang2011.IT-decoding",
        "maniquet2025.rt",
        "maniquet2025.masking",
        "kumbhar2021.sat",
        "geirhos.rt-*",
        "kar2019.ost",
        "tang2018.*",
    ),
}
"""Family to patterns of benchmarks' identifiers."""

N_WEIGHTINGS = 10_000
ENTERS, NO_SCORE, NO_CEILING, NO_FAMILY = "enters", "no score", "no ceiling", "no family"
COMPOSITE = "composite"


def family_of(benchmark: str, families: Mapping[str, tuple[str, ...]] = FAMILIES) -> str | None:
    """Return the first family that a benchmark's identifier belongs to, or None."""
    for family, patterns in families.items():
        if any(fnmatchcase(benchmark, pattern) for pattern in patterns):
            return family
    return None


def entries(scores: pd.DataFrame, families: Mapping[str, tuple[str, ...]] = FAMILIES) -> pd.DataFrame:
    """Say which benchmarks enter the composite, and why the others do not.

    Parameters
    ----------
    scores
        Tidy: benchmark, model, value and raw (NaN: missing). A benchmark without any score has a row too.
    families
        Family to patterns.

    Returns
    -------
    pandas.DataFrame
        benchmark, family, state ("enters", "no score", "no ceiling": raw scores alone, "no family"), in the order in
        which they come.
    """
    check_once(scores)
    rows = []
    for benchmark, part in scores.groupby("benchmark", sort=False):
        family = family_of(str(benchmark), families)
        if family is None:
            state = NO_FAMILY
        elif part["value"].notna().any():
            state = ENTERS
        else:
            state = NO_CEILING if part["raw"].notna().any() else NO_SCORE
        rows.append({"benchmark": benchmark, "family": family, "state": state})
    return pd.DataFrame(rows, columns=["benchmark", "family", "state"])


def check_once(scores: pd.DataFrame) -> None:
    """Raise ValueError where a model has two scores on one benchmark."""
    twice = scores[scores.duplicated(["benchmark", "model"])]
    if len(twice):
        row = twice.iloc[0]
        raise ValueError(
            f"scores: expected one of each model on each benchmark, got two of {row['model']} on {row['benchmark']}. "
            "Leave one out."
        )


def composite(scores: pd.DataFrame, families: Mapping[str, tuple[str, ...]] = FAMILIES) -> pd.DataFrame:
    """Average normalised scores within families, then over families.

    Parameters
    ----------
    scores
        Tidy: benchmark, model, value, low, high (95 % interval), raw; NaN is missing.
    families
        Family to patterns.

    Returns
    -------
    pandas.DataFrame
        A row for each model and family, and for each model one more, family "composite": model, family, value, low,
        high, n_scored, n_benchmarks (that enter), missing (names), rank (1 is best, of the models with a value). A
        family that no benchmark enters from has a row with n_benchmarks 0, and is no part of the composite.

    Notes
    -----
    Intervals are normal, from the widths of the benchmarks'. Benchmarks of one study (the same images) are taken as
    wholly dependent, their errors add up; studies as independent, their squared errors add up.
    """
    entered = entries(scores, families)
    entered = entered[entered["state"] == ENTERS]
    rows = []
    for model, part in scores.groupby("model", sort=False):
        weights = _weights(entered, families)
        for family in families:
            own = entered[entered["family"] == family]
            equal = pd.Series(1 / max(1, len(own)), index=own["benchmark"])
            rows.append({"model": model, "family": family, **_mean(part, equal)})
        rows.append({"model": model, "family": COMPOSITE, **_mean(part, weights)})
    table = pd.DataFrame(rows)
    table["rank"] = table.groupby("family")["value"].rank(ascending=False, method="min")
    return table


def _weights(entered: pd.DataFrame, families) -> pd.Series:
    """Weight of each benchmark: families alike, and alike within each."""
    present = [family for family in families if (entered["family"] == family).any()]
    sizes = entered.groupby("family")["benchmark"].transform("size")
    return pd.Series((1 / (len(present) * sizes)).to_numpy(), index=entered["benchmark"], dtype=np.float64)


def _mean(part: pd.DataFrame, weights: pd.Series) -> dict:
    """Take the weighted mean of a model's scores, with its interval; NaN where one is missing."""
    own = part.set_index("benchmark").reindex(weights.index)
    missing = own.index[own["value"].isna()]
    found = {"value": np.nan, "low": np.nan, "high": np.nan}
    if len(own) and not len(missing):
        value = float((weights * own["value"]).sum())
        errors = weights * (own["high"] - own["low"]) / (2 * norm.ppf((1 + LEVEL) / 2))
        studies = [str(name).partition(".")[0] for name in own.index]
        half = norm.ppf((1 + LEVEL) / 2) * np.sqrt(np.square(errors.groupby(studies).sum(min_count=1)).sum())
        half = half if errors.notna().all() else np.nan
        found = {"value": value, "low": value - half, "high": value + half}
    counts = {"n_scored": len(own) - len(missing), "n_benchmarks": len(own)}
    return found | counts | {"missing": ", ".join(missing)}


def share_first(table: pd.DataFrame, seed: int = 0, n_weightings: int = N_WEIGHTINGS) -> pd.DataFrame:
    """Rank models under weightings of the families drawn from all there are, each as likely.

    Parameters
    ----------
    table
        From `composite`.
    seed
        Of the weightings.
    n_weightings
        How many to draw.

    Returns
    -------
    pandas.DataFrame
        model, share_first (NaN for a model without a composite), best_rank, worst_rank, n_weightings, families.
        Models that tie for the first rank share it.
    """
    families = table[(table["family"] != COMPOSITE) & (table["n_benchmarks"] > 0)]
    names = list(families["family"].unique())
    values = families.pivot(index="model", columns="family", values="value").reindex(columns=names)
    values = values.reindex(table["model"].unique())
    ranked = values.dropna()
    result = pd.DataFrame(index=values.index, columns=["share_first", "best_rank", "worst_rank"], dtype=np.float64)
    if len(ranked) and names:
        weights = np.random.default_rng(seed).dirichlet(np.ones(len(names)), n_weightings)
        totals = weights @ ranked.to_numpy(np.float64).T
        first = totals == totals.max(axis=1, keepdims=True)
        ranks = 1 + (totals[:, None, :] > totals[:, :, None]).sum(axis=2)
        result.loc[ranked.index, "share_first"] = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
        result.loc[ranked.index, "best_rank"] = ranks.min(axis=0)
        result.loc[ranked.index, "worst_rank"] = ranks.max(axis=0)
    return result.assign(n_weightings=n_weightings, families=", ".join(names)).reset_index()


def leave_one_out(scores: pd.DataFrame, families: Mapping[str, tuple[str, ...]] = FAMILIES) -> pd.DataFrame:
    """Take the composite again without each of the benchmarks that enter it.

    Returns
    -------
    pandas.DataFrame
        left_out ("" for none), model, value, rank. Leaving out a family's only benchmark leaves the family out.
    """
    entered = entries(scores, families)
    names = ["", *entered.loc[entered["state"] == ENTERS, "benchmark"]]
    parts = []
    for name in names:
        table = composite(scores[scores["benchmark"] != name], families)
        parts.append(table.loc[table["family"] == COMPOSITE, ["model", "value", "rank"]].assign(left_out=name))
    return pd.concat(parts, ignore_index=True)[["left_out", "model", "value", "rank"]]
