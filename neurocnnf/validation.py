"""Checks at the boundary: each error names what was expected, what came, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from neurocnnf.unrolled import UnrolledModel

# Room for what arithmetic does to images scaled to exactly [-1, 1].
RANGE_TOLERANCE = 1e-4
READOUTS = ("last", "average")
"""The logits that an answer is read from: the last step's, or the mean over all steps to it."""


def check_images(images: Tensor, model: UnrolledModel) -> None:
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


def is_whole(number: object) -> bool:
    """Say whether `number` is an integer, numpy's too, and no truth value."""
    return isinstance(number, Integral) and not isinstance(number, bool)


def check_feedback(feedback_to: int, feedback_rate: float, n_levels: int, name: str) -> None:
    """Raise unless `feedback_to` is one of 0 … `n_levels` - 1 and `feedback_rate` a number from 0 to 1."""
    if not is_whole(feedback_to) or feedback_to not in range(n_levels):
        raise ValueError(
            f"feedback_to: expected 0 (pixels) to {n_levels - 1} for {name}, got {feedback_to!r}. "
            "Choose a level that the architecture has."
        )
    if not isinstance(feedback_rate, Real) or isinstance(feedback_rate, bool) or not 0 <= feedback_rate <= 1:
        raise ValueError(f"feedback_rate: expected a number from 0 to 1, got {feedback_rate!r}. The paper uses 0.1.")


def check_chunk(chunk: int) -> int:
    """Return `chunk` as an int; raise unless it is a whole number ≥ 1."""
    if not is_whole(chunk) or chunk < 1:
        raise ValueError(f"chunk: expected a whole number >= 1, got {chunk!r}. 32 is usual.")
    return int(chunk)


def check_n_steps(n_steps: int, model: UnrolledModel) -> None:
    """Raise unless `n_steps` is a whole number ≥ 0, and 0 for a feedforward model."""
    if not is_whole(n_steps) or n_steps < 0:
        raise ValueError(f"n_steps: expected a whole number >= 0, got {n_steps!r}. Use 0 for the plain CNN.")
    if n_steps and not model.recurrent:
        raise ValueError(
            f"n_steps: expected 0 for {model.name}, which is feedforward, got {n_steps}. Use 0, or a cnnf model."
        )


def check_each_step(images: Tensor, n_steps: int) -> None:
    """Raise unless `images` (step, image, channel, y, x) are those of steps 0 … `n_steps`."""
    if images.ndim != 5 or len(images) != n_steps + 1:
        raise ValueError(
            f"images: expected (image, channel, y, x), or (step, image, channel, y, x) with {n_steps + 1} steps, got "
            f"{tuple(images.shape)}. Give the images of every step, the first included."
        )


def check_readout(readout: str) -> None:
    """Raise unless `readout` is one of `READOUTS`."""
    if readout not in READOUTS:
        raise ValueError(f"readout: expected 'last' or 'average', got {readout!r}. Choose one of the two.")


def check_step(step: int, n_steps: int) -> None:
    """Raise unless `step` is one of 0 … `n_steps`."""
    if step not in range(n_steps + 1):
        raise ValueError(f"step: expected 0 to {n_steps}, got {step!r}. Unroll for more steps.")


def check_layers(layers: Iterable[str], model: UnrolledModel) -> tuple[str, ...]:
    """Return `layers` as a tuple; raise for none, for a repeated one, and for one that the model does not have."""
    layers = (layers,) if isinstance(layers, str) else tuple(layers)
    if not layers:
        raise ValueError(
            f"layers: expected at least one of {', '.join(model.layer_names)} for {model.name}, got none. Name some."
        )
    for i, layer in enumerate(layers):
        if layer not in model.layer_names:
            raise ValueError(
                f"layer: expected one of {', '.join(model.layer_names)} for {model.name}, got {layer!r}. "
                "model.layer_names lists them."
            )
        if layer in layers[:i]:
            raise ValueError(f"layers: expected each layer once, got {layer!r} more than once. Drop the repeats.")
    return layers
