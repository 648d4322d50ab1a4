"""Predictive coding follows the gradient of the prediction error, as automatic differentiation finds it."""

import pytest
import torch
import torch.nn.functional as F

from neurocnnf import build_model
from neurocnnf.predictive import ERROR, FEEDBACK, FEEDFORWARD, Decoder

# The layers that represent and predict, of the trunks that differ in kind.
CODED = {
    "digits": ("block1", "block2", "block3", "block4"),
    "wrn-16-1": ("stem", *(f"group{i}_block{k}" for i in (1, 2, 3) for k in (1, 2))),
}
TRUNKS = pytest.mark.parametrize("trunk", list(CODED))


def decode(decoder, m):
    """Predict the layer below by one dot product per position: nearest upsampling, then a padded 3×3 window."""
    m = m.repeat_interleave(decoder.scale, 2).repeat_interleave(decoder.scale, 3)
    height, width = m.shape[2:]
    m = F.pad(m, (1, 1, 1, 1))
    windows = [m[:, :, y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return torch.einsum("ntcyx,dct->ndyx", torch.stack(windows, 1), decoder.weight.flatten(2))


def sweep_level(model, name, x):
    return model.levels[name].sweep(x)[0]


def by_hand(model, coded, images, n_steps):
    """Unroll by the update rule, its error term by automatic differentiation; yields layer -> what it represents."""
    m, x = {}, images
    for name in model.layer_names:
        x = m[name] = sweep_level(model, name, x)
    yield m, None
    for _ in range(n_steps):
        before = {name: m[name].detach().requires_grad_() for name in coded}
        below = dict(zip(coded, (images, *(before[name] for name in coded[:-1])), strict=True))
        predicted = {name: decode(model.decoders[name], before[name]) for name in coded}
        x, now, top = images, {}, len(coded) - 1
        for n, name in enumerate(coded):
            error = (predicted[name] - below[name].detach()).square().sum() / model.decoders[name].reach ** 0.5
            (gradient,) = torch.autograd.grad(error, before[name], retain_graph=True)
            weight = 0.0 if n == top else FEEDBACK
            from_above = 0.0 if n == top else predicted[coded[n + 1]]
            now[name] = x = (
                FEEDFORWARD * sweep_level(model, name, x)
                + weight * from_above
                + (1 - FEEDFORWARD - weight) * before[name]
                - ERROR * gradient
            )
        for name in model.layer_names[len(coded) :]:
            x = now[name] = sweep_level(model, name, x)
        m = now
        yield m, predicted


@TRUNKS
def test_every_layer_at_every_step_follows_the_errors_gradient(awake, some_images, trunk):
    model, images = awake("predictive", trunk), some_images(trunk=trunk)
    trajectory = model.unroll(images, 3)
    for step, (layers, _) in enumerate(by_hand(model, CODED[trunk], images, 3)):
        for name, expected in layers.items():
            torch.testing.assert_close(trajectory.activation(name, step), expected, rtol=1e-9, atol=1e-10)


@TRUNKS
def test_the_reconstruction_is_the_prediction_of_the_pixels_from_the_step_before(awake, some_images, trunk):
    model, images, coded = awake("predictive", trunk), some_images(trunk=trunk), CODED[trunk]
    trajectory = model.unroll(images, 2)
    expected = [predicted[coded[0]] for _, predicted in by_hand(model, coded, images, 2) if predicted]
    torch.testing.assert_close(trajectory.reconstructions, torch.stack(expected), rtol=1e-9, atol=1e-10)
    assert torch.equal(trajectory.pixel_reconstructions, trajectory.reconstructions)


@TRUNKS
def test_predictions_bear_the_names_of_what_they_predict(awake, some_images, trunk):
    model, images, coded = awake("predictive", trunk), some_images(trunk=trunk), CODED[trunk]
    _, first = model.steps(images, 1, predictions=True)
    assert tuple(first.predictions) == model.predicted_layers == ("pixels", *coded[:-1])
    (_, predicted) = list(by_hand(model, coded, images, 1))[1]
    for below, above in zip(model.predicted_layers, coded, strict=True):
        torch.testing.assert_close(first.predictions[below], predicted[above], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("scale", [1, 2])
def test_a_units_reach_is_the_number_of_values_that_it_moves(scale):
    decoder = Decoder(3, 5, scale)
    torch.nn.init.uniform_(decoder.weight, 0.1, 1.0)
    unit = torch.zeros(1, 3, 6, 6)
    unit[0, 1, 3, 3] = 1
    assert decoder.reach == int((decoder(unit) != 0).sum())


def test_errors_shrink_along_their_gradient(awake, some_images):
    # What the rule is for: with the drive from below left out, a step lowers the prediction error.
    model = awake("predictive")
    decoder, (first, *_) = model.decoders["block1"], model.steps(some_images(), 0, layers=("block1",))
    m = first.activations["block1"]
    error = decoder(m) - some_images()
    moved = m - ERROR * 2 * decoder.error_gradient(error) / decoder.reach**0.5
    assert (decoder(moved) - some_images()).square().sum() < error.square().sum()


def test_untrained_decoders_predict_nothing(some_images):
    model = build_model("predictive-digits").double()
    assert not model.unroll(some_images(), 1).reconstructions.any()
