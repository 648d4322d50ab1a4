"""RSA finds the layer and step that made the dissimilarities, and respects what is missing."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr

from benchmarks import representational_similarity as module
from benchmarks.bootstrap import pair_counts
from benchmarks.representational_similarity import (
    RepresentationalSimilarity,
    compare_layer,
    compare_with_targets,
    make_target,
    make_targets,
)
from benchmarks.rsa import correlation_rdm
from benchmarks.simulated import SimulatedDissimilarities, simulated_dissimilarities
from neurocnnf.stimuli import Stimuli

N_IMAGES, N_STEPS = 40, 3
LAYERS = ("low", "middle", "high")


def make_stimuli():
    images = np.random.default_rng(9).integers(0, 256, (N_IMAGES, 6, 6, 1), dtype=np.uint8)
    return Stimuli(images, pd.DataFrame({"stimulus_id": [f"s{k}" for k in range(N_IMAGES)]}), "noise")


@dataclass
class RandomFeatures:
    """A stand-in for a model: few rectified random features, new ones at every step above the lowest layer."""

    recurrent: bool = True
    name: str = "random-features"
    layer_names: tuple[str, ...] = LAYERS

    def record(self, stimuli, layers, n_steps):
        pixels = stimuli.images[:].reshape(len(stimuli), -1) / 127.5 - 1
        return {
            layer: np.stack(
                [
                    np.maximum(pixels @ self.weights(layer, 0 if layer == "low" else step), 0)
                    for step in range(n_steps + 1)
                ]
            )
            for layer in layers
        }

    def weights(self, layer, step):
        return np.random.default_rng([LAYERS.index(layer), step]).standard_normal((36, 12))


def each_layer(model, stimuli, layers, n_steps):
    return model.record(stimuli, layers, n_steps)


def dissimilarities_from(layer, step, noise=0.4, shuffled=False):
    stimuli = make_stimuli()
    activations = RandomFeatures().record(stimuli, LAYERS, N_STEPS)
    rng = np.random.default_rng(1)
    if shuffled:
        activations = {layer: values[:, rng.permutation(N_IMAGES)] for layer, values in activations.items()}
    made = simulated_dissimilarities(activations, layer, step, noise, rng, stimuli=stimuli)
    return lambda **_: made


def score(source, model=None, roles=("human IT", "macaque IT"), **options):
    benchmark = RepresentationalSimilarity(
        "simulated.test-rsa", (), source, *roles, simulated=True, each_layer=each_layer
    )
    return benchmark(model or RandomFeatures(), n_steps=N_STEPS, **options)


@pytest.mark.parametrize(("layer", "step"), [("middle", 1), ("high", 3)])
def test_the_layer_and_step_that_made_the_dissimilarities_are_found(layer, step):
    table = score(dissimilarities_from(layer, step)).per_step
    for _, rows in table.groupby(["target", "metric"]):
        best = rows.loc[rows["raw"].idxmax()]
        assert (best["layer"], best["step"]) == (layer, step)
    human = table[(table["target"] == "human IT") & (table["metric"] == "spearman")]
    best = human.loc[human["raw"].idxmax()]
    assert best["raw_low"] > human[human["layer"] != layer]["raw_high"].max()
    assert best["normalised"] > 0.9


def test_the_number_is_human_it_with_the_layer_that_macaque_it_chose():
    found = score(dissimilarities_from("high", N_STEPS))
    assert found.chosen["layer"].item() == "high"
    table = found.per_step.set_index(["target", "metric", "layer", "step"])
    row = table.loc[("human IT", "spearman", "high", N_STEPS)]
    assert found.value == row["normalised"] == row["raw"] / row["ceiling"]
    assert found.interval == (row["normalised_low"], row["normalised_high"])
    assert row["ceiling_lower"] < row["ceiling"]
    assert row["n_subjects"] == 4
    assert "macaque IT" in found.notes[0]


def test_judgement_is_scored_with_the_layer_that_human_it_chose_whatever_scale_a_subject_used():
    found = score(dissimilarities_from("high", N_STEPS), roles=("judgement", "human IT"))
    assert set(found.per_step["target"]) == {"judgement", "human IT"}
    assert found.chosen[["layer", "chosen_by"]].values.tolist() == [["high", "human IT"]]
    assert found.value > 0.9


def test_without_subjects_the_value_is_missing_and_the_note_says_why():
    found = score(dissimilarities_from("high", N_STEPS), roles=("macaque IT", "human IT"))
    assert np.isnan([found.value, found.ceiling, *found.interval]).all()
    assert found.raw_interval[0] < found.raw < found.raw_interval[1]
    assert "no ceiling (none: no subjects), so only raw stands" in found.notes[0]
    assert {quantity for quantity, _, _ in found.samples} == {"raw"}


def test_samples_are_those_the_intervals_came_from_and_pair_between_models():
    source = dissimilarities_from("high", N_STEPS)
    found, other = score(source), score(source, RandomFeatures(name="other"))
    row = found.per_step.set_index(["target", "metric", "layer", "step"]).loc["human IT", "spearman", "low", 2]
    column = found.samples["raw", "low", 2].to_numpy(float)
    assert column[0] == pytest.approx(row["raw"], rel=1e-6)
    np.testing.assert_allclose(np.quantile(column[1:], [0.025, 0.975]), row[["raw_low", "raw_high"]].astype(float))
    assert found.samples["value", "", N_STEPS][0] == pytest.approx(found.value, rel=1e-6)
    np.testing.assert_allclose(np.quantile(found.samples["value", "", N_STEPS][1:], 0.975), found.interval[1])
    pd.testing.assert_frame_equal(found.samples, other.samples)


def test_an_unknown_target_is_refused():
    with pytest.raises(ValueError, match="target: expected one of human IT, macaque IT, judgement, got 'V4'"):
        score(dissimilarities_from("high", N_STEPS), roles=("V4", "human IT"))


def test_macaque_it_has_no_subjects_and_therefore_no_ceiling():
    table = score(dissimilarities_from("middle", 1)).per_step
    macaque = table[table["target"] == "macaque IT"]
    assert macaque[["ceiling", "ceiling_lower", "normalised", "normalised_low"]].isna().all(axis=None)
    assert set(macaque["ceiling_rule"]) == {"none: no subjects"}
    assert macaque["raw"].notna().all()


def test_shuffled_images_leave_intervals_that_hold_zero():
    table = score(dissimilarities_from("middle", 1, shuffled=True)).per_step
    rows = table[(table["metric"] == "spearman")].drop_duplicates(["target", "raw"])
    holds = (rows["raw_low"] < 0) & (rows["raw_high"] > 0)
    assert holds.mean() >= 0.8


def test_raw_is_the_mean_over_subjects_of_scipys_spearman():
    rng = np.random.default_rng(0)
    subjects = rng.random((3, 190))
    features = rng.standard_normal((20, 30))
    counts = pair_counts(20, 60, rng)
    target = make_target("human IT", subjects, "spearman", counts)
    distances = pdist(features, "correlation")
    (found,) = compare_with_targets(correlation_rdm(features), [target], 20)
    assert found.row["raw"] == pytest.approx(np.mean([spearmanr(distances, s)[0] for s in subjects]))
    for k, row in enumerate(counts):
        drawn = np.repeat(np.arange(190), row.astype(int))
        expected = np.mean([spearmanr(distances[drawn], s[drawn])[0] for s in subjects])
        assert found.samples[k] == pytest.approx(expected)


def test_an_image_with_a_constant_pattern_is_left_out_on_both_sides_and_counted():
    rng = np.random.default_rng(0)
    subjects = np.stack([squareform(squareform(rng.random(45))) for _ in range(2)])
    features = rng.standard_normal((10, 30))
    features[4] = 0
    kept = np.delete(np.arange(10), 4)
    target = make_target("human IT", subjects, "spearman", pair_counts(10, 20, rng))
    (found,) = compare_with_targets(correlation_rdm(features), [target], 10)
    inner = [squareform(squareform(s)[np.ix_(kept, kept)]) for s in subjects]
    expected = np.mean([spearmanr(pdist(features[kept], "correlation"), s)[0] for s in inner])
    assert found.row["raw"] == pytest.approx(expected)
    assert (found.row["n_used"], found.row["n_total"]) == (9, 10)
    assert found.row["ceiling"] == target.ceiling[1]


def test_a_layer_without_any_variation_has_no_score():
    rng = np.random.default_rng(0)
    target = make_target("human IT", rng.random((2, 45)), "cosine", pair_counts(10, 20, rng))
    (found,) = compare_with_targets(correlation_rdm(np.ones((10, 5))), [target], 10)
    assert np.isnan([found.row["raw"], found.row["raw_low"], found.row["normalised"]]).all()
    assert found.row["n_used"] == 0


def test_targets_compared_at_once_are_compared_as_one_by_one():
    rng = np.random.default_rng(0)
    counts = pair_counts(10, 120, rng)
    holed = rng.random((2, 45))
    holed[0, 3] = np.nan
    several, one = rng.random((3, 45)), rng.random(45)
    makers = [("spearman", several), ("cosine", one), ("spearman", holed), ("spearman", one)]
    targets = [make_target("human IT", subjects, metric, counts, (0.1, 0.9)) for metric, subjects in makers]
    distances = correlation_rdm(rng.standard_normal((10, 30)))
    together = compare_with_targets(distances, targets, 10)
    for target, found in zip(targets, together, strict=True):
        (alone,) = compare_with_targets(distances, [target], 10)
        np.testing.assert_array_equal(found.samples, alone.samples)
        assert found.row == alone.row


def test_targets_of_other_resamples_are_refused():
    rng = np.random.default_rng(0)
    targets = [make_target("human IT", rng.random((2, 45)), "cosine", pair_counts(10, 20, rng)) for _ in range(2)]
    with pytest.raises(ValueError, match=r"^targets: expected the same resamples of all"):
        compare_with_targets(rng.random(45), targets, 10)


def test_steps_that_do_not_differ_are_computed_once(monkeypatch):
    calls = []
    monkeypatch.setattr(module, "compare_with_targets", lambda *args: calls.append(1) or compare_with_targets(*args))
    rng = np.random.default_rng(0)
    first, second = (correlation_rdm(features) for features in rng.standard_normal((2, 10, 5)))
    target = make_target("macaque IT", rng.random(45), "cosine", pair_counts(10, 20, rng))
    compared = compare_layer([first, first, second], [target], 10)
    assert len(calls) == 2
    assert compared[0] is compared[1]


def test_targets_average_a_subjects_sessions_and_take_square_or_condensed_matrices():
    rng = np.random.default_rng(0)
    human = np.zeros((3, 2, 12, 12))
    for index in np.ndindex(3, 2):
        human[index] = squareform(rng.random(66))
    dims = ("subject", "session", "presentation", "presentation_2")
    macaque = rng.random(66)
    for macaque_it in (macaque, squareform(macaque)):
        judged = xr.DataArray(human[:, 1], dims=[dim for dim in dims if dim != "session"])
        data = SimulatedDissimilarities(range(12), xr.DataArray(macaque_it), xr.DataArray(human, dims=dims), judged)
        targets = make_targets(data, ("human IT", "macaque IT", "judgement"), seed=0, n_resamples=10)
        assert [(t.name, t.metric, len(t.subjects)) for t in targets] == [
            ("human IT", "spearman", 3),
            ("human IT", "cosine", 3),
            ("macaque IT", "spearman", 1),
            ("macaque IT", "cosine", 1),
            ("judgement", "spearman", 3),
            ("judgement", "cosine", 3),
        ]
        np.testing.assert_allclose(targets[4].subjects[2], squareform(human[2, 1]))
        np.testing.assert_allclose(targets[0].subjects[1], squareform(human[1].mean(axis=0)))
        np.testing.assert_allclose(targets[2].subjects[0], macaque)


def test_a_feedforward_model_is_scored_at_step_0_and_quick_says_so():
    benchmark = RepresentationalSimilarity(
        "x", (), dissimilarities_from("middle", 0), simulated=True, quick=True, each_layer=each_layer
    )
    told = []
    found = benchmark(RandomFeatures(recurrent=False), n_steps=4, progress=lambda *what: told.append(what))
    assert set(found.per_step["step"]) == {0}
    assert found.notes[0].startswith("quick")
    assert told[-1] == ("random-features: x", 3, 3)
    assert benchmark.available()


def test_the_same_seed_gives_the_same_table():
    source = dissimilarities_from("middle", 1)
    pd.testing.assert_frame_equal(score(source, seed=3).per_step, score(source, seed=3).per_step)
