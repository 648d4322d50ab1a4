"""A trajectory gives any layer at any step as the steps themselves gave it, and notices changed weights."""

import pytest
import torch
import torch.nn.functional as F

from neurocnnf import build_model


@pytest.fixture
def model():
    return build_model("cnnf-digits", seed=3).double()


@pytest.fixture
def images():
    return torch.rand((5, 1, 16, 16), generator=torch.Generator().manual_seed(1)).double() * 2 - 1


def test_every_layer_at_every_step_is_what_the_steps_gave(model, images):
    outs = list(model.steps(images, 2, layers=model.layer_names))
    trajectory = model.unroll(images, 2)
    for out in outs:
        for layer, activation in out.activations.items():
            assert torch.equal(trajectory.activation(layer, out.step), activation)


def test_the_last_layer_is_the_logits(model, images):
    trajectory = model.unroll(images, 2)
    stacked = torch.stack([trajectory.activation("logits", step) for step in range(3)])
    assert torch.equal(stacked, trajectory.logits)


def test_reconstructions_are_made_one_step_after_their_index(model, images):
    trajectory = model.unroll(images, 3)
    outs = list(model.steps(images, 3))
    assert trajectory.n_steps == 3
    assert trajectory.reconstructions.shape == (3, 5, 16, 16, 16)
    for k, reconstruction in enumerate(trajectory.reconstructions):
        assert torch.equal(reconstruction, outs[k + 1].reconstruction)
    assert outs[0].reconstruction is None
    assert not torch.equal(trajectory.reconstructions[0], trajectory.reconstructions[1])


def test_pixel_reconstructions_walk_down_with_the_gates_of_the_sweep():
    model = build_model("cnnf-digits", feedback_to=1, seed=3).double()
    images = torch.rand((2, 1, 16, 16), generator=torch.Generator().manual_seed(1)).double() * 2 - 1
    trajectory = model.unroll(images, 2)
    weight = model.levels["block1"].conv.weight
    open_gates = F.conv2d(images, weight, padding=1) > 0  # fresh biases are zero; InsNorm keeps the sign
    for reconstruction, pixels in zip(trajectory.reconstructions, trajectory.pixel_reconstructions, strict=True):
        normed = reconstruction / (reconstruction.square().mean((2, 3), keepdim=True) + 1e-8).sqrt()
        expected = F.conv_transpose2d(normed * open_gates, weight, padding=1)
        torch.testing.assert_close(pixels, expected, rtol=1e-10, atol=1e-10)


def test_pixel_reconstructions_of_a_model_that_reconstructs_pixels_are_its_reconstructions(images):
    trajectory = build_model("cnnf-digits", feedback_to=0).double().unroll(images, 2)
    assert torch.equal(trajectory.pixel_reconstructions, trajectory.reconstructions)


def test_pixel_reconstructions_come_down_from_any_level(model, images):
    assert model.unroll(images, 2).pixel_reconstructions.shape == (2, 5, 1, 16, 16)


def test_gradients_are_kept_exactly_where_the_answers_have_them(model, images):
    with torch.no_grad():
        without = model.unroll(images, 1)
    assert not without.activation("fc1", 1).requires_grad  # even if it is read where gradients are on
    assert not without.pixel_reconstructions.requires_grad
    with_ = model.unroll(images, 1)
    with torch.no_grad():
        assert with_.activation("fc1", 1).requires_grad
        assert with_.reconstructions.requires_grad


def test_gradients_through_an_activation_equal_finite_differences(model, images):
    centre = (0.9 * images[:1]).requires_grad_()
    direction = torch.randn(centre.shape, generator=torch.Generator().manual_seed(2)).double()

    def response(image):
        return model.unroll(image, 2).activation("fc1", 2).sum()

    (gradient,) = torch.autograd.grad(response(centre), centre)
    with torch.no_grad():
        slope = (response(centre + 1e-7 * direction) - response(centre - 1e-7 * direction)) / 2e-7
    assert (gradient * direction).sum().item() == pytest.approx(slope.item(), rel=1e-4)


def test_changed_weights_are_noticed(model, images):
    trajectory = model.unroll(images, 1)
    with torch.no_grad():
        model.levels["fc1"].bias.add_(1)
    with pytest.raises(RuntimeError, match=r"Trajectory: expected the weights .* got changed ones. Unroll again."):
        trajectory.activation("fc1", 1)
    with pytest.raises(RuntimeError, match="Unroll again"):
        _ = trajectory.reconstructions


@pytest.mark.parametrize("step", [-1, 3, 0.5])
def test_a_step_that_was_not_taken_is_refused(model, images, step):
    with pytest.raises(ValueError, match=rf"step: expected 0 to 2, got {step}. Unroll for more steps."):
        model.unroll(images, 2).activation("fc1", step)


def test_a_layer_that_is_not_there_is_refused(model, images):
    with pytest.raises(ValueError, match=r"layer: expected one of block1, .*, logits for cnnf-digits, got 'V4'."):
        model.unroll(images, 2).activation("V4", 1)


def test_there_is_no_reconstruction_without_feedback(model, images):
    with pytest.raises(ValueError, match=r"reconstructions: expected n_steps >= 1, got 0. Unroll with feedback first."):
        _ = model.unroll(images, 0).reconstructions


def test_a_model_without_feedback_has_no_reconstructions(images):
    trajectory = build_model("lateral-digits", seed=3).double().unroll(images, 1)
    with pytest.raises(ValueError, match="expected a model with feedback, got lateral-digits"):
        _ = trajectory.reconstructions
