"""Tests of solution steps, streamed decoding and the table of objects."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from analysis.solution_step import decode, decode_all, object_table, right_margin, solution_steps
from benchmarks.readout import fit_readout, object_folds
from neurocnnf.stimuli import Stimuli


def answers(*columns, n_categories=3):
    """Decision values (step, presentation, category) whose answers are the columns given."""
    return np.eye(n_categories)[np.array(columns).T]


def test_the_first_rule_takes_the_first_right_answer_and_the_second_the_first_that_stays():
    """Four courses: right at once, at step 1 and lost, at step 1 lost and back at 3, never."""
    decisions = answers([1, 1, 1, 1], [0, 1, 0, 0], [0, 1, 0, 1], [0, 2, 0, 2])
    first = solution_steps(decisions, [1, 1, 1, 1])
    assert first.reported.tolist()[:3] == [0, 1, 1]
    assert first.solved.tolist() == [True, True, True, False]
    assert np.isnan(first.reported[3])
    assert first.step[3] == first.n_steps == 3  # censored at the last step looked at
    stays = solution_steps(decisions, [1, 1, 1, 1], "stays")
    assert stays.solved.tolist() == [True, False, True, False]
    assert stays.step.tolist() == [0, 3, 3, 3]


def test_solution_steps_equal_a_slow_search():
    """Both rules against loops over random decision values."""
    rng = np.random.default_rng(0)
    decisions, labels = rng.standard_normal((6, 200, 4)), rng.integers(0, 4, 200)
    right = decisions.argmax(axis=2) == labels
    for rule, wanted in (("first", lambda r, t: r[t]), ("stays", lambda r, t: r[t:].all())):
        result = solution_steps(decisions, labels, rule)
        for n in range(200):
            found = [t for t in range(6) if wanted(right[:, n], t)]
            assert result.solved[n] == bool(found)
            assert result.step[n] == (found[0] if found else 5)


def test_margin_is_right_minus_best_other_and_a_tie_is_no_answer():
    """A tie for the largest value solves nothing."""
    decisions = np.array([[[0.2, 0.5, 0.1], [1.0, 1.0, 0.0]]])
    np.testing.assert_allclose(right_margin(decisions, [0, 0]), [[-0.3, 0.0]])
    assert not solution_steps(decisions, [0, 0]).solved.any()


def make_study(n_objects=30, per_object=7, seed=0):
    """Whole objects and noisy versions of them as stimuli whose first pixels stand for activations."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n_objects) % 3
    prototypes, own = rng.standard_normal((3, 64)), rng.standard_normal((n_objects, 64))
    whole = np.clip(120 + 25 * prototypes[labels] + 20 * own, 0, 255)
    item = np.repeat(np.arange(n_objects), per_object)
    shown = np.clip(whole[item] + 60 * rng.standard_normal((len(item), 64)), 0, 255)
    names = np.array(["a", "b", "c"])[labels]
    table = pd.DataFrame({"object_id": np.arange(n_objects) + 1, "category": names})
    parts = []
    for name, pixels, rows in (("whole", whole, np.arange(n_objects)), ("part", shown, item)):
        frame = table.iloc[rows].reset_index(drop=True)
        frame.insert(0, "stimulus_id", [f"{name} {i}" for i in range(len(frame))])
        parts.append(Stimuli(pixels.astype(np.uint8).reshape(-1, 8, 8, 1), frame, name))
    return (*parts, labels, item)


def activations(stimuli, layers):
    """Yield each layer."""
    return ((layer, toy(stimuli, layer)) for layer in layers)


def toy(stimuli, layer):
    """Three steps of a toy network: 'good' sees the pixels, 'bad' a hundredth of them in noise."""
    pixels = np.asarray(stimuli.images[:], np.float32).reshape(len(stimuli), -1) / 255
    if layer == "bad":
        pixels = 0.01 * pixels + np.random.default_rng(len(pixels)).random(pixels.shape, np.float32)
    return np.stack([pixels, pixels * 1.1, pixels * 1.2])


