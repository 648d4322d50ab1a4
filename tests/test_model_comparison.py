"""Tests of the comparison: Holm against statsmodels, positive and negative controls with known truth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from statsmodels.stats.multitest import multipletests

from analysis.bounds import TrialTimes
from analysis.inference import holm
from analysis.model_comparison import GIVEN, Scored, compare_models, mixed_effect


def make_scored(effect, seed=0, n=900, n_objects=60):
    """Trials of eight subjects; times of a model, which may drive RT, and confidences, which do."""
    rng = np.random.default_rng(seed)
    item, subject = rng.integers(0, n_objects, n), rng.integers(0, 8, n)
    confidence, margin, own = rng.standard_normal((3, n_objects))[:, item]
    true = 2.5 + 1.2 * own + 0.5 * confidence + 0.5 * rng.standard_normal(n)
    step, reached = np.clip(true, 0, 4), true < 4
    log_rt = -0.3 + effect * step + 0.1 * confidence + 0.2 * rng.standard_normal(8)[subject]
    log_rt += 0.05 * rng.standard_normal(n_objects)[item] + 0.2 * rng.standard_normal(n)
    kept = pd.DataFrame({"subject": subject, "object_id": item, "rt_s": np.exp(log_rt)})
    kept["category"] = np.array(list("abc"))[item % 3]
    kept["occluded_percent"] = rng.uniform(60, 90, n)
    kept["time_z"] = (log_rt - log_rt.mean()) / log_rt.std()
    seen, none = np.ones(n, bool), np.full((1, 2), np.nan)
    forward = TrialTimes(5 + confidence, seen, none, 0)
    times = {
        "net": {"solution": TrialTimes(step, reached, none, 4), "feedforward": forward},
        "control": {"feedforward": TrialTimes(8 + confidence + 0.5 * margin, seen, none, 0)},
    }
    return Scored(kept, pd.DataFrame(), n + 100, times, {"net": margin, "control": margin + confidence})


SETTINGS = {"n_resamples": 200, "n_permutations": 199}


def test_holms_correction_is_that_of_statsmodels_and_what_is_not_tested_does_not_count():
    p = np.random.default_rng(0).random(12) ** 3
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
    with_gap = holm([0.01, np.nan, 0.04])
    np.testing.assert_allclose(with_gap[[0, 2]], [0.02, 0.04])
    assert np.isnan(with_gap[1])


def test_times_that_follow_the_model_are_found_beyond_confidence_by_every_statistic():
    table = compare_models(make_scored(0.1), "control", **SETTINGS)
    assert len(table) == 3 * len(GIVEN)
    for row in table[table["readout"] == "solution"].to_dict("records"):
        assert row["partial_low"] > 0.2
        assert row["p_holm"] == pytest.approx(3 / 200)
        assert row["lr_p_holm"] < 0.001
        assert row["delta_aic"] > 20
        assert row["beta_low"] > 0
        assert row["somers_d_low"] > 0
        assert row["held_out_gain_low"] > 0
        assert row["marginal_r2"] > row["marginal_r2_null"] + 0.05
        assert (row["n_used"], row["n_total"]) == (900, 1000)
        assert row["n_reached"] < 900


def test_times_that_follow_confidence_alone_leave_nothing_to_the_model_in_nineteen_of_twenty_studies():
    """16 studies: likelihood ratio and permutation test; but the plain correlation is there."""
    positive, permuted, plain = 0, 0, []
    for seed in range(16):
        scored = make_scored(0.0, seed, n=400)
        table = compare_models(scored, "control", n_resamples=20, n_permutations=99, held_out=False).iloc[0]
        positive += table["lr_p"] < 0.05
        permuted += table["p"] <= 0.05
        plain.append(table["rho"])
    assert binomtest(positive, 16, 0.05).pvalue > 0.005
    assert binomtest(permuted, 16, 0.05).pvalue > 0.005
    assert np.mean(plain) > 0.1


def test_censored_times_have_a_column_of_their_own_and_their_number_does_not_matter():
    """Whatever step stands where a time was not reached, the fit is the same; without any, one parameter less."""
    scored = make_scored(0.1)
    times = scored.times["net"]["solution"]
    given = pd.DataFrame({"c": scored.margins["net"]})
    first = mixed_effect(scored.kept, times, given)
    other = mixed_effect(scored.kept, replace(times, step=np.where(times.reached, times.step, 99.0)), given)
    assert first == other
    assert first["df"] == 2
    assert mixed_effect(scored.kept, replace(times, reached=np.ones(900, bool)), given)["df"] == 1
    constant = mixed_effect(scored.kept, replace(times, step=np.zeros(900), reached=np.ones(900, bool)), given)
    assert np.isnan(constant["lr_p"])


def test_where_all_times_that_were_reached_are_one_step_there_is_a_test_but_no_effect_of_the_step():
    """What is left is whether a time was reached: another quantity, which is not called the step's effect."""
    scored = make_scored(0.1)
    times = scored.times["net"]["solution"]
    given = pd.DataFrame({"c": scored.margins["net"]})
    found = mixed_effect(scored.kept, replace(times, step=np.where(times.reached, 1.0, 6.0)), given)
    assert (found["df"], np.isfinite(found["lr_p"])) == (1, True)
    assert np.isnan([found["beta"], found["beta_low"], found["beta_high"]]).all()
