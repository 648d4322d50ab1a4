"""Checks at the boundary: each error names what was expected, what came, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from neurocnnf.model import CNNF

# Room for what arithmetic does to images scaled to exactly [-1, 1].
RANGE_TOLERANCE = 1e-4


def check_images(images: Tensor, model: CNNF) -> None:
    """Raise unless `images` are (image, channel, y, x) of the model's size, type and device, finite, in [-1, 1]."""
    expected = f"(image, {model.channels}, {model.image_size}, {model.image_size})"
    if not isinstance(images, Tensor):
        raise TypeError(f"images: expected a tensor {expected}, got {type(images).__name__}. Use torch.as_tensor.")
    if images.ndim != 4 or tuple(images.shape[1:]) != (model.channels, model.image_size, model.image_size):
        raise ValueError(
            f"images: expected {expected} for {model.name}, got {tuple(images.shape)}. "
            "Add the missing axes, resize, or convert the colours first."
        )
    if not images.is_floating_point():
        raise TypeError(
            f"images: expected floating point in [-1, 1], got {images.dtype}. For uint8 use images / 127.5 - 1."
        )
    weight = next(model.parameters())
    if (images.dtype, images.device) != (weight.dtype, weight.device):
        raise TypeError(
            f"images: expected {weight.dtype} on {weight.device} like the weights, got {images.dtype} on "
            f"{images.device}. Use images.to(weight) or move the model."
        )
    if images.numel() == 0:
        raise ValueError(f"images: expected at least one image, got {tuple(images.shape)}. Pass some.")
    low, high = (float(v) for v in torch.aminmax(images.detach()))
    if not (low == low and high == high):
        raise ValueError("images: expected finite values, got NaN. Find and remove the broken images.")
    if low < -1 - RANGE_TOLERANCE or high > 1 + RANGE_TOLERANCE:
        raise ValueError(
            f"images: expected values in [-1, 1], got [{low:.4g}, {high:.4g}]. For [0, 1] use images * 2 - 1; for "
            "0 … 255 use images / 127.5 - 1."
        )


def check_n_steps(n_steps: int, model: CNNF) -> None:
    """Raise unless `n_steps` is a whole number ≥ 0, and 0 for a feedforward model."""
    if not isinstance(n_steps, Integral) or isinstance(n_steps, bool) or n_steps < 0:
        raise ValueError(f"n_steps: expected a whole number >= 0, got {n_steps!r}. Use 0 for the plain CNN.")
    if n_steps and not model.recurrent:
        raise ValueError(
            f"n_steps: expected 0 for {model.name}, which is feedforward, got {n_steps}. Use 0, or a cnnf model."
        )


def check_step(step: int, n_steps: int) -> None:
    """Raise unless `step` is one of 0 … `n_steps`."""
    if step not in range(n_steps + 1):
        raise ValueError(f"step: expected 0 to {n_steps}, got {step!r}. Unroll for more steps.")


def check_layers(layers: Iterable[str], model: CNNF) -> tuple[str, ...]:
    """Return `layers` as a tuple; raise for one that the model does not have."""
    layers = (layers,) if isinstance(layers, str) else tuple(layers)
    for layer in layers:
        if layer not in model.layer_names:
            raise ValueError(
                f"layer: expected one of {', '.join(model.layer_names)} for {model.name}, got {layer!r}. "
                "model.layer_names lists them."
            )
    return layers
