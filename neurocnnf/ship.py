"""Turn finished training runs into a checkpoint with its card: seed 0's weights, every seed's accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from neurocnnf.architectures import build_model
from neurocnnf.checkpoint import SHIPPED, round_to_half, save_model
from neurocnnf.evaluate import N_DEGRADED, evaluate_on
from neurocnnf.images import training_set_provenance
from neurocnnf.model import CNNF
from neurocnnf.progress import Progress
from neurocnnf.recipes import Recipe, find_recipe
from neurocnnf.stages import run_stage, weights_hash, write_atomically

CARD_STEPS = 5


def ship(
    recipe_name: str,
    runs: Sequence[Path],
    *,
    folder: Path = SHIPPED,
    compiled: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Evaluate the runs of one recipe, seed by seed, and write the first one's weights with a card.

    Parameters
    ----------
    recipe_name
        One of `neurocnnf.recipes.RECIPES`.
    runs
        Folders that `train` wrote, one per seed, seed 0 first. Each keeps its ``accuracy.csv``: a run that has
        been evaluated is not evaluated again.
    folder
        Where ``<recipe>.safetensors`` and ``<recipe>.json`` go.
    compiled, progress
        As in `neurocnnf.evaluate.accuracy_by_step`.

    Returns
    -------
    Path
        Of the weights.

    Raises
    ------
    ValueError
        If a run is missing or not finished.
    """
    recipe = find_recipe(recipe_name)
    models = [load_run(run, recipe) for run in runs]
    tables = []
    for seed, (run, model) in enumerate(zip(runs, models, strict=True)):
        model.name = recipe_name
        tables.append(evaluate_run(run, model, recipe, compiled, progress).assign(seed=seed))
    models[0].name = recipe.model
    path = folder / f"{recipe_name}.safetensors"
    states = [_read_state(run) for run in runs]
    save_model(models[0], path, _card(recipe_name, recipe, models[0], states, pd.concat(tables)))
    return path


def load_run(run: Path, recipe: Recipe) -> CNNF:
    """Return a finished run's model, its weights rounded to the half precision that is shipped."""
    state = _read_state(run)
    if state["done"] != recipe.batches:
        raise ValueError(
            f"{run}: expected a run of {recipe.batches} batches, got {state['done']}. Let `neurocnnf train` finish it."
        )
    model = build_model(recipe.model)
    model.load_state_dict(state["model"])
    return round_to_half(model).eval()


def _read_state(run: Path) -> dict:
    path = run / "state.pt"
    return torch.load(path, weights_only=True) if path.exists() else {"done": 0}


def evaluate_run(
    run: Path, model: CNNF, recipe: Recipe, compiled: bool = False, progress: Progress | None = None
) -> pd.DataFrame:
    """Return a run's accuracy by step, measured once and kept in ``<run>/accuracy.csv``."""
    out = run / "accuracy.csv"

    def write() -> list[Path]:
        table = evaluate_on(model, recipe.data, CARD_STEPS, compiled=compiled, progress=progress)
        return [write_atomically(out, table.to_csv(index=False, lineterminator="\n").encode())]

    inputs = {"weights": weights_hash(model), "n_steps": str(CARD_STEPS), "n_degraded": str(N_DEGRADED)}
    run_stage(out, inputs, write)
    return pd.read_csv(out)


def multiply_adds(model: CNNF, n_steps: int) -> int:
    """Count the multiply-adds of convolutions and matrix products while one image is unrolled for `n_steps`."""
    image = torch.zeros(1, model.channels, model.image_size, model.image_size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.unroll(image, n_steps)
    return counter.get_total_flops() // 2


def _card(name: str, recipe: Recipe, model: CNNF, states: Sequence[dict], accuracy: pd.DataFrame) -> dict:
    by_step = accuracy[accuracy["degradation"] == "clean"].groupby("step")["accuracy"]
    return {
        "name": name,
        "data": recipe.data,
        "recipe": asdict(recipe),
        "training_set": training_set_provenance(recipe.data),
        "machine": states[0]["machine"],
        "seconds_of_training": {str(seed): state["seconds"] for seed, state in enumerate(states)},
        "multiply_adds_per_image": {str(n): multiply_adds(model, n) for n in range(recipe.n_steps + 1)},
        "images_seen": {
            "feedforward": recipe.feedforward_batches * recipe.batch_size,
            "feedback": recipe.feedback_batches * recipe.feedback_batch_size,
        },
        "seeds": len(states),
        "clean_accuracy_by_step": {str(step): round(float(group.iloc[0]), 4) for step, group in by_step},
        "clean_accuracy_range_over_seeds": {
            str(step): [round(float(group.min()), 4), round(float(group.max()), 4)] for step, group in by_step
        },
        "accuracy": accuracy.drop(columns=["model", "kind", "data"]).to_dict(orient="list"),  # seed by seed
    }
