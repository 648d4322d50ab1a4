"""Random changes to training images that keep their class."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

AUGMENTATIONS = ("none", "shift", "flip", "crop-flip")


def augment(images: Tensor, kind: str, generator: torch.Generator) -> Tensor:
    """Return images (image, channel, y, x), changed at random.

    Parameters
    ----------
    images
        (image, channel, y, x), in [-1, 1].
    kind
        "none"; "shift": moved by up to 2 pixels, the border repeated; "flip": half of them mirrored; "crop-flip": moved
        by up to 4 pixels, and half of them mirrored.
    generator
        Source of the randomness; on the CPU, so that every device sees the same images.

    Raises
    ------
    ValueError
        For another kind.
    """
    if kind not in AUGMENTATIONS:
        raise ValueError(f"augmentation: expected one of {', '.join(AUGMENTATIONS)}, got {kind!r}. Choose one of them.")
    if kind == "none":
        return images
    if kind in ("flip", "crop-flip"):
        mirrored = torch.rand((len(images), 1, 1, 1), generator=generator) < 0.5
        images = torch.where(mirrored.to(images.device), images.flip(3), images)
    return images if kind == "flip" else _shift(images, 2 if kind == "shift" else 4, generator)


def _shift(images: Tensor, most: int, generator: torch.Generator) -> Tensor:
    n, _, height, width = images.shape
    padded = F.pad(images, (most,) * 4, mode="replicate")
    rows = torch.randint(0, 2 * most + 1, (n, 1), generator=generator) + torch.arange(height)
    columns = torch.randint(0, 2 * most + 1, (n, 1), generator=generator) + torch.arange(width)
    rows, columns = rows.to(images.device), columns.to(images.device)
    image = torch.arange(n, device=images.device)[:, None, None]
    # Indexing the first and the last two axes puts the channels last.
    return padded[image, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()
