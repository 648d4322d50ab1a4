"""Degradations that make an image hard to recognise: noise, blur, occlusion, loss of contrast, coarse pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Three levels each, from easy to hard for 28 x 28 images; `degrade` gives their units.
DEGRADATION_LEVELS: dict[str, tuple[float, float, float]] = {
    "noise": (0.2, 0.4, 0.8),
    "blur": (1.0, 1.5, 2.0),
    "occlusion": (0.15, 0.3, 0.5),
    "contrast": (0.5, 0.25, 0.1),
    "pixelate": (2.0, 4.0, 7.0),
}
LIMITS = {"occlusion": (0.0, 1.0), "contrast": (0.0, 1.0), "pixelate": (1.0, float("inf"))}
PATCHES_ACROSS = 7  # an occluding square is 1/7 of the image's smaller side: 4 pixels of 28
TRUNCATE = 4.0  # the blur's kernel ends after this many sigma, as in scipy.ndimage


def degrade(images: Tensor, kind: str, level: float, generator: torch.Generator | None = None) -> Tensor:
    """Return degraded copies of images.

    Parameters
    ----------
    images
        (image, channel, y, x), floating point, in [-1, 1].
    kind, level
        "noise": Gaussian, independent per pixel and channel, SD `level` in units of [-1, 1], then clipped;
        "blur": Gaussian, sigma `level` in pixels, the border repeated;
        "occlusion": gray (0) squares at random places, overlapping, different for each image, that cover the
        fraction `level` of its pixels, to the nearest pixel;
        "contrast": values scaled by `level` towards gray (0);
        "pixelate": mean of each block of `level` × `level` pixels, a whole number, from the upper left corner on; what
        the lower and right border cut off of a block is averaged over what is left of it.
    generator
        Source of the randomness of "noise" and "occlusion"; it may stand on the CPU for images anywhere.

    Returns
    -------
    Tensor
        (image, channel, y, x), dtype and device of `images`, in [-1, 1]. `images` itself is left as it is.

    Raises
    ------
    TypeError
        If the images are not floating point.
    ValueError
        For another rank, kind or level, or if randomness is needed and there is no generator.
    """
    _check(images, kind, level)
    if kind == "contrast":
        return images * level
    if kind == "blur":
        return _blur(images, level)
    if kind == "pixelate":
        return _pixelate(images, int(level))
    if generator is None:
        raise ValueError(f"generator: expected a torch.Generator for {kind}, got None. Pass one with a seed.")
    if kind == "noise":
        noise = torch.randn(images.shape, generator=generator, dtype=images.dtype, device=generator.device)
        return (images + level * noise.to(images.device)).clamp(-1, 1)
    return images.masked_fill(occluded_pixels(images, level, generator), 0.0)


def _check(images: Tensor, kind: str, level: float) -> None:
    if images.ndim != 4:
        raise ValueError(f"images: expected (image, channel, y, x), got {tuple(images.shape)}. Add axes.")
    if not images.is_floating_point():
        raise TypeError(f"images: expected floats in [-1, 1], got {images.dtype}. Use to_model_range.")
    if kind not in DEGRADATION_LEVELS:
        raise ValueError(f"kind: expected one of {list(DEGRADATION_LEVELS)}, got {kind!r}. Choose one.")
    low, high = LIMITS.get(kind, (0.0, float("inf")))
    if not low <= level <= high or level == float("inf"):
        raise ValueError(f"level: expected {low:g} to {high:g} for {kind}, got {level!r}. Take one in range.")
    if kind == "pixelate" and level != int(level):
        raise ValueError(f"level: expected a whole number of pixels for pixelate, got {level!r}. Round it.")


def occluded_pixels(images: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """Draw which pixels of each image are hidden behind squares.

    Squares fall one after another at random places until `fraction` of the pixels is covered; the last one
    may be cut off, so that the number of hidden pixels is exactly round(fraction * y * x) in every image.

    Parameters
    ----------
    images
        (image, channel, y, x); only the shape and the device are used.
    fraction
        Part of each image to hide, 0 to 1.
    generator
        Source of the randomness.

    Returns
    -------
    Tensor
        (image, 1, y, x), bool, true where hidden.
    """
    n, _, height, width = images.shape
    side = max(1, round(min(height, width) / PATCHES_ACROSS))
    # When the square at each place falls. Places reach over the border: edge and centre are hidden equally.
    shape = (n, 1, height + side - 1, width + side - 1)
    falls_at = torch.rand(shape, generator=generator, dtype=torch.float64, device=generator.device)
    hidden_at = -F.max_pool2d(-falls_at, side, stride=1)  # the first of the squares over a pixel
    order = hidden_at.flatten(1).argsort(dim=1, stable=True)
    hidden = torch.zeros(order.shape, dtype=torch.bool, device=order.device)
    hidden.scatter_(1, order[:, : round(fraction * height * width)], True)
    return hidden.view(n, 1, height, width).to(images.device)


def _blur(images: Tensor, sigma: float) -> Tensor:
    radius = int(TRUNCATE * sigma + 0.5)
    if radius == 0:
        return images.clone()
    at = torch.arange(-radius, radius + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = (kernel / kernel.sum()).to(images)
    n, channels, height, width = images.shape
    x = images.reshape(n * channels, 1, height, width)
    x = F.conv2d(F.pad(x, (radius, radius, 0, 0), mode="replicate"), kernel.view(1, 1, 1, -1))
    x = F.conv2d(F.pad(x, (0, 0, radius, radius), mode="replicate"), kernel.view(1, 1, -1, 1))
    return x.view(n, channels, height, width)


def _pixelate(images: Tensor, block: int) -> Tensor:
    height, width = images.shape[-2:]
    coarse = F.avg_pool2d(images, block, ceil_mode=True)  # a block that is cut off is averaged over what is left of it
    return coarse.repeat_interleave(block, -2).repeat_interleave(block, -1)[..., :height, :width].contiguous()