def test_streamed_decoding_equals_decoding_at_once_and_takes_the_better_layer():
    """Chunks change nothing; at no time is more than a chunk shown."""
    objects, stimuli, labels, item = make_study()
    folds, sizes, heard = object_folds(labels, 5), [], []

    def watched(shown, layers):
        sizes.append(len(shown))
        return activations(shown, layers)

    shown = (watched, objects, labels, stimuli, item, ("good", "bad"), folds)
    values, layer, accuracy = decode(*shown, chunk=16, progress=lambda *a: heard.append(a))
    assert layer == "good"
    assert set(accuracy) == {"good", "bad"}
    assert max(sizes[1:]) <= 16
    assert heard[-1] == ("stimuli decoded from good", 210, 210)
    readout = fit_readout(toy(objects, "good"), labels, folds)
    np.testing.assert_allclose(values, readout.decide(toy(stimuli, "good"), folds[item]), atol=1e-5)


def test_all_networks_share_folds_and_the_table_names_the_label():
    """The same function in two roles gives the same decisions."""
    objects, stimuli, labels, item = make_study()
    nets = {"model": (activations, ("good",)), "control": (activations, ("bad", "good"))}
    (model, control), table, provenance = decode_all(nets, objects, stimuli, seed=3)
    np.testing.assert_array_equal(model, control)
    assert (table["label"] == labels[item]).all()
    assert (table["category"] == objects.table["category"].to_numpy()[item]).all()
    assert provenance["control"]["layer"] == "good"
    assert provenance["categories"] == ["a", "b", "c"]


def test_object_table_summarises_each_object_and_keeps_those_without_stimuli():
    """An object that only the trials name has NaN, not a number, on the model's side."""
    decisions = answers([0, 1], [2, 2], [1, 1], [1, 0])
    stimuli = pd.DataFrame(
        {"object_id": [1, 1, 2, 2], "category": "b", "label": 1, "occluded_percent": [50.0, 70, 80, 90]}
    )
    trials = pd.DataFrame({"object_id": [1, 2, 9], "category": list("bbz")})
    steps = solution_steps(decisions, stimuli["label"])
    table = object_table(trials, trials.iloc[:1], stimuli, steps, decisions, decisions[:1])
    assert table["object_id"].tolist() == [1, 2, 9]
    assert table["n_solved"].tolist() == [1, 2, 0]
    assert table["n_stimuli"].tolist() == [2, 2, 0]
    assert table["n_trials"].tolist() == [1, 0, 0]
    # Solved at step 1 and never (horizon 2); solved at step 0 twice.
    assert table["model_time"].tolist()[:2] == [1.5, 0.0]
    assert table["model_time_drop_unsolved"].tolist()[:2] == [1.0, 0.0]
    assert table["step0_confidence"].tolist()[:2] == [-1.0, 1.0]
    assert table["mean_occlusion"].tolist()[:2] == [60.0, 85.0]
    assert table.iloc[2][["model_time", "solved_fraction", "step0_confidence"]].isna().all()


def test_bad_input_is_named():
    """Every error says what was expected."""
    decisions = answers([0, 1], [1, 1])
    with pytest.raises(ValueError, match="rule 'first' or 'stays', got 'last'"):
        solution_steps(decisions, [1, 1], "last")
    with pytest.raises(ValueError, match="presentation=3"):
        right_margin(decisions, [1, 1, 1])
    with pytest.raises(ValueError, match="labels 0 to 2, got 1 to 3"):
        right_margin(decisions, [1, 3])
    with pytest.raises(ValueError, match="finite decision values, got 1 that"):
        right_margin(np.where(np.arange(12).reshape(2, 2, 3) == 4, np.nan, decisions), [1, 1])
    objects, stimuli, *_ = make_study()
    fewer = SimpleNamespace(table=objects.table.iloc[1:])
    with pytest.raises(ValueError, match="whole picture of every occluded object, got 7 stimuli"):
        decode_all({}, fewer, stimuli)
