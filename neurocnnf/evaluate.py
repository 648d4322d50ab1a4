"""Accuracy at every step, on clean and on degraded test images."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import torch
from torch import Tensor

from neurocnnf.degradations import DEGRADATION_LEVELS, degrade
from neurocnnf.images import load_training_set, to_model_range
from neurocnnf.lesions import ShuffledCNNF
from neurocnnf.progress import Progress
from neurocnnf.unrolled import UnrolledModel, read_out
from neurocnnf.validation import check_readout

# The place decides the seed of a condition, and cards hold accuracies by those of the first three: add at the end.
REPORTED = ("noise", "blur", "occlusion", "contrast", "pixelate")
STEP = "step_"
N_DEGRADED = 2000
BATCH = 50  # divides the test sets: one shape to compile


def conditions() -> Iterator[tuple[str, float]]:
    """Yield (degradation, level): clean, then three levels of each kind."""
    yield "clean", 0.0
    for kind in REPORTED:
        for level in DEGRADATION_LEVELS[kind]:
            yield kind, level


def evaluate_on(
    model: UnrolledModel,
    data: str,
    n_steps: int = 5,
    *,
    n_clean: int | None = None,
    n_degraded: int = N_DEGRADED,
    readout: str = "last",
    seed: int = 0,
    compiled: bool = False,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Say which test images of a training set a model answers right.

    Parameters
    ----------
    model, n_steps, n_degraded, readout, seed, compiled, progress
        As in `right_answers`.
    data
        Name of the training set.
    n_clean
        How many images, from the first on, the clean condition uses; all of them where None.

    Returns
    -------
    pandas.DataFrame
        As from `right_answers`, with the columns model, kind (first word of the model's name), data and readout before.
    """
    images, labels = load_training_set(data, "test")
    table = right_answers(
        model,
        to_model_range(images[:n_clean]),
        torch.as_tensor(labels[:n_clean]),
        n_steps,
        n_degraded=n_degraded,
        readout=readout,
        seed=seed,
        compiled=compiled,
        progress=progress,
    )
    about = {"model": model.name, "kind": model.name.split("-")[0], "data": data, "readout": readout}
    for place, (column, value) in enumerate(about.items()):
        table.insert(place, column, value)
    return table


def right_answers(
    model: UnrolledModel,
    images: Tensor,
    labels: Tensor,
    n_steps: int = 5,
    *,
    n_degraded: int | None = None,
    readout: str = "last",
    seed: int = 0,
    compiled: bool = False,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Say which images are answered right at every step under every condition.

    Parameters
    ----------
    model
        A recurrent model, unrolled for `n_steps`, or a feedforward control, which is swept once; on any device.
    images, labels
        Test set: (image, channel, y, x) in [-1, 1], and (image,).
    n_steps
        Number of feedback passes.
    n_degraded
        How many of the images, from the first on, each degraded condition uses; all of them where None.
    readout
        What answers after a step: the "last" logits, that step's, or the "average" over all steps to that one, the
        setting that Huang et al. (2020) found better.
    seed
        Of the degradations: models evaluated with the same seed see the same pixels. And of the company of images that
        are answered together.
    compiled
        As in `CNNF.unroll`.
    progress
        Called with (model, images seen, all images).

    Returns
    -------
    pandas.DataFrame
        A row per condition and image. Columns degradation, level, image (its place in the set), and for each step
        step_0, step_1, …: 1 where the answer after that step is right, 0 where it is wrong.

    Raises
    ------
    ValueError
        For a readout other than these.
    """
    check_readout(readout)
    steps = n_steps if model.recurrent else 0
    few = min(n_degraded or len(images), len(images))
    todo = [(kind, level, len(images) if kind == "clean" else few) for kind, level in conditions()]
    total, done, parts = sum(n for _, _, n in todo), 0, []
    for number, (kind, level, n) in enumerate(todo, start=1):
        # A generator per condition, so that each sees the same noise whatever else is measured.
        generator = torch.Generator().manual_seed(seed * 1000 + number)
        shown = images[:n]
        if kind != "clean":
            shown = torch.cat([degrade(x, kind, level, generator) for x in shown.split(BATCH)])
        right = torch.empty(steps + 1, n, dtype=torch.int32)
        for some in _companies(model, n, seed):
            seen = shown[some].to(model.device, model.dtype)
            with torch.no_grad():
                logits = model.unroll(seen, steps, compiled=compiled, chunk=BATCH).logits
            answers = torch.stack([read_out(logits[: step + 1], readout).argmax(-1) for step in range(steps + 1)])
            right[:, some] = (answers.cpu() == labels[some]).int()
            done += len(some)
            if progress:
                progress(model.name, done, total)
        by_step = {f"{STEP}{step}": row for step, row in enumerate(right.numpy())}
        parts.append(pd.DataFrame({"degradation": kind, "level": level, "image": range(n)} | by_step))
    return pd.concat(parts, ignore_index=True)


def _companies(model: UnrolledModel, n: int, seed: int) -> tuple[Tensor, ...]:
    """Divide n images into batches: in their order, or at random where an image's answer depends on the others.

    Some sets come sorted by class, so that a neighbour's class would follow from an image's own.
    """
    if isinstance(model, ShuffledCNNF):
        return torch.randperm(n, generator=torch.Generator().manual_seed(seed)).split(BATCH)
    return torch.arange(n).split(BATCH)


def steps_of(right: pd.DataFrame) -> list[str]:
    """Name the columns of a table of `right_answers` that hold a step, in their order."""
    return [column for column in right if column.startswith(STEP)]


def accuracy_by_step(right: pd.DataFrame) -> pd.DataFrame:
    """Count the right answers.

    Parameters
    ----------
    right
        As from `right_answers` or `evaluate_on`.

    Returns
    -------
    pandas.DataFrame
        Columns degradation, level, step, accuracy, n_correct, n_images, after those that name the model, if there.
    """
    steps = steps_of(right)
    keys = [column for column in right if column not in ("image", *steps)]
    rows = []
    for values, part in right.groupby(keys, sort=False):
        n, condition = len(part), dict(zip(keys, values, strict=True))
        for step, column in enumerate(steps):
            c = int(part[column].sum())
            rows.append(condition | {"step": step, "accuracy": c / n, "n_correct": c, "n_images": n})
    return pd.DataFrame(rows)
