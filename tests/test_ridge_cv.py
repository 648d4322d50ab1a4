"""One penalty for all neuroids, against scikit-learn's RidgeCV over the whole grid."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from benchmarks import ridge_cv
from benchmarks.gram import gram
from benchmarks.ridge_cv import BRAIN_SCORE_PENALTIES, make_skeleton, ridge_cv_predictions


def make_data(n=90, units=40, neuroids=6, noise=1.0, scale=10.0, seed=0):
    rng = np.random.default_rng(seed)
    features = scale * (rng.standard_normal((n, units)) * np.arange(1, units + 1) ** -0.5 + rng.standard_normal(units))
    responses = features @ rng.standard_normal((units, neuroids))
    responses = responses + noise * responses.std() * rng.standard_normal(responses.shape) + 3
    held_out = tuple(np.sort(rng.permutation(n)[: n // 10]) for _ in range(4))
    return features, responses, held_out


@pytest.mark.parametrize("units", [10, 60, 400], ids="{} units".format)
@pytest.mark.parametrize("noise", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("scale", [0.1, 30.0])
def test_penalties_and_predictions_are_those_of_sklearn(units, noise, scale):
    features, responses, held_out = make_data(units=units, noise=noise, scale=scale)
    result = ridge_cv_predictions(gram(features), responses, held_out)
    for split, part in enumerate(held_out):
        training = np.setdiff1d(np.arange(len(responses)), part)
        expected = RidgeCV(alphas=BRAIN_SCORE_PENALTIES).fit(features[training], responses[training])
        np.testing.assert_allclose(result.penalties[split], expected.alpha_, rtol=1e-12)
        found = result.predictions[split]
        np.testing.assert_allclose(found, expected.predict(features[part]), atol=1e-8 * responses.std())


def test_neighbours_too_close_to_tell_by_the_skeleton_are_told_apart():
    features, responses, held_out = make_data()
    best = ridge_cv_predictions(gram(features), responses, held_out).penalties[0, 0]
    grid = np.sort(np.r_[BRAIN_SCORE_PENALTIES, best * (1 + 1e-5 * np.arange(-6, 7))])
    result = ridge_cv_predictions(gram(features), responses, held_out, grid)
    training = np.setdiff1d(np.arange(len(responses)), held_out[0])
    expected = RidgeCV(alphas=grid).fit(features[training], responses[training])
    assert result.penalties[0, 0] == pytest.approx(expected.alpha_, rel=1e-12)


def test_brain_scores_penalties_are_its_own():
    metric = pytest.importorskip("brainscore_vision.metrics.regression_correlation.metric")
    np.testing.assert_allclose(BRAIN_SCORE_PENALTIES, metric.ALPHA_LIST, rtol=1e-14)


def test_a_skeleton_gives_every_penalty_at_every_eigenvalue_within_its_error():
    skeleton = make_skeleton(BRAIN_SCORE_PENALTIES, 1e5)
    values = np.r_[0, np.random.default_rng(0).uniform(-12, 5, 5000)]
    functions = BRAIN_SCORE_PENALTIES / (np.r_[0, 10 ** values[1:]][:, None] + BRAIN_SCORE_PENALTIES)
    errors = np.abs(functions - functions[:, skeleton.chosen] @ skeleton.weights)
    assert errors.max() <= 1.01 * skeleton.error < 1e-5
    assert len(skeleton.chosen) < 25


def test_most_penalties_are_not_solved(monkeypatch):
    features, responses, held_out = make_data(units=400)
    solved = []
    original = ridge_cv.RidgeDesign.leave_out
    monkeypatch.setattr(
        ridge_cv.RidgeDesign, "leave_out", lambda self, penalty: solved.append(penalty) or original(self, penalty)
    )
    ridge_cv_predictions(gram(features), responses, held_out)
    assert len(solved) < 35
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
