"""Train a model by a named recipe: resumable, logged, and the same result for the same seed."""

from __future__ import annotations

import csv
import math
import platform
import time
from pathlib import Path

import torch
from torch import Tensor

from neurocnnf.architectures import build_model
from neurocnnf.augmentation import augment
from neurocnnf.losses import reconstruction_error, stepwise_cross_entropy
from neurocnnf.model import CNNF
from neurocnnf.progress import Progress
from neurocnnf.recipes import Recipe, find_recipe

SAVE_EVERY = 50  # batches
LOG_COLUMNS = ("batch", "n_steps", "loss", "reconstruction_error", "accuracy", "learning_rate", "seconds")


def train(
    recipe_name: str,
    seed: int,
    out: Path,
    *,
    compiled: bool = False,
    progress: Progress | None = None,
    data: tuple[Tensor, Tensor] | None = None,
) -> CNNF:
    """Train, or go on with training, one model.

    Parameters
    ----------
    recipe_name
        One of `neurocnnf.recipes.RECIPES`.
    seed
        Of the weights, the order of the images and the augmentation.
    out
        Folder for ``state.pt`` (written every 50 batches; training goes on from it) and ``log.csv``. The feedforward
        part, which a CNN-F and its control share, is left beside it in ``<out>/../trunk-<key>-<seed>.pt`` and reused
        by recipes with the same feedforward part (`Recipe.feedforward_key`).
    compiled
        Use ``torch.compile``: faster, after a minute of compiling. Weights then differ in the last bits.
    progress
        Called with (recipe, batches done, all batches).
    data
        Images (image, channel, y, x) in [-1, 1] and labels, instead of the recipe's training set.

    Raises
    ------
    ValueError
        If the folder holds the state of another recipe or seed.
    FloatingPointError
        If the loss is not finite; the state before that is kept.
    """
    recipe = find_recipe(recipe_name)
    out.mkdir(parents=True, exist_ok=True)
    images, labels = load_training_tensors(recipe.data) if data is None else data
    model = build_model(recipe.model, seed=seed)
    optimiser = torch.optim.AdamW(
        model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    trunk = out.parent / f"trunk-{recipe.feedforward_key()}-{seed}.pt"
    _check_same_run(out, f"{recipe}, seed {seed}\n")
    done, seconds = _resume(model, optimiser, [out / "state.pt", trunk])
    _forget(out / "log.csv", done)
    started = time.monotonic() - seconds
    for batch in range(done, recipe.batches):
        loss = train_batch(model, optimiser, recipe, images, labels, seed, batch, compiled)
        seconds = round(time.monotonic() - started, 2)
        _log(out / "log.csv", {"batch": batch, **loss, "seconds": seconds})
        if batch + 1 == recipe.feedforward_batches:
            _save(trunk, model, optimiser, batch + 1, seconds)
        if (batch + 1) % SAVE_EVERY == 0 or batch + 1 == recipe.batches:
            _save(out / "state.pt", model, optimiser, batch + 1, seconds)
        if progress:
            progress(f"{recipe_name}, seed {seed}", batch + 1, recipe.batches)
    return model


def load_training_tensors(name: str, split: str = "train") -> tuple[Tensor, Tensor]:
    """Return a training set as images (image, channel, y, x) in [-1, 1] and labels (image,)."""
    from neurocnnf.images import load_training_set, to_model_range

    images, labels = load_training_set(name, split)
    return to_model_range(images), torch.as_tensor(labels)


def train_batch(
    model: CNNF,
    optimiser: torch.optim.Optimizer,
    recipe: Recipe,
    images: Tensor,
    labels: Tensor,
    seed: int,
    batch: int,
    compiled: bool = False,
) -> dict[str, float]:
    """Take one optimiser step; what it sees depends on (seed, batch) alone, so that training can stop anywhere."""
    for group in optimiser.param_groups:
        group["lr"] = recipe.rate(batch)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + batch)
    index = _batch_index(len(images), recipe, seed, batch)
    seen, answers = augment(images[index], recipe.augmentation, generator), labels[index]
    feedback = batch >= recipe.feedforward_batches and recipe.n_steps > 0
    n_steps = recipe.n_steps if feedback else 0
    if feedback and batch - recipe.feedforward_batches < recipe.drawn_batches:
        n_steps = int(torch.randint(1, n_steps + 1, (), generator=generator))

    target = model.reconstructed_layer
    outs = list(model.steps(seen, n_steps, layers=(target,) if target else (), compiled=compiled))
    loss = cross_entropy = stepwise_cross_entropy([o.logits for o in outs], answers)
    error = torch.zeros(())
    if feedback:
        feature = outs[0].activations[target] if target else seen
        error = reconstruction_error([o.reconstruction for o in outs[1:] if o.reconstruction is not None], feature)
        loss = cross_entropy + recipe.reconstruction_weight * error
    if not math.isfinite(loss.item()):
        raise FloatingPointError(
            f"batch {batch}: expected a finite loss, got {loss.item()}. Lower the recipe's learning_rate; the state "
            "before this batch is kept."
        )
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.gradient_clip)
    optimiser.step()
    return {
        "n_steps": n_steps,
        "loss": round(loss.item(), 5),
        "reconstruction_error": round(error.item(), 5),
        "accuracy": round((outs[-1].logits.argmax(-1) == answers).float().mean().item(), 5),
        "learning_rate": recipe.rate(batch),
    }


def _batch_index(n_images: int, recipe: Recipe, seed: int, batch: int) -> Tensor:
    """Return one batch of a fresh permutation per epoch, computed from (seed, batch) alone."""
    second = batch >= recipe.feedforward_batches
    batch_size = recipe.batch_size_at(batch)
    epoch, position = divmod(batch - second * recipe.feedforward_batches, n_images // batch_size)
    generator = torch.Generator().manual_seed((seed * 2 + second) * 7919 + epoch)
    return torch.randperm(n_images, generator=generator)[position * batch_size : (position + 1) * batch_size]


def _check_same_run(out: Path, run: str) -> None:
    """Write what is trained beside its state, or raise if the state there is of something else."""
    note = out / "run.txt"
    if (out / "state.pt").exists() and note.read_text() != run:
        raise ValueError(
            f"{out}: expected the state of {run.strip()}, got that of {note.read_text().strip()}. Start anew."
        )
    note.write_text(run)


def _save(path: Path, model: CNNF, optimiser: torch.optim.Optimizer, done: int, seconds: float) -> None:
    partial = path.with_suffix(".partial")
    machine = f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s), torch {torch.__version__}"
    state = {
        "done": done,
        "seconds": seconds,
        "machine": machine,
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    torch.save(state, partial)
    partial.replace(path)


def _resume(model: CNNF, optimiser: torch.optim.Optimizer, paths: list[Path]) -> tuple[int, float]:
    for path in paths:
        if path.exists():
            state = torch.load(path, weights_only=True)
            model.load_state_dict(state["model"])
            optimiser.load_state_dict(state["optimiser"])
            return state["done"], state["seconds"]
    return 0, 0.0


def _forget(path: Path, done: int) -> None:
    """Drop the log's rows of batches that were not saved, and will be taken again."""
    if path.exists():
        header, *rows = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(header + b"".join(row for row in rows if int(row.split(b",")[0]) < done))


def _log(path: Path, row: dict) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, LOG_COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow(row)
