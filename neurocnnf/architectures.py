"""The architectures of the paper, a small one that trains in seconds, and the controls on the same trunks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from neurocnnf.lateral import LateralModel
from neurocnnf.lesions import ShuffledCNNF, UngatedCNNF, UntiedCNNF
from neurocnnf.levels import AverageLevel, ConvLevel, ConvPoolLevel, LinearLevel, ResidualLevel, StemLevel
from neurocnnf.model import CNNF
from neurocnnf.predictive import PredictiveModel
from neurocnnf.unrolled import UnrolledModel

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


def _wide_resnet(generator: torch.Generator, *, depth: int, widths: tuple[int, int, int], n_classes: int = 10) -> Stack:
    """Pre-activation wide ResNet (Zagoruyko & Komodakis 2016) for 32×32 colour images."""
    n_blocks = (depth - 4) // 6
    levels: dict[str, nn.Module] = {"stem": StemLevel(3, 16, generator)}
    width = 16
    for group, (wide, stride) in enumerate(zip(widths, (1, 2, 2), strict=True), start=1):
        for i in range(n_blocks):
            name = f"group{group}_block{i + 1}"
            levels[name] = ResidualLevel(width, wide, stride if i == 0 else 1, generator)
            width = wide
    levels["pool"] = AverageLevel(width, 8)
    levels["logits"] = LinearLevel((width,), n_classes, False, generator)
    # feedback_to k > 0 is the output of the k-th block of group 1, which is level k.
    return levels, (0, *(k + 1 for k in range(1, n_blocks + 1)))


class Trunk(NamedTuple):
    """What all models of one trunk share."""

    make_stack: Callable[[torch.Generator], Stack]
    image_size: int
    channels: int
    papers_level: int  # feedback_to
    blocks: tuple[str, ...]  # layers that end a block of convolutions


_ENDS = ("block3", "block4")
_SMALL: dict[str, Any] = {"widths": (8, 16, 16, 32), "hidden": (64, 64)}
# Widths at which one sweep takes the multiply-adds of CNN-F's sweep and five steps (of the wide ResNet, the two that
# are trained); hidden linear levels and the wide ResNet's stem stay.
_WIDE, _WIDE_SMALL, _WIDE_16 = (56, 112, 120, 64), (26, 52, 52, 32), (32, 64, 112)
_GROUPS_40, _GROUPS_16 = (tuple(f"group{i}_block{n}" for i in (1, 2, 3)) for n in (6, 2))
TRUNKS: dict[str, Trunk] = {
    "fashion": Trunk(_fashion, 28, 1, 2, _ENDS),
    "fashion-small": Trunk(lambda g: _fashion(g, **_SMALL), 28, 1, 2, _ENDS),
    "digits": Trunk(lambda g: _fashion(g, size=16, widths=(8, 16, 16, 32), hidden=(128, 64)), 16, 1, 2, _ENDS),
    "wide-fashion": Trunk(lambda g: _fashion(g, widths=_WIDE), 28, 1, 2, _ENDS),
    "wide-fashion-small": Trunk(lambda g: _fashion(g, **_SMALL | {"widths": _WIDE_SMALL}), 28, 1, 2, _ENDS),
    "wrn-40-2": Trunk(lambda g: _wide_resnet(g, depth=40, widths=(32, 64, 128)), 32, 3, 5, _GROUPS_40),
    "wrn-16-1": Trunk(lambda g: _wide_resnet(g, depth=16, widths=(16, 32, 64)), 32, 3, 2, _GROUPS_16),
    "wide-wrn-16-1": Trunk(lambda g: _wide_resnet(g, depth=16, widths=_WIDE_16), 32, 3, 2, _GROUPS_16),
}
KINDS: dict[str, type[UnrolledModel]] = {
    "cnnf": CNNF,
    "cnn": CNNF,
    "lateral": LateralModel,
    "predictive": PredictiveModel,
    "untied": UntiedCNNF,
    "ungated": UngatedCNNF,
    "shuffled": ShuffledCNNF,
}


def architecture_names() -> list[str]:
    """Return the names that `build_model` takes."""
    return [f"{kind}-{trunk}" for kind in KINDS for trunk in TRUNKS if _exists(kind, trunk)]


def build_model(
    name: str, *, feedback_to: int | None = None, feedback_rate: float | None = None, seed: int = 0
) -> UnrolledModel:
    """Build an untrained model.

    Parameters
    ----------
    name
        ``<kind>-<trunk>``. Kinds: cnnf; cnn, the feedforward control of the same trunk; the recurrent controls lateral
        (`neurocnnf.lateral`), predictive (`neurocnnf.predictive`), untied, ungated and shuffled (`neurocnnf.lesions`).
        Trunks: fashion, fashion-small, digits, wrn-40-2, wrn-16-1; and for a cnn that takes as many multiply-adds as
        the CNN-F unrolled for five steps, wide-fashion and wide-fashion-small; for two steps, wide-wrn-16-1.
    feedback_to
        Level that is reconstructed, 0 = pixels; the paper's choice where not given (fashion 2, wrn-40-2 5).
    feedback_rate
        ρ; the paper's 0.1 where not given.
    seed
        Of the initial weights. The same seed gives all kinds of one trunk the same weights.

    Raises
    ------
    ValueError
        For an unknown name, level or rate, or feedback of a model that has none to set.
    """
    kind, _, trunk_name = name.partition("-") if isinstance(name, str) else ("", "", "")
    if kind not in KINDS or trunk_name not in TRUNKS or not _exists(kind, trunk_name):
        raise ValueError(
            f"model: expected one of {', '.join(architecture_names())}, got {name!r}. "
            "Trained models are loaded with load_model."
        )
    trunk, make = TRUNKS[trunk_name], KINDS[kind]
    levels, feedback_levels = trunk.make_stack(torch.Generator().manual_seed(seed))
    options: dict[str, Any] = {
        "image_size": trunk.image_size, "channels": trunk.channels, "recurrent": kind != "cnn", "name": name,
    }  # fmt: skip
    if issubclass(make, CNNF):
        options |= {
            "feedback_levels": feedback_levels,
            "feedback_to": trunk.papers_level if feedback_to is None else feedback_to,
            "feedback_rate": 0.1 if feedback_rate is None else feedback_rate,
            "blocks": trunk.blocks,
        }
    elif feedback_to is not None or feedback_rate is not None:
        raise ValueError(f"{name}: expected no feedback_to or feedback_rate, which it has no use for. Leave them out.")
    if make is UntiedCNNF:
        options["backward_levels"], _ = trunk.make_stack(torch.Generator().manual_seed(seed + 1))
    return make(levels, **options)


def _exists(kind: str, trunk: str) -> bool:
    return kind == "cnn" or not trunk.startswith("wide-")
