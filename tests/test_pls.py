"""PLS from a Gram matrix against scikit-learn's NIPALS, run until it has converged."""

import warnings

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression

from benchmarks.gram import gram
from benchmarks.pls import pls_predictions
from benchmarks.splits import make_folds


def make_data(n=80, units=60, neuroids=12, noise=0.7, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, units)) * np.arange(1, units + 1) ** -0.5 + rng.standard_normal(units)
    responses = features @ rng.standard_normal((units, neuroids))
    responses = responses + noise * responses.std() * rng.standard_normal(responses.shape) + 3
    # splits that overlap, as Brain-Score draws them
    held_out = tuple(np.sort(rng.permutation(n)[: n // 10]) for _ in range(3))
    return features, responses, held_out


def by_sklearn(features, responses, held_out, n_components):
    found = []
    for part in held_out:
        training = np.setdiff1d(np.arange(len(responses)), part)
        model = PLSRegression(n_components, scale=False, tol=1e-24, max_iter=200_000)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # rounding keeps it from meeting that tolerance
            found.append(model.fit(features[training], responses[training]).predict(features[part]))
    return [part.reshape(len(part), -1) for part in found]


@pytest.mark.parametrize("units", [30, 200], ids="{} units".format)
@pytest.mark.parametrize("neuroids", [1, 90], ids="{} neuroids".format)
def test_predictions_are_those_of_converged_sklearn(units, neuroids):
    features, responses, held_out = make_data(units=units, neuroids=neuroids)
    result = pls_predictions(gram(features), responses, held_out, n_components=10)
    for found, expected in zip(result.predictions, by_sklearn(features, responses, held_out, 10), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-8 * responses.std())
    np.testing.assert_array_equal(result.n_components, 10)


def test_25_components_as_brain_score_takes_are_those_of_sklearn_too():
    features, responses, held_out = make_data(n=100, units=150)
    result = pls_predictions(gram(features), responses, held_out)
    for found, expected in zip(result.predictions, by_sklearn(features, responses, held_out, 25), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-8 * responses.std())


def test_all_components_of_few_units_are_least_squares():
    features, responses, held_out = make_data(units=5)
    (part,) = held_out[:1]
    training = np.setdiff1d(np.arange(len(responses)), part)
    columns = np.c_[np.ones(len(responses)), features]
    expected = columns[part] @ np.linalg.lstsq(columns[training], responses[training], rcond=None)[0]
    result = pls_predictions(gram(features), responses, (part,), n_components=5)
    np.testing.assert_allclose(result.predictions[0], expected, atol=1e-9 * responses.std())


def test_components_beyond_the_rank_of_the_features_are_not_made_from_rounding():
    features, responses, held_out = make_data(units=6)
    repeated = np.hstack([features, features, np.ones((len(features), 3))])
    few = pls_predictions(gram(features), responses, held_out, n_components=6)
    many = pls_predictions(gram(repeated), responses, held_out, n_components=25)
    np.testing.assert_array_equal(many.n_components, 6)
    for found, expected in zip(many.predictions, few.predictions, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-8 * responses.std())


def test_fewer_presentations_than_components_are_fitted_exactly_and_no_further():
    features, responses, _ = make_data(n=8, units=40)
    result = pls_predictions(gram(features), responses, (np.array([0]), np.array([1, 5])), n_components=25)
    np.testing.assert_array_equal(result.n_components, [6, 5])
    assert all(np.isfinite(part).all() for part in result.predictions)


def test_neuroids_with_nan_or_without_variation_are_marked_and_the_others_are_fitted_without_them():
    features, responses, held_out = make_data()
    broken = responses.copy()
    broken[7, 1] = np.nan
    broken[:, 3] = 2.0
    kept = np.delete(np.arange(12), [1, 3])
    result = pls_predictions(gram(features), broken, held_out, 5)
    alone = pls_predictions(gram(features), responses[:, kept], held_out, 5)
    np.testing.assert_array_equal(np.flatnonzero(result.usable), kept)
    for found, expected in zip(result.predictions, alone.predictions, strict=True):
        assert np.isnan(found[:, [1, 3]]).all()
        np.testing.assert_array_equal(found[:, kept], expected)


def test_held_out_responses_do_not_reach_their_own_prediction():
    features, responses, held_out = make_data()
    before = pls_predictions(gram(features), responses, held_out, 8).predictions[0]
    changed = responses.copy()
    changed[held_out[0]] += 100
    after = pls_predictions(gram(features), changed, held_out, 8).predictions[0]
    np.testing.assert_allclose(before, after, atol=1e-9)


@pytest.mark.parametrize("features", [np.ones((80, 5)), np.full((80, 5), np.nan), np.zeros((80, 0))])
def test_features_without_information_leave_every_neuroid_unused(features):
    _, responses, held_out = make_data()
    result = pls_predictions(gram(features), responses, held_out)
    assert not result.usable.any()
    assert all(np.isnan(part).all() for part in result.predictions)
    np.testing.assert_array_equal(result.n_components, 0)


def test_no_components_are_refused():
    features, responses, held_out = make_data()
    with pytest.raises(ValueError, match="n_components: expected 1 or more, got 0"):
        pls_predictions(gram(features), responses, held_out, 0)


def test_folds_make_splits_too():
    features, responses, _ = make_data()
    folds = make_folds(80, 4, np.random.default_rng(0))
    result = pls_predictions(gram(features), responses, folds, 3)
    assert [len(part) for part in result.predictions] == [20] * 4
