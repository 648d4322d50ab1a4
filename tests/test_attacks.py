"""Attacked images stay near the originals, mislead the model, and leave it as it was."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from neurocnnf import load_model
from neurocnnf.attacks import answer_logits, log_odds_against, margin, pgd, pgd_until_wrong, spsa, spsa_gradient
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


def test_the_loss_is_a_rising_function_of_what_is_climbed():
    logits, labels = torch.randn(50, 10, dtype=torch.float64, generator=generator()) * 3, torch.arange(50) % 10
    odds = log_odds_against(logits, labels)
    torch.testing.assert_close(F.softplus(odds), F.cross_entropy(logits, labels, reduction="none"))


@pytest.mark.parametrize("readout", ["last", "average"])
def test_an_answer_that_is_sure_is_climbed_too(model, digits, readout):
    images, labels = digits
    sure, whole = load_model("cnnf-digits"), model.steps

    def louder(*args, **options):  # the same answers, out of float32's reach for cross-entropy
        for out in whole(*args, **options):
            yield out._replace(logits=out.logits * 1000)

    sure.steps = louder
    begun = images.clone().requires_grad_()
    loss = F.cross_entropy(answer_logits(sure, begun, 1, readout), labels, reduction="sum")
    assert (torch.autograd.grad(loss, begun)[0].flatten(1).abs().amax(1) == 0).float().mean() > 0.5
    logits = answer_logits(model, begun, 1, readout)
    ahead = [row[label] - row[torch.arange(10) != label].max() for row, label in zip(logits, labels, strict=True)]
    (gradient,) = torch.autograd.grad(sum(ahead), begun)
    options = {"epsilon": EPSILON, "step_size": 0.05, "n_attack_steps": 1, "generator": generator(), "n_steps": 1}
    found = pgd(sure, images, labels, readout=readout, start=images, **options)
    assert ((found - (images - 0.05 * gradient.sign()).clamp(-1, 1)).abs() < 1e-6).float().mean() > 0.99


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


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def black_box(model, digits, n_steps=0, readout="last", seed=1):
    return spsa(
        model, *digits, epsilon=EPSILON, step_size=EPSILON / 5, n_attack_steps=6, n_pairs=24,
        generator=generator(seed), n_steps=n_steps, readout=readout,
    )  # fmt: skip


@pytest.mark.parametrize("readout", ["last", "average"])
def test_the_gradient_is_that_of_the_readout_attacked(digits, readout):
    model, images, labels = load_model("cnnf-digits").double(), digits[0].double(), digits[1]
    begun = (images * 0.9).requires_grad_()
    logits = model.unroll(begun, 2).logits
    loss = F.cross_entropy(logits[-1] if readout == "last" else logits.mean(0), labels, reduction="none")
    loss.sum().backward()
    resolved = loss > 1e-10  # where the model is surer, rounding decides the signs of this gradient
    assert resolved.float().mean() > 0.5
    low, high = (images - EPSILON).clamp(min=-1), (images + EPSILON).clamp(max=1)
    expected = torch.minimum(torch.maximum(begun.detach() + 0.05 * begun.grad.sign(), low), high)
    options = {"epsilon": EPSILON, "step_size": 0.05, "n_attack_steps": 1, "generator": generator(), "n_steps": 2}
    found = pgd(model, images, labels, readout=readout, start=begun.detach(), **options)
    torch.testing.assert_close(found[resolved], expected[resolved])


def test_first_goes_through_step_0_only(digits):
    broken = load_model("cnnf-digits")
    broken._again = None  # whoever takes a later step fails
    attack(broken, digits, 2, n_steps=0)
    with pytest.raises(TypeError):
        attack(broken, digits, 2, n_steps=1)


def test_the_readout_is_one_of_two(model, digits):
    with pytest.raises(ValueError, match=r"readout: expected 'last' or 'average', got 'best'"):
        answer_logits(model, digits[0], 1, "best")


def test_climbing_in_stretches_is_climbing_at_once(model, digits):
    options = {"epsilon": EPSILON, "step_size": 0.05, "n_steps": 1}
    half = pgd(model, *digits, n_attack_steps=3, generator=generator(), **options)
    both = pgd(model, *digits, n_attack_steps=2, generator=generator(), start=half, **options)
    torch.testing.assert_close(both, pgd(model, *digits, n_attack_steps=5, generator=generator(), **options))


@pytest.mark.parametrize("readout", ["last", "average"])
def test_resting_once_wrong_changes_no_verdict_of_those_that_stand(digits, readout):
    # In double precision no hard gate flips with the size of the batch.
    model, images, labels = load_model("cnnf-digits").double(), digits[0].double(), digits[1]
    options = {"epsilon": 0.05, "step_size": 0.02, "n_attack_steps": 12, "n_steps": 1, "readout": readout}
    whole = pgd(model, images, labels, generator=generator(), **options)
    rested = pgd_until_wrong(model, images, labels, generator=generator(), stretch=4, **options)
    assert (rested - images).abs().max() <= 0.05 + 1e-6
    standing = answer_logits(model, rested, 1, readout).argmax(-1) == labels
    assert 0 < standing.sum() < len(labels)
    # One loss is the mean over more images than the other; the signs of its gradient are the same.
    torch.testing.assert_close(rested[standing], whole[standing])


@pytest.mark.parametrize(("n_steps", "readout"), [(0, "last"), (1, "last"), (1, "average")])
def test_without_gradients_too_the_answer_gets_worse_within_the_ball(model, digits, n_steps, readout):
    few = digits[0][:4], digits[1][:4]
    attacked = black_box(model, few, n_steps, readout)
    assert (attacked - few[0]).abs().max() <= EPSILON + 1e-6
    assert attacked.abs().max() <= 1
    before, after = (margin(answer_logits(model, seen, n_steps, readout), few[1]) for seen in (few[0], attacked))
    assert (after < before).all()
    assert torch.equal(attacked, black_box(model, few, n_steps, readout))
    assert not torch.equal(attacked, black_box(model, few, n_steps, readout, seed=2))


def test_the_estimated_gradient_is_that_of_a_smooth_function():
    rng = np.random.default_rng(0)
    weights, place = rng.normal(size=(2, 12)), rng.normal(size=12)

    def smooth(x):
        return torch.sin(x @ torch.from_numpy(weights[0])) + 0.5 * (x @ torch.from_numpy(weights[1])) ** 2

    true = np.cos(weights[0] @ place) * weights[0] + (weights[1] @ place) * weights[1]  # by hand
    estimate = spsa_gradient(smooth, torch.from_numpy(place), 4000, generator()).numpy()
    cosine = estimate @ true / np.linalg.norm(estimate) / np.linalg.norm(true)
    assert cosine > 0.99
    assert np.linalg.norm(estimate - true) < 0.1 * np.linalg.norm(true)
    large = np.abs(true) > 0.3 * np.abs(true).max()
    assert (np.sign(estimate) == np.sign(true))[large].all()


def test_the_estimate_takes_all_pairs_in_one_call():
    calls = []

    def function(x):
        calls.append(x.shape)
        return x.flatten(1).sum(1)

    spsa_gradient(function, torch.zeros(1, 3, 3), 7, generator())
    assert calls == [(14, 1, 3, 3)]


def test_the_margin_is_the_distance_to_the_next_best_answer():
    logits, labels = torch.tensor([[1.0, 4.0, 3.0], [5.0, 0.0, 2.0]]), torch.tensor([1, 2])
    assert margin(logits, labels).tolist() == [1.0, -3.0]
