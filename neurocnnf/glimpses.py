"""Glimpses: an image seen a crop at a time, the rest of it gray."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# (images, number of steps, generator) -> what each step sees, (step, image, channel, y, x).
Look = Callable[[Tensor, int, torch.Generator], Tensor]


def take_glimpses(
    images: Tensor, n_glimpses: int, generator: torch.Generator, *, side: int, together: bool = False
) -> Tensor:
    """Show squares of images one after another, at random places, each where it is in the image and the rest gray.

    A crop keeps its place because what is carried from one to the next, feedback to an early layer or lateral
    activity, is laid out like the image: crops moved to one corner would be compared with what was seen elsewhere.

    Parameters
    ----------
    images
        (image, channel, y, x), in [-1, 1].
    n_glimpses
        Number of crops, independent of one another; they may overlap.
    generator
        Source of the places, on the CPU; every image and glimpse has a place of its own.
    side
        Of the squares, pixels; they lie within the image, each place as likely as another.
    together
        Whether each glimpse also shows again what those before it showed.

    Returns
    -------
    Tensor
        (glimpse, image, channel, y, x); gray is 0.

    Raises
    ------
    ValueError
        If the square is larger than the image, or a number is below 1.
    """
    n, _, height, width = images.shape
    if n_glimpses < 1 or not 1 <= side <= min(height, width):
        raise ValueError(
            f"glimpses: expected at least 1 of side 1 to {min(height, width)} pixels, got {n_glimpses} of side {side}. "
            "Take fewer pixels or more glimpses."
        )
    seen = _inside(height, side, (n_glimpses, n), generator)[..., :, None]
    seen = seen & _inside(width, side, (n_glimpses, n), generator)[..., None, :]
    if together:
        seen = seen.cumsum(0) > 0
    return images * seen[:, :, None].to(images)


def _inside(size: int, side: int, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Draw where along one axis the squares lie: bool (*shape, size)."""
    start = torch.randint(0, size - side + 1, (*shape, 1), generator=generator)
    at = torch.arange(size)
    return (at >= start) & (at < start + side)
