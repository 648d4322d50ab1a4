"""Lateral recurrence is its equation, written out unit by unit."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.signal import correlate2d

from neurocnnf import build_model


def convolve(x, weight):
    """Convolve (channel, y, x) with (out, in, 3, 3), zeros beyond the border, channel by channel."""
    return np.stack([sum(correlate2d(c, k, mode="same") for c, k in zip(x, row, strict=True)) for row in weight])


def pool(x):
    return x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2).max((2, 4))


def by_hand(weights, views):
    """Give each layer's output, step by step: y = ReLU(InsNorm(B * below + L * y before) + b)."""
    before, found = {}, []
    for x in views:
        layers = {}
        for block in ("block1", "block2", "block3", "block4"):
            drive = convolve(x, weights[f"levels.{block}.conv.weight"])
            if block in before:
                drive = drive + convolve(before[block], weights[f"lateral.{block}"])
            normed = np.stack([c / np.sqrt((c**2).mean() + 1e-8) for c in drive])
            before[block] = np.maximum(normed + weights[f"levels.{block}.bias"], 0)
            x = layers[block] = pool(before[block]) if block in ("block3", "block4") else before[block]
        x = x.ravel()
        for level in ("fc1", "fc2", "logits"):
            x = weights[f"levels.{level}.linear.weight"] @ x + weights[f"levels.{level}.bias"]
            x = layers[level] = x if level == "logits" else np.maximum(x, 0)
        found.append(layers)
    return found


def test_every_layer_at_every_step_is_the_equation_written_out(awake, some_images):
    model = awake("lateral")
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    trajectory = model.unroll(some_images(2), 2)
    for i, image in enumerate(some_images(2).numpy()):
        for step, layers in enumerate(by_hand(weights, [image] * 3)):
            for name, expected in layers.items():
                ours = trajectory.activation(name, step)[i].detach().numpy()
                np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-10, err_msg=f"{name}, step {step}")


def test_with_other_images_at_each_step_it_is_the_same_equation(awake, some_images):
    model = awake("lateral")
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    views = torch.stack([some_images(1, seed=seed) for seed in range(3)])
    outs = list(model.steps(views, 2, layers=model.layer_names))
    for out, layers in zip(outs, by_hand(weights, views[:, 0].numpy()), strict=True):
        for name, expected in layers.items():
            np.testing.assert_allclose(out.activations[name][0].detach(), expected, rtol=1e-9, atol=1e-10)


def norm(x):
    return x / (x.square().mean((2, 3), keepdim=True) + 1e-8).sqrt()


def wide_resnet_by_hand(weights, images, n_steps):
    """Give each layer's output, step by step: stem and blocks as in a sweep, plus L * ReLU(InsNorm(y before))."""

    def carry(x, name, stride=1):
        weight = weights[f"levels.{name}.weight"]
        return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    def rectify(x, name):
        return torch.relu(norm(x) + weights[f"levels.{name}"])

    before, found = {}, []
    for _ in range(n_steps + 1):
        x, layers = images, {}
        for name in ("stem", *(f"group{i}_block{k}" for i in (1, 2, 3) for k in (1, 2))):
            if name == "stem":
                y = carry(x, "stem.conv")
            else:
                stride = 2 if name in ("group2_block1", "group3_block1") else 1
                entered = rectify(x, f"{name}.bias1")
                inner = rectify(carry(entered, f"{name}.conv1", stride), f"{name}.bias2")
                past = x if stride == 1 else carry(entered, f"{name}.shortcut", stride)
                y = carry(inner, f"{name}.conv2") + past
            if name in before:
                y = y + F.conv2d(torch.relu(norm(before[name])), weights[f"lateral.{name}"], padding=1)
            x = layers[name] = before[name] = y
        layers["pool"] = rectify(x, "pool.bias").mean((2, 3))
        layers["logits"] = layers["pool"] @ weights["levels.logits.linear.weight"].T + weights["levels.logits.bias"]
        found.append(layers)
    return found


def test_a_wide_resnets_stem_and_blocks_see_their_own_last_answer(awake, some_images):
    model, images = awake("lateral", "wrn-16-1"), some_images(2, trunk="wrn-16-1")
    trajectory = model.unroll(images, 2)
    with torch.no_grad():
        expected = wide_resnet_by_hand(model.state_dict(), images, 2)
    for step, layers in enumerate(expected):
        assert tuple(layers) == model.layer_names
        ours = {name: trajectory.activation(name, step).detach() for name in layers}
        torch.testing.assert_close(ours, layers, rtol=1e-9, atol=1e-9)


def test_untrained_it_answers_the_same_at_every_step(some_images):
    model = build_model("lateral-digits").double()
    logits = model.unroll(some_images(), 2).logits
    np.testing.assert_allclose(logits[1:].detach(), logits[:1].expand(2, -1, -1).detach(), rtol=1e-12, atol=1e-12)


def test_each_level_of_convolutions_has_lateral_weights_between_all_its_channels():
    model = build_model("lateral-fashion")
    assert {name: tuple(w.shape) for name, w in model.lateral.items()} == {
        f"block{i}": (width, width, 3, 3) for i, width in enumerate((16, 32, 32, 64), start=1)
    }
    groups = {f"group{i}_block{k}": (width, width, 3, 3) for i, width in ((1, 16), (2, 32), (3, 64)) for k in (1, 2)}
    model = build_model("lateral-wrn-16-1")
    assert {name: tuple(w.shape) for name, w in model.lateral.items()} == {"stem": (16, 16, 3, 3), **groups}
