"""The levels that CNN-F is stacked from.

Each level has three walks, all pure. ``memory`` is a tensor, a `layers.PoolMemory` or a tuple of tensors, opaque to
the model (`layers.open_gates` alone looks inside):

``sweep(x)``                          -> output, memory                 the feedforward sweep, step 0
``feedback(g, memory)``               -> feedback to below, kept        the feedback half of a later step
``step(x, memory, kept, rate)``       -> output, memory                 its feedforward half

``kept`` is the feedback signal that the level's own AdaReLU and AdaPool compare with. Levels of convolutions also say
how many channels they take and give, and how much coarser their output is (`ConvolutionalLevel`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from neurocnnf import layers
from neurocnnf.layers import TiedConv2d, TiedLinear


def _bias(n_channels: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(n_channels, 1, 1))


def _activate(x: Tensor, kept: Tensor | None, rate: float) -> Tensor:
    return torch.relu(x) if kept is None else layers.ada_relu(x, kept, rate)


class ConvolutionalLevel(nn.Module, ABC):
    """What the levels of convolutions have in common: (image, n_in, y, x) -> (image, n_out, y / stride, x / stride)."""

    stride: int = 1

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.n_in, self.n_out = n_in, n_out

    @abstractmethod
    def sweep(self, x: Tensor):
        """Feedforward sweep."""

    @abstractmethod
    def feedback(self, g: Tensor, memory):
        """Feedback half of a later step."""

    @abstractmethod
    def step(self, x: Tensor, memory, kept, rate: float):
        """Feedforward half of a later step."""


class ConvLevel(ConvolutionalLevel):
    """Convolution, InsNorm, bias, AdaReLU."""

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator):
        super().__init__(n_in, n_out)
        self.conv = TiedConv2d(n_in, n_out, 3, 1, generator)
        self.bias = _bias(n_out)

    def sweep(self, x: Tensor):
        """Feedforward sweep; (image, in, y, x) -> (image, out, y, x)."""
        y = torch.relu(layers.normalise(self.conv(x), self.bias))
        return y, y

    def feedback(self, g: Tensor, memory: Tensor):
        """Feedback; (image, out, y, x) -> (image, in, y, x)."""
        h = layers.ins_norm(g)
        return self.conv.feedback(layers.gate(h, memory)), h

    def step(self, x: Tensor, memory: Tensor, kept: Tensor, rate: float):
        """Feedforward half of a later step."""
        y = layers.ada_relu(layers.normalise(self.conv(x), self.bias), kept, rate)
        return y, y


class ConvPoolLevel(ConvLevel):
    """Convolution, InsNorm, bias, AdaReLU and 2×2 AdaPool."""

    stride = 2

    def sweep(self, x: Tensor):
        """Feedforward sweep; (image, in, y, x) -> (image, out, y / 2, x / 2)."""
        x = self.conv(x)
        memory = layers.pool_sweep(x, layers.inverse_rms(x), self.bias)
        return memory.value, memory

    def feedback(self, g: Tensor, memory: layers.PoolMemory):  # type: ignore[override]
        """Feedback; (image, out, y / 2, x / 2) -> (image, in, y, x)."""
        p = layers.ins_norm(g)
        return self.conv.feedback(layers.put_corner(p, memory)), p

    def step(self, x: Tensor, memory: layers.PoolMemory, kept: Tensor, rate: float):  # type: ignore[override]
        """Feedforward half of a later step."""
        x = self.conv(x)
        memory = layers.pool_step(x, layers.inverse_rms(x), self.bias, memory, kept, rate)
        return memory.value, memory


class LinearLevel(nn.Module):
    """Linear map, bias, and AdaReLU unless it is the last; takes what is below as a vector."""

    def __init__(self, shape_in: tuple[int, ...], n_out: int, rectify: bool, generator: torch.Generator):
        super().__init__()
        self.shape_in = shape_in
        self.linear = TiedLinear(int(torch.Size(shape_in).numel()), n_out, generator)
        self.bias = nn.Parameter(torch.zeros(n_out))
        self.rectify = rectify

    def sweep(self, x: Tensor):
        """Feedforward sweep; (image, *shape_in) -> (image, out)."""
        y = self.linear(x.flatten(1)) + self.bias
        if self.rectify:
            y = torch.relu(y)
        return y, y

    def feedback(self, g: Tensor, memory: Tensor):
        """Feedback; (image, out) -> (image, *shape_in)."""
        below = self.linear.feedback(layers.gate(g, memory) if self.rectify else g)
        return below.unflatten(1, self.shape_in), g

    def step(self, x: Tensor, memory: Tensor, kept: Tensor, rate: float):
        """Feedforward half of a later step."""
        y = self.linear(x.flatten(1)) + self.bias
        if self.rectify:
            y = layers.ada_relu(y, kept, rate)
        return y, y


class StemLevel(ConvolutionalLevel):
    """The wide ResNet's first convolution, alone."""

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator):
        super().__init__(n_in, n_out)
        self.conv = TiedConv2d(n_in, n_out, 3, 1, generator)

    def sweep(self, x: Tensor):
        """Feedforward sweep; (image, in, y, x) -> (image, out, y, x)."""
        return self.conv(x), ()

    def feedback(self, g: Tensor, memory: tuple):
        """Feedback; (image, out, y, x) -> (image, in, y, x)."""
        return self.conv.feedback(g), ()

    def step(self, x: Tensor, memory: tuple, kept: tuple, rate: float):
        """Feedforward half of a later step."""
        return self.conv(x), ()


