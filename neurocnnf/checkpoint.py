"""Shipped and local checkpoints: half-precision weights beside a card that says how they came about."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from neurocnnf.architectures import build_model
from neurocnnf.stages import file_hash, write_atomically
from neurocnnf.unrolled import UnrolledModel

SHIPPED = Path(__file__).parent / "weights"


def list_models() -> list[str]:
    """Return the names of the shipped checkpoints, ``<kind>-<data>``."""
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
        If there is no such checkpoint, or it has no card.
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
    model = build_model(card["architecture"], feedback_to=card["feedback_to"], feedback_rate=card["feedback_rate"])
    model.load_state_dict({key: value.float() for key, value in load_file(path).items()})
    model.name, model.card = path.stem, {**card, "sha256": file_hash(path)}
    return model.eval()


def save_model(model: UnrolledModel, path: Path, card: dict) -> None:
    """Write ``<path>.safetensors`` in half precision and its card ``<path>.json``.

    Parameters
    ----------
    model
        What to keep.
    path
        With or without ``.safetensors``; other dots belong to the name.
    card
        What made the weights and how well they do; architecture and feedback are added.
    """
    path = path.with_name(path.name.removesuffix(".safetensors") + ".safetensors")
    write_atomically(path, save({key: value.half().contiguous() for key, value in model.state_dict().items()}))
    architecture = {
        "architecture": model.card.get("architecture", model.name),  # a loaded model bears its checkpoint's name
        "feedback_to": model.feedback_to,
        "feedback_rate": model.feedback_rate,
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    write_atomically(path.with_suffix(".json"), (json.dumps({**architecture, **card}, indent=1) + "\n").encode())


def round_to_half(model: UnrolledModel) -> UnrolledModel:
    """Round the weights, in place, to what a checkpoint keeps, so that what is measured is what is shipped."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
    return model
