"""The list of benchmarks, and each of them run."""

import numpy as np
import pytest

from benchmarks import list_benchmarks, load_benchmark, suite
from benchmarks.simulated import true_place
from neurocnnf import load_model
from neurocnnf.datastore import DataMissing, DataStore

SIMULATED = [one.identifier for one in list_benchmarks() if one.simulated]
NEURAL = [name for name in SIMULATED if "V4" in name or "rsa" in name]
LAYERS = ("one", "two", "three")


class Pixels:
    """A stand-in for a model: rectified random projections, new ones at every step."""

    name, layer_names, recurrent = "pixels", LAYERS, True


def each_layer(model, stimuli, layers, n_steps):
    pixels = stimuli.images[:].reshape(len(stimuli), -1)[:, ::3] / 127.5 - 1

    def features(layer, step):
        rng = np.random.default_rng([LAYERS.index(layer), step])
        return np.maximum(pixels @ rng.standard_normal((pixels.shape[1], 40)), 0).astype(np.float32)

    return {layer: np.stack([features(layer, step) for step in range(n_steps + 1)]) for layer in layers}


def test_identifiers_are_unique_and_every_one_can_be_loaded():
    identifiers = [benchmark.identifier for benchmark in list_benchmarks()]
    assert identifiers == [
        "cowley2023.V4-ridge",
        "cowley2023.V4-pls",
        *(f"kriegeskorte2008.{what}-rsa" for what in ("macaqueIT", "humanIT", "judgement")),
        "zhang2011.IT-decoding",
        *(f"maniquet2025.{what}" for what in ("accuracy", "rt", "confusion", "masking")),
        "kumbhar2021.sat",
        *(f"cifar10h.{what}" for what in ("soft-labels", "entropy", "rt-by-image")),
        "kar2019.ost",
        *(f"geirhos.{what}-by-condition" for what in ("accuracy", "rt")),
        *SIMULATED,
    ]
    for identifier in identifiers:
        assert load_benchmark(identifier).identifier == identifier


def test_what_is_simulated_is_named_so_and_needs_no_file():
    for benchmark in list_benchmarks():
        assert benchmark.simulated == benchmark.identifier.startswith("simulated.")
        assert benchmark.simulated == (benchmark.studies == ())
        assert not benchmark.simulated or benchmark.available()


def test_an_unknown_benchmark_is_refused_with_the_known_ones_named():
    with pytest.raises(ValueError, match=r"expected one of cowley2023\.V4-ridge, .*got 'cowley2023\.V1-pls'"):
        load_benchmark("cowley2023.V1-pls")


def test_loading_sets_store_and_quick(tmp_path):
    store = DataStore(tmp_path)
    benchmark = load_benchmark("kriegeskorte2008.humanIT-rsa", store, quick=True)
    assert benchmark.store is store
    assert benchmark.quick
    assert not any(benchmark.quick for benchmark in list_benchmarks())


@pytest.mark.parametrize("identifier", NEURAL)
def test_offline_benchmarks_find_the_layer_and_step_they_were_made_from(identifier):
    benchmark = suite.replace(load_benchmark(identifier), each_layer=each_layer)
    score = benchmark(Pixels(), n_steps=2)
    assert score.simulated
    assert score.per_step["simulated"].all()
    keys = [key for key in ("session", "target", "metric") if key in score.per_step]
    for _, rows in score.per_step.groupby(keys):
        best = rows.loc[rows["raw"].idxmax()]
        assert (best["layer"], best["step"]) == true_place(LAYERS, 2)
    assert 0.3 < score.raw < 1.1
    assert np.isnan(score.value) if "macaque" in identifier else 0 < score.value < 1.1
    assert "simulated" in str(score)


@pytest.mark.parametrize("identifier", ["simulated.IT-decoding", "simulated.sat"])
def test_offline_benchmarks_of_timing_score_the_model_they_were_made_from_high(identifier):
    score = load_benchmark(identifier, quick=True)(load_model("cnn-digits"))
    assert score.simulated
    assert 0.9 < score.value < 1.1


def test_every_study_that_need_not_be_brought_has_a_simulated_twin():
    twins = {name.split(".", 1)[1] for name in SIMULATED}
    studies = {one.identifier for one in list_benchmarks() if not one.simulated}
    assert {name for name in studies if name.split(".", 1)[1] not in twins} == {
        "kar2019.ost",
        "geirhos.accuracy-by-condition",
        "geirhos.rt-by-condition",
    }


@pytest.fixture
def nowhere(tmp_path):
    """Give a store without files, whose registered files have no address to be had from."""
    store = DataStore(tmp_path, tmp_path / "cache")
    table = store.registry.assign(url="")
    return DataStore(tmp_path, tmp_path / "cache", registry=table)


@pytest.mark.parametrize("identifier", [one.identifier for one in list_benchmarks() if not one.simulated])
def test_a_missing_study_is_named_and_not_made_up(nowhere, identifier):
    benchmark = load_benchmark(identifier, nowhere)
    assert not benchmark.available()
    with pytest.raises(DataMissing, match="is missing"):
        suite.replace(benchmark, each_layer=each_layer)(Pixels(), n_steps=0)


@pytest.mark.parametrize("metric", ["ridge", "pls"])
def test_real_macaque_v4_is_scored(studies, metric):
    benchmark = load_benchmark(f"cowley2023.V4-{metric}", studies, quick=True)
    assert benchmark.available()
    score = suite.replace(benchmark, each_layer=small_gray)(Pixels(), n_steps=0)
    assert score.per_step["raw"].between(-0.2, 0.9).all()
    assert set(score.per_step["animal"]) == {"WE", "PE"}
    assert any(name.startswith("cowley2023_v4/images_") for name in score.provenance["data_sha256"])


@pytest.mark.parametrize(("what", "n_subjects"), [("macaqueIT", 0), ("humanIT", 4), ("judgement", 16)])
def test_real_dissimilarities_are_scored_and_subjects_agree(studies, what, n_subjects):
    benchmark = load_benchmark(f"kriegeskorte2008.{what}-rsa", studies, quick=True)
    assert benchmark.available()
    score = suite.replace(benchmark, each_layer=small_gray)(Pixels(), n_steps=0)
    scored = score.per_step[score.per_step["target"] == benchmark.scored]
    assert (scored["n_subjects"] == n_subjects).all()
    assert score.per_step["ceiling_lower"].dropna().min() > 0.1
    assert (score.n_used, score.n_total) == (92, 92)
    assert np.isfinite(score.value) == (n_subjects > 0)
    assert score.chosen["chosen_by"].item() == benchmark.chooser != benchmark.scored
    assert not score.simulated


def small_gray(model, stimuli, layers, n_steps):
    images = stimuli.images[:].mean(axis=-1)[:, ::8, ::8]
    pixels = images.reshape(len(images), -1) / 127.5 - 1
    weights = np.random.default_rng(0).standard_normal((pixels.shape[1], len(layers), 50))
    return {layer: np.maximum(pixels @ weights[:, k], 0)[None] for k, layer in enumerate(layers)}
