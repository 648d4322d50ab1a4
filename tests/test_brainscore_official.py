"""Brain-Score's own benchmark classes and metrics, on recordings that are simulated here and say so."""

import importlib.util

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from benchmarks.bootstrap import fold_correlations
from benchmarks.brainscore import BrainModelAdapter, register, score_official
from benchmarks.brainscore.image_files import written
from benchmarks.gram import gram
from benchmarks.ridge import ridge_predictions
from benchmarks.simulated import digits_stimuli
from benchmarks.splits import in_place
from neurocnnf import StepClock, load_model
from neurocnnf.__main__ import app
from neurocnnf.record import each_layer

import brainscore_vision  # isort: skip
from brainscore_core.metrics import Score  # isort: skip
from brainscore_core.supported_data_standards.brainio.assemblies import (  # isort: skip
    BehavioralAssembly,
    NeuroidAssembly,
)
from brainscore_vision.benchmark_helpers.neural_common import NeuralBenchmark, RSABenchmark  # isort: skip

N, CLOCK, STEP = 60, StepClock(70, 20), 3
BINS = [(70 + 20 * step, 90 + 20 * step) for step in range(6)]


@pytest.fixture(scope="module")
def model():
    register()
    return load_model("cnnf-digits")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    stimuli = written(digits_stimuli(N), tmp_path_factory.mktemp("shown"))
    stimuli["object_name"] = stimuli["image_label"] = [("cat", "dog", "sun")[row % 3] for row in range(N)]
    stimuli.identifier = "simulated-digits"
    return stimuli


@pytest.fixture(scope="module")
def neurons(model):
    """Simulated: each of 20 neurons sums 5 units of block4 at step 3, with little noise."""
    rng = np.random.default_rng(0)
    features = each_layer(model, digits_stimuli(N), ("block4",), 5)["block4"][STEP]
    features = features[:, features.std(0) > 0]
    chosen = np.stack([features[:, rng.choice(features.shape[1], 5, replace=False)].sum(1) for _ in range(20)], 1)
    return (chosen - chosen.mean(0)) / chosen.std(0) + 0.1 * rng.normal(size=(N, 20))


def assembly(neurons, shown, time_bin):
    coords = {name: ("presentation", shown[name].to_numpy()) for name in ("stimulus_id", "object_name", "image_label")}
    coords["neuroid_id"] = ("neuroid", [f"simulated-{i:02d}" for i in range(neurons.shape[1])])
    coords["region"] = ("neuroid", ["V4"] * neurons.shape[1])
    coords["subject"] = ("neuroid", [f"simulated animal {'AB'[i % 2]}" for i in range(neurons.shape[1])])
    coords["time_bin_start"], coords["time_bin_end"] = ("time_bin", [time_bin[0]]), ("time_bin", [time_bin[1]])
    made = NeuroidAssembly(neurons[..., None], coords=coords, dims=("presentation", "neuroid", "time_bin"))
    made = made.squeeze("time_bin")
    made.attrs["stimulus_set"], made.attrs["stimulus_set_identifier"] = shown, shown.identifier
    return made


def neural(neurons, shown, metric, time_bin):
    few = {"crossvalidation_kwargs": {"splits": 2, "train_size": 0.8}}
    return NeuralBenchmark(
        "simulated.V4-" + metric,
        assembly(neurons, shown, time_bin),
        brainscore_vision.load_metric(metric, **few),
        visual_degrees=8,
        number_of_trials=1,
        ceiling_func=lambda: Score(1.0),
        version=1,
        parent="V4",
    )


def test_the_layer_and_time_bin_that_recordings_were_simulated_from_score_best_with_ridge(model, neurons, shown):
    scores = {}
    for layer in ("block3", "block4", "fc1"):
        adapter = BrainModelAdapter(model, CLOCK, regions={"V4": layer})
        for step in (0, STEP, 5):
            scores[layer, step] = float(neural(neurons, shown, "ridge", BINS[step])(adapter))
    assert max(scores, key=scores.get) == ("block4", STEP)
    assert scores["block4", STEP] > 0.5
    shuffled = np.random.default_rng(1).permutation(neurons)
    assert float(neural(shuffled, shown, "ridge", BINS[STEP])(BrainModelAdapter(model, CLOCK))) < 0.2


