"""AutoAttack stays in the ball, aims at the answer it is told, and leaves model and random state as they were."""

import numpy as np
import pytest
import torch
from torch import nn

from neurocnnf import load_model
from neurocnnf.attacks import answer_logits
from neurocnnf.auto_attack import auto_attack
from neurocnnf.train import load_training_tensors

EPSILON = 0.25


@pytest.fixture(scope="module")
def digits():
    images, labels = load_training_tensors("digits", "test")
    return images[:12], labels[:12]


def attack(model, digits, epsilon=EPSILON, n_steps=1, readout="last", seed=0, n_iterations=15, n_queries=15):
    return auto_attack(
        model, *digits, epsilon=epsilon, n_iterations=n_iterations, n_queries=n_queries, n_steps=n_steps,
        readout=readout, generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip


@pytest.mark.parametrize(("n_steps", "readout"), [(0, "last"), (1, "last"), (2, "average")])
def test_answers_fall_within_the_ball(digits, n_steps, readout):
    model = load_model("cnnf-digits")
    attacked = attack(model, digits, n_steps=n_steps, readout=readout)
    assert (attacked - digits[0]).abs().max() <= EPSILON + 1e-6
    assert attacked.abs().max() <= 1
    with torch.no_grad():
        right = [answer_logits(model, x, n_steps, readout).argmax(-1) == digits[1] for x in (digits[0], attacked)]
    assert right[0].sum() >= 11
    assert right[1].sum() <= 6
    # Where an answer stands, the image stays what it was: nothing was found.
    assert torch.equal(attacked[right[1]], digits[0][right[1]])


class Linear(nn.Module):
    """Two classes, by the sign of w · x: the least radius that turns an answer is |w · x| / |w|₁."""

    dtype, device = torch.float32, torch.device("cpu")

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def steps(self, images, n_steps, **_):
        from neurocnnf.unrolled import StepOutput

        score = images.flatten(1) @ self.weight
        # More than two classes, as the difference of logits ratio needs; the others are never the answer.
        others = torch.full((len(images), 2), -50.0)
        yield StepOutput(0, torch.cat([torch.stack([score, -score], 1), others], 1), None, {})


def test_a_linear_models_answers_fall_just_beyond_their_known_distance():
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(64, generator=generator)
    images = torch.rand((20, 1, 8, 8), generator=generator) - 0.5
    score = images.flatten(1) @ weight
    labels = (score < 0).long()
    distance = score.abs() / weight.abs().sum()
    model, epsilon = Linear(weight), float(distance.median())
    attacked = attack(model, (images, labels), epsilon, n_steps=0, n_iterations=40)
    wrong = answer_logits(model, attacked, 0, "last").argmax(-1) != labels
    far, near = distance > epsilon * 1.02, distance < epsilon * 0.98
    assert wrong[near].all()
    assert not wrong[far].any()


def test_the_generator_decides_and_nothing_else_changes(digits):
    model = load_model("cnnf-digits")
    before, weights = np.random.get_state()[1].copy(), [p.clone() for p in model.parameters()]  # noqa: NPY002
    first, again, other = (attack(model, digits, 0.1, seed=seed, n_iterations=5, n_queries=5) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    for parameter, kept in zip(model.parameters(), weights, strict=True):
        assert torch.equal(parameter, kept)
        assert parameter.requires_grad
        assert parameter.grad is None


def test_no_room_to_move_changes_nothing(digits):
    assert torch.equal(attack(load_model("cnn-digits"), digits, 0.0, n_steps=0), digits[0])
