"""Tests of bounds: calibration, and that nothing scored has a say in its own bound."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from analysis.bounds import (
    READOUTS,
    _Place,
    all_times,
    calibrated,
    cross_fitted,
    fit_temperature,
    observer_accuracy,
    subject_halves,
)
from analysis.model_time import convergence_step, feedforward_time, softmax


def answers(n=300, seed=0, true_temperature=0.4):
    """Decision values whose softmax at the true temperature gives the labels' probabilities."""
    rng = np.random.default_rng(seed)
    decisions = 0.5 * rng.standard_normal((4, n, 3))
    p = softmax(decisions[0], true_temperature)
    labels = (p.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1)
    return decisions, labels


def test_the_temperature_is_that_of_a_general_optimiser_and_recovers_the_true_one():
    decisions, labels = answers(20_000)
    found = fit_temperature(decisions[:1], labels)

    def loss(x):
        return -np.log(softmax(decisions[:1], np.exp(x[0]))[0, np.arange(20_000), labels]).mean()

    assert found == pytest.approx(np.exp(minimize(loss, [0.0]).x[0]), rel=1e-3)
    assert found == pytest.approx(0.4, rel=0.05)


def test_a_folds_posteriors_do_not_depend_on_its_own_labels():
    decisions, labels = answers()
    folds = np.arange(300) % 5
    changed = np.where(folds == 2, (labels + 1) % 3, labels)
    before, after = calibrated(decisions, labels, folds), calibrated(decisions, changed, folds)
    np.testing.assert_array_equal(before[:, folds == 2], after[:, folds == 2])
    assert not np.allclose(before[:, folds == 1], after[:, folds == 1])


def test_a_bound_does_not_depend_on_the_human_times_it_is_scored_with():
    """Human times of one fold and half replaced: its own bound stays; the bounds follow the others' times."""
    rng = np.random.default_rng(1)
    movement = np.sort(rng.random((5, 200)), axis=0)[::-1]
    at, fold, half = rng.integers(0, 200, 2000), rng.integers(0, 3, 2000), rng.integers(0, 2, 2000)

    def read(bound):
        return convergence_step(movement, bound)

    human = read(0.3).step[at] + 0.3 * rng.standard_normal(2000)
    first = cross_fitted(movement, read, _Place(at, fold, half, human))
    own = (fold == 1) & (half == 0)
    other = cross_fitted(movement, read, _Place(at, fold, half, np.where(own, rng.standard_normal(2000), human)))
    assert other.bounds[1, 0] == first.bounds[1, 0]
    np.testing.assert_array_equal(first.step[own], other.step[own])
    grid = np.quantile(movement, np.linspace(0, 1, 9)[1:-1])
    assert set(np.round(first.bounds.ravel(), 9)) == {round(grid[np.abs(grid - 0.3).argmin()], 9)}


def test_halves_keep_subjects_whole_and_the_observers_accuracy_leaves_out_what_is_scored():
    subjects = np.repeat([f"s{i}" for i in range(7)], 10)
    halves = subject_halves(subjects)
    assert all(len(set(halves[subjects == s])) == 1 for s in set(subjects))
    assert set(np.bincount(halves) // 10) == {3, 4}
    trials = pd.DataFrame({"category": "a", "masked": False, "correct": halves == 0})
    folds = np.arange(70) % 2
    trials.loc[folds == 0, "correct"] = False
    assert observer_accuracy(trials, folds, halves, (0, 1)) == {"a": 1.0}
    assert observer_accuracy(trials, folds, halves, (1, 1)) == {"a": 0.0}


def small_study(seed=0, n_objects=40, per_object=4):
    """A model's answers, and trials of eight subjects."""
    rng = np.random.default_rng(seed)
    item = np.repeat(np.arange(n_objects), per_object)
    label = item % 3
    decisions = 0.4 * rng.standard_normal((6, len(item), 3))
    decisions[:, np.arange(len(item)), label] += 0.15 * np.arange(6)[:, None] * rng.random(n_objects)[item]
    table = pd.DataFrame({"stimulus_id": np.arange(len(item)), "object_id": item, "label": label})
    table = table.assign(
        category=np.array(list("abc"))[label], fold=item // 3 % 4, occluded_percent=rng.random(len(item))
    )
    shown = rng.integers(0, len(item), 800)
    trials = table.iloc[shown].assign(subject=rng.integers(0, 8, 800), masked=False, correct=rng.random(800) < 0.8)
    trials["rt_s"] = np.exp(0.2 * rng.standard_normal(800) + 0.1 * rng.standard_normal(n_objects)[trials["object_id"]])
    movement = rng.random((5, len(item)))
    return SimpleNamespace(decisions=decisions, movement=movement, table=table, trials=trials.reset_index(drop=True))


def test_every_readout_is_there_for_every_trial_and_a_feedforward_model_has_one():
    study = small_study()
    kept = study.trials[study.trials["correct"]].assign(time_z=lambda t: np.log(t["rt_s"]))
    times = all_times(study.decisions, study.movement, study.table, kept, study.trials)
    assert tuple(times) == READOUTS
    for name, one in times.items():
        assert one.step.shape == one.reached.shape == (len(kept),)
        assert np.isfinite(one.step).all(), name
        assert (one.step <= 5).all()
    p = calibrated(study.decisions, study.table["label"], study.table["fold"])
    at = kept["stimulus_id"].to_numpy()
    np.testing.assert_allclose(times["feedforward"].step, feedforward_time(p).step[at])
    control = all_times(study.decisions[:1], study.movement[:0], study.table, kept, study.trials)
    assert list(control) == ["feedforward"]
