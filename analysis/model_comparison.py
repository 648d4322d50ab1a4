"""Every model, every readout of its time, against one study: effect, interval, ceiling, corrected p, AIC.

What is tested is laid down here before anything is seen: all readouts of all models, in two families (with and without
category among what is held constant), p values corrected over each whole family (Holm 1979).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.bounds import READOUTS, TrialTimes, all_times
from analysis.censored import concordance_interval, restricted_means
from analysis.decoded_study import DecodedStudy
from analysis.human_times import agreement, clean_trials, object_times, subject_object_sums
from analysis.inference import (
    explained_by,
    holm,
    partial_ceiling,
    percentile_interval,
    permutation_p,
    permuted_correlations,
    rank_correlation,
    resamples,
    taken,
)
from analysis.mixed import fit_mixed, held_out_errors, independent, likelihood_ratio
from analysis.solution_step import right_margin
from analysis.weighted_ranks import weighted_normal_scores, weighted_partial_correlation
from benchmarks.bootstrap import recentred

GIVEN = ("confidence, occlusion", "confidence, occlusion, category")
N_CONCORDANCE = 500
"""Resamples of Somers' D, which costs a sort of all trials for each."""


@dataclass(frozen=True)
class Scored:
    """The trials that count, with what is held constant.

    Parameters
    ----------
    kept
        Trials (`human_times.clean_trials`), with columns rt_s, time_z, subject, object_id, category, occluded_percent.
    exclusions
        What each rule left out.
    n_total
        Trials before cleaning.
    times
        Model -> readout -> `TrialTimes`.
    margins
        Model -> (trial,), decision value of the right category minus the largest other one, at step 0.
    """

    kept: pd.DataFrame
    exclusions: pd.DataFrame
    n_total: int
    times: Mapping[str, Mapping[str, TrialTimes]]
    margins: Mapping[str, NDArray[np.float64]]


def score_trials(
    study: DecodedStudy,
    rt_range_s: tuple[float, float] = (0.2, 2.5),
    seed: int = 0,
    readouts: Sequence[str] = READOUTS,
    **rules: bool,
) -> Scored:
    """Clean the trials and read every model's times for those that are left (unmasked, right, within range).

    `rules` are those of `human_times.clean_trials`.
    """
    ids = study.table["stimulus_id"]
    clean = clean_trials(study.trials, "unmasked", rt_range_s, shown=ids, **rules)
    times = {
        name: all_times(decisions, study.movement[name], study.table, clean.trials, study.shown, seed, readouts)
        for name, decisions in study.decisions.items()
    }
    at, labels = pd.Index(ids).get_indexer(clean.trials["stimulus_id"]), study.table["label"].to_numpy()
    margins = {name: right_margin(decisions[:1], labels)[0][at] for name, decisions in study.decisions.items()}
    return Scored(clean.trials, clean.exclusions, len(study.trials), times, margins)


