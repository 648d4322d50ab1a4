"""A model answers with its own classes where they are the study's, and through a readout where they are not."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax

from benchmarks.answers import CIFAR10, category_answers, group_folds
from neurocnnf.stimuli import Stimuli

N_IMAGES = 200
LABELS = np.arange(N_IMAGES) % 10


@dataclass
class Model:
    card: dict
    layer_names: tuple[str, ...] = ("hidden", "logits")
    asked: list = field(default_factory=list)


@dataclass
class Shown:
    categories: tuple[str, ...] = CIFAR10
    labels: np.ndarray = field(default_factory=lambda: LABELS)
    stimuli: Stimuli = field(
        default_factory=lambda: Stimuli(
            np.zeros((N_IMAGES, 2, 2, 1), np.uint8),
            pd.DataFrame({"stimulus_id": [str(k) for k in range(N_IMAGES)]}),
            "blank",
        )
    )


def each_layer(model, stimuli, layers, n_steps):
    model.asked += layers
    rng = np.random.default_rng(0)
    values = 2 * np.eye(10)[LABELS] + rng.standard_normal((n_steps + 1, N_IMAGES, 10))
    return {layer: values.astype(np.float32) for layer in layers}


def test_a_model_of_the_same_classes_answers_itself():
    model = Model({"data": "cifar-gray"})
    answers = category_answers(model, Shown(), 2, each_layer, 0)
    expected = log_softmax(each_layer(model, None, ["logits"], 2)["logits"].astype(float), axis=-1)
    assert answers.log_probabilities == pytest.approx(expected)
    assert answers.layer == "logits"
    assert "own classes" in answers.how


@pytest.mark.parametrize("model", [Model({"data": "mnist"}), Model({})])
def test_any_other_model_is_read_out_from_its_last_hidden_layer(model):
    answers = category_answers(model, Shown(), 1, each_layer, 0)
    assert set(model.asked) == {"hidden"}
    assert answers.log_probabilities.shape == (2, N_IMAGES, 10)
    assert (answers.log_probabilities.argmax(axis=-1) == LABELS).mean() > 0.6
    assert "logistic readout of hidden" in answers.how


def test_other_categories_are_never_taken_for_the_models_own():
    model = Model({"data": "cifar-gray"})
    category_answers(model, Shown(categories=CIFAR10[::-1]), 0, each_layer, 0)
    assert set(model.asked) == {"hidden"}


def test_pictures_of_one_photograph_share_a_fold_and_folds_are_even():
    groups = np.repeat([f"photo {k}" for k in range(50)], 3)
    folds = group_folds(groups, 10, 0)
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))
    assert (np.bincount(folds) == 15).all()
