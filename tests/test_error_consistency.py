"""Error consistency equals Brain-Score's and scikit-learn's kappa, at every step, in every condition."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from benchmarks.error_consistency import between_subjects, by_condition, kappa, subjects_ceiling

N_IMAGES, N_SUBJECTS = 120, 3
CONDITIONS = np.tile([0, 1, 2], N_IMAGES // 3)


def answers(rng, accuracy, *shape):
    return (rng.random(shape) < accuracy).astype(float)


def test_kappa_is_scikit_learns():
    rng = np.random.default_rng(0)
    first, second = answers(rng, 0.7, 50), answers(rng, 0.6, 50)
    assert kappa(first, second) == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)


def test_conditions_and_ceiling_equal_brainscores():
    pytest.importorskip("brainscore_vision")
    from brainscore_core.supported_data_standards.brainio.assemblies import BehavioralAssembly
    from brainscore_vision.metrics.error_consistency.metric import ErrorConsistency

    rng = np.random.default_rng(1)
    common = rng.random(N_IMAGES)
    subjects = (0.6 * common + 0.4 * rng.random((N_SUBJECTS, N_IMAGES)) < 0.6).astype(float)
    model = (0.5 * common + 0.5 * rng.random(N_IMAGES) < 0.5).astype(float)

    def assembly(right, subject):
        coords = {
            "stimulus_id": ("presentation", np.tile(np.arange(N_IMAGES), len(right))),
            "truth": ("presentation", np.tile(["dog"] * N_IMAGES, len(right))),
            "condition": ("presentation", np.tile(CONDITIONS, len(right))),
            "subject": ("presentation", np.repeat(subject, N_IMAGES)),
        }
        return BehavioralAssembly(np.where(right.ravel() == 1, "dog", "cat"), coords=coords, dims=["presentation"])

    target = assembly(subjects, ["A", "B", "C"])
    theirs = ErrorConsistency()(assembly(model[None], ["model"]), target)
    table = by_condition(model, subjects, CONDITIONS)
    raw = theirs.attrs["raw"].transpose("subject", "condition").values
    assert table == pytest.approx(raw, abs=1e-9)
    assert abs(table.mean()) == pytest.approx(float(theirs), abs=1e-9)  # theirs has lost its sign
    ceiling = float(ErrorConsistency().ceiling(target))
    assert between_subjects(subjects, CONDITIONS).mean() == pytest.approx(ceiling, abs=1e-9)
    assert subjects_ceiling(subjects, CONDITIONS) == pytest.approx(ceiling, abs=1e-9)


def test_all_steps_at_once_equal_each_step_alone():
    rng = np.random.default_rng(2)
    model, subjects = answers(rng, 0.6, 4, N_IMAGES), answers(rng, 0.7, N_SUBJECTS, N_IMAGES)
    together = by_condition(model, subjects, CONDITIONS)
    assert together.shape == (4, N_SUBJECTS, 3)
    assert together == pytest.approx(np.stack([by_condition(m, subjects, CONDITIONS) for m in model]), abs=1e-12)


def test_a_simulated_observer_of_one_step_is_most_consistent_with_that_step():
    rng = np.random.default_rng(3)
    model = answers(rng, 0.6, 4, N_IMAGES)
    noisy = np.where(answers(rng, 0.2, 5, N_IMAGES) == 1, 1 - model[1], model[1])
    scores = by_condition(model, noisy, CONDITIONS).mean(axis=(1, 2))
    assert scores.argmax() == 1
    assert np.abs(np.delete(scores, 1)).max() < 0.25 < scores[1]


def test_resamples_of_images_are_computed_as_if_each_were_drawn():
    rng = np.random.default_rng(4)
    first, second = answers(rng, 0.7, 40), answers(rng, 0.6, 40)
    drawn = rng.integers(40, size=(5, 40))
    counts = np.stack([np.bincount(row, minlength=40) for row in drawn])
    expected = [cohen_kappa_score(first[row], second[row]) for row in drawn]
    assert kappa(first, second, counts) == pytest.approx(np.array(expected), abs=1e-12)


def test_independent_answers_are_consistent_by_chance_only():
    rng = np.random.default_rng(5)
    assert abs(kappa(answers(rng, 0.8, 20_000), answers(rng, 0.6, 20_000))) < 0.03


def test_two_flawless_observers_have_no_error_consistency():
    assert np.isnan(kappa(np.ones(9), np.ones(9)))
    assert np.isnan(subjects_ceiling(np.ones((3, 9)), np.zeros(9)))


def test_images_that_were_not_shown_are_left_out():
    first, second = np.array([1, 0, 1, 0, 1]), np.array([1, 0, np.nan, 1, 0])
    assert kappa(first, second) == pytest.approx(kappa(first[[0, 1, 3, 4]], second[[0, 1, 3, 4]]))


def test_answers_that_are_neither_right_nor_wrong_are_refused():
    with pytest.raises(ValueError, match="expected 1 \\(right\\), 0 \\(wrong\\) or NaN"):
        kappa([0.5, 1], [1, 0])
    with pytest.raises(ValueError, match="expected at least 2 to compare, got 1"):
        between_subjects(np.ones((1, 3)), np.zeros(3))