def compare_models(
    scored: Scored,
    control: str,
    *,
    n_resamples: int = 2000,
    n_permutations: int = 2000,
    seed: int = 0,
    held_out: bool = True,
) -> pd.DataFrame:
    """Make the table: a row for each model, readout, and set of what is held constant.

    Parameters
    ----------
    scored
        Of `score_trials`.
    control
        The feedforward model; its confidence is held constant beside the model's own at step 0, each in two forms:
        entropy, which does not know the right answer, and the right answer's margin, which does, as solution and
        observer steps do: against entropy alone these would win by knowing the label. Feedforward times themselves are
        tested against the rest (occlusion, category) alone.
    n_resamples, n_permutations, seed
        Of intervals and p values.
    held_out
        Whether to predict each subject from all others (the slowest part).

    Returns
    -------
    pandas.DataFrame
        model, readout, given; rho, partial with _low, _high (over objects; normal scores; subjects and objects drawn
        anew, bounds as fitted), ceiling, partial_ceiling, p, p_holm (of partial, permuted objects); somers_d with _low,
        _high (trials, censored); beta with _low, _high (log RT per standard deviation of model time, where reached;
        mixed model; NaN where it does not vary), lr, df, lr_p, lr_p_holm, delta_aic (positive: model time helps),
        marginal_r2, conditional_r2, marginal_r2_null, held_out_gain with _low, _high (share of squared error of unseen
        subjects saved; subjects drawn anew), n_subjects_better, n_reached, n_used, n_total (trials), n_objects.
    """
    study = ObjectTimes(scored.kept, n_resamples, seed)
    orders = {(m, r): study.order(times) for m, readouts in scored.times.items() for r, times in readouts.items()}
    rows = []
    for given in GIVEN:
        base_errors: dict = {}
        for model, readouts in scored.times.items():
            for readout, times in readouts.items():
                covariates = _covariates(scored, model, readout, control, "category" in given)
                rows.append({"model": model, "readout": readout, "given": given})
                rows[-1] |= study.correlations(times, covariates, n_permutations) | orders[model, readout]
                rows[-1] |= mixed_effect(scored.kept, times, covariates, base_errors if held_out else None)
                rows[-1] |= {"n_reached": int(times.reached.sum()), "n_used": len(scored.kept)}
    table = pd.DataFrame(rows).assign(n_total=scored.n_total)
    for name in ("p", "lr_p"):
        table[f"{name}_holm"] = table.groupby("given")[name].transform(holm)
    return table


def mixed_effect(kept: pd.DataFrame, times: TrialTimes, covariates: pd.DataFrame, base_errors: dict | None = None):
    """Test what model time adds to log RT ~ covariates + (1 | subject) + (1 | object).

    A censored time is not given a number: it is a column of its own ("not reached"), so that the test has one more
    degree of freedom. `base_errors` keeps the held-out errors without model time, by columns, between calls; None: none
    are computed.
    """
    y = np.log(kept["rt_s"].to_numpy(float))
    who = kept["subject"].to_numpy(), kept["object_id"].to_numpy()
    null = np.column_stack([np.ones(len(y)), covariates.to_numpy(float)])
    null = null[:, independent(null)]
    reached = times.reached
    spread = times.step[reached].std() if reached.any() else 0.0
    step = np.where(reached, times.step - times.step[reached].mean(), 0.0) / spread if spread > 0 else 0 * y
    design = np.column_stack([null, step, ~reached])
    design = design[:, independent(design)]
    nan = float("nan")
    if design.shape[1] == null.shape[1]:
        return {"beta": nan, "lr_p": nan, "delta_aic": nan}
    small, large = fit_mixed(y, null, *who), fit_mixed(y, design, *who)
    test = likelihood_ratio(small, large)
    at = null.shape[1]
    found = {"beta": nan, "beta_low": nan, "beta_high": nan}
    if np.array_equal(design[:, at], step):  # else what stands there is whether it was reached
        found = dict(zip(found, (large.coefficients[at], *large.interval(at)), strict=True))
    found |= {"lr": test.statistic, "df": test.df, "lr_p": test.p, "delta_aic": test.delta_aic}
    found |= {"marginal_r2": large.marginal_r2, "conditional_r2": large.conditional_r2}
    found |= {"marginal_r2_null": small.marginal_r2}
    if base_errors is not None:
        key = tuple(covariates.columns)
        base_errors.setdefault(key, held_out_errors(y, null, *who))
        found |= _gain(base_errors[key], held_out_errors(y, design, *who))
    return found


def _gain(without: NDArray, with_time: NDArray, n_resamples: int = 2000) -> dict:
    """Share of squared error saved in unseen subjects, interval over subjects."""
    n = len(without)
    drawn = np.random.default_rng(0).integers(0, n, (n_resamples, n))
    low, high = percentile_interval(1 - with_time[drawn].sum(axis=1) / without[drawn].sum(axis=1))
    found = {"held_out_gain": 1 - with_time.sum() / without.sum(), "held_out_gain_low": low, "held_out_gain_high": high}
    return {**found, "n_subjects_better": int((with_time < without).sum())}


