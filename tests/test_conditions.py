"""Condition by condition: simulated observers' step is found, in accuracies and in times; shuffled ones are not."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax

from benchmarks.conditions import Conditions, compare_accuracy, compare_times, subject_halves
from benchmarks.soft_labels import label_entropy

N_CONDITIONS, PER_CONDITION, N_SUBJECTS, N_CATEGORIES = 30, 40, 6, 4
N_IMAGES = N_CONDITIONS * PER_CONDITION
PLACE = np.repeat(np.arange(N_CONDITIONS), PER_CONDITION)
LABELS = np.arange(N_IMAGES) % N_CATEGORIES
TABLE = pd.DataFrame({"experiment": np.repeat(["a", "b", "c"], 10), "condition": np.tile(np.arange(10), 3)})


def answers(rng, n_steps=3):
    """Simulate answers whose accuracy differs between conditions, otherwise at every step."""
    lift = rng.uniform(0, 4, (n_steps, N_CONDITIONS))[:, PLACE, None] * np.eye(N_CATEGORIES)[LABELS]
    return log_softmax(lift + rng.standard_normal((n_steps, N_IMAGES, N_CATEGORIES)), axis=-1)


def observers(rng, accuracy=None, time=None, noise=0.5):
    """Simulate subjects of each experiment, 40 trials in each condition."""
    subject, place = np.divmod(np.arange(N_SUBJECTS * N_CONDITIONS * 40) // 40, N_CONDITIONS)
    accuracy = np.full(N_CONDITIONS, 0.7) if accuracy is None else accuracy
    time = np.zeros(N_CONDITIONS) if time is None else (time - time.mean()) / time.std()
    experiment = TABLE["experiment"].to_numpy()[place]
    trials = pd.DataFrame(
        {
            "experiment": experiment,
            "subject": [f"{e}/{s}" for e, s in zip(experiment, subject, strict=True)],
            "place": place,
            "correct": rng.random(len(place)) < accuracy[place],
            "time_z": time[place] + noise * rng.standard_normal(len(place)),
        }
    )
    trains, names = np.ones(N_IMAGES, bool), tuple("wxyz")
    return Conditions(None, LABELS, names, np.arange(N_IMAGES), trains, PLACE, TABLE, trials)


def accuracy_of(log_p):
    return np.bincount(PLACE, log_p.argmax(axis=-1) == LABELS) / PER_CONDITION


def of(rows, metric, column="raw"):
    return np.array([row[column] for row in rows if row["metric"] == metric])


def test_people_as_accurate_as_the_model_at_a_step_are_found_there():
    rng = np.random.default_rng(0)
    log_p = answers(rng)
    rows = compare_accuracy(log_p, observers(rng, accuracy=accuracy_of(log_p[1])), 0, 200)
    assert of(rows, "accuracy").argmax() == 1
    assert of(rows, "accuracy", "normalised")[1] == pytest.approx(1, abs=0.03)
    assert of(rows, "accuracy", "accuracy_difference").argmin() == 1
    assert of(rows, "accuracy", "accuracy_difference")[1] < 0.003
    assert of(rows, "accuracy", "accuracy")[1] == pytest.approx(accuracy_of(log_p[1]).mean())


def test_people_as_slow_as_the_model_is_unsure_at_a_step_are_found_there():
    rng = np.random.default_rng(1)
    log_p = answers(rng)
    unsure = np.bincount(PLACE, label_entropy(np.exp(log_p[2]))) / PER_CONDITION
    rows = compare_times(log_p, observers(rng, time=unsure), 0, 200)
    assert of(rows, "entropy").argmax() == 2
    assert of(rows, "entropy", "normalised")[2] == pytest.approx(1, abs=0.03)


def test_people_who_need_the_models_steps_are_found():
    rng = np.random.default_rng(2)
    log_p = answers(rng)
    right = log_p.argmax(axis=-1) == LABELS
    needed = np.where(right.any(axis=0), right.argmax(axis=0), len(log_p))
    rows = compare_times(log_p, observers(rng, time=np.bincount(PLACE, needed) / PER_CONDITION), 0, 200)
    assert of(rows, "solution-step").argmax() == 2
    assert of(rows, "solution-step")[2] > 0.9


def test_shuffled_people_agree_with_nothing():
    rng = np.random.default_rng(3)
    log_p = answers(rng)
    shuffled = rng.permutation(accuracy_of(log_p[1]))
    data = observers(rng, accuracy=shuffled, time=shuffled)
    rows = compare_accuracy(log_p, data, 0, 300) + compare_times(log_p, data, 0, 300)
    assert all(row["raw_low"] < 0 < row["raw_high"] for row in rows)


def test_differences_between_experiments_make_no_agreement_in_times():
    rng = np.random.default_rng(4)
    slow = np.repeat([0.0, 5.0, 10.0], 10)
    lift = (4 - 0.3 * slow)[PLACE, None] * np.eye(N_CATEGORIES)[LABELS]
    log_p = log_softmax(lift + rng.standard_normal((N_IMAGES, N_CATEGORIES)), axis=-1)[None]
    row = compare_times(log_p, observers(rng, time=slow), 0, 300)[0]
    assert row["raw_low"] < 0 < row["raw_high"]


def test_experiments_of_one_condition_and_conditions_without_times_are_counted_out():
    rng = np.random.default_rng(5)
    data = observers(rng, time=rng.random(N_CONDITIONS))
    table = TABLE.copy()
    table.loc[0, "experiment"] = "alone"
    data.trials.loc[data.trials["place"] == 1, "time_z"] = np.nan
    data = Conditions(None, LABELS, data.categories, data.groups, data.trains, PLACE, table, data.trials)
    row = compare_times(answers(rng), data, 0, 20)[0]
    assert (row["n_used"], row["n_total"]) == (28, 30)
    assert np.isfinite(row["raw"])


def test_halves_hold_half_of_each_experiments_subjects():
    rng = np.random.default_rng(6)
    trials = observers(rng).trials
    first = subject_halves(trials, rng)
    halves = trials[first].groupby("experiment")["subject"].nunique()
    assert (halves == N_SUBJECTS // 2).all()
    assert not set(trials["subject"][first]) & set(trials["subject"][~first])


def test_subjects_who_answer_at_random_give_no_ceiling_worth_stating():
    rng = np.random.default_rng(7)
    row = compare_accuracy(answers(rng), observers(rng), 0, 20)[0]
    assert not row["ceiling"] > 0.6
