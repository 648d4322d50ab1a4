"""CNN-F's hard functions with a smooth gradient: the surrogate that tells robustness from a hidden gradient.

AdaReLU and AdaPool pass a unit or not by the sign of another signal. The true gradient with respect to that signal is
zero wherever it exists, so an attack by gradients never learns that a gate could be opened. InsNorm of a map that is
one value, as the feedback through `neurocnnf.levels.AverageLevel` is, is that value's sign: what the answer says of it
has no gradient either. Backward pass differentiable approximation (BPDA; Athalye, Carlini & Wagner 2018, arXiv
1802.00420): forward, each stays exactly what it is, so the answers are the model's own; backward, it is replaced by a
smooth function,

    x · [s > 0]   by   x · σ(β s)           (AdaReLU and the gates of feedback)
    [s ≠ 0]       by   tanh(β |s|)          (which pooling windows passed, and got feedback)
    [x > y]       by   σ(β (x - y))         (which corner of a window is the largest)
    sign(g)       by   tanh(g / r)          (InsNorm of one value; r, held fixed: root mean square over channels)

and its gradient with respect to *both* x and s is used. β = 5 spreads the gradient over the gates within about a fifth
of their threshold, where signals have a root mean square of 1, as InsNorm gives them; those of linear levels are
larger, and their gates change less smoothly. A gate of feedback compares with 0, where the unit it belongs to is shut:
the surrogate learns what shuts it, not what would open it. Plain ReLUs of the feedforward sweep keep their own
gradient, as in any other network.

Least invasive: while the context is open, four functions of `neurocnnf.layers` are exchanged. The model's code knows
nothing of it and outside of the context runs as before. Compiled functions hold what they were compiled with: do not
use both together, nor open the context in one thread while another runs a model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from neurocnnf import layers

SHARPNESS = 5.0

_where_positive, _is_nonzero, _exceeds = layers.where_positive, layers.is_nonzero, layers._exceeds
_ins_norm = layers.ins_norm


class _WherePositive(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, by: Tensor) -> Tensor:
        ctx.save_for_backward(x, by)
        return _where_positive(x, by)

    @staticmethod
    def backward(ctx, *gradients):
        (x, by), (g,) = ctx.saved_tensors, gradients
        smooth = torch.sigmoid(SHARPNESS * by)
        return g * smooth, g * x * SHARPNESS * smooth * (1 - smooth)


class _IsNonzero(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return _is_nonzero(x)

    @staticmethod
    def backward(ctx, *gradients):
        (x,), (g,) = ctx.saved_tensors, gradients
        return g * SHARPNESS * (1 - torch.tanh(SHARPNESS * x) ** 2) * x.sign()


class _Exceeds(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        return _exceeds(x, y)

    @staticmethod
    def backward(ctx, *gradients):
        (x, y), (g,) = ctx.saved_tensors, gradients
        smooth = torch.sigmoid(SHARPNESS * (x - y))
        slope = g * SHARPNESS * smooth * (1 - smooth)
        return slope, -slope


class _InsNormOfValues(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return _ins_norm(x)

    @staticmethod
    def backward(ctx, *gradients):
        (x,), (g,) = ctx.saved_tensors, gradients
        scale = torch.rsqrt((x * x).mean(1, keepdim=True) + layers.INS_NORM_EPS)
        return g * scale * (1 - torch.tanh(x * scale) ** 2)


def _smooth_ins_norm(x: Tensor) -> Tensor:
    return _InsNormOfValues.apply(x) if x.shape[2:] == (1, 1) else _ins_norm(x)


@contextmanager
def smooth_gates() -> Iterator[None]:
    """Give every hard function of CNN-F a smooth gradient while the context is open; answers stay the same."""
    layers.where_positive, layers.is_nonzero, layers._exceeds = _WherePositive.apply, _IsNonzero.apply, _Exceeds.apply
    layers.ins_norm = _smooth_ins_norm
    try:
        yield
    finally:
        layers.where_positive, layers.is_nonzero, layers._exceeds = _where_positive, _is_nonzero, _exceeds
        layers.ins_norm = _ins_norm
