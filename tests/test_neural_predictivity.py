"""Neural predictivity finds the truth where it is known, and nothing where there is nothing."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from benchmarks import neural_predictivity
from benchmarks.gram import gram
from benchmarks.neural_predictivity import (
    NeuralPredictivity,
    make_design,
    predict,
    quick_sessions,
    score_layer,
    score_products,
)
from benchmarks.simulated import simulated_session
from neurocnnf.stimuli import Stimuli

N_IMAGES, N_STEPS = 240, 3
LAYERS = ("low", "middle", "high")


def make_stimuli(n=N_IMAGES):
    images = np.random.default_rng(9).integers(0, 256, (n, 6, 6, 1), dtype=np.uint8)
    return Stimuli(images, pd.DataFrame({"stimulus_id": [f"s{k}" for k in range(n)]}), "noise")


@dataclass
class RandomFeatures:
    """A stand-in for a model: rectified random features, new ones at every step above the lowest layer."""

    recurrent: bool = True
    name: str = "random-features"
    layer_names: tuple[str, ...] = LAYERS

    def record(self, stimuli, layers, n_steps):
        pixels = stimuli.images[:].reshape(len(stimuli), -1) / 127.5 - 1
        found = {}
        for layer in layers:
            number = LAYERS.index(layer)
            steps = [0] * (n_steps + 1) if layer == "low" else range(n_steps + 1)
            found[layer] = np.stack([np.maximum(pixels @ self.weights(number, step), 0) for step in steps])
        return {layer: values.astype(np.float32) for layer, values in found.items()}

    def weights(self, number, step):
        return np.random.default_rng([number, step]).standard_normal((36, 60))


def each_layer(model, stimuli, layers, n_steps):
    return model.record(stimuli, layers, n_steps)


def sessions_from(layer, step, shuffled=False, names=("a1", "a2", "b1"), noise=0.5):
    stimuli = make_stimuli()
    activations = RandomFeatures().record(stimuli, LAYERS, N_STEPS)

    def source(**_):
        for rng, name in zip(np.random.default_rng(4).spawn(len(names)), names, strict=True):
            animal = f"simulated {name[0]}"
            session = simulated_session(activations, layer, step, 12, noise, rng, stimuli=stimuli, animal=animal)
            if shuffled:
                order = rng.permutation(N_IMAGES)
                session = neural_predictivity.replace(
                    session,
                    responses=session.responses.copy(data=session.responses.values[order]),
                    repeats=session.repeats.copy(data=session.repeats.values[order]),
                )
            yield name, session

    return source


def score_features(features, design, metric="ridge"):
    return score_products(gram(features), design, metric)


def score(source, model=None, metric="ridge", memory=10**9, **options):
    benchmark = NeuralPredictivity(
        f"simulated.test-{metric}", (), source, simulated=True, metric=metric, each_layer=each_layer, memory=memory
    )
    return benchmark(model or RandomFeatures(), n_steps=N_STEPS, **options)


@pytest.mark.parametrize("metric", ["ridge", "pls"])
@pytest.mark.parametrize(("layer", "step"), [("middle", 1), ("high", 3), ("low", 0)])
def test_the_layer_and_step_that_made_the_recordings_are_found_in_every_session(layer, step, metric):
    table = score(sessions_from(layer, step), metric=metric).per_step
    for _, rows in table.groupby("session"):
        best = rows.loc[rows["raw"].idxmax()]
        assert (best["layer"], best["step"]) == (layer, step)
        others = rows[rows["layer"] != layer]
        assert best["raw_low"] > others["raw_high"].max()


def test_recordings_made_of_the_last_step_reach_their_ceiling_and_choose_their_layer():
    found = score(sessions_from("high", N_STEPS, noise=0.3))
    assert list(found.chosen["layer"]) == ["high"] * 3
    assert found.chosen.set_index("session").loc["a1", "chosen_by"] == "b1"
    assert found.chosen.set_index("session").loc["b1", "chosen_by"] == "a1, a2"
    assert found.ceiling == pytest.approx(1 / np.sqrt(1 + 0.3**2 / 4), abs=0.01)
    assert 0.8 < found.value <= 1.02
    assert found.interval[0] < found.value < found.interval[1]
    assert found.value == pytest.approx(found.raw / found.ceiling, abs=0.02)
    assert (found.n_used, found.n_total) == (36, 36)
    assert found.simulated
    assert found.per_step["simulated"].all()


@pytest.mark.parametrize("metric", ["ridge", "pls"])
def test_on_shuffled_recordings_intervals_hold_zero_about_as_often_as_they_say(metric):
    found = score(sessions_from("middle", 1, shuffled=True), metric=metric)
    rows = found.per_step.drop_duplicates(["session", "raw"])  # a layer that stays the same counts once
    holds = (rows["raw_low"] < 0) & (rows["raw_high"] > 0)
    assert holds.mean() >= 0.8
    assert found.raw_interval[0] < 0 < found.raw_interval[1]
    assert abs(rows["raw"]).max() < 0.2


def test_the_table_has_a_row_per_session_layer_and_step_with_the_promised_columns():
    table = score(sessions_from("middle", 1)).per_step
    promised = "session layer step raw raw_low raw_high ceiling ceiling_rule normalised normalised_low "
    promised += "normalised_high n_used n_total simulated"
    assert set(promised.split()) <= set(table)
    assert len(table) == 3 * len(LAYERS) * (N_STEPS + 1)
    assert not table.duplicated(["session", "layer", "step"]).any()
    assert (table["raw_low"] <= table["raw"]).all()


def test_the_same_seed_gives_the_same_score_and_another_seed_other_folds():
    source = sessions_from("middle", 1)
    first, again, other = (score(source, seed=seed).per_step for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert (first["raw"] != other["raw"]).any()


def test_a_feedforward_model_is_scored_at_step_0():
    found = score(sessions_from("middle", 0), RandomFeatures(recurrent=False))
    assert set(found.per_step["step"]) == {0}
    assert set(found.chosen["layer"]) == {"middle"}


def test_layers_can_be_picked_and_progress_is_told():
    told = []
    found = score(sessions_from("low", 0), layers=("low",), progress=lambda *what: told.append(what))
    assert set(found.per_step["layer"]) == {"low"}
    assert told[0] == ("random-features: session a1", 1, 1)
    assert len(told) == 3


def test_one_session_gives_the_table_and_no_number():
    found = score(sessions_from("middle", 1, names=("a1",)))
    assert np.isnan(found.value)
    assert found.per_step["raw"].notna().all()
    assert any("no other session" in note for note in found.notes)


def test_steps_that_do_not_differ_are_computed_once(monkeypatch):
    calls = []
    monkeypatch.setattr(neural_predictivity, "score_products", lambda *args: calls.append(1) or score_products(*args))
    rng = np.random.default_rng(0)
    first, second = (gram(features) for features in rng.standard_normal((2, 40, 5)))
    design = make_design(rng.standard_normal((40, 3)), None, seed=0, n_resamples=10)
    scores = score_layer([first, first, first, second], design, "ridge")
    assert len(calls) == 2
    assert scores[0] is scores[1] is scores[2]
    assert scores[3].row["raw"] != scores[0].row["raw"]


def test_a_smaller_budget_of_memory_costs_passes_and_changes_nothing():
    source = sessions_from("middle", 1, names=("a1",))
    matrices = 8 * N_IMAGES**2 * (N_STEPS + 1)
    large, small = (score(source, memory=memory).per_step for memory in (10**9, 2 * matrices))
    pd.testing.assert_frame_equal(large, small, rtol=1e-4)


def test_pls_says_how_many_components_it_took_and_ridge_where_its_penalties_lie():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((60, 10))
    design = make_design(features[:, :4] + rng.standard_normal((60, 4)), None, seed=0, n_resamples=50)
    pls, ridge = (score_features(features, design, metric).row for metric in ("pls", "ridge"))
    assert pls["n_components"] == 10
    assert 0 <= ridge["penalties_at_edge"] <= 1
    assert "penalties_at_edge" not in pls


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match="metric: expected one of ridge, pls, got 'lasso'"):
        predict(np.eye(4), np.eye(4), (), "lasso")


def test_without_repeats_ceiling_and_normalised_score_are_missing():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((60, 10))
    design = make_design(features[:, :4], None, seed=0, n_resamples=50)
    row = score_features(features, design).row
    assert row["raw"] > 0.9
    assert np.isnan([row["ceiling"], row["normalised"], row["normalised_low"]]).all()
    assert (row["ceiling_rule"], row["n_normalised"]) == ("none: no repeats", 0)


def test_broken_neuroids_are_counted_and_the_median_is_over_the_others():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((60, 10))
    responses = features[:, :5].copy()
    responses[3, 0] = np.nan
    responses[:, 1] = 4
    row = score_features(features, make_design(responses, None, seed=0, n_resamples=50)).row
    alone = score_features(features, make_design(responses[:, 2:], None, seed=0, n_resamples=50)).row
    assert (row["n_used"], row["n_total"]) == (3, 5)
    assert row["raw"] == pytest.approx(alone["raw"])


@pytest.mark.parametrize("features", [np.ones((60, 10)), np.full((60, 10), np.inf)], ids=["constant", "infinite"])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_layer_without_information_has_no_score(features):
    responses = np.random.default_rng(0).standard_normal((60, 3))
    row = score_features(features, make_design(responses, None, seed=0, n_resamples=50)).row
    assert np.isnan([row["raw"], row["raw_low"]]).all()
    assert (row["n_used"], row["n_total"]) == (0, 3)


@dataclass(frozen=True)
class Recorded:
    stimuli: Any
    responses: Any
    repeats: Any
    animal: str


def test_quick_takes_a_session_of_two_animals_and_reads_no_further():
    def sessions():
        for name in ("a1", "a2", "b1", "c1"):
            assert name != "c1"
            responses = xr.DataArray(np.zeros((N_IMAGES, 2)), dims=("presentation", "neuroid"))
            yield name, Recorded(make_stimuli(), responses, None, name[0])

    taken = dict(quick_sessions(sessions()))
    assert list(taken) == ["a1", "b1"]
    assert taken["a1"].responses.shape == (200, 2)
    assert len(taken["a1"].stimuli) == 200


def test_a_quick_score_says_so():
    benchmark = NeuralPredictivity("x", (), sessions_from("low", 0), simulated=True, quick=True, each_layer=each_layer)
    assert benchmark(RandomFeatures(), n_steps=0).notes[0].startswith("quick")
    assert benchmark.available()
