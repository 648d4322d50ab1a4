"""Adversarial images: what changes a model's answer most within a small distance of an image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from neurocnnf.unrolled import UnrolledModel


def pgd(
    model: UnrolledModel,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    step_size: float,
    n_attack_steps: int,
    generator: torch.Generator,
    n_steps: int = 0,
    compiled: bool = False,
) -> Tensor:
    """Climb the cross-entropy by the sign of its gradient, from a random start (Madry et al. 2018, arXiv 1706.06083).

    Parameters
    ----------
    model
        Any unrolled model; its weights stay as they are, and get no gradient.
    images, labels
        (image, channel, y, x) in [-1, 1], and (image,).
    epsilon, step_size
        Radius in L∞ and length of one attack step, on the images' scale.
    n_attack_steps
        Number of gradients.
    generator
        Of the random start; on the CPU, so that every device starts from the same images.
    n_steps
        Of the model's steps the gradient goes through (with 0: the feedforward sweep alone, the paper's "first").
    compiled
        As in `UnrolledModel.unroll`.

    Returns
    -------
    Tensor
        Of the shape of `images`, within `epsilon` of them and in [-1, 1].
    """
    low, high = (images - epsilon).clamp(min=-1), (images + epsilon).clamp(max=1)
    start = torch.rand(images.shape, generator=generator) * 2 - 1
    attacked = torch.clamp(images + epsilon * start.to(images), low, high)
    needed = [p.requires_grad for p in model.parameters()]
    model.requires_grad_(False)  # a gradient of the images alone costs a third less
    try:
        with torch.enable_grad():
            for _ in range(n_attack_steps):
                attacked = attacked.detach().requires_grad_()
                *_, out = model.steps(attacked, n_steps, compiled=compiled)
                (gradient,) = torch.autograd.grad(F.cross_entropy(out.logits, labels), attacked)
                attacked = torch.clamp(attacked + step_size * gradient.sign(), low, high)
    finally:
        for parameter, need in zip(model.parameters(), needed, strict=True):
            parameter.requires_grad_(need)
    return attacked.detach()
