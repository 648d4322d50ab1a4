"""Gram matrices against products written out."""

import numpy as np
import pytest

from benchmarks.bootstrap import fold_correlations
from benchmarks.gram import centred, gram, inner_products
from benchmarks.ridge import ridge_predictions
from benchmarks.splits import in_place, make_folds


def test_gram_of_float32_features_moves_the_correlation_by_less_than_1e_4():
    rng = np.random.default_rng(0)
    scale = np.arange(1, 10001) ** -0.5
    latent = rng.standard_normal((200, 200)) * np.arange(1, 201) ** -0.7
    features = np.maximum(latent @ rng.standard_normal((200, 10000)) * scale + 2, 0).astype(np.float32)
    responses = latent[:, :10] + 0.3 * rng.standard_normal((200, 10))
    folds = make_folds(200, 5, rng)
    r = {}
    for dtype in (np.float32, np.float64):
        result = ridge_predictions(gram(features.astype(dtype)), responses, folds)
        r[dtype] = fold_correlations(in_place(result.predictions, folds, 200), responses, folds)
    assert np.abs(r[np.float32] - r[np.float64]).max() < 1e-4
    assert r[np.float64].min() > 0.1


def test_gram_is_the_inner_product_of_centred_features():
    features = np.random.default_rng(0).standard_normal((12, 9000)) + 5
    expected = features - features.mean(axis=0)
    np.testing.assert_allclose(gram(features), expected @ expected.T, atol=1e-8)


def test_products_of_shifted_features_are_centred_to_the_same():
    features = np.random.default_rng(0).standard_normal((12, 9000))
    shifted = features + np.linspace(-3, 3, 9000)
    np.testing.assert_allclose(inner_products(shifted[:4], shifted), (shifted @ shifted.T)[:4], atol=1e-8)
    np.testing.assert_allclose(centred(shifted @ shifted.T), gram(features), atol=1e-8)


def test_features_that_are_not_flat_are_refused():
    with pytest.raises(ValueError, match=r"features: expected \(presentation, unit\), got shape \(2, 3, 4\)"):
        gram(np.zeros((2, 3, 4)))
