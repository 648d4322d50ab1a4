"""A module of the user's own, described in a few lines."""

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import load_benchmark
from benchmarks.brainscore import BrainModelAdapter
from benchmarks.own_model import OwnModel
from benchmarks.simulated import digits_stimuli
from neurocnnf.record import prepare


class Looped(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.block = nn.Conv2d(1, 6, 3, stride=2), nn.Conv2d(6, 6, 3, padding=1)

    def unroll(self, images, n_steps):
        x = state = torch.relu(self.stem(images))
        steps = []
        for _ in range(n_steps + 1):
            state = torch.relu(x + self.block(state))
            steps.append({"stem": x, "block": state})
        return steps


@pytest.fixture(scope="module")
def mine():
    net = Looped()
    return OwnModel(net, net.unroll, name="mine", image_size=16, channels=1)


def test_its_layers_at_each_step_are_recorded_whatever_the_number_of_images(mine):
    stimuli = digits_stimuli(40)
    found = mine.each_layer(stimuli, ["block"], 3)["block"]
    with torch.no_grad():
        expected = mine.module.unroll(prepare(stimuli.images[:], mine), 3)
    np.testing.assert_allclose(found, np.stack([step["block"].flatten(1) for step in expected]), atol=1e-5)
    assert mine.layer_names == ("stem", "block")


def test_its_true_layer_and_step_are_found_by_our_benchmark_and_brain_score_can_have_it(mine):
    score = load_benchmark("simulated.V4-ridge", quick=True)(mine, n_steps=2)
    best = score.per_step.groupby(["layer", "step"])["raw"].mean().idxmax()
    assert best == ("block", 1)
    adapter = BrainModelAdapter(mine, n_steps=2)
    assert adapter.regions["IT"] == "block"
    assert adapter.identifier.startswith("mine-")


def test_a_function_that_gives_the_wrong_steps_is_refused():
    net = Looped()
    with pytest.raises(ValueError, match="unroll of 'short': expected 2 steps with the same layers, got 1"):
        OwnModel(net, lambda images, n_steps: net.unroll(images, 0), name="short", image_size=16, channels=1)
