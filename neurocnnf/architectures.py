"""The architectures of the paper, and a small one that trains in seconds."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import nn

from neurocnnf.levels import AverageLevel, ConvLevel, ConvPoolLevel, LinearLevel, ResidualLevel, StemLevel
from neurocnnf.model import CNNF

Stack = tuple[dict[str, nn.Module], tuple[int, ...]]


def _fashion(
    generator: torch.Generator, *, size: int = 28, widths=(16, 32, 32, 64), hidden=(1000, 128), n_classes: int = 10
) -> Stack:
    """Four convolutions, two of them pooled, and three linear levels (Huang et al. 2020, supplement B)."""
    c1, c2, c3, c4 = widths
    h1, h2 = hidden
    return {
        "block1": ConvLevel(1, c1, generator),
        "block2": ConvLevel(c1, c2, generator),
        "block3": ConvPoolLevel(c2, c3, generator),
        "block4": ConvPoolLevel(c3, c4, generator),
        "fc1": LinearLevel((c4, size // 4, size // 4), h1, True, generator),
        "fc2": LinearLevel((h1,), h2, True, generator),
        "logits": LinearLevel((h2,), n_classes, False, generator),
    }, (0, 1, 2)


def _wide_resnet(generator: torch.Generator, *, depth: int, widen: int, n_classes: int = 10) -> Stack:
    """Pre-activation wide ResNet (Zagoruyko & Komodakis 2016) for 32×32 colour images."""
    n_blocks = (depth - 4) // 6
    levels: dict[str, nn.Module] = {"stem": StemLevel(3, 16, generator)}
    width = 16
    for group, (wide, stride) in enumerate([(16 * widen, 1), (32 * widen, 2), (64 * widen, 2)], start=1):
        for i in range(n_blocks):
            name = f"group{group}_block{i + 1}"
            levels[name] = ResidualLevel(width, wide, stride if i == 0 else 1, generator)
            width = wide
    levels["pool"] = AverageLevel(width, 8)
    levels["logits"] = LinearLevel((width,), n_classes, False, generator)
    # feedback_to k > 0 is the output of the k-th block of group 1, which is level k.
    return levels, (0, *(k + 1 for k in range(1, n_blocks + 1)))


# name -> (stack, image size, channels, the paper's feedback_to)
ARCHITECTURES: dict[str, tuple[Callable[[torch.Generator], Stack], int, int, int]] = {
    "fashion": (_fashion, 28, 1, 2),
    "digits": (lambda g: _fashion(g, size=16, widths=(8, 16, 16, 32), hidden=(128, 64)), 16, 1, 2),
    "wrn-40-2": (lambda g: _wide_resnet(g, depth=40, widen=2), 32, 3, 5),
    "wrn-16-1": (lambda g: _wide_resnet(g, depth=16, widen=1), 32, 3, 2),
}
KINDS = {"cnnf": True, "cnn": False}


def architecture_names() -> list[str]:
    """Return the names that `build_model` takes."""
    return [f"{kind}-{trunk}" for kind in KINDS for trunk in ARCHITECTURES]


def build_model(name: str, *, feedback_to: int | None = None, feedback_rate: float = 0.1, seed: int = 0) -> CNNF:
    """Build an untrained model.

    Parameters
    ----------
    name
        ``<kind>-<trunk>``: kind cnnf, or cnn for the feedforward control of the same trunk; trunk fashion, digits,
        wrn-40-2 or wrn-16-1.
    feedback_to
        Level that is reconstructed, 0 = pixels; the paper's choice where not given (fashion 2, wrn-40-2 5).
    feedback_rate
        ρ; the paper's 0.1 where not given.
    seed
        Of the initial weights. The same seed gives cnnf and cnn the same weights.

    Raises
    ------
    ValueError
        For an unknown name, level or rate.
    """
    match = re.fullmatch(r"(cnnf|cnn)-(.+)", name) if isinstance(name, str) else None
    if not match or match[2] not in ARCHITECTURES:
        raise ValueError(
            f"model: expected one of {', '.join(architecture_names())}, got {name!r}. "
            "Trained models are loaded with load_model."
        )
    make_stack, size, channels, papers_level = ARCHITECTURES[match[2]]
    levels, feedback_levels = make_stack(torch.Generator().manual_seed(seed))
    return CNNF(
        levels,
        feedback_levels=feedback_levels,
        feedback_to=papers_level if feedback_to is None else feedback_to,
        feedback_rate=feedback_rate,
        image_size=size,
        channels=channels,
        recurrent=KINDS[match[1]],
        name=name,
    )
