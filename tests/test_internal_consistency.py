"""Internal consistency equals Brain-Score's on its own halves, and steps up to the true reliability."""

import numpy as np
import pytest

from benchmarks.internal_consistency import halves_agreement, internal_consistency, random_halves

N_IMAGES, N_NEUROIDS, N_REPETITIONS = 30, 5, 8


def noisy(rng, noise, n_images=N_IMAGES, n_repetitions=N_REPETITIONS):
    signal = rng.standard_normal((n_images, N_NEUROIDS, 1))
    return signal + noise * rng.standard_normal((n_images, N_NEUROIDS, n_repetitions))


def test_equals_brainscores_on_the_halves_that_it_draws():
    pytest.importorskip("brainscore_vision")
    from brainscore_core.supported_data_standards.brainio.assemblies import NeuroidAssembly
    from brainscore_vision.metrics.internal_consistency.ceiling import InternalConsistency
    from sklearn.model_selection import ShuffleSplit

    repeats = noisy(np.random.default_rng(0), 1.0)
    flat = repeats.transpose(2, 0, 1).reshape(-1, N_NEUROIDS)
    coords = {
        "stimulus_id": ("presentation", np.tile([f"i{k:02d}" for k in range(N_IMAGES)], N_REPETITIONS)),
        "image_meta": ("presentation", np.tile(np.arange(N_IMAGES), N_REPETITIONS)),
        "repetition": ("presentation", np.repeat(np.arange(N_REPETITIONS), N_IMAGES)),
        "neuroid_id": ("neuroid", np.arange(N_NEUROIDS)),
        "neuroid_meta": ("neuroid", np.arange(N_NEUROIDS)),
    }
    theirs = InternalConsistency()(NeuroidAssembly(flat, coords=coords, dims=["presentation", "neuroid"]))
    first = np.zeros((10, N_REPETITIONS), bool)
    splits = ShuffleSplit(n_splits=10, train_size=0.5, random_state=1).split(np.zeros(N_REPETITIONS))
    for row, (train, _) in zip(first, splits, strict=True):
        row[train] = True
    ours = halves_agreement(repeats, first)
    assert np.median(ours, axis=1).mean() == pytest.approx(float(theirs), abs=1e-9)


def test_time_bins_at_once_equal_each_alone():
    rng = np.random.default_rng(1)
    repeats = np.stack([noisy(rng, s) for s in (0.5, 1.0, 2.0)])
    first = random_halves(N_REPETITIONS, rng)
    alone = np.stack([halves_agreement(r, first) for r in repeats], axis=1)
    assert halves_agreement(repeats, first) == pytest.approx(alone, abs=1e-12)


def test_the_true_reliability_of_the_mean_is_found():
    """Signal variance 1, noise variance 4 in each of 8 repetitions: reliability 1 / (1 + 4 / 8) = 2/3."""
    found = internal_consistency(noisy(np.random.default_rng(2), 2.0, n_images=3000), np.random.default_rng(3))
    assert found == pytest.approx(2 / 3, abs=0.03)


def test_noise_alone_is_not_consistent():
    rng = np.random.default_rng(4)
    assert abs(internal_consistency(rng.standard_normal((2000, N_NEUROIDS, 8)), rng)) < 0.1


def test_stepping_up_after_averaging_differs_from_before_by_little():
    """`ceilings.split_half` averages r over splits before stepping up; the difference is of second order."""
    repeats, rng = noisy(np.random.default_rng(5), 1.0, n_images=200), np.random.default_rng(6)
    from benchmarks.ceilings import split_half

    other = np.median(split_half(repeats, rng).reliability)
    assert internal_consistency(repeats, rng, n_splits=100) == pytest.approx(other, abs=0.01)


def test_what_cannot_be_halved_is_refused():
    with pytest.raises(ValueError, match="expected at least 2 to split, got 1"):
        random_halves(1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="with both halves filled"):
        halves_agreement(np.ones((4, 1, 2)), np.array([[True, True]]))
    with pytest.raises(ValueError, match="got 8 that are not"):
        halves_agreement(np.full((4, 1, 2), np.nan), np.array([[True, False]]))
