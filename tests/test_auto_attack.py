"""AutoAttack stays in the ball, aims at the answer it is told, and leaves model and random state as they were."""

import numpy as np
import pytest
import torch
from torch import nn

from neurocnnf import load_model
from neurocnnf.attacks import answer_logits
from neurocnnf.auto_attack import auto_attack
from neurocnnf.train import load_training_tensors
from neurocnnf.unrolled import StepOutput

SMALL = 0.02  # some answers fall, others stand


@pytest.fixture(scope="module")
def digits():
    images, labels = load_training_tensors("digits", "test")
    return images[:30], labels[:30]


def attack(model, digits, epsilon=SMALL, n_steps=1, readout="last", seed=0, n_iterations=15, n_queries=5):
    return auto_attack(
        model, *digits, epsilon=epsilon, n_iterations=n_iterations, n_queries=n_queries, n_steps=n_steps,
        readout=readout, generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip


def right(model, images, labels, n_steps, readout):
    with torch.no_grad():
        return answer_logits(model, images, n_steps, readout).argmax(-1) == labels


def test_answers_fall_as_the_radius_grows(digits):
    model = load_model("cnnf-digits")
    left = []
    for epsilon in (0, 0.1, 0.3):
        attacked = attack(model, digits, epsilon)
        assert (attacked - digits[0]).abs().max() <= epsilon + 1e-6
        assert attacked.abs().max() <= 1
        left.append(right(model, attacked, digits[1], 1, "last").sum().item())
    assert left[0] >= 29
    assert left[0] > left[1] > left[2] == 0


@pytest.mark.parametrize(("n_steps", "readout"), [(0, "last"), (2, "last"), (2, "average")])
def test_it_is_the_answer_told_that_falls(digits, n_steps, readout):
    model = load_model("cnnf-digits")
    attacked = attack(model, digits, n_steps=n_steps, readout=readout)
    stood, stands = (right(model, images, digits[1], n_steps, readout) for images in (digits[0], attacked))
    assert 0 < stands.sum() < stood.sum()
    # Where the answer told stands, the image is what it was: what was found of another answer would have moved it.
    moved = (attacked != digits[0]).flatten(1).any(1)
    assert torch.equal(moved, stood & ~stands)


class Linear(nn.Module):
    """Two classes, by the sign of w · x: the least radius that turns an answer is |w · x| / |w|₁."""

    dtype, device = torch.float32, torch.device("cpu")

    def __init__(self, weight, sureness=1.0, see=lambda images: images):
        super().__init__()
        self.weight, self.sureness, self.see = nn.Parameter(weight), sureness, see

    def steps(self, images, n_steps, **_):
        score = self.sureness * self.see(images).flatten(1) @ self.weight
        # More than two classes, as the difference of logits ratio needs; the others are never the answer.
        others = torch.full((len(images), 2), -50.0 * self.sureness)
        yield StepOutput(0, torch.cat([torch.stack([score, -score], 1), others], 1), None, {})


def linear_task():
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(64, generator=generator)
    images = torch.rand((20, 1, 8, 8), generator=generator) - 0.5
    score = images.flatten(1) @ weight
    return weight, images, (score < 0).long(), score.abs() / weight.abs().sum()


# As sure as that, cross-entropy is 0 and has no gradient: what turns the answers then is the other loss.
@pytest.mark.parametrize("sureness", [1.0, 1e4])
def test_a_linear_models_answers_fall_just_beyond_their_known_distance(sureness):
    weight, images, labels, distance = linear_task()
    model, epsilon = Linear(weight, sureness), float(distance.median())
    attacked = attack(model, (images, labels), epsilon, n_steps=0, n_iterations=40, n_queries=1)
    wrong = ~right(model, attacked, labels, 0, "last")
    far, near = distance > epsilon * 1.02, distance < epsilon * 0.98
    assert wrong[near].all()
    assert not wrong[far].any()


def test_what_hides_its_gradient_is_found_by_queries():
    weight, images, labels, distance = linear_task()
    model = Linear(weight, see=lambda seen: (seen * 64).round() / 64)  # flat but for jumps
    epsilon, turned = 6 * float(distance.median()), {}
    for n_queries in (1, 60):
        attacked = attack(model, (images, labels), epsilon, n_steps=0, n_queries=n_queries)
        turned[n_queries] = int((~right(model, attacked, labels, 0, "last")).sum())
    assert turned[60] >= 15
    assert turned[60] > turned[1]


def test_the_generator_decides_and_nothing_else_changes(digits):
    model = load_model("cnnf-digits").train()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    numpys, torchs = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    weights = [p.clone() for p in model.parameters()]
    with torch.no_grad():  # as an evaluation may be run
        first, again, other = (attack(model, digits, 0.1, seed=seed, n_iterations=5) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert np.array_equal(np.random.get_state()[1], numpys)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torchs)
    assert model.training
    for parameter, kept in zip(model.parameters(), weights, strict=True):
        assert torch.equal(parameter, kept)
        assert parameter.requires_grad
        assert torch.equal(parameter.grad, torch.ones_like(parameter))


def test_no_room_to_move_changes_nothing(digits):
    assert torch.equal(attack(load_model("cnn-digits"), digits, 0.0, n_steps=0), digits[0])
