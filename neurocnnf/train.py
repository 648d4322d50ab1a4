"""Train a model by a named recipe: resumable, logged, and the same result for the same seed."""

from __future__ import annotations

import copy
import functools
import math
import os
import platform
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neurocnnf.architectures import build_model
from neurocnnf.attacks import pgd
from neurocnnf.augmentation import augment
from neurocnnf.glimpses import Look
from neurocnnf.losses import adversarial_cross_entropy, reconstruction_error, stepwise_cross_entropy
from neurocnnf.optimisers import Optimiser, make_optimiser
from neurocnnf.progress import Progress
from neurocnnf.recipes import Recipe, find_recipe
from neurocnnf.stages import tensors_hash
from neurocnnf.training_log import TrainingLog
from neurocnnf.unrolled import PIXELS, UnrolledModel

SAVE_EVERY = 50  # batches


def train(
    recipe_name: str | Recipe,
    seed: int,
    out: Path,
    *,
    compiled: bool = False,
    device: str = "cpu",
    half: bool = False,
    progress: Progress | None = None,
    data: tuple[Tensor, Tensor] | None = None,
    look: Look | None = None,
) -> UnrolledModel:
    """Train, or go on with training, one model.

    Parameters
    ----------
    recipe_name
        One of `neurocnnf.recipes.RECIPES`, or a recipe of one's own.
    seed
        Of the weights, the order of the images and the augmentation.
    out
        Folder for ``state.pt`` (written every 50 batches; training goes on from it) and the log, as a table and for
        TensorBoard (`neurocnnf.training_log`). The feedforward part, which all models of one trunk share, is left
        beside it in ``<out>/../trunk-<key>-<seed>-<precision>.pt`` and reused by recipes with the same feedforward part
        (`Recipe.feedforward_key`) and, where `data` is given, the same images.
    compiled
        Use ``torch.compile``: faster, after a minute of compiling. Weights then differ in the last bits.
    device
        "cpu" or "cuda". Weights then differ in the last bits, too.
    half
        Compute in bfloat16, keep and update the weights in float32. Pays off on a GPU, and on processors with
        AMX.
    progress
        Called with (recipe, batches done, all batches).
    data
        Images (image, channel, y, x) in [-1, 1] and labels, instead of the recipe's training set.
    look
        What each step sees of a batch, instead of the whole images, of which reconstructions are to be all the same.
        Nothing tells one look from another: what is trained in one folder, and beside it, must agree on the first step.

    Raises
    ------
    ValueError
        If the folder holds the state of another recipe, seed, precision or other images.
    FloatingPointError
        If the loss or its gradient is not finite; the state before that is kept.
    """
    recipe = find_recipe(recipe_name)
    name = recipe.model if isinstance(recipe_name, Recipe) else recipe_name
    out.mkdir(parents=True, exist_ok=True)
    images, labels = (part.to(device) for part in (load_training_tensors(recipe.data) if data is None else data))
    model = build_model(recipe.model, seed=seed).to(device)
    if device != "cpu" and recipe.optimiser != "muon":  # whose matrices share the kernels' storage
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    precision = ", bfloat16" if half else ""
    given = [] if data is None else [tensors_hash({"images": images, "labels": labels})[:8]]
    key = "-".join([recipe.feedforward_key(), *given, str(seed), "bfloat16" if half else "float32"])
    trunk = out.parent / f"trunk-{key}.pt"
    _check_same_run(out, f"{recipe}{precision}{''.join(f', images {one}' for one in given)}, seed {seed}\n")
    optimiser, done, seconds = _resume(model, recipe, [out / "state.pt", trunk])
    if done == recipe.batches:
        return model
    worker = copy.deepcopy(model).to(torch.bfloat16) if half else model
    machine = f"{_machine(next(model.parameters()).device)}{precision}"
    with TrainingLog(out, done, seconds) as log:
        started = time.monotonic() - seconds
        for batch in range(done, recipe.batches):
            if batch == recipe.feedforward_batches:
                _add_recurrence(optimiser, model)
            values = train_batch(model, optimiser, recipe, images, labels, seed, batch, compiled, worker, look)
            seconds = time.monotonic() - started
            log.write(batch, recipe.batch_size_at(batch), seconds, **values)
            if batch + 1 == recipe.feedforward_batches:
                _save(trunk, model, optimiser, batch + 1, seconds, machine, trunk_only=True)
            if (batch + 1) % SAVE_EVERY == 0 or batch + 1 == recipe.batches:
                log.flush()  # what lies before a saved state is never taken again
                _save(out / "state.pt", model, optimiser, batch + 1, seconds, machine)
            if progress:
                progress(f"{name}, seed {seed}", batch + 1, recipe.batches)
    return model


