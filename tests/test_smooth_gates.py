"""Smooth gates change gradients, as said, and nothing else."""

from contextlib import nullcontext

import pytest
import torch

from neurocnnf import layers, load_model
from neurocnnf.attacks import pgd
from neurocnnf.smooth_gates import SHARPNESS, smooth_gates
from neurocnnf.train import load_training_tensors


def values(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gradients(function, *inputs):
    inputs = [x.clone().requires_grad_() for x in inputs]
    out = function(*inputs)
    weights = torch.arange(1.0, out.numel() + 1, dtype=torch.float64).view(out.shape)
    return torch.autograd.grad((out * weights).sum(), inputs)


@pytest.mark.parametrize(
    ("name", "smooth", "n_inputs"),
    [
        ("where_positive", lambda x, by: x * torch.sigmoid(SHARPNESS * by), 2),
        ("is_nonzero", lambda x: torch.tanh(SHARPNESS * x.abs()), 1),
        ("_exceeds", lambda x, y: torch.sigmoid(SHARPNESS * (x - y)), 2),
    ],
)
def test_each_gate_is_hard_forward_and_smooth_backward(name, smooth, n_inputs):
    inputs = [values(4, 5, seed=seed) / 3 for seed in range(n_inputs)]
    hard = getattr(layers, name)(*inputs)
    with smooth_gates():
        assert torch.equal(getattr(layers, name)(*inputs), hard)
        found = gradients(getattr(layers, name), *inputs)
    for ours, expected in zip(found, gradients(smooth, *inputs), strict=True):
        torch.testing.assert_close(ours, expected)


def test_the_hard_gate_hides_the_gradient_that_the_smooth_one_shows():
    x, feedback = values(6).abs(), -values(6, seed=1).abs()
    feedback = feedback - x  # of another sign, and after the residual update still: all gates shut
    hard = gradients(lambda x, h: layers.ada_relu(x, h, 0.1), x, feedback)
    with smooth_gates():
        smooth = gradients(lambda x, h: layers.ada_relu(x, h, 0.1), x, feedback)
    shut = layers.ada_relu(x, feedback, 0.1) == 0
    assert shut.any()
    assert all((g[shut] == 0).all() for g in hard)
    assert all((g[shut] != 0).all() for g in smooth)


def test_the_sign_of_a_single_value_gets_the_gradient_of_a_smooth_one():
    x = values(4, 8, 1, 1)
    x = x + x.sign()  # none is near 0
    scale = x.square().mean(1, keepdim=True).sqrt()  # held fixed
    with smooth_gates():
        torch.testing.assert_close(layers.ins_norm(x), x.sign(), rtol=1e-7, atol=0)
        (found,) = gradients(layers.ins_norm, x)
    (expected,) = gradients(lambda x: torch.tanh(x / scale), x)
    torch.testing.assert_close(found, expected)
    (hidden,) = gradients(layers.ins_norm, x)
    assert hidden.abs().max() < 1e-4 * found.abs().max()


def test_maps_are_normalised_with_their_own_gradient():
    (own,) = gradients(layers.ins_norm, values(4, 8, 3, 3))
    with smooth_gates():
        (smooth,) = gradients(layers.ins_norm, values(4, 8, 3, 3))
    assert torch.equal(own, smooth)


def test_the_surrogate_takes_answers_that_the_models_own_gradient_cannot():
    model = load_model("cnnf-cifar10-small")  # whose feedback begins with the sign of a mean
    images = load_training_tensors("digits", "test")[0][:3]
    images = torch.nn.functional.interpolate(images, size=32).expand(-1, 3, -1, -1)
    answers = model.predict(images, 1, "last")  # of digits, whatever it calls them

    def held(context):
        with context:
            attacked = pgd(
                model, images, answers, epsilon=0.063, step_size=0.02, n_attack_steps=10,
                generator=torch.Generator().manual_seed(0), n_steps=1,
            )  # fmt: skip
        return (model.predict(attacked, 1, "last") == answers).sum()

    assert held(smooth_gates()) < held(nullcontext())


def test_answers_stay_and_gradients_of_later_steps_change():
    model = load_model("cnnf-digits").double()
    images = load_training_tensors("digits", "test")[0][:4].double()

    def look(n_steps):
        seen = images.clone().requires_grad_()
        logits = model.unroll(seen, n_steps).logits[-1]
        return logits.detach(), torch.autograd.grad(logits[:, 0].sum(), seen)[0]

    (first, first_gradient), (later, later_gradient) = look(0), look(2)
    with smooth_gates():
        (smooth_first, smooth_first_gradient), (smooth_later, smooth_later_gradient) = look(0), look(2)
    assert torch.equal(first, smooth_first)
    assert torch.equal(later, smooth_later)
    torch.testing.assert_close(first_gradient, smooth_first_gradient)  # the feedforward sweep has ReLUs only
    assert torch.isfinite(smooth_later_gradient).all()
    assert not torch.allclose(later_gradient, smooth_later_gradient)


def test_what_was_exchanged_comes_back_also_after_an_error():
    before = layers.where_positive, layers.is_nonzero, layers._exceeds, layers.ins_norm

    def fail():
        with smooth_gates():
            assert layers.where_positive is not before[0]
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (layers.where_positive, layers.is_nonzero, layers._exceeds, layers.ins_norm) == before
