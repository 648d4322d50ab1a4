"""The decoder is the converged L2 logistic regression, fitted on other images only."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax

from benchmarks.category_decoder import WEIGHT_DECAY, held_out_log_probabilities

N_IMAGES, N_CATEGORIES = 60, 3
LABELS = np.tile(np.arange(N_CATEGORIES), N_IMAGES // N_CATEGORIES)
FOLDS = np.repeat(np.arange(3), N_IMAGES // 3)


def features(rng, n_units, lift=1.0):
    signal = rng.standard_normal((N_CATEGORIES, n_units))[LABELS]
    return lift * signal + rng.standard_normal((N_IMAGES, n_units))


@pytest.mark.parametrize("n_units", [6, 90])
def test_it_is_the_minimum_of_brainscores_objective(n_units):
    """Cross-entropy plus half the decay times the squared weights, by another solver, without turning the units."""
    x = features(np.random.default_rng(0), n_units)
    left = FOLDS == 1
    centre, spread = x[~left].mean(axis=0), x[~left].std(axis=0)
    z, labels = (x - centre) / spread, LABELS[~left]

    def loss(flat):
        weights, bias = flat[:-N_CATEGORIES].reshape(n_units, N_CATEGORIES), flat[-N_CATEGORIES:]
        log_p = log_softmax(z[~left] @ weights + bias, axis=1)
        error = np.exp(log_p) - np.eye(N_CATEGORIES)[labels]
        gradient = z[~left].T @ error / len(labels) + WEIGHT_DECAY * weights
        value = -log_p[np.arange(len(labels)), labels].mean() + WEIGHT_DECAY / 2 * (weights**2).sum()
        return value, np.concatenate([gradient.ravel(), error.mean(axis=0)])

    size = n_units * N_CATEGORIES + N_CATEGORIES
    found = minimize(loss, np.zeros(size), jac=True, options={"gtol": 1e-9, "maxiter": 5000}).x
    expected = log_softmax(z[left] @ found[:-N_CATEGORIES].reshape(n_units, -1) + found[-N_CATEGORIES:], axis=1)
    ours = held_out_log_probabilities(x[None], LABELS, FOLDS)[0, left]
    assert ours == pytest.approx(expected, abs=1e-4)


def test_probabilities_add_up_and_labels_are_read_out_where_there_is_a_signal():
    rng = np.random.default_rng(1)
    steps = np.stack([features(rng, 20, lift) for lift in (0.0, 2.0)])
    read = held_out_log_probabilities(steps, LABELS, FOLDS)
    assert np.exp(read).sum(axis=-1) == pytest.approx(np.ones((2, N_IMAGES)))
    accuracy = (read.argmax(axis=-1) == LABELS).mean(axis=1)
    assert accuracy[0] < 0.55
    assert accuracy[1] > 0.9


def test_images_marked_out_and_held_out_do_not_enter_the_fit():
    rng = np.random.default_rng(2)
    x, trains = features(rng, 5), np.arange(N_IMAGES) % 4 != 0
    before = held_out_log_probabilities(x[None], LABELS, FOLDS, trains)[0]
    changed = x.copy()
    changed[~trains] += 100
    after = held_out_log_probabilities(changed[None], LABELS, FOLDS, trains)[0]
    assert after[trains] == pytest.approx(before[trains])


def test_two_categories_are_read_out_too():
    labels = np.arange(20) % 2
    x = labels[:, None] + 0.1 * np.random.default_rng(3).standard_normal((20, 3))
    read = held_out_log_probabilities(x[None], labels, np.arange(20) % 5)[0]
    assert read.shape == (20, 2)
    assert (read.argmax(axis=1) == labels).all()


def test_what_cannot_be_fitted_is_refused():
    x = np.zeros((1, N_IMAGES, 4))
    with pytest.raises(ValueError, match="with a label, a fold and a mark per image"):
        held_out_log_probabilities(x, LABELS[:-1], FOLDS)
    with pytest.raises(ValueError, match="expected finite activations, got 240 that are not"):
        held_out_log_probabilities(x + np.nan, LABELS, FOLDS)
    with pytest.raises(ValueError, match="expected images of every category outside fold 0, got none of category 2"):
        held_out_log_probabilities(x, LABELS, np.where(LABELS == 2, 0, FOLDS + 1))
