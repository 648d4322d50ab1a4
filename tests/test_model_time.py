"""Tests of the readouts of a model's time, against slow searches and closed forms."""

import numpy as np
import pytest
from scipy.special import rel_entr
from scipy.special import softmax as scipy_softmax
from scipy.stats import entropy as scipy_entropy

from analysis.decoded_study import relative_movement
from analysis.model_time import (
    ModelTimes,
    answer_divergence,
    commitment_step,
    convergence_step,
    crossing,
    decision_step,
    entropy,
    evidence_step,
    feedforward_time,
    observer_step,
    softmax,
    uncertainty_area,
)
from analysis.solution_step import solution_steps


def posteriors(n=200, steps=6, categories=4, seed=0):
    """Random answers that grow surer, and the decision values behind them."""
    rng = np.random.default_rng(seed)
    decisions = rng.standard_normal((steps, n, categories)) * np.linspace(0.3, 3, steps)[:, None, None]
    return softmax(decisions), decisions


def slow_crossing(values, bound):
    """Step by step, one presentation."""
    for t, value in enumerate(values):
        if value >= bound:
            return float(t) if t == 0 else t - 1 + (bound - values[t - 1]) / (value - values[t - 1])
    return None


def test_a_crossing_is_interpolated_and_censored_as_a_slow_search_finds():
    values = np.random.default_rng(0).standard_normal((6, 300)).cumsum(axis=0)
    times = crossing(values, 1.2)
    for n in range(300):
        expected = slow_crossing(values[:, n], 1.2)
        assert times.reached[n] == (expected is not None)
        assert times.step[n] == pytest.approx(5 if expected is None else expected)
    assert 0 < times.reached.mean() < 1
    assert np.isnan(times.reported[~times.reached]).all()


def test_posteriors_and_their_entropy_are_those_of_scipy():
    p, decisions = posteriors()
    np.testing.assert_allclose(softmax(decisions, 2.0), scipy_softmax(decisions / 2, axis=-1))
    np.testing.assert_allclose(entropy(p), scipy_entropy(p, axis=-1) / np.log(4))


def test_the_observer_step_is_where_the_right_posterior_reaches_the_accuracy():
    p, _ = posteriors()
    labels = np.arange(200) % 4
    accuracy = np.where(labels == 0, 0.9, 0.5)
    times = observer_step(p, labels, accuracy)
    for n in range(200):
        expected = slow_crossing(p[:, n, labels[n]], accuracy[n])
        assert times.step[n] == pytest.approx(5 if expected is None else expected)


def test_decision_steps_fall_to_an_entropy_or_rise_to_a_posterior():
    p, _ = posteriors()
    by_entropy, by_posterior = decision_step(p, 0.4), decision_step(p, 0.8, "posterior")
    for n in range(200):
        expected = slow_crossing(-scipy_entropy(p[:, n], axis=-1) / np.log(4), -0.4)
        assert by_entropy.step[n] == pytest.approx(5 if expected is None else expected)
        expected = slow_crossing(p[:, n].max(axis=1), 0.8)
        assert by_posterior.step[n] == pytest.approx(5 if expected is None else expected)
    with pytest.raises(ValueError, match="'entropy' or 'posterior', got 'variance'"):
        decision_step(p, 0.4, "variance")


def test_constant_evidence_without_noise_reaches_a_bound_at_the_closed_form():
    """Evidence q per step, first at step 0: the sum is (t + 1) q, so t = bound / q - 1."""
    q = np.array([0.4, 0.6, 0.9])
    p = np.tile(np.stack([q, 1 - q], axis=1), (6, 1, 1))
    times = evidence_step(p, 2.0, noise=0)
    strongest = np.maximum(q, 1 - q)
    np.testing.assert_allclose(times.step, 2.0 / strongest - 1)
    assert not evidence_step(p, 5.5, noise=0).reached[0]


def test_noise_makes_a_race_faster_and_its_seed_decides():
    """The largest of several noisy sums is larger than the largest sum."""
    p = np.full((6, 400, 4), 0.25)
    still, noisy = evidence_step(p, 1.0, 0), evidence_step(p, 1.0, 0.3, seed=1)
    assert noisy.step.mean() < still.step.mean()
    np.testing.assert_array_equal(noisy.step, evidence_step(p, 1.0, 0.3, seed=1).step)


def test_commitment_is_the_last_change_of_answer_and_a_change_at_the_end_is_censored():
    _, decisions = posteriors(categories=3)
    times = commitment_step(decisions)
    answers = decisions.argmax(axis=2)
    for n in range(200):
        expected = min(t for t in range(6) if len(set(answers[t:, n])) == 1)
        assert times.step[n] == expected
        assert times.reached[n] == (expected < 5)
    assert commitment_step(decisions[:1]).reached.all()


def test_convergence_is_where_movement_falls_to_epsilon():
    """Halving each step from 1 at step 1: at 2^-k or less by step k + 1, linear between."""
    movement = 0.5 ** np.arange(5.0)[:, None]
    assert convergence_step(movement, 0.25).step[0] == pytest.approx(3)
    assert convergence_step(movement, 0.375).step[0] == pytest.approx(2.5)
    assert convergence_step(movement, 2.0).step[0] == 1
    assert not convergence_step(movement, 0.01).reached[0]
    assert convergence_step(movement, 0.01).step[0] == 5


def test_movement_and_divergence_equal_those_of_numpy_and_scipy():
    features = np.random.default_rng(1).standard_normal((4, 20, 30))
    expected = [
        [np.linalg.norm(features[t, n] - features[t - 1, n]) / np.linalg.norm(features[t, n]) for n in range(20)]
        for t in range(1, 4)
    ]
    np.testing.assert_allclose(relative_movement(features), expected)
    p, _ = posteriors()
    np.testing.assert_allclose(answer_divergence(p), rel_entr(p[1:], p[:-1]).sum(axis=2))


def test_the_area_of_a_model_that_knows_nothing_is_all_steps_and_of_one_that_knows_all_none():
    sure = np.zeros((6, 1, 4))
    sure[..., 0] = 1
    assert uncertainty_area(np.full((6, 1, 4), 0.25)).step[0] == pytest.approx(5)
    assert uncertainty_area(sure).step[0] == pytest.approx(0)
    p, _ = posteriors()
    h = scipy_entropy(p, axis=-1) / np.log(4)
    np.testing.assert_allclose(uncertainty_area(p).step, ((h[1:] + h[:-1]) / 2).sum(axis=0))


def test_the_feedforward_time_knows_nothing_of_later_steps():
    p, decisions = posteriors()
    assert uncertainty_area(p).reached.all()
    np.testing.assert_array_equal(feedforward_time(p).step, feedforward_time(p[:1]).step)
    steps = solution_steps(decisions, np.zeros(200, int))
    np.testing.assert_array_equal(ModelTimes.from_solution(steps).reported, steps.reported)


def test_what_is_no_posterior_or_not_finite_is_refused():
    with pytest.raises(ValueError, match="0 or more that sum to 1, got shape"):
        entropy(np.ones((2, 3, 4)))
    with pytest.raises(ValueError, match="expected finite values"):
        crossing(np.full((2, 3), np.nan), 0)
