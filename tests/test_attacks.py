"""Attacked images stay near the originals, mislead the model, and leave it as it was."""

import pytest
import torch
import torch.nn.functional as F

from neurocnnf import load_model
from neurocnnf.attacks import pgd
from neurocnnf.train import load_training_tensors

EPSILON = 0.2


@pytest.fixture(scope="module")
def model():
    return load_model("cnnf-digits")


@pytest.fixture(scope="module")
def digits():
    images, labels = load_training_tensors("digits", "test")
    return images[:24], labels[:24]


def attack(model, digits, n_attack_steps=7, seed=1, epsilon=EPSILON, n_steps=0):
    generator = torch.Generator().manual_seed(seed)
    return pgd(
        model, *digits, epsilon=epsilon, step_size=epsilon / 4, n_attack_steps=n_attack_steps, generator=generator,
        n_steps=n_steps,
    )  # fmt: skip


def losses(model, images, labels, n_steps=0):
    with torch.no_grad():
        return F.cross_entropy(model.unroll(images, n_steps).logits[-1], labels, reduction="none")


@pytest.mark.parametrize("n_steps", [0, 2])
def test_attacked_images_lie_within_epsilon_and_in_range(model, digits, n_steps):
    attacked = attack(model, digits, n_steps=n_steps)
    assert attacked.shape == digits[0].shape
    assert not attacked.requires_grad
    assert (attacked - digits[0]).abs().max() <= EPSILON + 1e-6
    assert (attacked.min(), attacked.max()) >= (-1, -1)
    assert attacked.abs().max() <= 1
    assert ((attacked - digits[0]).abs() > 0.99 * EPSILON).float().mean() > 0.2  # it goes to the border where it can


@pytest.mark.parametrize("n_steps", [0, 2])
def test_the_loss_it_climbs_rises_with_more_attack_steps(model, digits, n_steps):
    clean, *climbed = (
        losses(model, images, digits[1], n_steps).mean().item()
        for images in (digits[0], *(attack(model, digits, n, n_steps=n_steps) for n in (1, 7)))
    )
    assert clean < climbed[0] < climbed[1]
    noise = EPSILON * (torch.rand(digits[0].shape, generator=torch.Generator().manual_seed(1)) * 2 - 1).sign()
    assert losses(model, (digits[0] + noise).clamp(-1, 1), digits[1], n_steps).mean() < climbed[1]


def test_one_step_follows_the_gradients_sign(model, digits):
    images, labels = digits
    start = torch.rand(images.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    begun = (images + EPSILON * start).clamp(-1, 1).requires_grad_()
    F.cross_entropy(model.unroll(begun, 0).logits[0], labels).backward()
    low, high = (images - EPSILON).clamp(min=-1), (images + EPSILON).clamp(max=1)
    expected = torch.minimum(torch.maximum(begun.detach() + EPSILON / 4 * begun.grad.sign(), low), high)
    torch.testing.assert_close(attack(model, digits, 1), expected)


def test_weights_and_their_gradients_stay_as_they_were(model, digits):
    before = {name: (p.detach().clone(), p.requires_grad) for name, p in model.named_parameters()}
    model.requires_grad_(True)
    model.zero_grad()
    attack(model, digits, 2, n_steps=1)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name][0])
        assert parameter.requires_grad
        assert parameter.grad is None


def test_the_generator_decides(model, digits):
    state = torch.get_rng_state()
    first, again, other = (attack(model, digits, 2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
