"""Attacks on shipped models, at step 1, keep the order that Carlini et al. (2019) and Athalye et al. (2018) ask for."""

from functools import partial

import pytest
import torch

from neurocnnf import load_model
from neurocnnf.attack_runs import Effort
from neurocnnf.recipes import Attack
from neurocnnf.robustness import attack_of, robustness
from neurocnnf.train import load_training_tensors

N, STEPS = 12, 1
EFFORT = Effort(
    n_restarts=1, strong_steps=20, n_costly=N, spsa_steps=5, spsa_pairs=16, auto_iterations=1, auto_queries=1
)
NAMES = ("cnnf-mnist-small", "cnnf-cifar10-small")
NOISE = 2  # images of N: another processor rounds otherwise, and an attack goes elsewhere


@pytest.fixture(scope="module", params=NAMES)
def attacked(request, studies):
    """Give what attacks a model on images that it knows at every step, and attack -> images left (readout, step)."""
    model = load_model(request.param)
    control, data = load_model(request.param.replace("cnnf-", "cnn-", 1)), model.card["data"]
    images, labels = load_training_tensors(data, "test")
    images, labels = images[:120], labels[:120]
    right = torch.stack([model.predict(images, k, r) == labels for k, r in ((0, "last"), (1, "last"), (1, "average"))])
    known = right.all(0).nonzero()[:N, 0]
    assert len(known) == N
    measure = partial(robustness, model, images[known], labels[known], n_steps=STEPS, seed=0)
    table = measure(attack_of(data), control=control, effort=EFFORT)
    rows = table.set_index(["readout", "step"])
    return measure, {key: part["n_correct"] for key, part in rows.groupby(["attack", "gradient"])}


def test_white_box_is_at_least_as_strong_as_transfer_and_as_no_gradient(attacked):
    _, left = attacked
    own = left["pgd-20", "e2e"].combine(left["pgd-20-smooth", "e2e"], min)
    assert (own <= left["transfer-pgd-7", "transfer"] + NOISE).all()
    assert (own <= left["spsa", "e2e"] + NOISE).all()


def test_more_attack_steps_never_help_the_defender(attacked):
    _, left = attacked
    for gradient in ("first", "e2e"):
        assert (left["pgd-20", gradient] <= left["pgd-7", gradient] + NOISE).all()


def test_accuracy_falls_to_0_as_epsilon_grows(attacked):
    measure, left = attacked
    assert (left["clean", "none"] == N).all()
    table = measure(Attack(0.9, 0.2), effort=Effort(1, 20, 1, 1, 1, 1, 1))
    # Through the surrogate: where a gradient is hidden, the others need not find what is there.
    assert (table["n_correct"][table["attack"] == "pgd-20-smooth"] == 0).all()


@pytest.mark.parametrize("attacked", ["cnnf-cifar10-small"], indirect=True)
def test_where_a_gradient_is_hidden_the_order_of_attacks_shows_it(attacked):
    _, left = attacked
    own, smooth, transfer = (
        left[attack][("last", 1)]
        for attack in (("pgd-20", "e2e"), ("pgd-20-smooth", "e2e"), ("transfer-pgd-7", "transfer"))
    )
    assert own > transfer + NOISE
    assert smooth <= transfer + NOISE
