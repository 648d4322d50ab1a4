"""A compiled model is the same function: an optimiser step through both its parts is that of the plain one."""

import shutil
from dataclasses import replace

import pytest
import torch

from neurocnnf.optimisers import make_optimiser
from neurocnnf.recipes import find_recipe
from neurocnnf.train import train_batch

pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None and shutil.which("clang++") is None, reason="torch.compile needs a C++ compiler"
)


def test_a_compiled_optimiser_step_is_that_of_the_plain_model(awake, some_images):
    # The bench of training holds attacked batches against a transcription; here, the two functions that are compiled.
    recipe = replace(
        find_recipe("cnnf-digits"), feedforward_batches=0, feedback_batches=4, n_steps=1, drawn_batches=0,
        feedback_batch_size=2, reconstructed="blocks",
    )  # fmt: skip
    images, labels = some_images(4), torch.tensor([3, 1, 4, 1])

    def trained(compiled):
        model = awake("cnnf")
        optimiser = make_optimiser(model, recipe)
        seen = [train_batch(model, optimiser, recipe, images, labels, 0, batch, compiled)["loss"] for batch in range(2)]
        assert set(model._compiled) == ({"_sweep", "_again"} if compiled else set())
        return seen, dict(model.named_parameters())

    (losses, weights), (plain_losses, plain) = trained(True), trained(False)
    assert losses == pytest.approx(plain_losses, abs=1.1e-5)  # rounded to five digits
    for name, weight in weights.items():
        torch.testing.assert_close(weight, plain[name], rtol=1e-7, atol=1e-9)
