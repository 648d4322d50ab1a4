"""Whole stacks equal a second CNN-F, written from the equations with torch's own pooling and state in its modules."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from neurocnnf import build_model

N_STEPS = 3


def norm(x):
    return x / torch.sqrt((x**2).mean(dim=(-2, -1), keepdim=True) + 1e-8)


class AdaReLU:
    h = None

    def forward(self, x, rate):
        if self.h is None:
            self.m = (x > 0).to(x)
        else:
            x = x + rate * (self.h - x)
            self.m = (x * self.h > 0).to(x)
        return x * self.m

    def feedback(self, g):
        self.h = g
        return g * self.m


class AdaPool:
    p = sign = None

    def forward(self, x):
        largest, self.at_largest = F.max_pool2d(x, 2, return_indices=True)
        smallest, self.at_smallest = F.max_pool2d(-x, 2, return_indices=True)
        if self.p is None:
            return largest
        self.sign = self.p.sign()
        return largest * (self.sign > 0) - smallest * (self.sign < 0)

    def feedback(self, g):
        self.p = g
        if self.sign is None:
            return F.max_unpool2d(g, self.at_largest, 2)
        upper = F.max_unpool2d(g * (self.sign > 0), self.at_largest, 2)
        return upper + F.max_unpool2d(g * (self.sign < 0), self.at_smallest, 2)


class Conv:
    def __init__(self, weight, bias, pool):
        self.weight, self.bias, self.relu, self.pool = weight, bias, AdaReLU(), AdaPool() if pool else None

    def forward(self, x, rate):
        x = self.relu.forward(norm(F.conv2d(x, self.weight, padding=1)) + self.bias, rate)
        return self.pool.forward(x) if self.pool else x

    def feedback(self, g):
        g = norm(g)
        g = self.relu.feedback(self.pool.feedback(g) if self.pool else g)
        return F.conv_transpose2d(g, self.weight, padding=1)


class Linear:
    def __init__(self, weight, bias, relu):
        self.weight, self.bias, self.relu = weight, bias, AdaReLU() if relu else None

    def forward(self, x, rate):
        self.shape = x.shape
        x = F.linear(x.flatten(1), self.weight, self.bias)
        return self.relu.forward(x, rate) if self.relu else x

    def feedback(self, g):
        return ((self.relu.feedback(g) if self.relu else g) @ self.weight).reshape(self.shape)


class Stem:
    def __init__(self, weight):
        self.weight = weight

    def forward(self, x, rate):
        return F.conv2d(x, self.weight, padding=1)

    def feedback(self, g):
        return F.conv_transpose2d(g, self.weight, padding=1)


class Residual:
    def __init__(self, weights, stride):
        self.w, self.stride = SimpleNamespace(**weights), stride
        self.relu1, self.relu2 = AdaReLU(), AdaReLU()

    def forward(self, x, rate):
        y = self.relu1.forward(norm(x) + self.w.bias1, rate)
        shortcut = F.conv2d(y, self.w.shortcut, stride=self.stride) if hasattr(self.w, "shortcut") else x
        y = F.conv2d(y, self.w.conv1, stride=self.stride, padding=1)
        return shortcut + F.conv2d(self.relu2.forward(norm(y) + self.w.bias2, rate), self.w.conv2, padding=1)

    def feedback(self, g):
        below = self.relu2.feedback(norm(F.conv_transpose2d(g, self.w.conv2, padding=1)))
        more = self.stride - 1
        below = norm(F.conv_transpose2d(below, self.w.conv1, stride=self.stride, padding=1, output_padding=more))
        if not hasattr(self.w, "shortcut"):
            return self.relu1.feedback(below) + g
        joined = F.conv_transpose2d(g, self.w.shortcut, stride=self.stride, output_padding=more)
        return self.relu1.feedback(below + joined)


class Average:
    def __init__(self, bias):
        self.bias, self.relu = bias, AdaReLU()

    def forward(self, x, rate):
        return F.avg_pool2d(self.relu.forward(norm(x) + self.bias, rate), 8).flatten(1)

    def feedback(self, g):
        return self.relu.feedback(norm(F.interpolate(g[..., None, None], scale_factor=8, mode="nearest")))


def second_stack(model):
    """Build the levels anew from the weights alone."""
    weights = {}
    for name, value in model.state_dict().items():
        _, level, what = name.split(".", 2)
        weights.setdefault(level, {})[what.split(".")[0]] = value
    for level, w in weights.items():
        if level == "stem":
            yield Stem(w["conv"])
        elif level == "pool":
            yield Average(w["bias"])
        elif level.startswith("block"):
            yield Conv(w["conv"], w["bias"], pool=level in ("block3", "block4"))
        elif level.startswith("group"):
            yield Residual(w, stride=2 if level in ("group2_block1", "group3_block1") else 1)
        else:
            yield Linear(w["linear"], w["bias"], relu=level != "logits")


def run(model, images, n_steps):
    """Yield (reconstruction, activations at and above its level) of every step; images may be each step's own."""
    levels, first, rate = list(second_stack(model)), model._first, model.feedback_rate
    swept = []
    for x in images if images.ndim == 5 else [images] * (n_steps + 1):
        for level in list(second_stack(model))[:first]:
            x = level.forward(x, rate)
        swept.append(x)
    reconstruction, added, levels = None, 0, levels[first:]
    for step, bottom_up in enumerate(swept):
        feature = bottom_up + added
        if step:
            for level in reversed(levels):
                x = level.feedback(x)
            reconstruction, feature = x, feature + rate * (x - feature)
        added = feature - bottom_up
        x, activations = feature, []
        for level in levels:
            x = level.forward(x, rate)
            activations.append(x)
        yield reconstruction, [feature, *activations] if first else activations


def model_with_biases(trunk, feedback_to, rate):
    model = build_model(f"cnnf-{trunk}", feedback_to=feedback_to, feedback_rate=rate, seed=3).double()
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "bias" in name:  # fresh biases are zero, and would hide where they are added
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    size = (2, model.channels, model.image_size, model.image_size)
    return model, torch.rand(size, generator=generator, dtype=torch.float64) * 2 - 1


@pytest.mark.parametrize("rate", [0.0, 0.1, 1.0])
@pytest.mark.parametrize(
    ("trunk", "feedback_to"),
    [("digits", 0), ("digits", 1), ("digits", 2), ("wrn-16-1", 0), ("wrn-16-1", 1), ("wrn-16-1", 2)],
)
@pytest.mark.parametrize("moving", [False, True])
def test_every_level_at_every_step_equals_the_equations(trunk, feedback_to, rate, moving):
    model, images = model_with_biases(trunk, feedback_to, rate)
    if moving:
        images = torch.stack([images.roll(3 * step, -1) * (1 - 0.2 * step) for step in range(N_STEPS + 1)])
    with torch.no_grad():
        ours = list(model.steps(images, N_STEPS, layers=model.layer_names))
        seen = list(run(model, images, N_STEPS))
    for out, (reconstruction, activations) in zip(ours, seen, strict=True):
        torch.testing.assert_close(
            [out.activations[n] for n in model.feedback_layers], activations, rtol=1e-10, atol=1e-10
        )
        if out.step:
            torch.testing.assert_close(out.reconstruction, reconstruction, rtol=1e-10, atol=1e-10)
    change = (ours[0].logits - ours[-1].logits).abs().max()
    assert change > 1e-3  # or later steps would prove nothing
