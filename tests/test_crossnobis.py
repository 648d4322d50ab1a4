"""Cross-validated distances against their definition, pair by pair."""

from itertools import combinations, permutations

import numpy as np
import pytest

from benchmarks.crossnobis import crossnobis_rdm, noise_precision


def make_repeats(n=8, neuroids=5, repetitions=4, noise=1.0, signal=1.0, seed=0):
    rng = np.random.default_rng(seed)
    patterns = signal * rng.standard_normal((n, neuroids, 1))
    return patterns + noise * rng.standard_normal((n, neuroids, repetitions))


def written_out(repeats, precision):
    distances = []
    for i, j in combinations(range(len(repeats)), 2):
        shown = [k for k in range(repeats.shape[2]) if np.isfinite(repeats[[i, j], :, k]).all()]
        differences = repeats[i] - repeats[j]
        products = [differences[:, k] @ precision @ differences[:, m] for k, m in permutations(shown, 2)]
        distances.append(np.mean(products) / repeats.shape[1] if products else np.nan)
    return distances


def test_distances_are_those_of_the_definition():
    repeats = make_repeats()
    precision = np.linalg.inv(np.cov(np.random.default_rng(1).standard_normal((5, 30))))
    np.testing.assert_allclose(crossnobis_rdm(repeats, precision), written_out(repeats, precision), atol=1e-12)


def test_images_shown_fewer_times_count_the_repetitions_that_they_share():
    repeats = make_repeats()
    repeats[0, :, 3] = np.nan
    repeats[1, 2, 0] = np.nan  # one neuroid missing: the repetition does not count
    repeats[2, :, 1:] = np.nan
    expected = written_out(repeats, np.eye(5))
    np.testing.assert_allclose(crossnobis_rdm(repeats, np.eye(5)), expected, atol=1e-12)
    assert np.isnan(expected).sum() == 7


def test_noise_alone_has_distance_0_on_average():
    found = crossnobis_rdm(make_repeats(n=200, signal=0))
    assert abs(found.mean()) < 0.08  # three standard errors
    assert (found < 0).mean() > 0.3


def test_noise_precision_is_that_of_the_noise_where_there_is_much_of_it():
    rng = np.random.default_rng(0)
    covariance = np.array([[2.0, 0.5, 0], [0.5, 1.0, 0], [0, 0, 0.5]])
    noise = rng.multivariate_normal(np.zeros(3), covariance, (5000, 3)).transpose(0, 2, 1)
    found = noise_precision(rng.standard_normal((5000, 3, 1)) + noise)
    np.testing.assert_allclose(np.linalg.inv(found), covariance, atol=0.05)


def test_single_showings_and_other_shapes_are_refused():
    with pytest.raises(ValueError, match="expected images with two repetitions or more"):
        crossnobis_rdm(np.zeros((5, 3, 1)))
    with pytest.raises(ValueError, match=r"repeats: expected \(presentation, neuroid, repetition\)"):
        crossnobis_rdm(np.zeros((5, 3)))
