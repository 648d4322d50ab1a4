"""Random changes to training images that keep their class."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

AUGMENTATIONS = ("none", "shift", "flip")


def augment(images: Tensor, kind: str, generator: torch.Generator) -> Tensor:
    """Return images (image, channel, y, x), changed at random.

    Parameters
    ----------
    images
        (image, channel, y, x), in [-1, 1].
    kind
        "none"; "shift": moved by up to 2 pixels, the border repeated; "flip": half of them mirrored.
    generator
        Source of the randomness.

    Raises
    ------
    ValueError
        For another kind.
    """
    if kind not in AUGMENTATIONS:
        raise ValueError(f"augmentation: expected one of {', '.join(AUGMENTATIONS)}, got {kind!r}. Choose one of them.")
    if kind == "none":
        return images
    n, _, height, width = images.shape
    if kind == "flip":
        mirrored = torch.rand((n, 1, 1, 1), generator=generator) < 0.5
        return torch.where(mirrored, images.flip(3), images)
    padded = F.pad(images, (2, 2, 2, 2), mode="replicate")
    rows = torch.randint(0, 5, (n, 1), generator=generator) + torch.arange(height)
    columns = torch.randint(0, 5, (n, 1), generator=generator) + torch.arange(width)
    image = torch.arange(n)[:, None, None]
    # Indexing the first and the last two axes puts the channels last.
    return padded[image, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()
