"""Folds, splits and what can be fitted in them."""

import numpy as np
import pytest

from benchmarks.splits import check_splits, in_place, make_folds, usable_neuroids


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


def test_a_neuroid_that_varies_in_one_fold_only_cannot_be_fitted_for_that_fold():
    rng = np.random.default_rng(0)
    folds = make_folds(20, 4, rng)
    responses = rng.standard_normal((20, 3))
    responses[:, 0] = 1.0
    responses[folds[2][0], 0] = 5.0
    responses[4, 2] = np.inf
    np.testing.assert_array_equal(usable_neuroids(responses, folds), [False, True, False])


def test_recordings_of_other_stimuli_are_refused():
    with pytest.raises(ValueError, match="Gram matrix over the same presentations"):
        check_splits(np.eye(4), np.zeros((5, 2)), (np.arange(2),))


@pytest.mark.parametrize("part", [[], [0, 0], [-1], [6], [0, 1, 2, 3, 4]])
def test_splits_that_hold_out_nothing_too_much_or_something_else_are_refused(part):
    with pytest.raises(ValueError, match="held_out: expected 1 to 4 different indices between 0 and 5"):
        check_splits(np.eye(6), np.zeros((6, 2)), (np.array(part, dtype=int),))


def test_parts_go_where_their_presentations_are():
    parts = (np.array([[1.0], [2.0]]), np.array([[3.0]]))
    np.testing.assert_array_equal(in_place(parts, ([2, 0], [1]), 3), [[2], [3], [1]])


def test_folds_that_leave_a_presentation_out_are_refused():
    with pytest.raises(ValueError, match="expected every one of 6 presentations held out once, got 5 entries"):
        in_place((np.zeros((3, 1)), np.zeros((2, 1))), (np.arange(3), np.arange(3, 5)), 6)
