"""Nearest-centroid decoding: against scikit-learn, resampled units, and controls."""

import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid

from benchmarks.centroid_decoding import decode, right_answers


def population(signal=1.0, shape=(2, 7, 3, 10, 12), seed=0):
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(1, shape[1], 1, 1, shape[4]))
    return (signal * means + rng.normal(size=shape)).astype(np.float32)


def by_sklearn(responses, tested, units):
    """Decode one bin's held-out presentations, units repeated as drawn."""
    objects = np.broadcast_to(np.arange(7)[:, None, None], responses.shape[:3])
    training, test = responses[:, ~tested][..., units], responses[:, tested][..., units]
    scale = training.reshape(-1, len(units)).std(axis=0)
    model = NearestCentroid().fit(training.reshape(-1, len(units)) / scale, objects[:, ~tested].ravel())
    return (model.predict(test.reshape(-1, len(units)) / scale) == objects[:, tested].ravel()).reshape(test.shape[:2])


@pytest.mark.parametrize("split", ["all positions", "new position"])
def test_answers_equal_scikit_learns_with_and_without_resampled_units(split):
    responses, rng = population(0.5), np.random.default_rng(1)
    draws = [np.arange(12), rng.integers(12, size=12)]
    counts = np.stack([np.bincount(draw, minlength=12) for draw in draws])
    right = right_answers(responses, split, counts)
    for part in range(3 if split == "new position" else 10):
        tested = np.zeros((3, 10), bool)
        if split == "new position":
            tested[part] = True
        else:
            tested[:, part::10] = True
        for sample, draw in enumerate(draws):
            expected = by_sklearn(responses[1], tested, draw)
            np.testing.assert_array_equal(right[sample, 1][:, tested], expected)
    np.testing.assert_array_equal(right_answers(responses, split)[0], right[0])


def test_shuffled_objects_are_decoded_at_chance_and_real_ones_above():
    responses = population(shape=(1, 7, 3, 10, 60))
    assert decode(responses, "all positions")[0] > 0.9
    rng = np.random.default_rng(2)
    shuffled = []
    for _ in range(20):
        flat = rng.permutation(responses[0].reshape(-1, 60)).reshape(responses.shape)
        shuffled.append(decode(flat, "all positions")[0])
    assert np.mean(shuffled) == pytest.approx(1 / 7, abs=3 * np.std(shuffled) / np.sqrt(20) + 0.01)


def test_what_belongs_to_a_position_does_not_help_at_a_new_one():
    rng = np.random.default_rng(3)
    own = rng.normal(size=(1, 7, 3, 1, 40)) + 0.3 * rng.normal(size=(1, 7, 3, 10, 40))
    assert decode(own, "all positions")[0] > 0.8
    assert decode(own, "new position")[0] < 0.35


def test_a_silent_unit_says_nothing():
    responses = population()
    silent = np.concatenate([responses, np.zeros_like(responses[..., :3])], axis=-1)
    np.testing.assert_array_equal(decode(silent, "all positions"), decode(responses, "all positions"))


def test_other_shapes_and_splits_are_refused():
    with pytest.raises(ValueError, match="expected \\(time_bin, object, position, repeat, unit\\)"):
        decode(population()[0], "all positions")
    with pytest.raises(ValueError, match=r"got .*'old position'"):
        decode(population(), "old position")
    with pytest.raises(ValueError, match="expected at least 2 to hold one out"):
        decode(population()[:, :, :, :1], "all positions")
