"""Kumbhar 2021: trials are counted, time-outs too, and pictures are perturbed as the study did."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from benchmarks.recordings import kumbhar2021
from benchmarks.recordings import kumbhar2021_stimuli as stimuli
from benchmarks.recordings.kumbhar2021 import CONDITIONS, DEADLINES_MS
from neurocnnf.images import CIFAR10_CLASSES


class FolderStore:
    """The one call the loader makes, over a plain folder."""

    def __init__(self, root):
        self.root = root

    def fetch(self, name):
        return self.root / name


def raw_trials(n=400, seed=0):
    rng = np.random.default_rng(seed)
    condition = rng.integers(8, size=n)
    table = CONDITIONS.iloc[condition].reset_index(drop=True)
    timeout = rng.random(n) < 0.25
    correct = rng.random(n) < 0.5
    return pd.DataFrame(
        {
            "study": table["study"].replace("colour_gray", "color_gray"),
            "subject": condition // 3 * 10 + rng.integers(2, size=n),
            "deadline_ms": rng.choice(DEADLINES_MS, n),
            "tutorial": rng.random(n) < 0.1,
            "perturbation": table["perturbation"],
            "category": rng.choice(CIFAR10_CLASSES, n),
            "ended_on": np.where(timeout, "timeout", "response"),
            "correct": np.where(timeout, None, correct),
        }
    )


def write(root, trials):
    (root / "kumbhar2021_cifar10_sat").mkdir(exist_ok=True)
    trials.to_csv(root / kumbhar2021.FILE, index=False)
    return FolderStore(root)


def test_counts_equal_those_of_a_loop_over_trials(tmp_path):
    raw = raw_trials()
    observers = kumbhar2021.count_answers(kumbhar2021.load_trials(write(tmp_path, raw)))
    expected = np.zeros((3, *observers.right.shape), int)
    names = list(observers.names)
    for trial in raw[~raw["tutorial"]].itertuples():
        study = trial.study.replace("color", "colour")
        condition = CONDITIONS[(CONDITIONS["study"] == study) & (CONDITIONS["perturbation"] == trial.perturbation)]
        at = (names.index(f"{study} {trial.subject}"), condition.index[0], DEADLINES_MS.index(trial.deadline_ms))
        at += (CIFAR10_CLASSES.index(trial.category),)
        expected[0][at] += trial.correct is True
        expected[1][at] += trial.ended_on == "response"
        expected[2][at] += 1
    for found, wanted in zip((observers.right, observers.answered, observers.shown), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert observers.shown.sum() == (~raw["tutorial"]).sum()
    assert observers.answered.sum() < observers.shown.sum()


def test_accuracy_is_of_answered_trials_and_missing_where_there_is_none(tmp_path):
    observers = kumbhar2021.count_answers(kumbhar2021.load_trials(write(tmp_path, raw_trials(100))))
    answered = observers.answered.sum(axis=3)
    np.testing.assert_array_equal(np.isnan(observers.accuracy), answered == 0)
    some = answered > 0
    np.testing.assert_allclose(observers.accuracy[some] * answered[some], observers.right.sum(axis=3)[some])


def test_inclusion_is_the_binomial_test_of_the_easiest_cell():
    rng = np.random.default_rng(0)
    shape = (30, 8, 5, 10)
    answered = rng.integers(0, 6, shape)
    right = rng.binomial(answered, rng.random((30, 1, 1, 1)) * 0.4)
    observers = kumbhar2021.Observers(np.arange(30).astype(str), np.full(30, "noise"), right, answered, answered)
    expected = []
    for one in range(30):
        n, k = (part[one, [0, 3, 6], -1].sum() for part in (answered, right))
        expected.append(binomtest(int(k), int(n), 0.1, alternative="greater").pvalue < 0.05)
    np.testing.assert_array_equal(kumbhar2021.included(observers), expected)
    assert 0 < sum(expected) < 30


def test_files_and_trials_of_another_form_are_refused(tmp_path):
    with pytest.raises(ValueError, match="got none named \\['correct'\\]"):
        kumbhar2021.load_trials(write(tmp_path, raw_trials().drop(columns="correct")))
    with pytest.raises(ValueError, match="to be empty in timed-out trials only"):
        kumbhar2021.load_trials(write(tmp_path, raw_trials().assign(correct=True)))
    trials = kumbhar2021.load_trials(write(tmp_path, raw_trials()))
    trials.loc[3, "perturbation"] = 0.5
    with pytest.raises(ValueError, match="expected conditions, deadlines and categories of the study"):
        kumbhar2021.count_answers(trials)


def test_the_real_trials_have_the_counts_and_accuracies_that_the_data_note_states(studies):
    observers = kumbhar2021.count_answers(kumbhar2021.load_trials(studies))
    assert len(observers) == 33
    assert observers.shown.sum() == 44160 - 660
    noise = observers.study == "noise"
    right, answered = (part[noise].sum(axis=(0, 3)) for part in (observers.right, observers.answered))
    stated = [[0.10, 0.12, 0.34, 0.54, 0.56], [0.11, 0.11, 0.25, 0.44, 0.44], [0.11, 0.10, 0.14, 0.21, 0.20]]
    np.testing.assert_allclose(right[:3] / answered[:3], stated, atol=0.006)
    assert kumbhar2021.included(observers).sum() == 31


GRAY = np.random.default_rng(0).random((4, 32, 32))


def test_gray_is_what_pillow_makes_of_colour():
    from PIL import Image

    images = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    expected = [np.asarray(Image.fromarray(image).convert("L")) for image in images]
    assert np.abs(255 * stimuli.to_gray(images) - expected).max() <= 1


def test_noise_has_a_tenth_of_the_contrast_a_mean_of_half_and_ends_at_two_standard_deviations():
    pure = stimuli.add_noise(GRAY, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(pure.mean(axis=(1, 2)), 0.5)
    np.testing.assert_allclose(pure - 0.5, 0.1 * (GRAY - GRAY.mean(axis=(1, 2), keepdims=True)), atol=1e-12)
    noise = stimuli.add_noise(np.tile(GRAY, (50, 1, 1)), 0.16, np.random.default_rng(0)) - np.tile(pure, (50, 1, 1))
    assert np.abs(noise).max() <= 0.32
    assert noise.std() == pytest.approx(0.16 * 0.8796, rel=0.01)  # a normal cut off at 2 SD: 1 - 4 φ(2) / (2 Φ(2) - 1)


def test_blur_equals_a_slow_sum_over_seven_by_seven_mirrored_pixels():
    blurred, image = stimuli.blur(GRAY, 3.0)[0], GRAY[0]
    taps = np.exp(-0.5 * (np.arange(-3, 4) / 3.0) ** 2)
    kernel = np.outer(taps, taps) / np.outer(taps, taps).sum()
    padded = np.pad(image, 3, mode="reflect")
    for y, x in ((0, 0), (31, 5), (16, 16)):
        assert blurred[y, x] == pytest.approx((padded[y : y + 7, x : x + 7] * kernel).sum())
    np.testing.assert_array_equal(stimuli.blur(GRAY, 0.0), GRAY)


def test_stimuli_are_the_same_pictures_in_every_condition_and_repeat_with_the_seed():
    rng = np.random.default_rng(2)
    images, labels = rng.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8), np.tile(np.arange(10), 4)
    sets = stimuli.condition_stimuli(images, labels, 2, 0)
    again = stimuli.condition_stimuli(images, labels, 2, 0)
    other = stimuli.condition_stimuli(images, labels, 2, 1)
    assert [len(one) for one in sets] == [20] * 8
    assert all((one.table["stimulus_id"] == sets[0].table["stimulus_id"]).all() for one in sets)
    for condition in range(8):
        np.testing.assert_array_equal(sets[condition].images, again[condition].images)
        assert np.array_equal(sets[condition].images, other[condition].images) == (condition not in (1, 2))
    np.testing.assert_array_equal(sets[3].images, sets[6].images)  # blur 0 is the gray picture
    with pytest.raises(ValueError, match="expected 5 pictures of each of 10 classes"):
        stimuli.condition_stimuli(images, labels, 5, 0)
