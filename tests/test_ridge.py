"""Ridge in closed form against scikit-learn on the same folds."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeCV

from benchmarks.gram import gram
from benchmarks.ridge import RidgeResult, ridge_predictions
from benchmarks.splits import in_place, make_folds


def make_data(n=90, units=40, neuroids=6, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, units)) * np.arange(1, units + 1) ** -0.5 + rng.standard_normal(units)
    responses = features @ rng.standard_normal((units, neuroids))
    responses = responses + noise * responses.std() * rng.standard_normal(responses.shape) + 3
    return features, responses, make_folds(n, 5, rng)


def nested_ridge_by_sklearn(features, responses, folds, grid):
    predictions, penalties = np.zeros_like(responses), np.zeros((len(folds), responses.shape[1]))
    for k, held_out in enumerate(folds):
        training = np.setdiff1d(np.arange(len(responses)), held_out)
        chosen = RidgeCV(alphas=grid, alpha_per_target=True).fit(features[training], responses[training])
        penalties[k] = chosen.alpha_
        model = Ridge(alpha=chosen.alpha_, solver="cholesky").fit(features[training], responses[training])
        predictions[held_out] = model.predict(features[held_out])
    return predictions, penalties


@pytest.mark.parametrize("units", [3, 30, 60, 100, 400], ids="{} units".format)
@pytest.mark.parametrize("noise", [0.1, 3.0])
def test_predictions_and_penalties_are_those_of_sklearn_refitted_in_every_fold(units, noise):
    features, responses, folds = make_data(units=units, noise=noise)
    result = ridge_predictions(gram(features), responses, folds)
    predictions, penalties = nested_ridge_by_sklearn(features, responses, folds, result.grid)
    np.testing.assert_allclose(result.penalties, penalties, rtol=1e-12)
    np.testing.assert_allclose(in_place(result.predictions, folds, 90), predictions, atol=1e-8 * responses.std())


def test_splits_may_overlap_and_leave_presentations_to_every_fit():
    features, responses, _ = make_data()
    rng = np.random.default_rng(1)
    held_out = tuple(np.sort(rng.permutation(90)[:9]) for _ in range(4))
    result = ridge_predictions(gram(features), responses, held_out)
    for split, part in enumerate(held_out):
        training = np.setdiff1d(np.arange(90), part)
        chosen = RidgeCV(alphas=result.grid, alpha_per_target=True).fit(features[training], responses[training])
        np.testing.assert_allclose(result.penalties[split], chosen.alpha_, rtol=1e-12)
        np.testing.assert_allclose(result.predictions[split], chosen.predict(features[part]), atol=1e-8)


def test_one_penalty_alone_is_plain_ridge_with_an_intercept():
    features, responses, folds = make_data(units=20)
    result = ridge_predictions(gram(features), responses, folds, np.array([0.5]))
    for held_out, found in zip(folds, result.predictions, strict=True):
        training = np.setdiff1d(np.arange(len(responses)), held_out)
        expected = Ridge(alpha=result.grid[0]).fit(features[training], responses[training])
        np.testing.assert_allclose(found, expected.predict(features[held_out]), atol=1e-10 * responses.std())


def test_repeated_and_constant_units_change_nothing_that_matters():
    features, responses, folds = make_data(units=20)
    rank_deficient = np.hstack([features, features, np.ones((len(features), 3))])
    once, twice = (
        in_place(ridge_predictions(gram(x), responses, folds).predictions, folds, 90)
        for x in (features, rank_deficient)
    )
    np.testing.assert_allclose(once, twice, atol=1e-9)


def test_penalties_do_not_depend_on_the_scale_or_offset_of_the_features():
    features, responses, folds = make_data()
    plain = ridge_predictions(gram(features), responses, folds)
    moved = ridge_predictions(gram(1e4 * features + 1e5), responses, folds)
    np.testing.assert_allclose(moved.grid / plain.grid, 1e8, rtol=1e-6)
    np.testing.assert_allclose(*(in_place(r.predictions, folds, 90) for r in (plain, moved)), atol=1e-7)


def test_held_out_responses_do_not_reach_their_own_prediction():
    features, responses, folds = make_data()
    before = ridge_predictions(gram(features), responses, folds)
    changed = responses.copy()
    changed[folds[0]] += np.random.default_rng(1).normal(0, 100, changed[folds[0]].shape)
    after = ridge_predictions(gram(features), changed, folds)
    np.testing.assert_allclose(before.predictions[0], after.predictions[0], atol=1e-9)
    np.testing.assert_array_equal(before.penalties[0], after.penalties[0])


def test_neuroids_with_nan_or_without_variation_are_marked_and_the_others_unchanged():
    features, responses, folds = make_data()
    expected = in_place(ridge_predictions(gram(features), responses, folds).predictions, folds, 90)
    broken = responses.copy()
    broken[7, 1] = np.nan
    broken[:, 3] = 2.0
    result = ridge_predictions(gram(features), broken, folds)
    np.testing.assert_array_equal(result.usable, [True, False, True, False, True, True])
    predictions = in_place(result.predictions, folds, 90)
    assert np.isnan(predictions[:, ~result.usable]).all()
    assert np.isnan(result.penalties[:, ~result.usable]).all()
    np.testing.assert_allclose(predictions[:, result.usable], expected[:, result.usable], atol=1e-10)


@pytest.mark.parametrize("features", [np.ones((90, 5)), np.full((90, 5), np.nan), np.zeros((90, 0))])
def test_features_without_information_leave_every_neuroid_unused(features):
    _, responses, folds = make_data()
    result = ridge_predictions(gram(features), responses, folds)
    assert not result.usable.any()
    assert np.isnan(in_place(result.predictions, folds, 90)).all()
    assert np.isnan(result.share_at_edge)


def test_a_vanishing_penalty_is_interpolation_and_does_not_crash():
    features, responses, folds = make_data(units=400, noise=3)
    vanishing, tiny = (
        ridge_predictions(gram(features), responses, folds, np.array([penalty, 1.0])) for penalty in (1e-30, 1e-9)
    )
    np.testing.assert_array_equal(vanishing.penalties == vanishing.grid[0], tiny.penalties == tiny.grid[0])
    np.testing.assert_allclose(*(in_place(r.predictions, folds, 90) for r in (vanishing, tiny)), atol=1e-5)


def test_a_penalty_lost_in_rounding_is_not_chosen():
    features, responses, folds = make_data(units=80, noise=3)
    result = ridge_predictions(gram(features), responses, folds, np.array([1e-40, 1.0]))
    assert (result.penalties == result.grid[1]).all()
    assert np.isfinite(in_place(result.predictions, folds, 90)).all()


def test_the_share_of_choices_at_the_edge_of_the_grid_is_counted():
    result = RidgeResult(
        (np.zeros((1, 3)), np.zeros((1, 3))),
        np.array([[1.0, 10, np.nan], [5, 5, np.nan]]),
        np.array([1.0, 5, 10]),
        np.array([1, 1, 0]) > 0,
    )
    assert result.share_at_edge == 0.5
