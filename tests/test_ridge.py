"""Ridge in closed form against scikit-learn on the same folds."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeCV

from benchmarks.bootstrap import fold_correlations
from benchmarks.ridge import (
    RidgeResult,
    gram,
    make_folds,
    ridge_predictions,
    usable_neuroids,
)


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
    np.testing.assert_allclose(result.predictions, predictions, atol=1e-8 * responses.std())


def test_one_penalty_alone_is_plain_ridge_with_an_intercept():
    features, responses, folds = make_data(units=20)
    result = ridge_predictions(gram(features), responses, folds, np.array([0.5]))
    for held_out in folds:
        training = np.setdiff1d(np.arange(len(responses)), held_out)
        expected = Ridge(alpha=result.grid[0]).fit(features[training], responses[training])
        np.testing.assert_allclose(
            result.predictions[held_out], expected.predict(features[held_out]), atol=1e-10 * responses.std()
        )


def test_repeated_and_constant_units_change_nothing_that_matters():
    features, responses, folds = make_data(units=20)
    rank_deficient = np.hstack([features, features, np.ones((len(features), 3))])
    once = ridge_predictions(gram(features), responses, folds).predictions
    twice = ridge_predictions(gram(rank_deficient), responses, folds).predictions
    np.testing.assert_allclose(once, twice, atol=1e-9)


def test_penalties_do_not_depend_on_the_scale_or_offset_of_the_features():
    features, responses, folds = make_data()
    plain = ridge_predictions(gram(features), responses, folds)
    moved = ridge_predictions(gram(1e4 * features + 1e5), responses, folds)
    np.testing.assert_allclose(moved.grid / plain.grid, 1e8, rtol=1e-6)
    np.testing.assert_allclose(plain.predictions, moved.predictions, atol=1e-7)


def test_held_out_responses_do_not_reach_their_own_prediction():
    features, responses, folds = make_data()
    before = ridge_predictions(gram(features), responses, folds)
    changed = responses.copy()
    changed[folds[0]] += np.random.default_rng(1).normal(0, 100, changed[folds[0]].shape)
    after = ridge_predictions(gram(features), changed, folds)
    np.testing.assert_allclose(before.predictions[folds[0]], after.predictions[folds[0]], atol=1e-9)
    np.testing.assert_array_equal(before.penalties[0], after.penalties[0])


def test_neuroids_with_nan_or_without_variation_are_marked_and_the_others_unchanged():
    features, responses, folds = make_data()
    expected = ridge_predictions(gram(features), responses, folds).predictions
    broken = responses.copy()
    broken[7, 1] = np.nan
    broken[:, 3] = 2.0
    result = ridge_predictions(gram(features), broken, folds)
    np.testing.assert_array_equal(result.usable, [True, False, True, False, True, True])
    assert np.isnan(result.predictions[:, ~result.usable]).all()
    assert np.isnan(result.penalties[:, ~result.usable]).all()
    np.testing.assert_allclose(result.predictions[:, result.usable], expected[:, result.usable], atol=1e-10)


def test_a_neuroid_that_varies_in_one_fold_only_cannot_be_fitted_for_that_fold():
    _, responses, folds = make_data()
    responses[:, 0] = 1.0
    responses[folds[2][0], 0] = 5.0
    assert not usable_neuroids(responses, folds)[0]


@pytest.mark.parametrize("features", [np.ones((90, 5)), np.full((90, 5), np.nan), np.zeros((90, 0))])
def test_features_without_information_leave_every_neuroid_unused(features):
    _, responses, folds = make_data()
    result = ridge_predictions(gram(features), responses, folds)
    assert not result.usable.any()
    assert np.isnan(result.predictions).all()
    assert np.isnan(result.share_at_edge)


def test_a_vanishing_penalty_is_interpolation_and_does_not_crash():
    features, responses, folds = make_data(units=400, noise=3)
    vanishing, tiny = (
        ridge_predictions(gram(features), responses, folds, np.array([penalty, 1.0])) for penalty in (1e-30, 1e-9)
    )
    np.testing.assert_array_equal(vanishing.penalties == vanishing.grid[0], tiny.penalties == tiny.grid[0])
    np.testing.assert_allclose(vanishing.predictions, tiny.predictions, atol=1e-5)


def test_a_penalty_lost_in_rounding_is_not_chosen():
    features, responses, folds = make_data(units=80, noise=3)
    result = ridge_predictions(gram(features), responses, folds, np.array([1e-40, 1.0]))
    assert (result.penalties == result.grid[1]).all()
    assert np.isfinite(result.predictions).all()


def test_the_share_of_choices_at_the_edge_of_the_grid_is_counted():
    result = RidgeResult(
        np.zeros((2, 3)),
        np.array([[1.0, 10, np.nan], [5, 5, np.nan]]),
        np.array([1.0, 5, 10]),
        np.array([1, 1, 0]) > 0,
    )
    assert result.share_at_edge == 0.5


def test_gram_of_float32_features_moves_the_correlation_by_less_than_1e_4():
    rng = np.random.default_rng(0)
    scale = np.arange(1, 10001) ** -0.5
    latent = rng.standard_normal((200, 200)) * np.arange(1, 201) ** -0.7
    features = np.maximum(latent @ rng.standard_normal((200, 10000)) * scale + 2, 0).astype(np.float32)
    responses = latent[:, :10] + 0.3 * rng.standard_normal((200, 10))
    folds = make_folds(200, 5, rng)
    r = {}
    for dtype in (np.float32, np.float64):
        predictions = ridge_predictions(gram(features.astype(dtype)), responses, folds).predictions
        r[dtype] = fold_correlations(predictions, responses, folds)
    assert np.abs(r[np.float32] - r[np.float64]).max() < 1e-4
    assert r[np.float64].min() > 0.1


def test_gram_is_the_inner_product_of_centred_features():
    features = np.random.default_rng(0).standard_normal((12, 9000)) + 5
    centred = features - features.mean(axis=0)
    np.testing.assert_allclose(gram(features), centred @ centred.T, atol=1e-8)


def test_folds_hold_every_presentation_out_once_in_sizes_that_differ_by_one():
    folds = make_folds(23, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), np.arange(23))
    assert {len(fold) for fold in folds} == {4, 5}
    again = make_folds(23, 5, np.random.default_rng(0))
    assert all(np.array_equal(a, b) for a, b in zip(folds, again, strict=True))


@pytest.mark.parametrize("n_folds", [1, 6])
def test_an_impossible_number_of_folds_is_refused(n_folds):
    with pytest.raises(ValueError, match=f"n_folds: expected 2 to 5 for 10 presentations, got {n_folds}"):
        make_folds(10, n_folds, np.random.default_rng(0))


def test_features_that_are_not_flat_are_refused():
    with pytest.raises(ValueError, match=r"features: expected \(presentation, unit\), got shape \(2, 3, 4\)"):
        gram(np.zeros((2, 3, 4)))


def test_recordings_of_other_stimuli_are_refused():
    with pytest.raises(ValueError, match="Gram matrix over the same presentations"):
        ridge_predictions(np.eye(4), np.zeros((5, 2)), (np.arange(5),))


def test_folds_that_leave_a_presentation_out_are_refused():
    with pytest.raises(ValueError, match="expected every one of 6 presentations held out once, got 5 entries"):
        ridge_predictions(np.eye(6), np.zeros((6, 2)), (np.arange(3), np.arange(3, 5)))
