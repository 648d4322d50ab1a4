"""Tests of trajectories, against closed forms and slow loops."""

import numpy as np
import pytest

from analysis.trajectories import (
    curvature,
    distances,
    layer_table,
    mean_step,
    step_dissimilarities,
    straightness,
    temporal_generalisation,
)
from benchmarks.readout import object_folds


def test_a_straight_walk_has_no_curvature_and_a_square_has_right_angles():
    line = np.arange(5.0)[:, None, None] * np.array([1.0, 2.0])
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], float)[:, None]
    np.testing.assert_allclose(curvature(line), 0, atol=1e-5)
    np.testing.assert_allclose(curvature(square), 90)
    assert straightness(line)[0] == pytest.approx(1)
    assert straightness(square)[0] == 0
    assert np.isnan(curvature(np.ones((4, 1, 2)))).all()


def test_distances_dissimilarities_and_mean_step_equal_slow_loops():
    features = np.random.default_rng(0).standard_normal((4, 6, 30))
    moved, rdm, late = distances(features), step_dissimilarities(features), mean_step(features)
    for n in range(6):
        length = np.mean([np.linalg.norm(features[t, n]) for t in range(4)])
        expected = [np.linalg.norm(features[t, n] - features[t - 1, n]) / length for t in range(1, 4)]
        np.testing.assert_allclose(moved[:, n], expected)
        assert late[n] == pytest.approx(np.average([1, 2, 3], weights=expected))
    for i in range(4):
        for j in range(4):
            r = [np.corrcoef(features[i, n], features[j, n])[0, 1] for n in range(6)]
            assert rdm[i, j] == pytest.approx(1 - np.mean(r))


def test_a_code_that_turns_at_step_2_generalises_within_but_not_across():
    """Steps 0 and 1 share one code, steps 2 and 3 another."""
    rng = np.random.default_rng(1)
    labels = np.arange(60) % 3
    codes = rng.standard_normal((2, 3, 40))
    features = np.stack([codes[t // 2][labels] + 0.5 * rng.standard_normal((60, 40)) for t in range(4)])
    accuracy = temporal_generalisation(features, labels, object_folds(labels, 5))
    same = np.equal.outer(np.arange(4) // 2, np.arange(4) // 2)
    assert accuracy[same].min() > 0.9
    assert accuracy[~same].max() < 0.7


def test_the_layer_that_moves_last_is_found_and_still_ones_are_counted_out():
    """One layer moves at step 1 only, the other at step 3 only; a presentation that never moves has no mean step."""
    start, change = np.random.default_rng(2).standard_normal((2, 10, 8))
    early, late = (np.stack([start + (t >= at) * change for t in range(4)]) for at in (1, 3))
    early[:, 0] = start[0]
    table = layer_table({"early": early, "late": late}).set_index(["layer", "measure"]).sort_index()
    assert table.loc[("early", "mean step"), "mean"].item() == pytest.approx(1)
    assert table.loc[("late", "mean step"), "mean"].item() == pytest.approx(3)
    assert table.loc[("early", "mean step"), ["n_used", "n_total"]].to_numpy().tolist() == [[9, 10]]
    total = table.loc[("late", "total distance")].iloc[0]
    assert total["low"] < total["mean"] < total["high"]


def test_too_few_steps_are_refused():
    with pytest.raises(ValueError, match="step of 3 or more"):
        layer_table({"one": np.ones((2, 3, 4))})
