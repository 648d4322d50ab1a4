"""Simulated recordings hold the truth they were made with, and say that they are simulated."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.ceilings import split_half
from benchmarks.rsa import condensed, correlation_rdm
from benchmarks.simulated import (
    digits_stimuli,
    simulated_dissimilarities,
    simulated_session,
    true_place,
)
from neurocnnf.stimuli import Stimuli


@pytest.fixture
def activations():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((3, 200, 50)).astype(np.float32)
    values[:, :, :10] = 1
    return {"low": np.zeros((3, 200, 4), np.float32), "high": values}


def test_without_noise_responses_are_a_linear_readout_of_that_layer_and_step(activations):
    session = simulated_session(activations, "high", 1, 7, 0.0, np.random.default_rng(0))
    design = np.hstack([activations["high"][1], np.ones((200, 1))])
    _, misfit, *_ = np.linalg.lstsq(design[:, 9:], session.responses.values, rcond=None)
    np.testing.assert_allclose(misfit, 0, atol=1e-8)
    np.testing.assert_allclose(session.responses.std("presentation"), 1)


def test_reliability_is_what_the_noise_implies(activations):
    session = simulated_session(activations, "high", 1, 40, 0.8, np.random.default_rng(0), n_repeats=4)
    found = split_half(session.repeats.values, np.random.default_rng(0)).reliability
    assert found.mean() == pytest.approx(1 / (1 + 0.8**2 / 4), abs=0.02)


def test_a_session_has_the_dims_the_truth_and_the_word_simulated(activations):
    table = pd.DataFrame({"stimulus_id": [f"s{k}" for k in range(200)]})
    stimuli = Stimuli(np.zeros((200, 2, 2, 1), np.uint8), table, "x")
    session = simulated_session(activations, "high", 2, 5, 0.5, np.random.default_rng(0), stimuli=stimuli)
    assert session.responses.dims == ("presentation", "neuroid")
    assert session.repeats.dims == ("presentation", "neuroid", "repetition")
    assert session.responses.attrs["simulated"]
    assert (session.responses.attrs["layer"], session.responses.attrs["step"]) == ("high", 2)
    assert list(session.responses["stimulus_id"].values[:2]) == ["s0", "s1"]
    assert session.animal.startswith("simulated")
    assert session.stimuli is stimuli


def test_the_same_generator_gives_the_same_session(activations):
    first, again = (
        simulated_session(activations, "high", 1, 3, 0.5, np.random.default_rng(5)).repeats for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)


def test_an_animal_whose_name_hides_the_simulation_is_refused(activations):
    with pytest.raises(ValueError, match="expected a name that begins with 'simulated', got 'WE'"):
        simulated_session(activations, "high", 1, 3, 0.5, np.random.default_rng(0), animal="WE")


def test_a_layer_or_step_that_was_not_recorded_is_refused(activations):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="layer: expected one of low, high, got 'top'"):
        simulated_session(activations, "top", 1, 3, 0.5, rng)
    with pytest.raises(ValueError, match="step: expected 0 to 2, got 3"):
        simulated_dissimilarities(activations, "high", 3, 0.5, rng)


def test_a_layer_that_does_not_vary_is_refused(activations):
    with pytest.raises(ValueError, match="expected units that vary over presentations, got none"):
        simulated_session(activations, "low", 0, 3, 0.5, np.random.default_rng(0))


def test_without_noise_dissimilarities_are_those_of_the_layer(activations):
    made = simulated_dissimilarities(activations, "high", 1, 0.0, np.random.default_rng(0))
    expected = correlation_rdm(activations["high"][1])
    np.testing.assert_allclose(made.macaque_it, expected)
    assert made.human_it.dims == ("subject", "session", "presentation", "presentation_2")
    np.testing.assert_allclose(condensed(made.human_it.values)[2, 1], expected)
    assert made.macaque_it.attrs["simulated"]


def test_subjects_and_sessions_differ_by_noise(activations):
    made = simulated_dissimilarities(activations, "high", 1, 0.5, np.random.default_rng(0))
    flat = condensed(made.human_it.values).reshape(8, -1)
    correlations = np.corrcoef(flat)[np.triu_indices(8, 1)]
    assert (correlations < 0.999).all()
    assert (correlations > 0.2).all()


def test_the_true_place_is_a_middle_layer_and_step():
    assert true_place(("a", "b", "c", "d", "e"), 5) == ("c", 3)
    assert true_place(("a", "b", "c"), 0) == ("b", 0)


def test_digits_are_gray_16_by_16_with_unique_names():
    stimuli = digits_stimuli(92)
    assert stimuli.images[:].shape == (92, 16, 16, 1)
    assert stimuli.images[:].dtype == np.uint8
    assert stimuli.table["stimulus_id"].is_unique
