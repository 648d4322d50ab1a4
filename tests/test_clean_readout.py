"""Tests of answers by readouts of whole pictures: against scikit-learn, and for what a readout must not have seen."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from benchmarks.clean_readout import N_FOLDS, answer
from benchmarks.readout import PENALTIES, object_folds
from neurocnnf.stimuli import Stimuli

CATEGORIES, CONDITIONS = ("cat", "dog", "tree"), ("control", "noise", "blur")


class Model:
    name, layer_names, recurrent = "stand-in", ("code", "noise"), True


def pictures():
    """Ten originals of each category, in each condition; a picture's value is its row in the table."""
    rows = [(condition, category, f"{category}{k}") for condition in CONDITIONS[::-1] for k in range(10)
            for category in CATEGORIES]  # fmt: skip
    table = pd.DataFrame(rows, columns=["condition", "category", "original"])
    table.insert(0, "stimulus_id", [" ".join(row) for row in rows])
    images = np.arange(len(rows), dtype=np.uint8)[:, None, None, None]
    return Stimuli(images, table, "stand-in")


def recorder(features):
    """Record (layer -> features (step, row of the table, unit)), for any subset of the pictures."""

    def each_layer(model, stimuli, layers, n_steps):
        rows = stimuli.images[:].ravel()
        return {layer: features[layer][: n_steps + 1, rows].astype(np.float32) for layer in layers}

    return each_layer


def features(table, signal, own, seed=0):
    """Make category code × signal + a code of each original × own + noise: (2, presentation, 30)."""
    rng = np.random.default_rng(seed)
    category = rng.standard_normal((3, 30))[[CATEGORIES.index(one) for one in table["category"]]]
    original = rng.standard_normal((30, 30))[pd.factorize(table["original"])[0]]
    return signal * category + own * original + rng.standard_normal((2, len(table), 30))


def run(stimuli, by_layer, **more):
    return answer(Model(), stimuli, CONDITIONS, CATEGORIES, "control", 1, recorder(by_layer), **more)


def test_a_picture_is_answered_by_a_ridge_that_did_not_see_its_original():
    stimuli = pictures()
    code = features(stimuli.table, 0.5, 0.5)
    got = run(stimuli, {"code": code}, layers=("code",), n_deals=1)
    table = stimuli.table
    whole = np.flatnonzero(table["condition"] == "control")
    names = list(table["original"].iloc[whole])
    fold = object_folds(got.labels[whole], N_FOLDS, 0)[[names.index(one) for one in table["original"]]]
    x = code[:, whole].astype(np.float32).astype(float)
    flat = x.reshape(-1, 30)
    scale = ((flat - flat.mean(axis=0)) ** 2).sum(axis=1).mean()
    targets = np.where(got.labels[whole][:, None] == np.arange(3), 1.0, -1.0)
    for one in range(N_FOLDS):
        train = fold[whole] != one
        theirs = [
            Ridge(alpha=penalty * scale).fit(x[:, train].reshape(-1, 30), np.tile(targets[train], (2, 1)))
            for penalty in PENALTIES
        ]
        tested = fold == one
        mine = got.decisions["code"][:, tested]
        candidates = [np.stack([ridge.predict(step[tested]) for step in code]) for ridge in theirs]
        assert min(np.abs(mine - each).max() for each in candidates) < 1e-4


def test_decision_values_are_averaged_over_dealings_of_the_originals():
    stimuli = pictures()
    code = {"code": features(stimuli.table, 0.5, 0.5)}
    every = run(stimuli, code, layers=("code",), n_deals=3, seed=1)
    ones = [run(stimuli, code, layers=("code",), n_deals=1, seed=seed) for seed in (3, 4, 5)]
    np.testing.assert_allclose(
        every.decisions["code"], np.mean([one.decisions["code"] for one in ones], axis=0), atol=1e-5
    )
    np.testing.assert_allclose(
        every.whole_accuracy["code"], np.mean([one.whole_accuracy["code"] for one in ones], axis=0)
    )
    assert not np.allclose(ones[0].decisions["code"], ones[1].decisions["code"], atol=1e-3)


def test_what_is_known_of_an_original_alone_does_not_help_with_its_manipulated_versions():
    """Without a category code, a readout that saw the original would be right nearly always; chance is 1/3."""
    stimuli = pictures()
    got = run(stimuli, {"code": features(stimuli.table, 0.0, 5.0)}, layers=("code",))
    assert got.right("code").mean() < 0.5


def test_the_layer_is_chosen_on_whole_pictures_alone():
    stimuli = pictures()
    whole = (stimuli.table["condition"] == "control").to_numpy()
    good, bad = features(stimuli.table, 2.0, 0.0), features(stimuli.table, 0.0, 0.0, seed=1)
    only_whole, only_other = np.where(whole[:, None], good, bad), np.where(whole[:, None], bad, good)
    got = run(stimuli, {"code": only_whole, "noise": only_other})
    assert got.layer == "code"
    assert got.whole_accuracy["code"].mean() > 0.9 > 0.5 > got.right("code")[:, ~whole].mean()


def test_numbers_are_those_of_the_names_in_the_order_given():
    stimuli = pictures()
    got = run(stimuli, {"code": features(stimuli.table, 1.0, 0.0)}, layers=("code",))
    table = stimuli.table
    assert [CONDITIONS[k] for k in got.condition] == list(table["condition"])
    assert [CATEGORIES[k] for k in got.labels] == list(table["category"])
    assert (got.category_of_original[got.original] == got.labels).all()
    assert got.given("code").shape == got.right("code").shape == (2, 90)


@pytest.mark.parametrize(
    ("column", "row", "value", "said"),
    [
        ("condition", 4, "fog", r"expected each condition .* got 'fog' \(row 4\)"),
        ("category", 7, "bus", r"expected each category .* got 'bus' \(row 7\)"),
        ("original", 3, "cat99", "got 1 pictures without one"),
        ("original", 61, "cat0", "got 'cat0' more than once"),
    ],
)
def test_tables_that_do_not_name_their_originals_are_refused(column, row, value, said):
    stimuli = pictures()
    stimuli.table.loc[row, column] = value
    with pytest.raises(ValueError, match=said):
        run(stimuli, {"code": features(stimuli.table, 1.0, 0.0) if column == "x" else np.zeros((2, 90, 3))})