def load_training_tensors(name: str, split: str = "train") -> tuple[Tensor, Tensor]:
    """Return a training set as images (image, channel, y, x) in [-1, 1] and labels (image,)."""
    from neurocnnf.images import load_training_set, to_model_range

    images, labels = load_training_set(name, split)
    return to_model_range(images), torch.as_tensor(labels)


def train_batch(
    model: UnrolledModel,
    optimiser: Optimiser,
    recipe: Recipe,
    images: Tensor,
    labels: Tensor,
    seed: int,
    batch: int,
    compiled: bool = False,
    worker: UnrolledModel | None = None,
    look: Look | None = None,
) -> dict[str, Any]:
    """Take one optimiser step; what it sees depends on (seed, batch) alone, so that training can stop anywhere.

    The gradient is computed by `worker`, a copy of `model` in another precision, where there is one. What is returned
    is what `TrainingLog.write` takes.
    """
    worker = model if worker is None else worker
    for group in optimiser.param_groups:
        group["lr"] = recipe.rate(batch)
    _copy_weights(model, worker)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + batch)
    index = _batch_index(len(images), recipe, seed, batch).to(images.device)
    seen, answers = augment(images[index], recipe.augmentation, generator).to(worker.dtype), labels[index]
    second = batch >= recipe.feedforward_batches
    n_steps = recipe.n_steps if second else 0
    if n_steps and batch - recipe.feedforward_batches < recipe.drawn_batches:
        n_steps = int(torch.randint(1, n_steps + 1, (), generator=generator))

    n_clean, attack = len(seen), recipe.attack if second else None
    if attack:
        seen = torch.cat([seen, _attack(worker, seen, answers, attack, generator, compiled)])
    views = seen if look is None else look(seen, n_steps + 1, generator)
    wanted = _reconstructed(worker, recipe) if n_steps and worker.recurrent else ()
    layers = tuple(name for name in wanted if name != PIXELS)
    outs = list(worker.steps(views, n_steps, layers=layers, predictions=bool(wanted), compiled=compiled))
    logits = [o.logits for o in outs]
    if attack:
        loss = adversarial_cross_entropy(logits, answers, recipe.clean_weight)
    else:
        loss = stepwise_cross_entropy(logits, answers)
    error = torch.zeros((), device=seen.device)
    if wanted:
        # Of the adversarial images, where there are some: they are to be reconstructed as the clean ones.
        first = n_clean if attack else 0
        whole = outs[0] if views is seen else next(worker.steps(seen, 0, layers=layers))
        features = {name: (seen if name == PIXELS else whole.activations[name])[:n_clean] for name in wanted}
        relative = recipe.reconstructed == "relative"
        errors = [
            reconstruction_error([o.predictions[name][first:] for o in outs[1:]], features[name], relative=relative)
            for name in wanted
        ]
        error = torch.stack(errors).mean()
        loss = loss + recipe.reconstruction_weight * error

    optimiser.zero_grad()
    worker.zero_grad()
    loss.backward()
    if worker is not model:
        for ours, theirs in zip(model.parameters(), worker.parameters(), strict=True):
            ours.grad = None if theirs.grad is None else torch.empty_like(ours).copy_(theirs.grad)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.gradient_clip)
    correct = [(step.argmax(-1)[:n_clean] == answers).float().mean() for step in logits]
    # One transfer from the device for all that is logged.
    value, length, squares, *accuracies = torch.stack([loss.detach(), norm, error.detach(), *correct]).tolist()
    if not (math.isfinite(value) and math.isfinite(length)):
        raise FloatingPointError(
            f"batch {batch}: expected a finite loss and gradient, got {value} and one of length {length}. Lower the "
            "recipe's learning_rate; the state before this batch is kept."
        )
    optimiser.step()
    return {
        "loss": round(value, 5),
        "reconstruction_error": round(squares, 5),
        "accuracies": accuracies,
        "learning_rate": recipe.rate(batch),
    }


