"""The authors' parameter names, so that weights from their checkpoint files can be loaded.

Source: github.com/yjhuangcd/CNNF @ 37b610a, ``model_mnist.py`` and ``model_cifar.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from neurocnnf.model import CNNF

# The same storage under a second name: transposed copies, and the linear layers' public alias.
_ALIASES = re.compile(r"(.*(conv_t|linear_t)\.weight)|(fc\d*\.weight)")

# our name -> theirs, tried in order
_FASHION = [
    (r"block(\d)\.conv\.weight", r"conv\1.conv.weight"),
    (r"block(\d)\.bias", r"ins\1_bias.bias"),
    (r"fc(\d)\.linear\.weight", r"fc\1.linear.weight"),
    (r"fc(\d)\.bias", r"fc\1_bias.bias"),
    (r"logits\.linear\.weight", r"fc3.linear.weight"),
    (r"logits\.bias", r"fc3_bias.bias"),
]
_WIDE_RESNET = [
    (r"stem\.conv\.weight", r"conv1.conv.weight"),
    (r"group(\d)_block(\d+)\.bias(\d)", r"block\1.layer.\2.ins\3_bias.bias"),
    (r"group(\d)_block(\d+)\.conv(\d)\.weight", r"block\1.layer.\2.conv\3.conv.weight"),
    (r"group(\d)_block(\d+)\.shortcut\.weight", r"block\1.layer.\2.conv_shortcut.conv.weight"),
    (r"pool\.bias", r"ins1_bias.bias"),
    (r"logits\.linear\.weight", r"fc.linear.weight"),
    (r"logits\.bias", r"fc_bias.bias"),
]


def reference_shapes(model: CNNF) -> dict[str, tuple[int, ...]]:
    """Return the authors' name and shape of every parameter; their biases have leading and trailing ones."""
    wide = "stem" in model.layer_names
    shapes = {}
    for name, value in model.named_parameters():
        theirs = _translate(name.removeprefix("levels."), _WIDE_RESNET if wide else _FASHION)
        shapes[theirs] = (1, *value.shape) if theirs.endswith("bias") else tuple(value.shape)
    return shapes


def load_reference_state_dict(model: CNNF, state: Mapping[str, Tensor]) -> None:
    """Load weights under the authors' names into a model, in place.

    Parameters
    ----------
    model
        A fashion or wide-ResNet model.
    state
        What ``torch.load`` gives for one of the authors' ``.pt`` files; transposed copies are ignored.

    Raises
    ------
    ValueError
        Naming every parameter that is missing, unexpected or of the wrong shape. Nothing is loaded then.
    """
    given = {name: value for name, value in state.items() if not _ALIASES.fullmatch(name)}
    shapes = reference_shapes(model)
    problems = [f"missing {name}" for name in shapes if name not in given]
    problems += [f"unexpected {name}" for name in given if name not in shapes]
    problems += [
        f"wrong shape {name}: expected {shape}, got {tuple(given[name].shape)}"
        for name, shape in shapes.items()
        if name in given and tuple(given[name].shape) != shape
    ]
    if problems:
        raise ValueError(
            f"reference weights do not fit {model.name}: {'; '.join(problems)}. "
            "Build the architecture that the file was trained with."
        )
    with torch.no_grad():
        for name, parameter in zip(shapes, model.parameters(), strict=True):
            parameter.copy_(torch.as_tensor(given[name]).reshape(parameter.shape))


def _translate(name: str, table) -> str:
    for ours, theirs in table:
        match = re.fullmatch(ours, name)
        if match:
            if r"layer.\2" in theirs:  # their blocks count from 0
                theirs = theirs.replace(r"\2", str(int(match[2]) - 1))
            return match.expand(theirs)
    raise ValueError(f"{name}: expected a parameter of the fashion or wide-ResNet stack. Only those have a reference.")
