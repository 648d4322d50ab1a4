"""Shipped and local checkpoints: weights in few bytes beside a card that says how they came about.

Weights are kept in half precision, large matrices in 8 bits: each row as integers of -127 … 127 times a scale of its
own, which moves a weight by at most half a 127th of the row's largest, or by 3e-5. What a card reports is measured on
weights that were rounded so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from neurocnnf.architectures import build_model
from neurocnnf.stages import file_hash, write_atomically
from neurocnnf.unrolled import UnrolledModel

SHIPPED = Path(__file__).parent / "weights"
LARGE, LEVELS, SCALE = 100_000, 127, ".scale"
"""Number of weights from which on a matrix is large; integers on either side of 0; ending of the scales' names."""
SMALLEST = torch.finfo(torch.half).smallest_normal
"""Of a scale."""


def list_models() -> list[str]:
    """Return the names of the shipped checkpoints, ``<kind>-<data>`` or, of other seeds than 0, ``…-seed<n>``."""
    return sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


def load_model(name: str | Path) -> UnrolledModel:
    """Load a trained model, with its card in ``model.card``.

    Parameters
    ----------
    name
        A shipped model's name (`list_models`), or the path of a ``.safetensors`` file that `save_model` wrote.

    Returns
    -------
    UnrolledModel
        In float32, in evaluation.

    Raises
    ------
    ValueError
        If there is no such checkpoint, or it has no card, or that of other weights.
    """
    path = Path(name) if str(name).endswith(".safetensors") else SHIPPED / f"{name}.safetensors"
    card_path = path.with_suffix(".json")
    for needed in (path, card_path):
        if not needed.exists():
            raise ValueError(
                f"model: expected one of {', '.join(list_models())}, or the path of a .safetensors file with its card "
                f"(.json) beside it, got {str(name)!r}; {needed.name} is missing."
            )
    card = json.loads(card_path.read_text())
    if (found := file_hash(path)) != card.get("sha256"):
        raise ValueError(
            f"{path.name}: expected the weights that {card_path.name} was written of, with the SHA-256 "
            f"{card.get('sha256')}, got {found}. Ship both together."
        )
    model = build_model(card["architecture"], feedback_to=card["feedback_to"], feedback_rate=card["feedback_rate"])
    model.load_state_dict(unpack(load_file(path)))
    model.name, model.card = path.stem, card
    return model.eval()


def save_model(model: UnrolledModel, path: Path, card: dict) -> None:
    """Write ``<path>.safetensors``, rounded as `round_to_kept` does, and its card ``<path>.json``.

    Parameters
    ----------
    model
        What to keep.
    path
        With or without ``.safetensors``; other dots belong to the name.
    card
        What made the weights and how well they do; architecture, feedback and the weights' hash are added.
    """
    path = path.with_name(path.name.removesuffix(".safetensors") + ".safetensors")
    write_atomically(path, save(pack(model.state_dict())))
    architecture = {
        "architecture": model.card.get("architecture", model.name),  # a loaded model bears its checkpoint's name
        "feedback_to": model.feedback_to,
        "feedback_rate": model.feedback_rate,
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    whole = {**architecture, **card, "sha256": file_hash(path)}  # a loaded model's card has the hash of its own
    write_atomically(path.with_suffix(".json"), (json.dumps(whole, indent=1) + "\n").encode())


def round_to_kept(model: UnrolledModel) -> UnrolledModel:
    """Round the weights, in place, to what a checkpoint keeps, so that what is measured is what is shipped."""
    model.load_state_dict(unpack(pack(model.state_dict())))
    return model


def pack(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turn weights into what a file keeps: half precision; large matrices int8, and ``<name>.scale`` (row, 1)."""
    packed = {}
    for name, value in state.items():
        if value.ndim == 2 and value.numel() >= LARGE:
            largest = value.float().abs().amax(dim=1, keepdim=True) / LEVELS
            # Rounded up: no weight is beyond ±127, and what was rounded once is not moved by rounding it again. Below
            # its smallest normal number half precision is too coarse for that.
            scale = largest.half()
            scale = torch.where(scale.float() < largest, _next_half(scale), scale).clamp(min=SMALLEST)
            packed[name], packed[name + SCALE] = (value.float() / scale.float()).round().to(torch.int8), scale
        else:
            packed[name] = value.half().contiguous()
    return packed


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turn what `pack` made into float32 weights."""
    return {
        name: value.float() * packed[name + SCALE].float() if name + SCALE in packed else value.float()
        for name, value in packed.items()
        if not name.endswith(SCALE)
    }


def _next_half(x: Tensor) -> Tensor:
    """Return the next larger number in half precision, of numbers that are 0 or more."""
    return (x.view(torch.int16) + 1).view(torch.half)
