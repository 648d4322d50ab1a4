"""Losses equal their definitions, and their gradients go only where they should."""

import math

import pytest
import torch

from neurocnnf.losses import reconstruction_error, stepwise_cross_entropy

LOGITS = [[[2.0, 0.0, -1.0], [0.5, 0.5, 0.5]], [[0.0, 3.0, 0.0], [-1.0, 0.0, 4.0]], [[1.0, 1.0, 0.0], [9.0, 0.0, 0.0]]]
LABELS = [1, 2]


def test_cross_entropy_is_the_mean_over_steps_and_images():
    slow = 0.0
    for step in LOGITS:
        for logits, label in zip(step, LABELS, strict=True):
            slow -= math.log(math.exp(logits[label]) / sum(math.exp(v) for v in logits)) / 6
    ours = stepwise_cross_entropy([torch.tensor(step).double() for step in LOGITS], torch.tensor(LABELS))
    assert ours.item() == pytest.approx(slow, rel=1e-12)


def test_every_step_counts_alike():
    steps = [torch.tensor(step).double().requires_grad_() for step in (LOGITS[0], LOGITS[0], LOGITS[1])]
    stepwise_cross_entropy(steps, torch.tensor(LABELS)).backward()
    assert torch.equal(steps[0].grad, steps[1].grad)
    # softmax minus one-hot, over 3 steps and 2 images
    expected = torch.softmax(steps[2].detach(), -1)
    expected[0, 1] -= 1
    expected[1, 2] -= 1
    torch.testing.assert_close(steps[2].grad, expected / 6)


def test_one_step_is_plain_cross_entropy_of_chance():
    assert stepwise_cross_entropy([torch.zeros(4, 10)], torch.arange(4)).item() == pytest.approx(math.log(10))


def test_reconstruction_error_is_the_mean_squared_difference():
    generator = torch.Generator().manual_seed(1)
    feature = torch.randn(2, 3, 4, 4, generator=generator).double()
    reconstructions = [torch.randn(2, 3, 4, 4, generator=generator).double() for _ in range(3)]
    slow = sum(
        (r - f) ** 2
        for one in reconstructions
        for r, f in zip(one.flatten().tolist(), feature.flatten().tolist(), strict=True)
    )
    assert reconstruction_error(reconstructions, feature).item() == pytest.approx(slow / (3 * 96), rel=1e-12)
    assert reconstruction_error([feature, feature], feature).item() == 0


def test_a_relative_error_is_that_over_the_features_mean_square():
    generator = torch.Generator().manual_seed(1)
    feature, reconstruction = torch.randn(2, 2, 3, 4, 4, generator=generator).double()
    slow = (feature - reconstruction).square().sum() / feature.square().sum()
    for scale in (1e-2, 1.0, 1e3):
        error = reconstruction_error([scale * reconstruction], scale * feature, relative=True)
        assert error.item() == pytest.approx(slow.item(), rel=1e-12)
    assert reconstruction_error([torch.zeros_like(feature)] * 2, feature, relative=True).item() == 1


def test_the_feature_is_a_target_and_the_reconstructions_are_moved_towards_it():
    feature = torch.ones(1, 1, 2, 2).requires_grad_()
    reconstruction = torch.full((1, 1, 2, 2), 3.0).requires_grad_()
    reconstruction_error([reconstruction], feature).backward()
    assert feature.grad is None
    assert torch.equal(reconstruction.grad, torch.ones(1, 1, 2, 2))  # 2 (r - f) / 4