def _covariates(scored: Scored, model: str, readout: str, control: str, category: bool) -> pd.DataFrame:
    """Give what is held constant, (trial, covariate): confidences not tested, occlusion, and the category."""
    columns = {}
    for name in dict.fromkeys((model, control)) if readout != "feedforward" else ():
        columns[f"entropy {name}"] = scored.times[name]["feedforward"].step
        columns[f"margin {name}"] = scored.margins[name]
    columns["occlusion"] = scored.kept["occluded_percent"].to_numpy(float)
    if category:
        names = scored.kept["category"]
        columns |= {f"category {one}": (names == one).to_numpy(float) for one in sorted(names.unique())[1:]}
    table = pd.DataFrame(columns)
    return (table - table.mean()) / table.std(ddof=0).replace(0, 1.0)


class ObjectTimes:
    """Human times by object, and the resamples that all rows share."""

    def __init__(self, kept: pd.DataFrame, n_resamples: int, seed: int):
        self.seed = seed
        self.subject, subjects = pd.factorize(kept["subject"], sort=True)
        self.item, objects = pd.factorize(kept["object_id"], sort=True)
        self.shape, self.z = (len(subjects), len(objects)), kept["time_z"].to_numpy(float)
        sums, counts = subject_object_sums(self.subject, self.item, self.z, self.shape)
        self.human = object_times(sums, counts)
        self.draws = resamples(*self.shape, n_resamples, seed)
        drawn = object_times(sums, counts, self.draws[0])
        # Objects that none of the subjects drawn has seen take no part.
        self.weights = self.draws[1] * np.isfinite(drawn)
        self.human_scores = weighted_normal_scores(drawn, self.weights)
        self.scores: dict[bytes, NDArray] = {}
        self.reliability = agreement(sums, counts, taken(self.draws[1]), seed=seed).reliability

    def correlations(self, times: TrialTimes, covariates: pd.DataFrame, n_permutations: int) -> dict:
        """Correlate an object's model time (restricted mean over its trials) with its human time."""
        horizon = max(times.n_steps + 1.0, float(times.step.max()))
        x = restricted_means(times.step, times.reached, self.item, self.shape[1], horizon)
        means = covariates.groupby(self.item).mean().to_numpy(float).T
        found: dict = {"n_objects": self.shape[1]}
        scores = weighted_normal_scores(x, self.weights)
        held = []
        for values in means:  # many calls hold the same constant, and sorting and normal quantiles are the cost
            key = values.tobytes()
            if key not in self.scores:
                self.scores[key] = weighted_normal_scores(values, self.weights)
            held.append(self.scores[key])
        for name, given, constant in (("rho", [], []), ("partial", list(means), held)):
            estimate = float(rank_correlation(x, self.human, given, "normal"))
            drawn = weighted_partial_correlation(scores, self.human_scores, constant, self.weights)
            low, high = percentile_interval(recentred(drawn, estimate))
            found |= {name: estimate, f"{name}_low": low, f"{name}_high": high}
        found["ceiling"] = partial_ceiling(self.reliability, 0)
        found["partial_ceiling"] = partial_ceiling(self.reliability, explained_by(self.human, list(means)))
        permuted = permuted_correlations(x, self.human, list(means), n_permutations, self.seed, "normal")
        found["p"] = permutation_p(found["partial"], permuted)
        return found

    def order(self, times: TrialTimes) -> dict:
        """Give Somers' D of model and human time over trials."""
        few = tuple(draw[:N_CONCORDANCE] for draw in self.draws)
        order = concordance_interval((times.step, times.reached, self.z), (self.subject, self.item), few)
        return dict(zip(("somers_d", "somers_d_low", "somers_d_high"), order, strict=True))