def test_pls_runs_and_a_step_of_its_own_scores_as_its_time_bin_does(model, neurons, shown):
    timed = neural(neurons, shown, "pls", BINS[STEP])(BrainModelAdapter(model, CLOCK))
    alone = neural(neurons, shown, "pls", (0, 999))(BrainModelAdapter(model, CLOCK, step=STEP))
    assert float(timed) == pytest.approx(float(alone), abs=1e-6)
    assert float(timed) > 0.3


def test_brain_scores_own_score_runs_one_of_its_benchmarks_on_a_registered_model(model, neurons, shown, monkeypatch):
    def benchmark():
        return neural(neurons, shown, "ridge", BINS[STEP])

    monkeypatch.setitem(brainscore_vision.benchmark_registry, "simulated.V4-ridge", benchmark)
    score = brainscore_vision.score("cnnf-digits", "simulated.V4-ridge")
    assert score.attrs["model_identifier"] == "cnnf-digits"
    assert float(score) == pytest.approx(float(benchmark()(brainscore_vision.load_model("cnnf-digits"))), abs=1e-9)


def test_on_the_command_line_a_benchmark_of_brain_scores_is_a_stage_that_is_not_run_twice(
    model, neurons, shown, monkeypatch, tmp_path
):
    runs = []

    def benchmark():
        runs.append(1)
        return neural(neurons, shown, "ridge", (0, 999))

    monkeypatch.setitem(brainscore_vision.benchmark_registry, "simulated.V4-ridge", benchmark)
    asked = ["score", "cnnf-digits", "brainscore:simulated.V4-ridge", "--n-steps", "2", "--out", str(tmp_path / "x")]
    for _ in range(2):
        found = CliRunner().invoke(app, asked)
        assert found.exit_code == 0, found.output
    assert runs == [1]
    found = pd.read_csv(tmp_path / "x.csv").iloc[0]
    assert "-steps2-" in found["model"]
    assert found["value"] == pytest.approx(float(benchmark()(BrainModelAdapter(model, n_steps=2))), abs=1e-9)
    refused = CliRunner().invoke(app, [*asked, "--seed", "1"])
    assert refused.exit_code == 1
    assert "which has its own rules" in " ".join(refused.output.split())


def test_rsa_benchmark_finds_the_layer(model, neurons, shown):
    benchmark = RSABenchmark("simulated.V4-rdm", 1, assembly(neurons, shown, BINS[STEP]), "V4", 8, 1, "")
    adapters = {layer: BrainModelAdapter(model, CLOCK, regions={"V4": layer}) for layer in ("block1", "block4")}
    found = {layer: float(benchmark(adapter)) for layer, adapter in adapters.items()}
    assert found["block4"] > found["block1"]
    assert found["block4"] > 0.5


def test_ridge_on_brain_scores_own_splits_gives_brain_scores_numbers(model, neurons, shown):
    adapter = BrainModelAdapter(model, CLOCK)
    adapter.start_recording("V4", [BINS[STEP]])
    # In float64: scikit-learn solves in the features' precision.
    source, target = adapter.look_at(shown).astype(np.float64), assembly(neurons, shown, BINS[STEP])
    metric = brainscore_vision.load_metric("ridge", crossvalidation_kwargs={"splits": 5, "kfold": True})
    theirs = metric(source, target)
    _, splits = metric.cross_validation._split.build_splits(target)
    folds = tuple(np.sort(test) for _, test in splits)
    ours = np.empty((5, 20))
    products = gram(source.values.astype(np.float64))
    penalty = np.array([1.0]) / (np.trace(products) / (N - 1))  # Brain-Score's is 1, ours in mean eigenvalues
    fit = ridge_predictions(products, neurons, folds, penalty)
    for row, fold in enumerate(folds):
        for neuroid in range(20):
            ours[row, neuroid] = np.corrcoef(fit.predictions[row][:, neuroid], neurons[fold, neuroid])[0, 1]
    raw = theirs.raw.transpose("split", "neuroid").values
    np.testing.assert_allclose(ours, raw, atol=1e-6)
    predictions = in_place(fit.predictions, folds, len(neurons))
    np.testing.assert_allclose(fold_correlations(predictions, neurons, folds), raw.mean(0), atol=1e-6)
    assert float(theirs) == pytest.approx(np.median(ours, axis=1).mean(), abs=1e-6)