def _add_recurrence(optimiser: Optimiser, model: UnrolledModel) -> None:
    own = [p for name, p in model.named_parameters() if not name.startswith("levels.")]
    if own:
        optimiser.add_param_group({"params": own})


def _copy_weights(model: UnrolledModel, worker: UnrolledModel) -> None:
    if worker is not model:
        with torch.no_grad():
            torch._foreach_copy_(list(worker.parameters()), list(model.parameters()))


def _attack(worker, seen, answers, attack, generator, compiled) -> Tensor:
    return pgd(
        worker, seen, answers, epsilon=attack.epsilon, step_size=attack.step_size,
        n_attack_steps=attack.n_attack_steps, generator=generator, compiled=compiled,
    )  # fmt: skip


def _reconstructed(model: UnrolledModel, recipe: Recipe) -> tuple[str, ...]:
    """Name what the reconstruction error is taken of; nothing, for a model that does not reconstruct."""
    return model.predicted_layers[:1] if recipe.reconstructed == "feature" else model.predicted_layers


def _batch_index(n_images: int, recipe: Recipe, seed: int, batch: int) -> Tensor:
    """Return one batch of a fresh permutation per epoch, computed from (seed, batch) alone."""
    second = batch >= recipe.feedforward_batches
    batch_size = recipe.batch_size_at(batch)
    epoch, position = divmod(batch - second * recipe.feedforward_batches, n_images // batch_size)
    order = _permutation(n_images, (seed * 2 + second) * 7919 + epoch)
    return order[position * batch_size : (position + 1) * batch_size]


@functools.lru_cache(maxsize=1)
def _permutation(n: int, seed: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def _check_same_run(out: Path, run: str) -> None:
    """Write what is trained beside its state, or raise if the state there is of something else."""
    note = out / "run.txt"
    if (out / "state.pt").exists() and note.read_text() != run:
        raise ValueError(
            f"{out}: expected the state of {run.strip()}, got that of {note.read_text().strip()}. Start anew."
        )
    note.write_text(run)


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    return f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s), torch {torch.__version__}"


def _save(
    path: Path, model: UnrolledModel, optimiser: Optimiser, done: int, seconds: float, machine: str, trunk_only=False
) -> None:
    partial = path.with_suffix(f".{os.getpid()}.partial")  # two runs may leave the same trunk at once
    weights = {k: v for k, v in model.state_dict().items() if not trunk_only or k.startswith("levels.")}
    state = {
        "done": done,
        "seconds": round(seconds, 2),
        "machine": machine,
        "model": weights,
        "optimiser": optimiser.state_dict(),
    }
    torch.save(state, partial)
    partial.replace(path)


def _resume(model: UnrolledModel, recipe: Recipe, paths: list[Path]) -> tuple[Optimiser, int, float]:
    optimiser = make_optimiser(model, recipe)
    for path in paths:
        if path.exists():
            state = torch.load(path, weights_only=True, map_location=next(model.parameters()).device)
            # A trunk that another model left lacks what the recurrence adds: that begins as it was built.
            model.load_state_dict({**model.state_dict(), **state["model"]})
            if state["done"] > recipe.feedforward_batches:
                _add_recurrence(optimiser, model)
            optimiser.load_state_dict(state["optimiser"])
            for parameter, kept in optimiser.state.items():
                for name, value in kept.items():
                    if value.shape == parameter.shape:  # in the parameter's memory order, which is the device's
                        kept[name] = torch.empty_like(parameter).copy_(value)
            return optimiser, state["done"], state["seconds"]
    return optimiser, 0, 0.0
