"""Tests of cleaning, object times and the agreement of subjects."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from analysis.human_times import (
    agreement,
    clean_trials,
    object_times,
    simulate_trials,
    subject_object_sums,
)
from analysis.inference import resamples, taken


def make_trials(**columns):
    """Ten good trials of two subjects, with the columns given replaced."""
    return pd.DataFrame(
        {
            "subject": np.repeat(["s1", "s2"], 5),
            "object_id": np.tile([1, 2, 3, 4, 5], 2),
            "stimulus_id": [f"x{i}" for i in range(10)],
            "correct": True,
            "rt_s": [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.6, 1.8],
            "masked": False,
            **columns,
        }
    )


def test_every_rule_counts_what_it_left_out_in_order():
    """One trial fails each rule; a trial that fails two is counted by the first."""
    trials = make_trials(
        correct=[True, False, True, True, True, True, True, True, np.nan, True],
        masked=[False, False, True, False, False, False, False, False, False, False],
        rt_s=[0.5, 0.6, np.nan, 0.8, 3.0, 0.1, np.nan, 1.4, 1.6, 1.8],
        occluded_percent=[80, 80, 80, 0, 80, np.nan, 80, 80, 80, 80],
    )
    result = clean_trials(trials, shown=[f"x{i}" for i in range(10) if i not in (0, 5)])
    left_out = dict(zip(result.exclusions["rule"], result.exclusions["n_excluded"], strict=True))
    assert left_out == {
        "not occluded": 1,
        "stimulus not shown to the model": 2,
        "not unmasked": 1,
        "wrong or no answer": 2,
        "reaction time unknown": 1,
        "reaction time below 0.2 s": 0,
        "reaction time above 2.5 s": 1,
        "subject's times do not vary": 0,
    }
    assert sum(left_out.values()) + len(result.trials) == len(trials)
    assert result.exclusions["n_left"].iloc[-1] == len(result.trials) == 2


def test_times_are_log_and_standard_within_subject():
    """A subject twice as slow has the same standard times; the input is not changed."""
    trials = make_trials(rt_s=[0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.6, 1.8])
    before = trials.copy()
    z = clean_trials(trials).trials["time_z"].to_numpy()
    np.testing.assert_allclose(z[:5], z[5:])
    log = np.log(trials["rt_s"].to_numpy()[:5])
    np.testing.assert_allclose(z[:5], (log - log.mean()) / log.std(ddof=1))
    pd.testing.assert_frame_equal(trials, before)


def test_wrong_answers_and_plain_seconds_are_kept_on_request_to_see_what_the_rules_do():
    trials = make_trials(correct=[1, 0, 1, np.nan, 1, 1, 1, 0, 1, 1])
    kept = clean_trials(trials, right_only=False, standardised=False)
    assert len(kept.trials) == len(trials) > len(clean_trials(trials).trials)
    assert "wrong or no answer" not in set(kept.exclusions["rule"])
    np.testing.assert_array_equal(kept.trials["time_z"], trials["rt_s"])


def test_masked_trials_are_kept_on_request_and_a_subject_without_spread_is_left_out():
    """`which` picks masked, unmasked or all; one trial gives no spread."""
    trials = make_trials(masked=[True] * 6 + [False] * 4)
    assert len(clean_trials(trials, "all").trials) == 10
    assert len(clean_trials(trials, "unmasked").trials) == 4
    only = clean_trials(trials, "masked")
    assert set(only.trials["subject"]) == {"s1"}
    assert only.exclusions.iloc[-1].tolist() == ["subject's times do not vary", 1, 5]


def test_object_times_are_means_over_trials_and_weights_repeat_subjects():
    """Against pandas, with an object nobody saw."""
    rng = np.random.default_rng(0)
    subject, item, z = rng.integers(0, 4, 60), rng.integers(0, 9, 60), rng.standard_normal(60)
    sums, counts = subject_object_sums(subject, item, z, (4, 10))
    frame = pd.DataFrame({"subject": subject, "item": item, "z": z})
    expected = frame.groupby("item")["z"].mean().reindex(range(10))
    np.testing.assert_allclose(object_times(sums, counts), expected)
    twice = pd.concat([frame, frame[frame["subject"] == 2]]).groupby("item")["z"].mean().reindex(range(10))
    np.testing.assert_allclose(object_times(sums, counts, [[1, 1, 2, 1]])[0], twice)


def test_split_half_agreement_is_the_mean_over_all_splits():
    """Four subjects have three splits; the random halves average to them."""
    rng = np.random.default_rng(1)
    sums = rng.standard_normal(40) + 0.8 * rng.standard_normal((4, 40))
    counts = np.ones((4, 40))
    splits = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
    expected = np.mean([spearmanr(sums[list(a)].mean(0), sums[list(b)].mean(0)).statistic for a, b in splits])
    result = agreement(sums, counts, taken(resamples(4, 40, 50, 0)[1]), n_halves=3000)
    assert result.split_half == pytest.approx(expected, abs=0.005)
    assert result.reliability == pytest.approx(2 * expected / (1 + expected), abs=0.005)
    assert result.ceiling == pytest.approx(np.sqrt(result.reliability))
    assert result.n_halves == 3000


def test_the_ceiling_is_what_the_true_times_reach():
    """Ten simulated studies: mean ceiling beside mean correlation of the truth with the subjects' mean."""
    ceilings, reached, held = [], [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        true, counts = rng.standard_normal(200), (rng.random((16, 200)) < 0.7).astype(float)
        sums = counts * (true + 2 * rng.standard_normal(counts.shape))
        result = agreement(sums, counts, taken(resamples(16, 200, 200, seed)[1]), n_halves=200)
        ceilings.append(result.ceiling)
        reached.append(spearmanr(true, object_times(sums, counts)).statistic)
        held.append(result.low < result.reliability < result.high)
    assert np.mean(ceilings) == pytest.approx(np.mean(reached), abs=0.02)
    assert all(held)


def test_subjects_who_share_nothing_have_no_ceiling_to_speak_of():
    """Pure noise: reliability about 0, and NaN for the root of a negative one."""
    rng = np.random.default_rng(3)
    results = [
        agreement(rng.standard_normal((10, 150)), np.ones((10, 150)), taken(resamples(10, 150, 20, s)[1]))
        for s in range(12)
    ]
    assert abs(np.mean([r.reliability for r in results])) < 0.15
    assert all(np.isnan(r.ceiling) == (r.reliability < 0) for r in results)


def test_simulated_observers_have_the_true_times_asked_for():
    """The mean of many trials recovers the true times; wrong answers are a tenth; the seed decides all."""
    true = np.random.default_rng(0).standard_normal(60)
    stimuli = {i: [f"{i}a", f"{i}b"] for i in range(60)}
    trials = simulate_trials(true, np.arange(60), stimuli, n_subjects=20, trials_per_object=20)
    means = clean_trials(trials).trials.groupby("object_id")["time_z"].mean()
    assert np.corrcoef(means, true)[0, 1] > 0.98
    assert trials["correct"].mean() == pytest.approx(0.9, abs=0.01)
    assert all(s[:-1] == str(i) for s, i in zip(trials["stimulus_id"], trials["object_id"], strict=True))
    again = simulate_trials(true, np.arange(60), stimuli, n_subjects=20, trials_per_object=20)
    pd.testing.assert_frame_equal(trials, again)


def test_bad_input_is_named():
    """Every error says what was expected."""
    trials = make_trials()
    with pytest.raises(ValueError, match=r"\['rt_s'\] missing"):
        clean_trials(trials.drop(columns="rt_s"))
    with pytest.raises(ValueError, match="'unmasked', 'masked' or 'all', got 'both'"):
        clean_trials(trials, "both")
    with pytest.raises(ValueError, match=r"shortest, longest.*got \(2, 1\)"):
        clean_trials(trials, rt_range_s=(2, 1))
    with pytest.raises(ValueError, match=r"expected some trials left, got none.*not masked: 10"):
        clean_trials(trials, "masked")
    with pytest.raises(ValueError, match="at least 2 subjects, got 1"):
        agreement(np.ones((1, 3)), np.ones((1, 3)), np.zeros((1, 3), int))
