"""One number over all benchmarks, the "Turing test for deep networks", and how much hangs on its weights.

A benchmark enters with its normalised score (1: as good as the recordings' noise allows). Scores are averaged within a
family of benchmarks (V4, IT, behaviour, timing), then over families with equal weights, so that a family does not
count more because more was measured in it. What is missing stays missing: a benchmark that no model has a score on
is named and does not enter, for any model; a model that lacks a score which another has gets no number for that family,
and none for the composite. It is neither zero nor left out of its own mean. Ranks compare like with like: beside the
composite stands the mean of the benchmarks that every model has a score on, and models are ranked by that.

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
        "cifar10h.soft-labels",
        "cifar10h.entropy",
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
        "cifar10h.rt-by-image",
        "kar2019.ost",
        "tang2018.*",
    ),
}
"""Family to patterns of benchmarks' identifiers."""

N_WEIGHTINGS = 10_000
ENTERS, PARTLY = "enters", "not of all models"
NO_SCORE, NO_CEILING, NO_FAMILY = "no score", "no ceiling", "no family"
COMPOSITE, COMMON = "composite", "of all models"


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
        benchmark, family, state, in the order in which they come. State: "enters"; "not of all models" enters too, but
        not the ranks; "no score", "no ceiling" (raw scores alone) and "no family" do not enter.
    """
    check_once(scores)
    rows = []
    for benchmark, part in scores.groupby("benchmark", sort=False):
        family = family_of(str(benchmark), families)
        if family is None:
            state = NO_FAMILY
        elif part["value"].notna().any():
            every = part["value"].notna().sum() == scores["model"].nunique()
            state = ENTERS if every else PARTLY
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
        A row for each model and family, and for each model two more, families "composite" and "of all models" (the
        benchmarks that every model has): model, family, value, low, high, n_scored, n_benchmarks (that enter), missing
        (names), rank (1 is best, of the models with a value). A family that no benchmark enters from has a row with
        n_benchmarks 0, and is no part of the composite.

    Notes
    -----
    Intervals are normal, from the widths of the benchmarks'. Benchmarks of one study (the same images) are taken as
    wholly dependent, their errors add up; studies as independent, their squared errors add up.
    """
    entered = entries(scores, families)
    entered = entered[entered["state"].isin([ENTERS, PARTLY])]
    groups = {family: _weights(entered[entered["family"] == family]) for family in families}
    groups |= {COMPOSITE: _weights(entered), COMMON: _weights(entered[entered["state"] == ENTERS])}
    rows = [
        {"model": model, "family": name, **_mean(part, weights)}
        for model, part in scores.groupby("model", sort=False)
        for name, weights in groups.items()
    ]
    table = pd.DataFrame(rows)
    table["rank"] = table.groupby("family")["value"].rank(ascending=False, method="min")
    return table


def _weights(entered: pd.DataFrame) -> pd.Series:
    """Weight of each benchmark: families alike, and alike within each."""
    sizes = entered.groupby("family")["benchmark"].transform("size")
    weights = 1 / (max(1, entered["family"].nunique()) * sizes.to_numpy(np.float64))
    return pd.Series(weights, index=entered["benchmark"])


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


def of_all_models(scores: pd.DataFrame, families: Mapping[str, tuple[str, ...]] = FAMILIES) -> pd.DataFrame:
    """Return the scores on benchmarks that enter and that every model has a score on."""
    table = entries(scores, families)
    return scores[scores["benchmark"].isin(table.loc[table["state"] == ENTERS, "benchmark"])]


def share_first(
    scores: pd.DataFrame,
    families: Mapping[str, tuple[str, ...]] = FAMILIES,
    seed: int = 0,
    n_weightings: int = N_WEIGHTINGS,
) -> pd.DataFrame:
    """Rank models under weightings of the families drawn from all there are, each as likely.

    Parameters
    ----------
    scores, families
        As in `composite`; only benchmarks that every model has a score on count.
    seed
        Of the weightings.
    n_weightings
        How many to draw.

    Returns
    -------
    pandas.DataFrame
        model, share_first, best_rank, worst_rank (NaN where no benchmark is of all models), n_weightings, families.
        Models that tie for the first rank share it.
    """
    models = list(scores["model"].unique())
    result = pd.DataFrame({"model": models, "share_first": np.nan, "best_rank": np.nan, "worst_rank": np.nan})
    common = of_all_models(scores, families)
    if common.empty:
        return result.assign(n_weightings=n_weightings, families="")
    table = composite(common, families)
    table = table[table["family"].isin(list(families)) & (table["n_benchmarks"] > 0)]
    names = list(table["family"].unique())
    values = table.pivot(index="model", columns="family", values="value").loc[models, names].to_numpy(np.float64)
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(names)), n_weightings)
    totals = weights @ values.T
    first = np.isclose(totals, totals.max(axis=1, keepdims=True), rtol=0, atol=1e-12)
    ranks = 1 + (totals[:, None, :] > totals[:, :, None]).sum(axis=2)
    result["share_first"] = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    result["best_rank"], result["worst_rank"] = ranks.min(axis=0), ranks.max(axis=0)
    return result.assign(n_weightings=n_weightings, families=", ".join(names))


def leave_one_out(scores: pd.DataFrame, families: Mapping[str, tuple[str, ...]] = FAMILIES) -> pd.DataFrame:
    """Rank models again without each of the benchmarks that every model has a score on.

    Returns
    -------
    pandas.DataFrame
        left_out ("" for none), model, value, rank. Leaving out a family's only benchmark leaves the family out; leaving
        out the only benchmark leaves nothing, and NaN.
    """
    common = of_all_models(scores, families)
    parts = []
    for name in ["", *common["benchmark"].unique()]:
        rest = common[common["benchmark"] != name]
        models = pd.DataFrame({"model": scores["model"].unique()})
        table = composite(rest, families) if len(rest) else models.assign(family=COMMON, value=np.nan, rank=np.nan)
        parts.append(table.loc[table["family"] == COMMON, ["model", "value", "rank"]].assign(left_out=name))
    return pd.concat(parts, ignore_index=True)[["left_out", "model", "value", "rank"]]
