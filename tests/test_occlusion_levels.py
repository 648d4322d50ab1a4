"""Tests of times and accuracies by occlusion, against pandas, scipy and people of known times."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gmean, kendalltau

from analysis.bounds import TrialTimes
from analysis.decoded_study import DecodedStudy
from analysis.model_comparison import Scored
from analysis.occlusion_levels import N_LEVELS, occlusion_tables

N, N_STIMULI, N_STEPS = 1200, 400, 3


def make_study(effect, seed=0):
    """Trials whose reaction time rises with occlusion as told; a model that is slower and worse the more is hidden."""
    rng = np.random.default_rng(seed)
    hidden = rng.uniform(50, 100, N_STIMULI)
    stimulus = rng.integers(0, N_STIMULI, N)
    trials = pd.DataFrame({"stimulus_id": stimulus, "object_id": stimulus // 8, "subject": rng.integers(0, 6, N)})
    trials = trials.assign(occluded_percent=hidden[stimulus], masked=rng.random(N) < 0.25)
    trials["correct"] = np.where(rng.random(N) < 0.05, np.nan, rng.random(N) < 0.9)
    z = effect * (hidden[stimulus] - 75) / 25 + rng.standard_normal(N)
    trials = trials.assign(time_z=z, rt_s=np.exp(0.2 * z - 0.3))
    kept = trials[~trials["masked"] & trials["correct"].eq(1)].reset_index(drop=True)
    right = rng.random((N_STEPS + 1, N_STIMULI)) < 1 - hidden / 200
    study = DecodedStudy(
        {"net": np.stack([right, ~right], axis=2).astype(float), "control": np.stack([right, ~right], axis=2)[:1]},
        {},
        pd.DataFrame({"stimulus_id": np.arange(N_STIMULI), "label": 0}),
        trials,
        {},
    )
    step = np.minimum(hidden[kept["stimulus_id"]] / 25 + rng.random(len(kept)), N_STEPS)
    times = {"net": {"solution": TrialTimes(step, step < N_STEPS, np.full((1, 2), np.nan), N_STEPS)}}
    return study, Scored(kept, pd.DataFrame(), N, times, {})


@pytest.fixture(scope="module")
def made():
    study, scored = make_study(1.0)
    return study, scored, *occlusion_tables(study, scored, 200)


def level_of(study, hidden):
    """Levels as pandas cuts quantiles."""
    seen = study.trials.loc[~study.trials["masked"], "occluded_percent"]
    _, edges = pd.qcut(seen, N_LEVELS, retbins=True)
    return pd.cut(hidden, edges, labels=False, include_lowest=True) + 1


def test_means_of_levels_are_those_of_pandas(made):
    study, scored, levels, _ = made
    kept = scored.kept.assign(level=level_of(study, scored.kept["occluded_percent"]))
    people = levels[levels["measure"] == "rt_s"].set_index("level")
    np.testing.assert_allclose(people["value"], kept.groupby("level")["rt_s"].apply(gmean))
    np.testing.assert_array_equal(people["n_used"], kept.groupby("level").size())
    np.testing.assert_allclose(people["mean_percent"], kept.groupby("level")["occluded_percent"].mean())
    seen = study.trials[~study.trials["masked"]]
    seen = seen.assign(level=level_of(study, seen["occluded_percent"]), right=seen["correct"].eq(1))
    accuracy = levels[(levels["who"] == "people") & (levels["measure"] == "accuracy")].set_index("level")
    np.testing.assert_allclose(accuracy["value"], seen.groupby("level")["right"].mean())
    assert (accuracy["n_used"].sum(), accuracy["n_total"].iloc[0]) == (len(seen), N)


def test_times_that_were_not_reached_count_as_one_step_after_the_last_and_are_counted(made):
    study, scored, levels, _ = made
    times = scored.times["net"]["solution"]
    filled = pd.Series(np.where(times.reached, times.step, N_STEPS + 1))
    level = level_of(study, scored.kept["occluded_percent"])
    found = levels[levels["measure"] == "solution"].set_index("level")
    np.testing.assert_allclose(found["value"], filled.groupby(level).mean())
    np.testing.assert_array_equal(found["n_reached"], pd.Series(times.reached).groupby(level).sum())
    assert found["n_reached"].sum() < found["n_used"].sum()


def test_a_model_without_recurrence_has_one_accuracy_and_one_with_it_the_first_and_the_last(made):
    _, _, levels, _ = made
    named = levels[levels["measure"].str.startswith("accuracy")].groupby("who")["measure"].unique()
    assert list(named["net"]) == ["accuracy, step 0", f"accuracy, step {N_STEPS}"]
    assert list(named["control"]) == ["accuracy, step 0"]


def test_trends_of_people_are_those_of_scipys_kendall_and_intervals_hold_them(made):
    """Without ties in time, Somers' D is tau-a: tau-b without its correction for pairs of equal occlusion."""
    _, scored, _, trends = made
    row = trends[trends["measure"] == "time_z"].iloc[0]
    n, same = len(scored.kept), scored.kept["occluded_percent"].value_counts()
    untied = 1 - (same * (same - 1)).sum() / (n * (n - 1))
    tau = kendalltau(scored.kept["time_z"], scored.kept["occluded_percent"]).statistic
    assert row["somers_d"] == pytest.approx(tau * np.sqrt(untied), abs=1e-9)
    assert 0 < row["low"] < row["somers_d"] < row["high"]


def test_trials_of_unknown_occlusion_are_refused():
    study, scored = make_study(1.0)
    scored.kept.loc[3, "occluded_percent"] = np.nan
    with pytest.raises(ValueError, match="expected a percentage for every trial, got 1 without"):
        occlusion_tables(study, scored, 10)


def test_people_whose_times_do_not_depend_on_occlusion_have_an_interval_that_holds_zero():
    held = 0
    for seed in range(10):
        _, trends = occlusion_tables(*make_study(0.0, seed), 100)
        row = trends[trends["measure"] == "time_z"].iloc[0]
        held += row["low"] <= 0 <= row["high"]
    assert held >= 8
