"""One penalty for all neuroids, against scikit-learn's RidgeCV over the whole grid."""

import importlib

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from benchmarks import ridge_cv
from benchmarks.gram import gram
from benchmarks.ridge_cv import BRAIN_SCORE_PENALTIES, ridge_cv_predictions


def make_data(n=90, units=40, neuroids=6, noise=1.0, scale=10.0, seed=0):
    rng = np.random.default_rng(seed)
    features = scale * (rng.standard_normal((n, units)) * np.arange(1, units + 1) ** -0.5 + rng.standard_normal(units))
    responses = features @ rng.standard_normal((units, neuroids))
    responses = responses + noise * responses.std() * rng.standard_normal(responses.shape) + 3
    held_out = tuple(np.sort(rng.permutation(n)[: n // 10]) for _ in range(4))
    return features, responses, held_out


def with_spectrum(decay, units, noise):
    """Features whose units' standard deviations fall as named, before they are mixed."""
    rank = np.arange(units)
    sizes = {
        "flat": np.full(units, 30.0),
        "fast": 100 * 0.7**rank,
        "nearly singular": np.where(rank < units // 2, 10.0, 1e-6),
        "a few large": np.where(rank < 3, 1000.0, 1.0),
    }[decay]
    rng = np.random.default_rng(3)
    mix, _ = np.linalg.qr(rng.standard_normal((units, units)))
    _, responses, held_out = make_data(units=units)
    features = (rng.standard_normal((len(responses), units)) * sizes) @ mix
    signal = features @ rng.standard_normal((units, 5))
    return features, signal + noise * signal.std() * rng.standard_normal(signal.shape), held_out


def assert_as_sklearn(features, responses, held_out, penalties=BRAIN_SCORE_PENALTIES):
    """Compare penalties and predictions with scikit-learn's; return the penalties (split,)."""
    result = ridge_cv_predictions(gram(features), responses, held_out, penalties)
    for split, part in enumerate(held_out):
        training = np.setdiff1d(np.arange(len(responses)), part)
        expected = RidgeCV(alphas=penalties).fit(features[training], responses[training])
        np.testing.assert_allclose(result.penalties[split], expected.alpha_, rtol=1e-12)
        found = result.predictions[split]
        np.testing.assert_allclose(found, expected.predict(features[part]), atol=1e-8 * responses.std())
    return result.penalties[:, 0]


@pytest.mark.parametrize("units", [10, 60, 400], ids="{} units".format)
@pytest.mark.parametrize("noise", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("scale", [0.1, 30.0])
def test_penalties_and_predictions_are_those_of_sklearn(units, noise, scale):
    assert_as_sklearn(*make_data(units=units, noise=noise, scale=scale))


@pytest.mark.parametrize("decay", ["flat", "fast", "nearly singular", "a few large"])
@pytest.mark.parametrize("units", [30, 300], ids="{} units".format)
@pytest.mark.parametrize("noise", [0.3, 3.0])
def test_every_kind_of_spectrum_gets_sklearns_penalties(decay, units, noise):
    features, responses, held_out = with_spectrum(decay, units, noise)
    assert_as_sklearn(features, responses, held_out)


def test_noise_alone_takes_the_largest_penalty_and_perfect_information_the_smallest():
    features, _, held_out = make_data(units=20)
    rng = np.random.default_rng(5)
    noise = rng.standard_normal((len(features), 6))
    basis, _ = np.linalg.qr(np.column_stack([features, np.ones(len(features))]))
    noise -= basis @ (basis.T @ noise)  # so that chance favours no unit
    assert (assert_as_sklearn(features, noise, held_out) == BRAIN_SCORE_PENALTIES.max()).all()
    perfect = features @ rng.standard_normal((20, 6))
    assert (assert_as_sklearn(features, perfect, held_out) == BRAIN_SCORE_PENALTIES.min()).all()


def test_a_grid_may_be_unsorted_repeat_itself_or_hold_one_penalty():
    data = make_data()
    rng = np.random.default_rng(2)
    assert_as_sklearn(*data, rng.permutation(BRAIN_SCORE_PENALTIES))
    assert_as_sklearn(*data, np.repeat(BRAIN_SCORE_PENALTIES[::5], 2))
    assert_as_sklearn(*data, np.array([7.0]))


@pytest.mark.parametrize("regression", ["ridge_cv_regression", "dual_ridge_cv_regression"])
@pytest.mark.parametrize("units", [30, 300], ids="{} units".format)
def test_brain_scores_own_regression_predicts_the_same(regression, units):
    metric = importlib.import_module("brainscore_vision.metrics.regression_correlation.metric")
    features, responses, held_out = make_data(units=units)
    training = np.setdiff1d(np.arange(len(responses)), held_out[0])
    theirs = getattr(metric, regression)()._regression
    theirs.fit(features[training], responses[training])
    result = ridge_cv_predictions(gram(features), responses, held_out)
    np.testing.assert_allclose(result.penalties[0], theirs.alpha_, rtol=1e-12)
    expected = theirs.predict(features[held_out[0]])
    np.testing.assert_allclose(result.predictions[0], expected, atol=1e-8 * responses.std())


def test_neighbours_too_close_to_tell_by_bounds_are_told_apart():
    features, responses, held_out = make_data()
    best = ridge_cv_predictions(gram(features), responses, held_out).penalties[0, 0]
    grid = np.sort(np.r_[BRAIN_SCORE_PENALTIES, best * (1 + 1e-5 * np.arange(-6, 7))])
    assert_as_sklearn(features, responses, held_out, grid)


def test_brain_scores_penalties_are_its_own():
    metric = pytest.importorskip("brainscore_vision.metrics.regression_correlation.metric")
    np.testing.assert_allclose(BRAIN_SCORE_PENALTIES, metric.ALPHA_LIST, rtol=1e-14)


def test_most_penalties_are_not_solved(monkeypatch):
    features, responses, held_out = make_data(units=400)
    solved = []
    original = ridge_cv.RidgeDesign.leave_out

    def counted(self, penalty, held_out):
        solved.append(penalty)
        return original(self, penalty, held_out)

    monkeypatch.setattr(ridge_cv.RidgeDesign, "leave_out", counted)
    ridge_cv_predictions(gram(features), responses, held_out)
    assert len(solved) < 25
    assert len(set(solved)) == len(solved)


def test_neuroids_with_nan_are_marked_and_do_not_choose():
    features, responses, held_out = make_data()
    broken = responses.copy()
    broken[3, 2] = np.nan
    result = ridge_cv_predictions(gram(features), broken, held_out)
    alone = ridge_cv_predictions(gram(features), np.delete(responses, 2, axis=1), held_out)
    np.testing.assert_array_equal(result.usable, [True, True, False, True, True, True])
    np.testing.assert_array_equal(result.penalties[:, 0], alone.penalties[:, 0])
    assert np.isnan(result.predictions[0][:, 2]).all()


def test_features_without_information_leave_every_neuroid_unused():
    _, responses, held_out = make_data()
    result = ridge_cv_predictions(gram(np.ones((90, 5))), responses, held_out)
    assert not result.usable.any()


@pytest.mark.parametrize("penalties", [[], [0.0, 1.0], [np.nan], [-1.0]])
def test_penalties_that_are_none_are_refused(penalties):
    features, responses, held_out = make_data()
    with pytest.raises(ValueError, match="penalties: expected finite numbers above 0"):
        ridge_cv_predictions(gram(features), responses, held_out, np.array(penalties))
