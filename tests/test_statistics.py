"""Paired tests: as often wrong as they say, right where there is a difference, and equal to other tests of means."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from benchmarks import Score
from benchmarks.bootstrap import count_draws
from benchmarks.resamples import one_number, tabulate
from benchmarks.statistics import (
    IDENTICAL,
    UNKNOWN,
    compare_layers,
    compare_models,
    compare_steps,
    max_t,
    paired_test,
    paired_tests,
)

N_IMAGES, N_RESAMPLES = 60, 400
NAN = float("nan")


def draws(rng, n=N_IMAGES, n_resamples=N_RESAMPLES):
    """Weights (estimate + resample, image): one each, then drawn with replacement."""
    return np.vstack([np.ones(n), count_draws((np.arange(n),), n_resamples, rng)]) / n


def two_models(rng, difference=0.0):
    """Per-image scores of two models that find the same images hard."""
    hard = rng.standard_normal(N_IMAGES)
    first, second = (hard + 0.5 * rng.standard_normal(N_IMAGES) for _ in range(2))
    return first + difference, second


def test_without_a_difference_one_test_in_twenty_finds_one():
    rng = np.random.default_rng(0)
    p = []
    for _ in range(800):
        weights = draws(rng)
        first, second = two_models(rng)
        p.append(paired_test(weights @ first, weights @ second).p)
    assert np.mean(np.less_equal(p, 0.05)) == pytest.approx(0.05, abs=0.02)
    assert np.mean(np.less_equal(p, 0.5)) == pytest.approx(0.5, abs=0.06)


def test_a_known_difference_is_found_that_unpaired_intervals_would_miss():
    rng = np.random.default_rng(1)
    weights = draws(rng)
    first, second = two_models(rng, 0.35)
    test = paired_test(weights @ first, weights @ second)
    assert test.p < 0.01
    assert test.low < 0.35 < test.high
    assert test.low > 0
    one, other = (np.quantile((weights @ x)[1:], [0.025, 0.975]) for x in (first, second))
    assert one[0] < other[1]  # the two intervals overlap


def test_p_is_near_that_of_a_paired_t_test_and_turns_with_the_sign():
    rng = np.random.default_rng(2)
    weights = draws(rng, n_resamples=4000)
    for difference in (0.05, 0.1, 0.2):
        first, second = two_models(rng, difference)
        test = paired_test(weights @ first, weights @ second)
        assert test.p == pytest.approx(ttest_rel(first, second).pvalue, abs=0.03)
        turned = paired_test(weights @ second, weights @ first)
        assert (turned.difference, turned.p) == pytest.approx((-test.difference, test.p))
        assert (turned.low, turned.high) == pytest.approx((-test.high, -test.low))


def test_no_p_is_smaller_than_the_resamples_allow():
    samples = np.r_[1.0, np.full(199, 1.0)]
    assert paired_test(samples, 0 * samples).p == 1 / 200


def test_what_is_the_same_or_unknown_is_not_tested():
    samples = np.random.default_rng(0).random(101)
    assert paired_test(samples, samples).note == IDENTICAL
    assert np.isnan(paired_test(samples, samples).p)
    holes = samples.copy()
    holes[5:10] = NAN
    test = paired_test(holes, samples[::-1])
    assert (test.note, test.n_resamples) == (UNKNOWN, 95)
    assert np.isnan(test.p)


def test_vectors_of_two_lengths_are_refused():
    with pytest.raises(ValueError, match=r"samples: expected two vectors of one length.*got shapes \(5,\) and \(6,\)"):
        paired_test(np.zeros(5), np.zeros(6))


def many(rng, differences):
    """Compare as many pairs as there are differences, on one set of images."""
    weights = draws(rng)
    pairs = {}
    for number, difference in enumerate(differences):
        first, second = two_models(rng, difference)
        pairs[number,] = weights @ first, weights @ second
    return paired_tests(pairs, ("number",))


def test_over_many_tests_corrections_hold_the_rate_of_false_findings(monkeypatch):
    monkeypatch.setattr("gc.collect", lambda *_: 0)  # statsmodels calls it in every correction
    rng = np.random.default_rng(3)
    tables = [many(rng, np.zeros(12)) for _ in range(200)]
    wrong = {name: np.mean([(t[name] <= 0.05).any() for t in tables]) for name in ("p", "p_max_t", "p_holm", "p_fdr")}
    assert wrong["p"] > 0.3
    assert wrong["p_max_t"] < 0.1
    assert wrong["p_holm"] < 0.1
    assert wrong["p_fdr"] < 0.1
    assert wrong["p_max_t"] > 0.01


def test_true_differences_survive_the_corrections_and_the_same_does_not_count_as_a_test():
    rng = np.random.default_rng(4)
    table = many(rng, [0.6, 0.0, 0.0, 0.0])
    assert (table.loc[0, ["p_max_t", "p_holm", "p_fdr"]].astype(float) < 0.05).all()
    assert (table.loc[1:, "p_max_t"] >= table.loc[1:, "p"]).all()
    samples = rng.random(N_RESAMPLES + 1)
    more = paired_tests({(0,): (samples, samples), (1,): (samples + 1, np.sort(samples))}, ("number",))
    assert more["n_tests"].tolist() == [1, 1]
    assert more["note"].tolist() == [IDENTICAL, ""]
    assert more.loc[1, "p"] == more.loc[1, "p_holm"] == more.loc[1, "p_max_t"]


def test_max_t_of_one_statistic_is_its_own_p_and_equals_a_loop_for_several():
    rng = np.random.default_rng(5)
    values = rng.standard_normal((301, 4)) + np.arange(0.1, 4)
    p = max_t(values)
    observed, drawn = values[0], values[1:]
    largest = [max(abs(row[k] - observed[k]) / drawn[:, k].std() for k in range(4)) for row in drawn]
    for k in range(4):
        reach = sum(one >= abs(observed[k]) / drawn[:, k].std() for one in largest)
        assert p[k] == (1 + reach) / 301
    alone = values[:, :1]
    assert max_t(alone)[0] == pytest.approx(paired_test(alone[:, 0], np.zeros(301)).p)


# --- scores


def make(model, places, seed=0):
    """Make a score whose layers and steps have the samples given."""
    rng = np.random.default_rng(9)
    weights = draws(rng)
    images = np.random.default_rng([9, 1]).standard_normal(N_IMAGES)
    parts = {}
    for number, (place, height) in enumerate(places.items()):
        values = images + 0.1 * np.random.default_rng([9, 2, number]).standard_normal(N_IMAGES) + height
        samples = weights @ values
        parts["raw", *place] = samples[0], samples[1:]
    last = max(step for _, step in places)
    parts |= one_number(last, (samples[0], samples[1:]), (2 * samples[0], 2 * samples[1:]))
    provenance = {"seed": seed, "data_sha256": {"a": "1"}}
    numbers = {"value": NAN, "raw": NAN, "ceiling": NAN, "ceiling_rule": "", "interval": (), "raw_interval": ()}
    numbers |= {"n_used": 1, "n_total": 1, "per_step": pd.DataFrame(), "chosen": pd.DataFrame()}
    return Score("study.V4-ridge", model, **numbers, provenance=provenance, samples=tabulate(parts))


CNNF = make("cnnf-x", {("low", 0): 0.0, ("low", 1): 0.0, ("high", 0): 0.0, ("high", 1): 0.8})
CNN = make("cnn-x", {("low", 0): 0.0, ("high", 0): 0.0})


def test_models_are_compared_in_their_one_number():
    value, raw = compare_models(CNNF, CNN), compare_models(CNNF, CNN, "raw")
    assert value.p < 0.01
    assert value.difference == pytest.approx(2 * raw.difference, rel=1e-5)
    assert 0.6 < raw.difference < 1


def test_every_layer_and_step_is_compared_with_the_controls_layer():
    table = compare_layers(CNNF, CNN).set_index(["layer", "step"])
    assert list(table.index) == [("low", 0), ("low", 1), ("high", 0), ("high", 1)]
    assert table.loc[("high", 1), "p_max_t"] < 0.01
    assert table.loc[("low", 0), "note"] == IDENTICAL
    assert (table["n_tests"] == 3).all()


def test_later_steps_are_compared_with_the_feedforward_sweep():
    table = compare_steps(CNNF).set_index(["layer", "step"])
    assert list(table.index) == [("low", 1), ("high", 1)]
    assert table.loc[("high", 1), "difference"] == pytest.approx(0.8, abs=0.1)
    assert table.loc[("high", 1), "p_holm"] < 0.02
    with pytest.raises(ValueError, match=r"reference: expected one of several steps \[0\], got 0"):
        compare_steps(CNN)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(CNN, simulated=True), "got simulated ones"),
        (make("cnn-x", {("low", 0): 0.0}, seed=1), "expected one benchmark, seed, data"),
        (replace(CNN, benchmark="another.V4-ridge"), "expected one benchmark, seed, data"),
        (replace(CNN, samples=CNN.samples.iloc[:50]), "and study.V4-ridge .seed 0, 50 rows"),
        (replace(CNN, samples=pd.DataFrame()), "cnn-x on study.V4-ridge: expected bootstrap samples, got none"),
    ],
)
def test_scores_that_do_not_share_their_resamples_are_refused(other, said):
    with pytest.raises(ValueError, match=said):
        compare_models(CNNF, other)


def test_without_a_ceiling_the_value_cannot_be_compared_and_without_common_layers_layers_cannot():
    raw = [column for column in CNN.samples if column[0] == "raw"]
    with pytest.raises(ValueError, match="expected the number 'value', got none"):
        compare_models(CNNF, replace(CNN, samples=CNN.samples[raw]))
    with pytest.raises(ValueError, match="expected one that both models have, got low, high and other"):
        compare_layers(CNNF, make("cnn-x", {("other", 0): 0.0}))
