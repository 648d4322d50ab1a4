"""What the cards of the shipped models say, side by side."""

from __future__ import annotations

import json
from typing import Any

from neurocnnf.checkpoint import SHIPPED, list_models


def read_cards() -> list[dict[str, Any]]:
    """Return what to choose a shipped model by, in the order of `list_models`.

    Returns
    -------
    list of dict
        ``model``; ``data``, what it was trained on; ``attacked``, whether on attacked images too; ``parameters``;
        ``n_steps``, the passes it was trained for; ``seeds`` that the card speaks of; and, each a dict by step, of step
        0 and ``n_steps``, ``multiply_adds`` per image and ``accuracy``, the lowest and highest over seeds of clean test
        accuracy.
    """
    return [_row(name, json.loads((SHIPPED / f"{name}.json").read_text())) for name in list_models()]


def _row(name: str, card: dict[str, Any]) -> dict[str, Any]:
    n_steps = card["recipe"]["n_steps"]
    steps = sorted({0, n_steps})
    return {
        "model": name,
        "data": card["data"],
        "attacked": card["recipe"].get("attack") is not None,
        "parameters": card["parameters"],
        "n_steps": n_steps,
        "seeds": card["seeds"],
        "multiply_adds": {step: card["multiply_adds_per_image"][str(step)] for step in steps},
        "accuracy": {step: tuple(card["clean_accuracy_range_over_seeds"][str(step)]) for step in steps},
    }
