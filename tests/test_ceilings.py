"""Ceilings against brute force, and against data whose reliability is known."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from benchmarks.ceilings import rsa_noise_ceiling, spearman_brown, split_half


def repeats_of_known_reliability(n=2000, neuroids=5, n_repeats=6, noise=1.5, seed=0):
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((n, neuroids))
    repeats = signal[:, :, None] + noise * rng.standard_normal((n, neuroids, n_repeats))
    return signal, repeats, 1 / (1 + noise**2 / n_repeats)


def test_reliability_and_ceiling_are_those_of_the_simulation():
    signal, repeats, reliability = repeats_of_known_reliability()
    found = split_half(repeats, np.random.default_rng(0), n_splits=20)
    np.testing.assert_allclose(found.reliability, reliability, atol=0.03)
    best = [np.corrcoef(signal[:, k], repeats[:, k].mean(axis=1))[0, 1] for k in range(5)]
    np.testing.assert_allclose(found.ceiling, best, atol=0.02)
    assert (found.n_images, found.n_images_total) == (2000, 2000)


def test_two_repeats_leave_one_split_and_its_correlation_is_numpys():
    rng = np.random.default_rng(0)
    repeats = rng.standard_normal((50, 3, 1)) + rng.standard_normal((50, 3, 2))
    # whichever repeat of an image is first, pairs are the same up to order; undo the shuffle by symmetrising
    found = split_half(repeats, np.random.default_rng(1), n_splits=2000)
    first, second = repeats[..., 0], repeats[..., 1]
    swapped = [
        [np.corrcoef(np.where(flip, second, first)[:, k], np.where(flip, first, second)[:, k])[0, 1] for k in range(3)]
        for flip in np.random.default_rng(2).integers(2, size=(2000, 50, 1)).astype(bool)
    ]
    np.testing.assert_allclose(found.half, np.mean(swapped, axis=0), atol=0.005)
    np.testing.assert_allclose(found.reliability, 2 * found.half / (1 + found.half))


def test_padding_with_nan_does_not_matter_and_single_showings_are_left_out_and_counted():
    _, repeats, _ = repeats_of_known_reliability(n=300)
    padded = np.concatenate([repeats, np.full((300, 5, 3), np.nan)], axis=2)
    once = np.concatenate([padded, padded[:40]])
    once[300:, :, 1:] = np.nan
    found = split_half(once, np.random.default_rng(0), n_splits=50)
    expected = split_half(repeats, np.random.default_rng(1), n_splits=50)
    np.testing.assert_allclose(found.half, expected.half, atol=0.02)
    assert (found.n_images, found.n_images_total) == (300, 340)


def test_a_neuroid_without_data_is_missing_and_costs_the_others_nothing():
    _, repeats, _ = repeats_of_known_reliability(n=100)
    repeats[:, 2] = np.nan
    repeats[:, 3] = 1.0
    found = split_half(repeats, np.random.default_rng(0), n_splits=5)
    np.testing.assert_array_equal(np.isnan(found.ceiling), [False, False, True, True, False])
    assert found.n_images == 100


def test_no_repeats_mean_no_ceiling():
    for repeats in (np.ones((50, 3, 1)), np.full((50, 3, 4), np.nan)):
        found = split_half(repeats, np.random.default_rng(0))
        assert np.isnan(found.ceiling).all()
        assert found.n_images == 0


def test_unreliable_neuroids_have_no_ceiling():
    repeats = np.stack([np.arange(50.0), -np.arange(50.0)], axis=-1)[:, None, :]
    found = split_half(repeats, np.random.default_rng(0), n_splits=3)
    assert found.half[0] < 0
    assert np.isnan(found.ceiling[0])


def test_repeats_without_their_dimension_are_refused():
    with pytest.raises(
        ValueError, match=r"repeats: expected \(presentation, neuroid, repetition\), got shape \(4, 2\)"
    ):
        split_half(np.zeros((4, 2)), np.random.default_rng(0))


def test_spearman_brown_of_halves_and_of_nothing():
    assert spearman_brown(0.5) == pytest.approx(2 / 3)
    assert spearman_brown(0.5, factor=1) == pytest.approx(0.5)
    assert np.isnan(spearman_brown(-1.0))
    # three measurements are as reliable as the formula says, whichever way one gets there
    assert spearman_brown(spearman_brown(0.3, 2), 1.5) == pytest.approx(spearman_brown(0.3, 3))


def brute_force_ceiling(subjects, metric):
    scaled = [rankdata(s) if metric == "spearman" else s / np.sqrt((s**2).sum()) for s in subjects]

    def similarity(a, b):
        return spearmanr(a, b)[0] if metric == "spearman" else a @ b / np.sqrt((a @ a) * (b @ b))

    upper = [similarity(s, np.mean(scaled, axis=0)) for s in subjects]
    others = [np.mean([s for j, s in enumerate(scaled) if j != i], axis=0) for i in range(len(scaled))]
    lower = [similarity(s, other) for s, other in zip(subjects, others, strict=True)]
    return np.mean(lower), np.mean(upper)


@pytest.mark.parametrize("metric", ["spearman", "cosine"])
def test_noise_ceiling_is_that_of_nili_written_out(metric):
    rng = np.random.default_rng(0)
    subjects = rng.random(66) + rng.random((4, 66))
    assert rsa_noise_ceiling(subjects, metric) == pytest.approx(brute_force_ceiling(subjects, metric), abs=1e-12)


def test_no_vector_beats_the_upper_cosine_ceiling():
    rng = np.random.default_rng(0)
    subjects = rng.random(28) + rng.random((3, 28))
    scaled = subjects / np.linalg.norm(subjects, axis=1, keepdims=True)
    _, upper = rsa_noise_ceiling(subjects, "cosine")
    tried = scaled.mean(axis=0) + 0.1 * rng.standard_normal((500, 28))
    reached = (tried @ scaled.T).mean(axis=1) / np.linalg.norm(tried, axis=1)
    assert reached.max() <= upper


def test_one_subject_or_missing_values_give_no_noise_ceiling():
    assert np.isnan(rsa_noise_ceiling(np.random.default_rng(0).random((1, 10)), "cosine")).all()
    assert np.isnan(rsa_noise_ceiling(np.full((3, 10), np.nan), "spearman")).all()


def test_a_noise_ceiling_by_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match="metric: expected one of"):
        rsa_noise_ceiling(np.ones((3, 10)), "euclid")
