"""Each operation equals its equation, written out element by element in plain Python."""

import itertools

import numpy as np
import pytest
import torch

from neurocnnf import layers
from neurocnnf.layers import TiedConv2d, TiedLinear

RATE = 0.1


def uniform(*shape, seed=0, low=-1.0):
    return np.random.default_rng(seed).uniform(low, 1, shape)


def tensor(array):
    return torch.from_numpy(np.array(array, dtype=np.float64))


def same(ours, slow, **tolerance):
    torch.testing.assert_close(ours.detach(), tensor(slow), **{"rtol": 1e-12, "atol": 1e-12, **tolerance})


def slow_conv(x, weight, stride):
    n, _, height, width = x.shape
    n_out, n_in, kernel, _ = weight.shape
    out = np.zeros((n, n_out, -(-height // stride), -(-width // stride)))
    for i, o, y, z in np.ndindex(out.shape):
        for c, ky, kz in np.ndindex(n_in, kernel, kernel):
            at_y, at_z = y * stride + ky - kernel // 2, z * stride + kz - kernel // 2
            if 0 <= at_y < height and 0 <= at_z < width:
                out[i, o, y, z] += weight[o, c, ky, kz] * x[i, c, at_y, at_z]
    return out


def slow_transposed_conv(g, weight, stride):
    # Walk the same pairs of pixels as the convolution, and let values flow the other way.
    n, _, height, width = g.shape
    _, n_in, kernel, _ = weight.shape
    out = np.zeros((n, n_in, height * stride, width * stride))
    for i, o, y, z in np.ndindex(g.shape):
        for c, ky, kz in np.ndindex(n_in, kernel, kernel):
            at_y, at_z = y * stride + ky - kernel // 2, z * stride + kz - kernel // 2
            if 0 <= at_y < out.shape[2] and 0 <= at_z < out.shape[3]:
                out[i, c, at_y, at_z] += weight[o, c, ky, kz] * g[i, o, y, z]
    return out


class SlowAdaReLU:
    """x·m, with what it remembers between steps; one number at a time."""

    def forward(self, x, rate):
        if not hasattr(self, "h"):
            self.m = np.array([float(v > 0) for v in x.flat]).reshape(x.shape)
            return x * self.m
        x = np.array([v + rate * (h - v) for v, h in zip(x.flat, self.h.flat, strict=True)]).reshape(x.shape)
        self.m = np.array([float(v * h > 0) for v, h in zip(x.flat, self.h.flat, strict=True)]).reshape(x.shape)
        return x * self.m

    def feedback(self, g):
        self.h = g
        return g * self.m


class SlowAdaPool:
    """2×2 AdaPool, one window at a time: positions of the maximum and minimum, and the last signs."""

    def forward(self, x):
        n, channels, height, width = x.shape
        out = np.zeros((n, channels, height // 2, width // 2))
        self.at_max, self.at_min, self.sign = {}, {}, None if not hasattr(self, "p") else np.sign(self.p)
        for window in np.ndindex(out.shape):
            i, c, y, z = window
            cells = [(i, c, 2 * y + dy, 2 * z + dz) for dy, dz in itertools.product((0, 1), repeat=2)]
            self.at_max[window] = max(cells, key=lambda cell: x[cell])  # Python's max and min take the first of equals
            self.at_min[window] = min(cells, key=lambda cell: x[cell])
            if self.sign is None or self.sign[window] > 0:
                out[window] = x[self.at_max[window]]
            elif self.sign[window] < 0:
                out[window] = x[self.at_min[window]]
        return out

    def feedback(self, g):
        self.p = g
        n, channels, height, width = g.shape
        out = np.zeros((n, channels, 2 * height, 2 * width))
        for window in np.ndindex(g.shape):
            if self.sign is None or self.sign[window] > 0:
                out[self.at_max[window]] = g[window]
            elif self.sign[window] < 0:
                out[self.at_min[window]] = g[window]
        return out


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3])
def test_convolution_in_both_directions(kernel, stride):
    conv = TiedConv2d(3, 2, kernel, stride, torch.Generator().manual_seed(1)).double()
    weight = conv.weight.detach().numpy()
    x, g = uniform(2, 3, 6, 4), uniform(2, 2, 6 // stride, 4 // stride, seed=1)
    same(conv(tensor(x)), slow_conv(x, weight, stride))
    same(conv.feedback(tensor(g)), slow_transposed_conv(g, weight, stride))


def test_linear_in_both_directions():
    linear = TiedLinear(5, 3, torch.Generator().manual_seed(1)).double()
    weight = linear.weight.detach().numpy()
    x, g = uniform(2, 5), uniform(2, 3, seed=1)
    same(linear(tensor(x)), [[sum(weight[o, c] * v[c] for c in range(5)) for o in range(3)] for v in x])
    same(linear.feedback(tensor(g)), [[sum(weight[o, c] * v[o] for o in range(3)) for c in range(5)] for v in g])


@pytest.mark.parametrize(
    ("layer", "x", "g"),
    [
        (lambda generator: TiedConv2d(3, 2, 3, 2, generator), (1, 3, 4, 4), (1, 2, 2, 2)),
        (lambda generator: TiedLinear(5, 3, generator), (1, 5), (1, 3)),
    ],
)
def test_one_parameter_serves_both_directions(layer, x, g):
    layer = layer(torch.Generator().manual_seed(1))
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    x, g = torch.ones(x), torch.ones(g)
    before = layer(x), layer.feedback(g)
    with torch.no_grad():
        layer.weight.mul_(2)
    torch.testing.assert_close((layer(x), layer.feedback(g)), (2 * before[0], 2 * before[1]))


def test_initial_weights_have_the_authors_spread_and_follow_the_generator():
    conv = TiedConv2d(16, 64, 3, 1, torch.Generator().manual_seed(1)).weight
    linear = TiedLinear(400, 100, torch.Generator().manual_seed(1)).weight
    assert conv.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.05)
    assert 0.99 / 20 < linear.abs().max().item() <= 1 / 20
    assert linear.std().item() == pytest.approx(1 / 20 / 3**0.5, rel=0.02)
    assert torch.equal(conv, TiedConv2d(16, 64, 3, 1, torch.Generator().manual_seed(1)).weight)
    assert not torch.equal(conv, TiedConv2d(16, 64, 3, 1, torch.Generator().manual_seed(2)).weight)


def test_ins_norm_divides_each_image_and_channel_by_its_root_mean_square():
    x = uniform(2, 3, 4, 4)
    x[0, 0] = 0  # a silent channel stays finite
    x[0, 1] *= 1e-4  # and 1e-8 counts where values are that small
    slow = np.zeros_like(x)
    for i, c in np.ndindex(2, 3):
        slow[i, c] = x[i, c] / np.sqrt(sum(v * v for v in x[i, c].flat) / 16 + 1e-8)
    same(layers.ins_norm(tensor(x)), slow)
    same(layers.inverse_rms(tensor(np.zeros((1, 1, 4, 4)))), np.full((1, 1, 1, 1), 1e4))


@pytest.mark.parametrize("rate", [0.0, RATE, 1.0])
def test_ada_relu_over_several_steps(rate):
    slow, memory, h = SlowAdaReLU(), None, None
    for step in range(4):
        x, g = uniform(3, 8, seed=step), uniform(3, 8, seed=10 + step)
        g[0, :3], x[1, :3] = 0, 0
        expected = slow.forward(x, rate)
        memory = torch.relu(tensor(x)) if memory is None else layers.ada_relu(tensor(x), h, rate)
        same(memory, expected)
        h = tensor(g)
        same(layers.gate(h, memory), slow.feedback(g))


def test_ada_relu_and_gate_are_shut_where_either_side_is_zero():
    x, h = tensor([1.0, -1.0, 0.0, 1.0, -1.0]), tensor([0.0, 0.0, 1.0, -1.0, -2.0])
    assert layers.ada_relu(x, h, 0.0).tolist() == [0, 0, 0, 0, -1]
    assert layers.gate(h, tensor([1.0, -1.0, 0.0, -1.0, 1.0])).tolist() == [0, 0, 0, -1, -2]


def sequence(kind, n_steps=5):
    """Give (pre-activation, AdaPool's feedback) for each step, rich in what `kind` names."""
    for step in range(n_steps):
        x, g = uniform(2, 3, 6, 8, seed=step), uniform(2, 3, 3, 4, seed=100 + step)
        if kind == "ties":
            x = np.round(2 * x) / 2  # five different values: most windows have ties
        if kind == "silent":
            x[:, :, :4] = -np.abs(x[:, :, :4])
        if kind == "zero feedback":
            g[np.random.default_rng(200 + step).random(g.shape) < 0.4] = 0
        if kind == "negative feedback":
            g = -np.abs(g)
        yield x, g


@pytest.mark.parametrize("rate", [0.0, RATE, 1.0])
@pytest.mark.parametrize("kind", ["plain", "ties", "silent", "zero feedback", "negative feedback"])
def test_ada_relu_with_ada_pool_over_several_steps(kind, rate):
    relu, pool, memory, p = SlowAdaReLU(), SlowAdaPool(), None, None
    scale, bias = tensor(uniform(2, 3, 1, 1, seed=50, low=0.5)), tensor(0.1 * uniform(3, 1, 1, seed=51))
    if kind == "ties":
        scale, bias = torch.ones_like(scale), torch.zeros_like(bias)  # rounding must not break them
    seen = set()
    for x, g in sequence(kind):
        before = x * scale.numpy() + bias.numpy()
        expected = pool.forward(relu.forward(before, rate))
        if memory is None:
            memory = layers.pool_sweep(tensor(x), scale, bias)
        else:
            memory = layers.pool_step(tensor(x), scale, bias, memory, p, rate)
        same(memory.value, expected)
        seen |= set(np.sign(expected).flat)
        p = tensor(g)
        same(layers.put_corner(p, memory), relu.feedback(pool.feedback(g)))
    assert seen >= {0, 1}  # or the test would say little
    assert -1 in seen


def test_the_sweep_takes_the_first_of_equal_corners():
    x = tensor([[[[2.0, 2, 0, 3], [2, 2, 3, 0]]]])
    one, zero = torch.ones(1, 1, 1, 1).double(), torch.zeros(1, 1, 1).double()
    memory = layers.pool_sweep(x, one, zero)
    assert memory.value.tolist() == [[[[2, 3]]]]
    back = layers.put_corner(tensor([[[[5.0, -7.0]]]]), memory)
    assert back.tolist() == [[[[5, 0, 0, -7], [0, 0, 0, 0]]]]


def test_a_silent_window_comes_back_at_its_first_corner():
    # Nothing passes at first, so positive feedback finds the gate shut, but its h stands at corner 0 from then on.
    one, zero = torch.ones(1, 1, 1, 1).double(), torch.zeros(1, 1, 1).double()
    memory = layers.pool_sweep(-torch.ones(1, 1, 2, 2).double(), one, zero)
    assert memory.value.item() == 0
    p = tensor([[[[1.0]]]])
    assert layers.put_corner(p, memory).abs().sum() == 0
    memory = layers.pool_step(tensor([[[[3.0, 9], [9, 9]]]]), one, zero, memory, p, 0.0)
    assert memory.value.item() == 3
    assert layers.put_corner(p, memory).tolist() == [[[[1, 0], [0, 0]]]]


def test_gradients_flow_through_open_gates_only():
    x, h = tensor([1.0, -2.0, 3.0]).requires_grad_(), tensor([1.0, 1.0, 2.0]).requires_grad_()
    layers.ada_relu(x, h, RATE).sum().backward()
    assert x.grad.tolist() == pytest.approx([0.9, 0, 0.9])
    assert h.grad.tolist() == pytest.approx([0.1, 0, 0.1])


def test_gradients_equal_finite_differences():
    scale, bias = tensor(uniform(1, 2, 1, 1, seed=50, low=0.5)), tensor(0.1 * uniform(2, 1, 1, seed=51))

    def two_steps(first, second, p):
        memory = layers.pool_step(second, scale, bias, layers.pool_sweep(first, scale, bias), p, RATE)
        return memory.value, layers.put_corner(p, memory)

    arguments = [tensor(uniform(*shape, seed=i)) for i, shape in enumerate([(1, 2, 4, 4), (1, 2, 4, 4), (1, 2, 2, 2)])]
    assert torch.autograd.gradcheck(two_steps, [a.requires_grad_() for a in arguments])
