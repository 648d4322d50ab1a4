"""Decoding from IT and the clocks of models: simulated neurons are found, and shuffled ones are not."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from benchmarks import it_courses as it
from benchmarks.clock_fit import clock_grid, read_at
from benchmarks.course_fit import fit_course, prepare_fit
from benchmarks.it_courses import CHANCE, TimeCourse
from benchmarks.it_decoding import ItDecoding, position_stimuli
from benchmarks.simulated_timing import simulated_neurons
from neurocnnf.clock import StepClock

CLOCK = StepClock(60, 40)
STRENGTH = np.array([0.4, 0.8, 1.2])
TIMES = it.time_bins().mean(axis=1)


def course_from(curve, clock=CLOCK, noise=0.02, n=60, seed=0):
    """Make a time course that follows a curve, with noise of known size in itself and its resamples."""
    rng = np.random.default_rng(seed)
    shape = read_at(curve - CHANCE, TIMES, clock_grid([clock.onset_ms], [clock.ms_per_step]), 0.0, it.WINDOW_MS)[0]
    measured = CHANCE + shape + noise * rng.standard_normal(len(TIMES))
    resampled = measured + noise * rng.standard_normal((n, len(TIMES)))
    return TimeCourse(TIMES, measured, resampled, 0.99, 40, 100, 100)


def repeat(curve, n=60):
    return np.tile(curve, (n, 1))


def test_a_known_clock_and_the_step_that_is_needed_are_found():
    curve, clock = np.array([0.5, 0.5, 0.9]), StepClock(60, 80)
    table, _ = fit_course(prepare_fit(course_from(curve, clock), 2), curve, repeat(curve))
    last = table.iloc[-1]
    assert last["onset_ms_low"] <= clock.onset_ms <= last["onset_ms_high"]
    assert last["ms_per_step_low"] <= clock.ms_per_step <= last["ms_per_step_high"]
    assert last["amplitude"] == pytest.approx(1, abs=0.02)
    assert last["raw"] > 0.98
    assert last["gain_low"] > 0
    assert last["rmse"] < table["rmse"].iloc[0] < last["rmse_flat"]
    assert not last["at_edge"]


def test_a_ramp_is_explained_by_step_0_and_further_steps_gain_nothing():
    ramp = np.array([0.8])
    curve = np.array([0.8, 0.7, 0.75])  # what the model adds is not in the recording
    table, _ = fit_course(prepare_fit(course_from(ramp), 2), curve, repeat(curve))
    assert table["raw"].iloc[0] > 0.98
    assert table["gain"].iloc[-1] < 0.002


def test_the_fit_is_that_of_a_search_without_a_grid():
    curve = np.array([0.3, 0.45, 0.9])
    course = course_from(curve, noise=0.01)
    row = fit_course(prepare_fit(course, 2), curve, repeat(curve))[0].iloc[-1]

    def predicted(times, onset, duration, amplitude):
        return amplitude * read_at(curve - CHANCE, times, clock_grid([abs(onset)], [abs(duration)]), 0.0, 50)[0]

    found, _ = curve_fit(predicted, TIMES, course.accuracy - CHANCE, p0=[70, 30, 1])
    assert row["onset_ms"] == pytest.approx(found[0], abs=3)
    assert row["ms_per_step"] == pytest.approx(found[1], abs=4)
    assert row["amplitude"] == pytest.approx(found[2], abs=0.02)


def test_neurons_that_follow_a_curve_are_decoded_when_they_do_and_shuffled_ones_never():
    neurons = simulated_neurons(STRENGTH, CLOCK, np.random.default_rng(0), n_neurons=30)
    course = it.time_courses(neurons, np.random.default_rng(1), 1, 20)["all positions"]
    assert abs(course.accuracy[TIMES < 30].mean() - CHANCE) < 0.03
    assert course.accuracy[TIMES > 220].mean() > 0.6
    assert course.reliability > 0.9
    np.testing.assert_allclose(course.centred.mean(axis=0), course.accuracy)
    assert (course.n_neurons, course.n_trials, course.n_trials_total) == (30, 6300, 6300)
    flat = simulated_neurons(STRENGTH, CLOCK, np.random.default_rng(0), n_neurons=30, tuning=0.0)
    silent = it.time_courses(flat, np.random.default_rng(1), 1, 20)["all positions"]
    assert abs(silent.accuracy - CHANCE).max() < 0.15
    row = fit_course(prepare_fit(silent, 2), STRENGTH, repeat(STRENGTH, 20))[0].iloc[-1]
    assert row["raw"] < 0.5


def test_pictures_stand_at_three_places_in_the_design_of_the_study():
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (200, 16, 16, 1), dtype=np.uint8), np.arange(200) % 8
    stimuli = position_stimuli(images, labels, "pictures")
    assert len(stimuli) == 7 * 3 * 20
    shown = stimuli.images.reshape(7, 3, 20, 16, 16, 1)
    original = images[labels == 3][4]
    np.testing.assert_array_equal(shown[3, 1, 4], original)
    np.testing.assert_array_equal(shown[3, 0, 4][:14], original[2:])  # up by 2 of 16
    np.testing.assert_array_equal(shown[3, 2, 4][2:], original[:14])
    with pytest.raises(ValueError, match="expected 20 pictures of 7 classes"):
        position_stimuli(images[:100], labels[:100], "pictures")


class Growing:
    """A stand-in for a model: a picture's class shows more with every step."""

    name, layer_names, recurrent = "growing", ("noise", "logits"), True


def each_layer(model, stimuli, layers, n_steps):
    names = stimuli.table["stimulus_id"].str.split("-").str[0].astype(int)
    signal = np.eye(7)[names.to_numpy()]
    out = {}
    for layer in layers:
        noise = np.random.default_rng(7).standard_normal((len(stimuli), 7))
        strength = STRENGTH[: n_steps + 1] if layer == "logits" else np.zeros(n_steps + 1)
        out[layer] = np.stack([noise + 2 * s * signal for s in strength]).astype(np.float32)
    return out


def source(**_):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (140, 8, 8, 1), dtype=np.uint8), np.arange(140) % 7
    neurons = simulated_neurons(STRENGTH, CLOCK, rng, n_neurons=20, n_trials=6)
    return neurons, position_stimuli(images, labels, "pictures")


def test_the_benchmark_scores_every_layer_and_step_and_reports_the_last():
    score = ItDecoding("simulated.IT-decoding", (), source, simulated=True, quick=True, each_layer=each_layer)(
        Growing(), n_steps=2
    )
    table = score.per_step
    assert len(table) == 2 * 2 * 3
    row = table[(table["layer"] == "logits") & (table["step"] == 2) & (table["target"] == "all positions")].iloc[0]
    assert score.raw == row["raw"] > 0.9
    assert score.value == pytest.approx(row["raw"] / row["ceiling"])
    assert score.raw_interval[0] <= score.raw <= score.raw_interval[1]
    assert (score.n_used, score.n_total, score.simulated) == (20, 20, True)
    assert any("no images of the study exist" in note for note in score.notes)
    noise = table[table["layer"] == "noise"]
    assert abs(noise["decodability"] - CHANCE).max() < 0.12
    right = table[(table["layer"] == "logits") & (table["target"] == "all positions")]["decodability"]
    assert (np.diff(right) > 0).all()