class ResidualLevel(ConvolutionalLevel):
    """Pre-activation residual block: two of (InsNorm, bias, AdaReLU, convolution), and a shortcut.

    Where the width changes, the shortcut is a 1×1 convolution of the *activated* input and its feedback joins before
    the first gate; otherwise it is the identity and its feedback joins after (authors' BasicBlock).
    """

    def __init__(self, n_in: int, n_out: int, stride: int, generator: torch.Generator):
        super().__init__(n_in, n_out)
        self.stride = stride
        self.bias1, self.bias2 = _bias(n_in), _bias(n_out)
        self.conv1 = TiedConv2d(n_in, n_out, 3, stride, generator)
        self.conv2 = TiedConv2d(n_out, n_out, 3, 1, generator)
        self.shortcut = TiedConv2d(n_in, n_out, 1, stride, generator) if n_in != n_out else None

    def sweep(self, x: Tensor):
        """Feedforward sweep; (image, in, y, x) -> (image, out, y / stride, x / stride)."""
        return self._forward(x, (None, None), 0.0)

    def feedback(self, g: Tensor, memory: tuple[Tensor, Tensor]):
        """Feedback; (image, out, y / stride, x / stride) -> (image, in, y, x)."""
        y1, y2 = memory
        h2 = layers.ins_norm(self.conv2.feedback(g))
        h1 = layers.ins_norm(self.conv1.feedback(layers.gate(h2, y2)))
        if self.shortcut is None:
            return g + layers.gate(h1, y1), (h1, h2)
        h1 = h1 + self.shortcut.feedback(g)
        return layers.gate(h1, y1), (h1, h2)

    def step(self, x: Tensor, memory: tuple[Tensor, Tensor], kept: tuple[Tensor, Tensor], rate: float):
        """Feedforward half of a later step."""
        return self._forward(x, kept, rate)

    def _forward(self, x: Tensor, kept: tuple[Tensor | None, Tensor | None], rate: float):
        h1, h2 = kept
        y1 = _activate(layers.normalise(x, self.bias1), h1, rate)
        y2 = _activate(layers.normalise(self.conv1(y1), self.bias2), h2, rate)
        shortcut = x if self.shortcut is None else self.shortcut(y1)
        return shortcut + self.conv2(y2), (y1, y2)


class AverageLevel(nn.Module):
    """InsNorm, bias, AdaReLU and the mean over space; feedback spreads each value evenly and normalises it."""

    def __init__(self, n_channels: int, size: int):
        super().__init__()
        self.bias = _bias(n_channels)
        self.size = size

    def sweep(self, x: Tensor):
        """Feedforward sweep; (image, channel, y, x) -> (image, channel)."""
        y = torch.relu(layers.normalise(x, self.bias))
        return y.mean((2, 3)), y

    def feedback(self, g: Tensor, memory: Tensor):
        """Feedback; (image, channel) -> (image, channel, y, x)."""
        # InsNorm of a constant map, without building the map first.
        h = layers.ins_norm(g[..., None, None]).expand_as(memory)
        return layers.gate(h, memory), h

    def step(self, x: Tensor, memory: Tensor, kept: Tensor, rate: float):
        """Feedforward half of a later step."""
        y = layers.ada_relu(layers.normalise(x, self.bias), kept, rate)
        return y.mean((2, 3)), y
