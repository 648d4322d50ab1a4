"""Simulated observers are made from one step of the model, and the benchmarks find it."""

import numpy as np
import pytest
from scipy.stats import entropy, norm

from benchmarks import load_benchmark
from benchmarks.behaviour import replace
from benchmarks.simulated import true_place
from benchmarks.simulated_observers import N_IMAGES, simulated_labels, simulated_times, soften


class Model:
    name, layer_names, recurrent, card = "stand-in", ("hidden", "logits"), True, {"data": "digits"}


def each_layer(model, stimuli, layers, n_steps):
    labels = stimuli.table["label"].to_numpy()
    own = [np.random.default_rng([3, s]).standard_normal((len(labels), 10)) for s in range(n_steps + 1)]
    return {layer: np.stack([(2 * np.eye(10)[labels] + 1.5 * o) for o in own]).astype(np.float32) for layer in layers}


@pytest.mark.parametrize("identifier", ["simulated.soft-labels", "simulated.entropy", "simulated.rt-by-image"])
def test_the_step_that_made_the_observers_is_found(identifier):
    score = replace(load_benchmark(identifier, quick=True), each_layer=each_layer)(Model(), n_steps=3)
    own = score.per_step[score.per_step["metric"] == score.per_step["metric"].iloc[0]].set_index("step")
    _, step = true_place(Model.layer_names, 3)
    assert own["raw"].idxmax() == step
    assert own.loc[step, "normalised"] > 0.7
    assert score.simulated
    assert any(f"simulated observers, made from the model's answers at step {step}" in note for note in score.notes)


def test_labels_are_drawn_by_the_probabilities():
    counts = simulated_labels(np.log([[0.8, 0.2]] * 500), 51, np.random.default_rng(0))
    assert (counts.sum(axis=1) == 51).all()
    assert counts[:, 0].mean() == pytest.approx(51 * 0.8, abs=0.5)


def test_every_subject_sees_every_image_once_and_the_noise_is_as_stated():
    rng = np.random.default_rng(1)
    true = norm.ppf((rng.permutation(N_IMAGES) + 0.5) / N_IMAGES)
    subjects, items, times = simulated_times(np.exp(true), 20, 0.5, rng)
    assert (np.bincount(items) == 20).all()
    assert (np.bincount(subjects) == N_IMAGES).all()
    standard = (true - true.mean()) / true.std()
    assert (times - standard[items]).std() == pytest.approx(0.5, rel=0.05)


def test_images_that_do_not_differ_are_noise_alone():
    _, _, times = simulated_times(np.ones(5), 3, 0.0, np.random.default_rng(2))
    assert (times == 0).all()


def test_a_certain_model_is_softened_to_the_entropy_asked_for():
    certain = np.log(np.random.default_rng(3).dirichlet(np.full(10, 0.02), 200) + 1e-12)
    assert entropy(np.exp(soften(certain, 0.5)), axis=1).mean() == pytest.approx(0.5)
