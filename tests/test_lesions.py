"""Each lesion takes away the property of CNN-F's feedback that it is named after, and what hangs on it alone."""

import pytest
import torch
import torch.nn.functional as F


def transplant(model, donor):
    """Give `model` the donor's weights where it has them."""
    state = model.state_dict()
    model.load_state_dict({**state, **{k: v for k, v in donor.state_dict().items() if k in state}})
    return model


def reconstruction(model, logits, memory):
    return model._feed_back(logits, memory, False)[0]


@pytest.mark.parametrize("level", ["block3.conv", "block4.conv", "fc1.linear", "fc2.linear", "logits.linear"])
def test_a_forward_weight_has_no_part_in_untied_feedback(awake, some_images, level):
    model, tied = awake("untied"), awake("cnnf")
    for each, changes in ((model, False), (tied, True)):
        _, activations, memory = each._sweep(some_images())
        before = reconstruction(each, activations[-1], memory)
        with torch.no_grad():
            each.get_parameter(f"levels.{level}.weight").mul_(1.5).add_(0.1)
        assert torch.equal(before, reconstruction(each, activations[-1], memory)) != changes


@pytest.mark.parametrize("level", ["block3.conv", "block4.conv", "fc1.linear", "fc2.linear", "logits.linear"])
def test_a_backward_weight_shapes_untied_feedback_and_not_the_sweep(awake, some_images, level):
    model = awake("untied")
    before = model.unroll(some_images(), 1)
    logits, reconstructions = before.logits.detach().clone(), before.reconstructions.detach().clone()
    with torch.no_grad():
        model.get_parameter(f"backward_levels.{level}.weight").mul_(1.5).add_(0.1)
    after = model.unroll(some_images(), 1)
    assert torch.equal(after.logits[0], logits[0])
    assert not torch.allclose(after.reconstructions, reconstructions)


def test_untied_with_copies_of_the_forward_weights_is_cnnf(awake, some_images):
    cnnf = awake("cnnf")
    model = transplant(awake("untied"), cnnf)
    for name, weight in model.backward_levels.named_parameters():
        weight.data.copy_(cnnf.levels.get_parameter(name))
    torch.testing.assert_close(
        model.unroll(some_images(), 3).logits, cnnf.unroll(some_images(), 3).logits, rtol=1e-10, atol=1e-10
    )


def test_untied_adds_one_backward_weight_per_level_above_what_is_reconstructed(awake):
    model = awake("untied")
    own = {name for name, _ in model.named_parameters() if not name.startswith("levels.")}
    levels = ("block3.conv", "block4.conv", "fc1.linear", "fc2.linear", "logits.linear")
    assert own == {f"backward_levels.{level}.weight" for level in levels}


def plain_feedback(weights, logits):
    """Walk down from the logits through transposes, norms and even upsampling alone."""
    x = logits
    for level in ("logits", "fc2", "fc1"):
        x = x @ weights[f"levels.{level}.linear.weight"]
    x = x.reshape(-1, 32, 4, 4)
    for block in ("block4", "block3"):
        x = x / (x.square().mean((2, 3), keepdim=True) + 1e-8).sqrt()
        x = x.repeat_interleave(2, 2).repeat_interleave(2, 3) / 4
        x = F.conv_transpose2d(x, weights[f"levels.{block}.conv.weight"], padding=1)
    return x


def test_ungated_is_a_transposed_network_and_a_plain_sweep_from_the_moved_feature(awake, some_images):
    model = awake("ungated")
    weights, trajectory = model.state_dict(), model.unroll(some_images(), 2)
    feature, logits = trajectory.activation("block2", 0), trajectory.logits[0]
    for step in (1, 2):
        expected = plain_feedback(weights, logits)
        torch.testing.assert_close(trajectory.reconstructions[step - 1], expected, rtol=1e-9, atol=1e-10)
        feature = x = feature + 0.1 * (expected - feature)
        for name in model.layer_names[2:]:
            x = model.levels[name].sweep(x)[0]
        logits = x
        torch.testing.assert_close(trajectory.logits[step], logits, rtol=1e-9, atol=1e-10)


def norm(x):
    return x / (x.square().mean((2, 3), keepdim=True) + 1e-8).sqrt()


def plain_feedback_of_a_wide_resnet(weights, logits, lowest):
    """Walk down from the logits: each block's two transposed convolutions and its shortcut's, joined, no gate."""

    def back(x, name, stride=1):
        weight = weights[f"levels.{name}.weight"]
        return F.conv_transpose2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, output_padding=stride - 1)

    x = norm((logits @ weights["levels.logits.linear.weight"])[..., None, None].expand(-1, -1, 8, 8))
    blocks = [f"group{i}_block{k}" for i in (1, 2, 3) for k in (1, 2)]
    for name in reversed(blocks[lowest:]):
        stride = 2 if name in ("group2_block1", "group3_block1") else 1
        below = norm(back(norm(back(x, f"{name}.conv2")), f"{name}.conv1", stride))
        x = below + (x if stride == 1 else back(x, f"{name}.shortcut", stride))
    return x if lowest else back(x, "stem.conv")


@pytest.mark.parametrize("feedback_to", [0, 1, 2])
def test_ungated_feedback_of_a_wide_resnet_is_a_transposed_network_too(awake, some_images, feedback_to):
    model = awake("ungated", "wrn-16-1", feedback_to=feedback_to)
    images, weights = some_images(2, trunk="wrn-16-1"), model.state_dict()
    trajectory = model.unroll(images, 2)
    feature = images if feedback_to == 0 else trajectory.activation(model.reconstructed_layer, 0)
    logits = trajectory.logits[0]
    for step in (1, 2):
        expected = plain_feedback_of_a_wide_resnet(weights, logits, feedback_to)
        torch.testing.assert_close(trajectory.reconstructions[step - 1], expected, rtol=1e-9, atol=1e-9)
        feature = x = feature + 0.1 * (expected - feature)
        for name in model.layer_names[0 if feedback_to == 0 else feedback_to + 1 :]:
            x = model.levels[name].sweep(x)[0]
        logits = x
        torch.testing.assert_close(trajectory.logits[step], logits, rtol=1e-9, atol=1e-9)


def test_shuffled_feedback_is_the_neighbours(awake, some_images):
    cnnf, images = awake("cnnf"), some_images()
    model = transplant(awake("shuffled"), cnnf)
    ours, theirs = model.unroll(images, 1), cnnf.unroll(images, 1)
    expected = theirs.reconstructions[0][[3, 0, 1, 2]]
    torch.testing.assert_close(ours.reconstructions[0], expected, rtol=1e-10, atol=1e-10)
    moved = torch.lerp(theirs.activation("block2", 0), expected, 0.1)
    torch.testing.assert_close(ours.activation("block2", 1), moved, rtol=1e-10, atol=1e-10)


def test_shuffled_among_copies_of_one_image_is_cnnf(awake, some_images):
    cnnf, copies = awake("cnnf"), some_images(1).repeat(3, 1, 1, 1)
    model = transplant(awake("shuffled"), cnnf)
    torch.testing.assert_close(model.unroll(copies, 3).logits, cnnf.unroll(copies, 3).logits, rtol=1e-10, atol=1e-10)


def test_shuffled_feedback_needs_another_image(awake, some_images):
    model = awake("shuffled")
    with pytest.raises(ValueError, match=r"shuffled-digits: expected at least 2 images in a chunk.* got 1\. Pass more"):
        model.unroll(some_images(1), 1)
    assert model.unroll(some_images(1), 0).logits.shape == (1, 1, 10)
