"""Tests of the linear readout against scikit-learn and refits."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from benchmarks.readout import PENALTIES, choose_layer, fit_readout, object_folds


def make_objects(n_objects=60, n_units=90, n_steps=3, n_categories=4, signal=0.6, seed=0):
    """Activations (step, object, unit) with a category signal and an offset, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n_objects) % n_categories
    prototypes = rng.standard_normal((n_categories, n_units))
    noise = rng.standard_normal((n_steps, n_objects, n_units))
    return (5.0 + signal * prototypes[labels] + noise).astype(np.float32), labels


def refit(activations, labels, folds, left_out, penalty, n_categories):
    """Ridge from scikit-learn on the pooled steps of all objects but those of the folds left out."""
    train = ~np.isin(folds, left_out)
    flat = activations.astype(float).reshape(-1, activations.shape[-1])
    scale = ((flat - flat.mean(axis=0)) ** 2).sum(axis=1).mean()
    targets = np.where(labels[:, None] == np.arange(n_categories), 1.0, -1.0)
    x = activations[:, train].reshape(-1, activations.shape[-1])
    y = np.tile(targets[train], (len(activations), 1))
    return Ridge(alpha=penalty * scale).fit(x.astype(float), y)


def test_folds_deal_every_category_evenly_and_depend_on_the_seed_alone():
    """Each fold has each category's share to within one object."""
    labels = np.repeat(np.arange(5), [63, 60, 66, 64, 62])
    folds = object_folds(labels, 10, seed=3)
    table = np.array([np.bincount(folds[labels == c], minlength=10) for c in range(5)])
    assert np.ptp(table, axis=1).max() <= 1
    assert np.ptp(table.sum(axis=0)) <= 1
    assert (folds == object_folds(labels, 10, seed=3)).all()
    assert (folds != object_folds(labels, 10, seed=4)).any()


def test_readout_equals_a_refit_without_the_fold():
    """Held-out accuracy and decision values are those of scikit-learn's ridge refitted without each fold."""
    activations, labels = make_objects()
    folds = object_folds(labels, 5)
    readout = fit_readout(activations, labels, folds)
    new = make_objects(seed=9)[0]
    mine = readout.decide(new, folds)
    accuracy = np.zeros((3, 60), bool)
    for fold in range(5):
        here = folds == fold
        model = refit(activations, labels, folds, [fold], readout.penalties[fold], 4)
        theirs = np.stack([model.predict(step[here].astype(float)) for step in new])
        np.testing.assert_allclose(mine[:, here], theirs, atol=2e-5)
        held_out = np.stack([model.predict(step[here].astype(float)) for step in activations])
        accuracy[:, here] = held_out.argmax(axis=2) == labels[here]
    np.testing.assert_allclose(readout.accuracy, accuracy.mean(axis=1))


def test_penalty_is_chosen_among_training_objects_only():
    """The penalty of each fold has the least error in a slow cross-validation that never sees the fold."""
    activations, labels = make_objects(n_objects=40, n_units=30)
    folds = object_folds(labels, 4)
    readout = fit_readout(activations, labels, folds)
    targets = np.where(labels[:, None] == np.arange(4), 1.0, -1.0)
    for outer in range(4):
        errors = []
        for penalty in PENALTIES:
            squared = []
            for inner in set(range(4)) - {outer}:
                model = refit(activations, labels, folds, [outer, inner], penalty, 4)
                for step in activations:
                    squared.append((targets[folds == inner] - model.predict(step[folds == inner])) ** 2)
            errors.append(np.mean(np.concatenate(squared)))
        assert readout.penalties[outer] == PENALTIES[int(np.argmin(errors))]


def test_the_readout_of_an_object_does_not_depend_on_that_object():
    """Changing one object's activations leaves the readout of its own fold as it was."""
    activations, labels = make_objects()
    folds = object_folds(labels, 5)
    before = fit_readout(activations, labels, folds, penalties=(0.1,))
    changed = activations.copy()
    changed[:, 7] += np.random.default_rng(1).standard_normal(activations[:, 7].shape).astype(np.float32) * 3
    # The penalty's unit is taken over all objects: give both fits the same penalty in absolute terms.
    scales = [((a - a.mean((0, 1))) ** 2).sum(axis=2).mean() for a in (activations, changed)]
    after = fit_readout(changed, labels, folds, penalties=(0.1 * scales[0] / scales[1],))
    np.testing.assert_allclose(after.weights[folds[7]], before.weights[folds[7]], atol=1e-5)
    other = (folds[7] + 1) % 5
    assert np.abs(after.weights[other] - before.weights[other]).max() > 1e-3


def test_accuracy_is_at_chance_without_a_signal():
    """Objects of no category are read at one in four, within four binomial standard errors."""
    activations, labels = make_objects(n_objects=400, n_units=50, n_steps=1, signal=0.0)
    readout = fit_readout(activations, labels, object_folds(labels))
    assert abs(readout.accuracy.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 400)


def test_the_most_accurate_layer_is_chosen_and_the_later_of_equals():
    """Layers are compared by accuracy over all steps."""
    labels = make_objects()[1]
    folds = object_folds(labels, 5)
    readouts = {s: fit_readout(make_objects(signal=s)[0], labels, folds) for s in (0.05, 0.3, 0.1)}
    assert choose_layer(readouts) == 0.3
    equals = {"first": readouts[0.3], "second": readouts[0.3], "third": readouts[0.05]}
    assert choose_layer(equals) == "second"


def test_bad_input_is_named():
    """Every error says what was expected."""
    activations, labels = make_objects()
    folds = object_folds(labels, 5)
    with pytest.raises(ValueError, match="at least 3 folds, got 2"):
        object_folds(labels, 2)
    with pytest.raises(ValueError, match="at least 16 objects in every category"):
        object_folds(labels, 16)
    with pytest.raises(ValueError, match=r"expected activations \(step, object, unit\)"):
        fit_readout(activations, labels[:-1], folds)
    with pytest.raises(ValueError, match="finite activations that differ"):
        fit_readout(np.ones_like(activations), labels, folds)
    with pytest.raises(ValueError, match="finite activations that differ"):
        fit_readout(np.where(activations > 6, np.nan, activations), labels, folds)
    with pytest.raises(ValueError, match="unit=90"):
        fit_readout(activations, labels, folds).decide(activations[..., :-1], folds)
    with pytest.raises(ValueError, match="at least one layer"):
        choose_layer({})
