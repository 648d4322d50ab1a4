"""A compiled model is the same function: answers, attacks and optimiser steps agree with those of the plain one."""

import shutil
from dataclasses import replace

import pytest
import torch

from neurocnnf import build_model, load_model
from neurocnnf.attacks import answer_logits
from neurocnnf.optimisers import make_optimiser
from neurocnnf.recipes import Attack, find_recipe
from neurocnnf.train import load_training_tensors, train_batch

pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None and shutil.which("clang++") is None, reason="torch.compile needs a C++ compiler"
)
CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def digits(n):
    images, labels = load_training_tensors("digits", "test")
    return images[:n].double(), labels[:n]


def test_a_compiled_model_has_the_answers_and_the_gradient_of_the_plain_one():
    model, (images, _) = load_model("cnnf-digits").double(), digits(3)

    def look(compiled):
        seen = images.clone().requires_grad_()
        logits = answer_logits(model, seen, 2, "average", compiled=compiled)
        return logits.detach(), torch.autograd.grad(logits[:, 1].sum(), seen)[0]

    for ours, theirs in zip(look(True), look(False), strict=True):
        torch.testing.assert_close(ours, theirs, **CLOSE)


def test_a_compiled_optimiser_step_on_attacked_images_is_that_of_the_plain_model():
    recipe = replace(
        find_recipe("cnnf-digits"), feedforward_batches=0, feedback_batches=4, n_steps=1, drawn_batches=0,
        feedback_batch_size=4, reconstructed="blocks", attack=Attack(0.1, 0.04, 2),
    )  # fmt: skip
    images, labels = digits(8)

    def trained(compiled):
        model = build_model("cnnf-digits", seed=2).double()
        optimiser = make_optimiser(model, recipe)
        seen = [train_batch(model, optimiser, recipe, images, labels, 0, batch, compiled)["loss"] for batch in range(2)]
        return seen, dict(model.named_parameters())

    (losses, weights), (plain_losses, plain) = trained(True), trained(False)
    assert losses == plain_losses
    for name, weight in weights.items():
        torch.testing.assert_close(weight, plain[name], rtol=1e-7, atol=1e-9)
