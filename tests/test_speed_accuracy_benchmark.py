"""Speed and accuracy: curves against slow versions, ceilings, and observers simulated from a model."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import linregress, pearsonr

from benchmarks import speed_accuracy as sa
from benchmarks import speed_accuracy_curves as curves
from benchmarks.clock_fit import clock_grid, read_at
from benchmarks.recordings.kumbhar2021 import CONDITIONS, DEADLINES_MS, Observers, count_answers
from benchmarks.simulated_timing import simulated_trials
from benchmarks.speed_accuracy import SpeedAccuracy, SpeedAccuracyData
from neurocnnf.clock import StepClock
from neurocnnf.images import CIFAR10_CLASSES
from neurocnnf.stimuli import Stimuli

GRID = clock_grid([100, 300, 500], [50, 150])
DEADLINES = np.array(DEADLINES_MS)
CLOCK = StepClock(300, 100)


def accuracies(seed=0):
    rng = np.random.default_rng(seed)
    values = rng.random((5, 8, 5))
    values[:2, 3:] = np.nan
    values[2:, :3] = np.nan
    values[4, 5, 2] = np.nan
    return values


def rising(n_steps=5, seed=0):
    """Accuracy (condition, step, category) that rises, to another level in every condition and category."""
    highest = 0.3 + 0.6 * np.random.default_rng(seed).random((8, 1, 10))
    return 0.1 + (highest - 0.1) * (1 - 0.5 ** np.arange(1, n_steps + 2))[None, :, None]


def observers_of(accuracy, seed=0, n_trials=5, **settings):
    trials = simulated_trials(
        accuracy,
        CONDITIONS,
        CLOCK,
        np.random.default_rng(seed),
        deadlines_ms=DEADLINES,
        categories=CIFAR10_CLASSES,
        n_trials=n_trials,
        **settings,
    )
    return count_answers(trials)


def test_errors_under_clocks_equal_those_of_a_loop():
    values, model = accuracies(), np.random.default_rng(1).random((8, 3))
    errors = curves.clock_errors(values, model, DEADLINES, GRID, 0.1)
    for observer, condition, clock in ((0, 1, 3), (3, 4, 0), (4, 5, 5)):
        one = clock_grid(GRID.onset_ms[[clock]], GRID.ms_per_step[[clock]])
        expected = np.nanmean((read_at(model[condition], DEADLINES, one, 0.1)[0] - values[observer, condition]) ** 2)
        assert errors[observer, condition, clock] == pytest.approx(expected)
    assert np.isnan(errors[0, 4]).all()
    per_observer = curves.observer_errors(errors)
    np.testing.assert_allclose(per_observer, np.nanmean(errors, axis=1))
    for observer in range(5):
        others = np.delete(per_observer, observer, axis=0).mean(axis=0).argmin()
        assert curves.held_out_errors(errors)[observer] == per_observer[observer, others]


def test_people_are_predicted_from_the_mean_of_the_others():
    values = accuracies()
    mean = curves.others_mean(values)
    np.testing.assert_allclose(mean[3, 5], np.nanmean(values[[2, 4], 5], axis=0))
    assert np.isnan(mean[0, 5]).sum() == 0
    errors = curves.prediction_errors(values, mean)
    cells = [np.nanmean((values[4, c] - mean[4, c]) ** 2) for c in range(3, 8)]
    assert errors[4] == pytest.approx(np.mean(cells))


def test_steepness_is_the_slope_of_a_regression_and_category_correlation_is_pearsons():
    values = np.random.default_rng(2).random((3, 5))
    expected = [linregress(np.linspace(0, 1, 5), row).slope for row in values]
    np.testing.assert_allclose(curves.steepness(values), expected)
    assert np.isnan(curves.steepness(values[:, :1])).all()
    other = np.random.default_rng(3).random((3, 5))
    r = np.mean([pearsonr(a, b).statistic for a, b in zip(values, other, strict=True)])
    assert curves.category_correlation(values, other) == pytest.approx(r)


def test_the_ceiling_of_categories_is_near_what_the_truth_reaches_and_missing_for_noise():
    truth = rising()
    observers = observers_of(truth, n_observers=12, n_trials=20)
    ceiling = curves.category_ceiling(observers.right, observers.answered, observers.study, np.random.default_rng(0))
    measured = curves.category_accuracy(observers.right.sum(axis=0), observers.answered.sum(axis=0))
    reached = curves.category_correlation(measured, truth[:, -1])
    assert ceiling == pytest.approx(reached, abs=0.03)
    shown = observers.shown
    noise = np.random.default_rng(1).binomial(shown, 0.3)
    low = curves.category_ceiling(noise, shown, observers.study, np.random.default_rng(0))
    assert np.isnan(low) or low < 0.5


def test_the_model_that_observers_follow_is_found_with_its_clock_and_reaches_the_ceiling():
    truth = rising(3)
    observers = observers_of(truth, n_trials=10)
    table, _ = sa.score_table(observers, truth, "logits", 0, 200)
    row = table[(table["target"] == sa.INCLUDED) & (table["metric"] == sa.ERROR) & (table["step"] == 3)].iloc[0]
    assert row["onset_ms_low"] <= CLOCK.onset_ms <= row["onset_ms_high"]
    assert row["ms_per_step_low"] <= CLOCK.ms_per_step <= row["ms_per_step_high"]
    assert row["normalised"] == pytest.approx(1, abs=0.05)
    category = table[(table["metric"] == sa.CATEGORY) & (table["step"] == 3)].iloc[0]
    assert category["normalised"] == pytest.approx(1, abs=0.05)


def test_another_models_categories_do_not_correlate_and_its_levels_fit_worse():
    observers = observers_of(rising(2, seed=0), n_trials=10)
    right, wrong = (sa.score_table(observers, rising(2, seed=s), "logits", 0, 100)[0] for s in (0, 1))
    for table in (right, wrong):
        table.query("target == 'included observers' and step == 2", inplace=True)
    category = wrong[wrong["metric"] == sa.CATEGORY].iloc[0]
    assert abs(category["raw"]) < 0.3
    error = [t[t["metric"] == sa.ERROR].iloc[0]["raw"] for t in (right, wrong)]
    assert error[1] > error[0] + 0.015


def test_guessing_observers_are_left_out_and_shown_as_missing():
    guesses = np.full((8, 6, 10), 0.1)
    observers = observers_of(guesses, n_observers=3)
    kept = sa.included(observers)
    table, _ = sa.score_table(observers, rising(1), "logits", 0, 100)
    assert kept.mean() < 0.4
    assert set(table["target"]) == ({sa.INCLUDED, sa.EVERYONE} if kept.any() else {sa.EVERYONE})


class Answers:
    """A stand-in for a model, whose logits are right with a chance that rises with the step."""

    name, layer_names, recurrent = "answers", ("pixels", "logits"), True
    card = {"data": "cifar-gray"}  # noqa: RUF012


def each_layer(model, stimuli, layers, n_steps):
    labels, rng = stimuli.table["label"].to_numpy(), np.random.default_rng(len(stimuli.identifier))
    steps = []
    luck = rng.random(len(labels))
    for step in range(n_steps + 1):
        answers = np.where(luck < 0.2 + 0.12 * step, labels, (labels + 1) % 10)
        steps.append(np.eye(10, dtype=np.float32)[answers])
    return {layer: np.stack(steps) for layer in layers}


def make_stimuli(name, n=100):
    images = np.random.default_rng(len(name)).integers(0, 256, (n, 8, 8, 1), dtype=np.uint8)
    table = pd.DataFrame({"stimulus_id": np.arange(n).astype(str), "label": np.arange(n) % 10})
    return Stimuli(images, table, name)


def source(observers):
    sets = [make_stimuli("condition" + "x" * k) for k in range(8)]
    return lambda **_: SpeedAccuracyData(observers, sets, make_stimuli("training"))


def test_a_model_is_scored_by_its_own_answers_at_every_step():
    benchmark = SpeedAccuracy(
        "simulated.sat", (), source(observers_of(rising())), simulated=True, quick=True, each_layer=each_layer
    )
    score = benchmark(Answers(), n_steps=2)
    table = score.per_step
    assert set(table["step"]) == {0, 1, 2}
    assert "answers: own classes" in score.notes
    assert any("time-outs: " in note and " of 24000 trials" in note for note in score.notes)
    assert score.simulated
    assert table["simulated"].all()
    assert score.value == pytest.approx(score.ceiling / score.raw)
    assert score.interval[0] <= score.value <= score.interval[1]
    assert score.n_total == 36


def test_a_model_of_other_classes_answers_by_a_readout_of_its_last_layer():
    model = Answers()
    data = source(observers_of(rising()))()
    own, how = sa.model_accuracy(model, data, 1, each_layer)
    model.card = {"data": "mnist"}
    read, other = sa.model_accuracy(model, data, 1, each_layer)
    assert (how, other) == ("own classes", "linear readout of logits")
    assert read.shape == own.shape == (8, 2, 10)
    assert own[:, 1].mean() == pytest.approx(0.32, abs=0.1)


def test_no_included_observer_gives_a_missing_score():
    nobody = observers_of(np.zeros((8, 6, 10)), n_observers=2)
    score = SpeedAccuracy("simulated.sat", (), source(nobody), simulated=True, quick=True, each_layer=each_layer)(
        Answers(), n_steps=1
    )
    assert np.isnan(score.value)
    assert score.n_used == 0
    assert "missing" in str(score)


def test_observers_can_be_taken_apart():
    observers = observers_of(rising(), n_observers=2)
    half = observers.subset(np.array([True, False] * 3))
    assert isinstance(half, Observers)
    assert len(half) == 3
    np.testing.assert_array_equal(half.right[1], observers.right[2])
    assert replace(half).names.tolist() == half.names.tolist()
