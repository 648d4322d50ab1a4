"""Does carried feedback put glimpses together? Networks that see digits a crop at a time, answering after each.

A digit of 16 × 16 pixels is seen in five glimpses: squares of 8 × 8 at random places, the rest gray
(`neurocnnf.glimpses`); all models see the same ones. Trained from scratch to answer at every glimpse, with the same
optimiser steps on the same trunk, are

- CNN-F: feedback comes from the state after the glimpse before; CNN-F without gates (`neurocnnf.lesions`), of whose
  state the updated feature is left; and the lateral control, whose state is carried too;
- the feedforward control, which sees each glimpse alone: nothing is carried. The average of its logits over the
  glimpses so far adds up evidence without feedback or state; a carried state has to beat that;
- the feedforward control with all glimpses so far in one picture: what there is to gain.

Networks with a state are also tested with it reset at every glimpse, a lesion of the same weights.
Every way is read out at the last glimpse, and averaged over the glimpses so far.

Run ``python -m analysis.glimpses --data mnist --out build/glimpses/mnist``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.glimpses_summary import AVERAGE, LAST, NOTHING, PICTURE, STATE, differences, summarise
from analysis.runs import in_parts, load_split, run_each, run_inputs
from analysis.tables import write_tables
from neurocnnf.progress import Progress
from neurocnnf.recipes import Recipe

DATA = ("mnist", "digits")
# What is trained, and what goes from glimpse to glimpse there.
TRAINED = (("cnn", NOTHING), ("cnnf", STATE), ("ungated", STATE), ("lateral", STATE), ("cnn", PICTURE))
SIDE, SEEDS, N_TEST = 8, (0, 1, 2, 3, 4), 2000
RECIPE = Recipe("cnnf-digits", "digits", "shift", 200, 200, 4)  # n_steps: a feedback pass before each later glimpse
QUICK_RECIPE = replace(RECIPE, feedforward_batches=10, feedback_batches=5, n_steps=2)


@dataclass(frozen=True)
class Images:
    """Images of one split.

    Attributes
    ----------
    pixels
        float32 (image, channel, y, x) in [-1, 1], 16 × 16.
    labels
        int64 (image,).
    """

    pixels: NDArray[np.float32]
    labels: NDArray[np.int64]


def answers(model, views, carried: str, chunk: int = 100) -> NDArray[np.float32]:
    """Return a model's logits (glimpse, image, class) at every glimpse.

    Parameters
    ----------
    model
        The model.
    views
        Tensor (glimpse, image, channel, y, x).
    carried
        `STATE`: the model's state goes on from glimpse to glimpse; otherwise each begins anew.
    chunk
        Images at a time.
    """
    import torch

    pieces = []
    with torch.no_grad():
        for part in views.split(chunk, dim=1):
            if carried == STATE:
                pieces.append(torch.stack([out.logits for out in model.steps(part, len(part) - 1)]))
            else:
                (alone,) = model.steps(part.flatten(0, 1), 0)
                pieces.append(alone.logits.unflatten(0, part.shape[:2]))
    return torch.cat(pieces, dim=1).numpy()


def accuracies(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> pd.DataFrame:
    """Return the accuracy at each glimpse, of its own answer and of the average of logits up to it.

    Parameters
    ----------
    logits, labels
        (glimpse, image, class) and (image,).

    Returns
    -------
    pandas.DataFrame
        readout ("last", "average"), glimpse (1, 2, …), accuracy, n_test.
    """
    count = np.arange(1, len(logits) + 1)
    averaged = logits.cumsum(axis=0) / count[:, None, None]
    rows = [
        pd.DataFrame({"readout": readout, "glimpse": count, "accuracy": (of.argmax(-1) == labels).mean(axis=1)})
        for readout, of in ((LAST, logits), (AVERAGE, averaged))
    ]
    return pd.concat(rows, ignore_index=True).assign(n_test=len(labels))


def network_accuracy(
    kind: str, carried: str, training: Images, test: Images, seed: int, recipe: Recipe = RECIPE, *, folder: Path
) -> pd.DataFrame:
    """Train a network from scratch on glimpses of images, and test it on glimpses of others.

    Parameters
    ----------
    kind, carried
        One of `TRAINED`.
    training, test
        Images.
    seed
        Of the weights, the order of the images, the augmentation and all glimpses.
    recipe
        Of all kinds; it has as many feedback passes as there are glimpses after the first.
    folder
        For what training keeps; kinds that share it share the first part of the training, on single glimpses.

    Returns
    -------
    pandas.DataFrame
        model, carried, readout, glimpse, accuracy, n_test. Of a model that is trained with its state, also what is left
        where nothing is carried.
    """
    import torch

    from neurocnnf.glimpses import take_glimpses
    from neurocnnf.train import train

    own = replace(recipe, model=f"{kind}-{recipe.model.partition('-')[2]}")
    look = partial(take_glimpses, side=SIDE, together=carried == PICTURE)
    data = torch.from_numpy(training.pixels), torch.from_numpy(training.labels)
    model = train(own, seed, folder / f"{kind}-{carried}", data=data, look=look)
    views = look(torch.from_numpy(test.pixels), own.n_steps + 1, torch.Generator().manual_seed(seed))
    found = [
        accuracies(answers(model, views, way), test.labels).assign(model=kind, carried=way)
        for way in ((STATE, NOTHING) if carried == STATE else (carried,))
    ]
    return pd.concat(found, ignore_index=True)


def load_images(data: str, n_test: int = N_TEST) -> tuple[Images, Images]:
    """Load training and test images at the size of the small trunk."""
    from neurocnnf import build_model
    from neurocnnf.record import prepare

    small, found = build_model(RECIPE.model), []
    for split in ("train", "test"):
        images, labels = load_split(data, split, n_test)
        found.append(Images(in_parts(images, lambda part: prepare(part, small)).numpy(), labels))
    return found[0], found[1]


def run(data: str, out: Path, seeds: Sequence[int], recipe: Recipe, n_test: int, progress: Progress) -> list[Path]:
    """Run what has not been run yet, each model and seed a stage of its own, and write the tables.

    Returns
    -------
    list of Path
        ``<out>.csv`` (a row per way of looking, glimpse and seed), ``<out>.summary.csv``, ``<out>.differences.csv``.
    """
    training, test = load_images(data, n_test)
    order = ["data", "model", "carried", "readout", "glimpse", "seed", "accuracy", "n_test", "simulated"]
    with tempfile.TemporaryDirectory() as scratch:

        def make(kind: str, carried: str, seed: int) -> pd.DataFrame:
            found = network_accuracy(kind, carried, training, test, seed, recipe, folder=Path(scratch) / f"{seed}")
            return found.assign(data=data, seed=seed, simulated=False)[order]

        jobs = [(*way, seed) for seed in seeds for way in TRAINED]
        inputs = run_inputs(data, {"recipe": recipe, "n_test": n_test, "side": SIDE}, [Path(__file__).resolve()])
        runs = run_each(out.with_name(f"{out.name}.runs"), inputs, jobs, make, progress, f"glimpses: {data}")
    return write_tables(out, {".csv": runs, ".summary.csv": summarise(runs), ".differences.csv": differences(runs)})


def main(argv: Sequence[str] | None = None) -> None:
    """Write the tables, and print the path of the results last."""
    from neurocnnf.display import progress_bar

    parser = argparse.ArgumentParser(description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=DATA, default="mnist", help="images (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending; printed last")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="(default: 0 … 4)")
    parser.add_argument("--n-test", type=int, default=N_TEST, help="test images (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="two seeds, few batches: a check, no result")
    options = parser.parse_args(argv)
    seeds, recipe, n_test = options.seeds, RECIPE, options.n_test
    if options.quick:
        seeds, recipe, n_test = [0, 1], QUICK_RECIPE, 100
    with progress_bar() as progress:
        run(options.data, options.out, seeds, recipe, n_test, progress)
    print(options.out)


if __name__ == "__main__":
    main()
