"""Reaction times: exclusions are counted, the step of simulated observers is found, unsolved images are late."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax
from scipy.stats import spearmanr

from benchmarks.reaction_times import (
    Exclusion,
    TimedImages,
    compare_reaction_times,
    item_means,
    standardised_times,
    steps_needed,
    subject_halves_ceiling,
)
from benchmarks.soft_labels import label_entropy

N_IMAGES, N_SUBJECTS = 150, 20
LABELS = np.arange(N_IMAGES) % 5


def answers(rng, n_steps=4):
    lift = 3 * rng.random((n_steps, N_IMAGES, 1)) * np.eye(5)[LABELS]
    return log_softmax(lift + rng.standard_normal((n_steps, N_IMAGES, 5)), axis=-1)


def observers(rng, true_times, noise=1.0):
    """Simulate subjects who see every image once."""
    subjects, items = np.divmod(np.arange(N_SUBJECTS * N_IMAGES), N_IMAGES)
    standard = (true_times - true_times.mean()) / true_times.std()
    times = standard[items] + noise * rng.standard_normal(len(items))
    return TimedImages(None, LABELS, tuple("abcde"), subjects, items, times)


def of(rows, metric, column="raw"):
    return np.array([row[column] for row in rows if row["metric"] == metric])


def test_subjects_as_slow_as_the_model_is_unsure_at_a_step_are_found_there():
    rng = np.random.default_rng(0)
    log_p = answers(rng)
    rows = compare_reaction_times(log_p, observers(rng, label_entropy(np.exp(log_p[1]))), 0, 200)
    raw = of(rows, "entropy")
    assert raw.argmax() == 1
    assert of(rows, "entropy", "normalised")[1] == pytest.approx(1, abs=0.06)
    assert np.delete(raw, 1).max() < of(rows, "entropy", "raw_low")[1]


def test_subjects_who_need_the_models_steps_are_found():
    rng = np.random.default_rng(1)
    log_p = answers(rng)
    needed = np.minimum(steps_needed(log_p, LABELS)[-1], len(log_p))
    rows = compare_reaction_times(log_p, observers(rng, needed), 0, 200)
    assert of(rows, "solution-step").argmax() == 3
    assert of(rows, "solution-step", "normalised")[3] > 0.8


def test_shuffled_times_agree_with_nothing():
    rng = np.random.default_rng(2)
    log_p = answers(rng)
    shuffled = rng.permutation(label_entropy(np.exp(log_p[1])))
    rows = compare_reaction_times(log_p, observers(rng, shuffled), 0, 300)
    assert all(row["raw_low"] < 0 < row["raw_high"] for row in rows if row["step"] in (1, 2))


def test_steps_needed_are_the_first_right_answer_and_unsolved_is_later_than_any():
    right, wrong = np.log([0.9, 0.1]), np.log([0.1, 0.9])
    log_p = np.array([[wrong, right, wrong], [right, wrong, wrong]])
    needed = steps_needed(log_p, np.zeros(3, int))
    assert needed.tolist() == [[np.inf, 0, np.inf], [1, 0, np.inf]]


def test_unsolved_images_tie_at_the_end_of_the_ranks():
    rng = np.random.default_rng(3)
    log_p, data = answers(rng), observers(rng, rng.random(N_IMAGES))
    needed = steps_needed(log_p, LABELS)[2]
    expected = spearmanr(np.where(np.isinf(needed), 1e6, needed), item_means(data.items, data.times, N_IMAGES))[0]
    row = next(
        r for r in compare_reaction_times(log_p, data, 0, 20) if r["metric"] == "solution-step" and r["step"] == 2
    )
    assert row["raw"] == pytest.approx(expected)
    assert row["n_unsolved"] == np.isinf(needed).sum()
    assert row["n_used"] == N_IMAGES


def test_an_image_that_nobody_timed_is_counted_out():
    rng = np.random.default_rng(4)
    data = observers(rng, rng.random(N_IMAGES))
    kept = data.items != 7
    fewer = TimedImages(None, LABELS, data.categories, data.subjects[kept], data.items[kept], data.times[kept])
    row = compare_reaction_times(answers(rng), fewer, 0, 20)[0]
    assert (row["n_used"], row["n_total"]) == (N_IMAGES - 1, N_IMAGES)


def test_the_ceiling_is_what_the_true_times_reach():
    rng = np.random.default_rng(5)
    n = 800
    true, subjects = rng.standard_normal(n), np.repeat(np.arange(12), n)
    items = np.tile(np.arange(n), 12)
    times = true[items] + 3 * rng.standard_normal(len(items))
    ceiling = subject_halves_ceiling(subjects, items, times, n, rng)
    assert ceiling.value == pytest.approx(spearmanr(true, item_means(items, times, n))[0], abs=0.04)


def test_subjects_without_anything_in_common_have_no_ceiling():
    ceiling = subject_halves_ceiling(
        np.array([0, 1]), np.array([0, 1]), np.array([1.0, 2.0]), 2, np.random.default_rng(0)
    )
    assert np.isnan(ceiling.value)


def test_every_rule_is_counted_on_what_the_ones_before_left():
    trials = pd.DataFrame(
        {
            "subject": ["a"] * 6 + ["b", "b"],
            "rt_s": [1.0, 2.0, 4.0, 0.1, np.nan, 1.0, 1.0, 1.0],
        }
    )
    left_out = (Exclusion("wrong answer", np.array([0, 0, 0, 1, 0, 1, 0, 0], bool)),)
    kept, counts = standardised_times(trials, left_out, (0.2, 10))
    assert counts == (
        "wrong answer: 2",
        "time unknown or not above 0: 1",
        "time outside 0.2 to 10 s: 0",
        "subject's times do not vary: 2",
    )
    assert kept["time_z"].tolist() == pytest.approx([-1, 0, 1])  # logs are evenly spaced


def test_without_trials_that_count_the_rules_are_named():
    trials = pd.DataFrame({"subject": ["a"], "rt_s": [700.0]})
    with pytest.raises(ValueError, match=r"got none .*time outside 0.2 to 10 s: 1"):
        standardised_times(trials, (), (0.2, 10))