@pytest.fixture
def kar2019(model, neurons, shown, monkeypatch):
    """Simulated: the official class on an assembly of the form of Kar et al. (2019)."""
    from brainscore_vision.benchmarks.kar2019.benchmark import DicarloKar2019OST

    coords = {name: ("presentation", shown[name].to_numpy()) for name in ("stimulus_id", "image_label")}
    coords["i1"] = ("presentation", np.full(N, 0.5))
    coords["decoder"] = ("decoder", ["svm"])
    osts = NeuroidAssembly(np.full((N, 1), 100.0), coords=coords, dims=("presentation", "decoder"))
    osts.attrs["stimulus_set"] = shown
    monkeypatch.setitem(brainscore_vision.data_registry, "Kar2019", lambda: osts)
    return DicarloKar2019OST()


def test_kar2019_sees_a_recurrent_model_in_18_time_bins(model, kar2019, monkeypatch):
    seen = []
    monkeypatch.setattr(kar2019, "_similarity_metric", lambda source, target: seen.append(source) or Score(0.4))
    score = kar2019(BrainModelAdapter(model, CLOCK, n_steps=5))
    assert dict(seen[0].sizes)["time_bin"] == 18
    assert dict(seen[0].sizes)["presentation"] == N
    assert {"image_label", "truth"} <= set(seen[0].indexes["presentation"].names)
    assert float(score) == pytest.approx(0.4 / 0.79)


def test_kar2019_gives_a_model_without_time_no_score(kar2019):
    assert np.isnan(float(kar2019(BrainModelAdapter(load_model("cnn-digits"), CLOCK))))


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is installed")
def test_kar2019s_own_metric_asks_for_tensorflow_and_the_user_is_told(model, kar2019, monkeypatch):
    monkeypatch.setitem(brainscore_vision.benchmark_registry, "simulated.ost", lambda: kar2019)
    with pytest.raises(ValueError, match="ost: needs the package 'tensorflow'"):
        score_official(BrainModelAdapter(model, CLOCK), "simulated.ost")


def test_i2n_runs_on_the_adapters_probabilities_and_prefers_an_observer_that_answers_like_it(model, shown):
    adapter = BrainModelAdapter(model)
    adapter.start_task("probabilities", shown)
    probabilities = adapter.look_at(shown)
    rng = np.random.default_rng(0)
    scores = {}
    for like in ("model", "coin"):
        rows = []
        for row, truth in enumerate(shown["object_name"]):
            for other in sorted({"cat", "dog", "sun"} - {truth}):
                p, q = (float(probabilities.sel(choice=one).values[row]) for one in (truth, other))
                right = p**30 / (p**30 + q**30) if like == "model" else 0.5
                rows += [(row, truth, other, truth if rng.random() < right else other) for _ in range(16)]
        index, truth, other, answer = map(np.array, zip(*rows, strict=True))
        coords = {"stimulus_id": shown["stimulus_id"].to_numpy()[index], "truth": truth}
        coords |= {"sample_obj": truth, "dist_obj": other}
        target = BehavioralAssembly(
            answer, coords={key: ("presentation", value) for key, value in coords.items()}, dims=("presentation",)
        )
        for metric in ("i1", "i2n"):
            scores[metric, like] = float(brainscore_vision.load_metric(metric)(adapter.look_at(shown), target))
    for metric in ("i1", "i2n"):
        assert np.isfinite(scores[metric, "model"])
        assert scores[metric, "model"] > scores[metric, "coin"]
