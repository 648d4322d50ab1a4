"""Operations that CNN-F walks in both directions, forward and feedback, with one weight each.

Everything here is a pure function of tensors, or a module that holds nothing but its parameters: what has to be
remembered between steps is returned, and handed back by the caller.

Two identities keep that memory small. Both are exact.

* A gated activation ``y = x · m`` with ``m = x·h > 0`` is non-zero exactly where its gate is open. So the gate is
  ``y != 0`` and is never stored.
* AdaPool puts each feedback value back at *one* position of its 2×2 window. The AdaReLU in front of it, whose gate
  needs ``x·h > 0``, is therefore zero at the other three at every later step, and max-pooling (or min-pooling, where
  the feedback is negative) just picks that one value up. AdaReLU and AdaPool together are a *gather*, and all that
  they remember lives at a quarter of the resolution.

Source: Huang et al. (2020), arXiv 2007.09200, section 2, and the authors' implementation where the two differ.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Added to the mean square before its root (authors' InsNorm); keeps silent channels finite.
INS_NORM_EPS = 1e-8


def inverse_rms(x: Tensor) -> Tensor:
    """Return 1 / sqrt(mean over (y, x) of x² + 1e-8), per image and channel.

    Parameters
    ----------
    x
        (image, channel, y, x).

    Returns
    -------
    Tensor
        (image, channel, 1, 1).
    """
    return torch.rsqrt((x * x).mean((2, 3), keepdim=True) + INS_NORM_EPS)


def ins_norm(x: Tensor) -> Tensor:
    """Divide (image, channel, y, x) by its root mean square per image and channel. The same in both directions."""
    return x * inverse_rms(x)


def normalise(x: Tensor, bias: Tensor) -> Tensor:
    """InsNorm of (image, channel, y, x), and a bias (channel, 1, 1)."""
    return torch.addcmul(bias, x, inverse_rms(x))


def where_positive(x: Tensor, by: Tensor) -> Tensor:
    """Return `x` where ``by > 0``, else 0; differentiable in `x`, and faster than ``torch.where`` on a CPU."""
    return torch.ops.aten.threshold_backward(x, by.detach(), 0)


def is_nonzero(x: Tensor) -> Tensor:
    """Return 1.0 where `x` is not zero, else 0.0. Floating-point masks: CPUs multiply by them at full speed."""
    return x.detach().sign().abs()


def ada_relu(x: Tensor, feedback: Tensor, rate: float) -> Tensor:
    """Pass a unit where it agrees in sign with the feedback it got.

    Parameters
    ----------
    x
        Pre-activation, any shape.
    feedback
        Feedback signal ``h`` of the same shape. In the feedforward sweep there is none: use a plain ReLU.
    rate
        ρ of the residual update ``x ← x + ρ (h - x)``.
    """
    x = torch.lerp(x, feedback, rate)
    return where_positive(x, x * feedback)


def gate(feedback: Tensor, activation: Tensor) -> Tensor:
    """Let feedback through the units whose last `activation` passed (see the module's first identity)."""
    return where_positive(feedback, activation.abs())


class PoolMemory(NamedTuple):
    """What AdaReLU + AdaPool remember, at the pooled resolution (image, channel, y, x); masks are 0 or 1."""

    value: Tensor  # the pooled output
    corner: tuple[Tensor, Tensor, Tensor, Tensor]  # which corner of the window (row-major) holds it; none if it is zero
    silent: Tensor  # where it is zero; feedback then returns to the first corner, and finds the gate shut
    live: Tensor  # where the last feedback had a sign; without one, nothing is put back


def corners(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Split (image, channel, y, x) into the four corners of its 2×2 windows, in row-major order; views."""
    return x[..., ::2, ::2], x[..., ::2, 1::2], x[..., 1::2, ::2], x[..., 1::2, 1::2]


def max_corner(x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Return the largest value of each 2×2 window and the mask of its corner; the first one where several are equal."""
    a, b, c, d = corners(x)
    top, bottom = torch.maximum(a, b), torch.maximum(c, d)
    right_above, right_below, below = _exceeds(b, a), _exceeds(d, c), _exceeds(bottom, top)
    above = 1 - below
    b_wins, d_wins = above * right_above, below * right_below
    return torch.maximum(top, bottom), (above - b_wins, b_wins, below - d_wins, d_wins)


def take_corner(x: Tensor, memory: PoolMemory) -> Tensor:
    """Return the value of each 2×2 window where feedback was put back: at its corner, or the first if silent."""
    a, b, c, d = corners(x)
    left_above, right_above, left_below, right_below = memory.corner
    taken = torch.addcmul(a * (left_above + memory.silent), b, right_above)
    return torch.addcmul(torch.addcmul(taken, c, left_below), d, right_below)


def put_corner(x: Tensor, memory: PoolMemory) -> Tensor:
    """Return twice the resolution: each value at the corner of its 2×2 window, zero elsewhere and where silent."""
    n, channels, h, w = x.shape
    # Interleaved with channels innermost, which is how the convolutions around it keep their memory.
    a, b, c, d = ((x * corner).permute(0, 2, 3, 1) for corner in memory.corner)
    rows = torch.cat([a, b], dim=-1), torch.cat([c, d], dim=-1)  # (image, y, x, 2 · channel)
    return torch.stack(rows, dim=2).view(n, 2 * h, 2 * w, channels).permute(0, 3, 1, 2)


def pool_sweep(x: Tensor, scale: Tensor, bias: Tensor) -> PoolMemory:
    """Normalise, add the bias, rectify and max-pool: AdaReLU + AdaPool in the feedforward sweep.

    Scaling by a positive number, adding a constant and rectifying keep the order of values, so the maximum is taken
    first and only a quarter of the values goes through the rest.

    Parameters
    ----------
    x
        Convolution's output (image, channel, y, x), y and x even.
    scale, bias
        (image, channel, 1, 1) and (channel, 1, 1).
    """
    largest, corner = max_corner(x)
    value = F.relu(torch.addcmul(bias, largest, scale))
    return _remember(value, corner, torch.ones_like(value))


def pool_step(x: Tensor, scale: Tensor, bias: Tensor, memory: PoolMemory, feedback: Tensor, rate: float) -> PoolMemory:
    """AdaReLU + AdaPool at a later step: one gather (see the module's second identity).

    Parameters
    ----------
    x, scale, bias
        As in `pool_sweep`.
    memory
        From the last forward pass.
    feedback
        AdaPool's feedback ``p`` (image, channel, y / 2, x / 2), before it is put back.
    rate
        ρ of AdaReLU's residual update.
    """
    at_corner = torch.addcmul(bias, take_corner(x, memory), scale)
    value = ada_relu(at_corner, feedback * memory.live, rate)
    a, *others = memory.corner
    return _remember(value, (a + memory.silent, *others), is_nonzero(feedback))


def open_gates(memory):
    """Return a level's memory with every gate open: feedback passes each unit, and spreads evenly over each window.

    For a level's `feedback` alone; no `step` can go on from it.
    """
    if isinstance(memory, PoolMemory):
        return memory._replace(corner=(torch.full_like(memory.value, 0.25),) * 4)
    if isinstance(memory, Tensor):
        return torch.full_like(memory, math.inf)
    return tuple(map(open_gates, memory))


def _remember(value: Tensor, corner, live: Tensor) -> PoolMemory:
    # A silent window is zero at all four corners; the reference's max-pool then remembers the first of them.
    passed = is_nonzero(value)
    a, b, c, d = (mask * passed for mask in corner)
    return PoolMemory(value, (a, b, c, d), 1 - passed, live)


def _exceeds(x: Tensor, y: Tensor) -> Tensor:
    return F.relu((x - y).detach()).sign()


class TiedConv2d(nn.Module):
    """Convolution without bias, and its transpose with the same weight (out, in, y, x), as feedback."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int, generator: torch.Generator):
        super().__init__()
        self.stride, self.padding = stride, kernel // 2
        scale = math.sqrt(2.0 / (kernel * kernel * n_out))  # He et al. (2015), fan-out, as the authors
        self.weight = nn.Parameter(torch.randn(n_out, n_in, kernel, kernel, generator=generator) * scale)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (image, in, y, x)."""
        return F.conv2d(x, self.weight, stride=self.stride, padding=self.padding)

    def feedback(self, g: Tensor) -> Tensor:
        """Apply the transpose to (image, out, y, x)."""
        if self.stride == 1:
            # The same map as a plain convolution, for which CPUs have the better kernels.
            return F.conv2d(g, self.weight.flip(2, 3).transpose(0, 1), padding=self.padding)
        return F.conv_transpose2d(
            g, self.weight, stride=self.stride, padding=self.padding, output_padding=self.stride - 1
        )


class TiedLinear(nn.Module):
    """Linear map, weight (out, in), without bias, and its transpose as feedback.

    The reference ties its two copies through ``.data``, which makes the transpose a second optimiser parameter on the
    same storage: weight decay acts twice and the gradient's norm is miscounted. Here there is one parameter.
    """

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator):
        super().__init__()
        bound = 1.0 / math.sqrt(n_in)  # torch's default for a linear layer
        self.weight = nn.Parameter((torch.rand(n_out, n_in, generator=generator) * 2 - 1) * bound)

    def forward(self, x: Tensor) -> Tensor:
        """Map (image, in) to (image, out)."""
        return x @ self.weight.T

    def feedback(self, g: Tensor) -> Tensor:
        """Map (image, out) to (image, in)."""
        return g @ self.weight
