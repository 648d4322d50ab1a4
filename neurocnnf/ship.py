"""Turn finished training runs into checkpoints with their cards: seed 0's weights, or those of every seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import load_file, save
from torch.utils.flop_counter import FlopCounterMode

from neurocnnf.architectures import build_model
from neurocnnf.checkpoint import SHIPPED, pack, round_to_kept, save_model, unpack
from neurocnnf.evaluate import accuracy_by_step, evaluate_on
from neurocnnf.images import training_set_provenance
from neurocnnf.progress import Progress
from neurocnnf.recipes import Recipe, find_recipe
from neurocnnf.stages import file_hash, weights_hash, write_atomically
from neurocnnf.unrolled import UnrolledModel

CARD_STEPS = 5
WEIGHTS = "weights.safetensors"


def ship(
    recipe_name: str,
    runs: Sequence[Path],
    *,
    folder: Path = SHIPPED,
    every_seed: bool = False,
    compiled: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Evaluate the runs of one recipe, seed by seed, and write the first one's weights, or all, with cards.

    Parameters
    ----------
    recipe_name
        One of `neurocnnf.recipes.RECIPES`.
    runs
        Folders that `train` wrote, of seeds 0, 1 and so on; each is finished (`finish_run`) if it is not yet.
    folder
        Where ``<recipe>.safetensors`` and ``<recipe>.json`` go.
    every_seed
        Write the other seeds' weights too, as ``<recipe>-seed1`` and so on, each with a card of its own.
    compiled, progress
        As in `neurocnnf.evaluate.right_answers`.

    Returns
    -------
    list of Path
        Of the weights, in the order of the seeds.

    Raises
    ------
    ValueError
        If a run is missing or not finished, is of another seed, or its recipe or weights have changed since.
    """
    recipe = find_recipe(recipe_name)
    for seed, run in enumerate(runs):
        _check_seed(run, seed)
    finished = [finish_run(recipe_name, run, compiled=compiled, progress=progress) for run in runs]
    tables = [pd.read_csv(run / "accuracy.csv").assign(seed=seed) for seed, run in enumerate(runs)]
    model = build_model(recipe.model)
    paths = []
    for seed in range(len(runs) if every_seed else 1):
        model.load_state_dict(unpack(load_file(runs[seed] / WEIGHTS)))
        model = round_to_kept(model)  # a run may have been finished when other rounding was kept
        if (found := weights_hash(model)) != finished[seed]["weights"]:
            raise ValueError(
                f"{runs[seed] / WEIGHTS}: expected the weights that were measured, {finished[seed]['weights']}, got "
                f"{found}. Remove finished.json, to measure these."
            )
        paths.append(folder / f"{seed_name(recipe_name, seed)}.safetensors")
        # The first one's card speaks of all seeds; another's, of its own.
        here = range(len(runs)) if seed == 0 else [seed]
        accuracy = pd.concat([tables[one] for one in here])
        save_model(
            model, paths[-1], _card(paths[-1].stem, recipe, model, {one: finished[one] for one in here}, accuracy)
        )
    return paths


def seed_name(recipe_name: str, seed: int) -> str:
    """Return the name of a recipe's checkpoint of one seed: that of the recipe itself, for seed 0."""
    return f"{recipe_name}-seed{seed}" if seed else recipe_name


def _check_seed(run: Path, seed: int) -> None:
    note = run / "run.txt"  # a run from another machine may come without it
    if note.exists() and not note.read_text().rstrip().endswith(f", seed {seed}"):
        raise ValueError(
            f"{run}: expected a run of seed {seed}, got one of {note.read_text().split()[-1]}. "
            "Name the runs in the order of their seeds, from 0."
        )


def finish_run(
    recipe_name: str, run: Path, *, device: str = "cpu", compiled: bool = False, progress: Progress | None = None
) -> dict:
    """Write a run's final weights and its accuracy by step beside its state; what `ship` needs of a run.

    What is measured are the weights as they are shipped, rounded by `round_to_kept`. A run that has been finished is
    left as it is, unless its ``state.pt`` has changed since; that is no longer needed, so that runs can be brought from
    another machine without it.

    Parameters
    ----------
    recipe_name, compiled, progress
        As in `ship`.
    run
        Folder that `train` wrote.
    device
        Where to evaluate.

    Returns
    -------
    dict
        Recipe, machine, seconds of training, and the weights' hash.
    """
    recipe, note = find_recipe(recipe_name), run / "finished.json"
    if not _is_finished(run, note):
        state = _read_state(run)
        if state["done"] != recipe.batches:
            raise ValueError(
                f"{run}: expected a run of {recipe.batches} batches, got {state['done']}. "
                "Let `neurocnnf train` finish it."
            )
        model = build_model(recipe.model)
        model.load_state_dict(state["model"])
        model = round_to_kept(model).eval().to(device)
        model.name = recipe_name
        right = evaluate_on(model, recipe.data, CARD_STEPS, compiled=compiled, progress=progress)
        table = accuracy_by_step(right).drop(columns="readout")  # cards tell the last logits' answers
        write_atomically(run / "accuracy.csv", table.to_csv(index=False, lineterminator="\n").encode())
        write_atomically(run / WEIGHTS, save(pack(model.cpu().state_dict())))
        summary = {
            "recipe": repr(recipe),
            "machine": state["machine"],
            "seconds": state["seconds"],
            "weights": weights_hash(model),
            "state": file_hash(run / "state.pt"),
        }
        write_atomically(note, (json.dumps(summary, indent=1) + "\n").encode())
    summary = json.loads(note.read_text())
    if summary["recipe"] != repr(recipe):
        raise ValueError(f"{run}: expected a run of {recipe}, got one of {summary['recipe']}. Train it anew.")
    return summary


def _is_finished(run: Path, note: Path) -> bool:
    if not note.exists():
        return False
    state = run / "state.pt"
    return not state.exists() or json.loads(note.read_text())["state"] == file_hash(state)


def _read_state(run: Path) -> dict:
    path = run / "state.pt"
    return torch.load(path, weights_only=True, map_location="cpu") if path.exists() else {"done": 0}


def multiply_adds(model: UnrolledModel, n_steps: int) -> int:
    """Count the multiply-adds of convolutions and matrix products while one image is unrolled for `n_steps`."""
    # Two images, since shuffled feedback is exchanged between them; two operations per multiply-add.
    images = torch.zeros(2, model.channels, model.image_size, model.image_size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.unroll(images, n_steps)
    return counter.get_total_flops() // 4


def _card(name: str, recipe: Recipe, model: UnrolledModel, states: Mapping[int, dict], accuracy: pd.DataFrame) -> dict:
    """Write a card from what `finish_run` returned of each seed; accuracy by step is of the first one."""
    by_step = accuracy[accuracy["degradation"] == "clean"].groupby("step")["accuracy"]
    return {
        "name": name,
        "data": recipe.data,
        "recipe": asdict(recipe),
        "training_set": training_set_provenance(recipe.data),
        "machine": {str(seed): state["machine"] for seed, state in states.items()},
        "seconds_of_training": {str(seed): state["seconds"] for seed, state in states.items()},
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
