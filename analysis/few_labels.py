"""Does generative feedback need fewer labels? CNN-F and its controls, trained from scratch on 5 to 500 per class.

All models see the same labelled images, at 16 × 16 pixels, the size of the small trunk: a run takes half a minute. The
networks take the same optimiser steps on the same augmented batches (CNN-F's and the lateral control's cost more
multiply-adds), whatever the number of labels. Beside them stands the classical pair (`analysis.generative_pair`), on
pixels and on features of a control that was trained on other people's digits.

Run ``python -m analysis.few_labels --data mnist --out build/few_labels/mnist``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.few_labels_summary import KEYS, differences, summarise
from analysis.generative_pair import CLASSIFIERS, accuracy_on_test
from analysis.runs import in_parts, load_split, run_each, run_inputs
from analysis.tables import write_tables
from neurocnnf.progress import Progress
from neurocnnf.recipes import Recipe
from neurocnnf.stages import weights_hash

# What features come from: a feedforward control that has seen none of these images.
FEATURES = {"mnist": "cnn-digits", "digits": "cnn-mnist"}
FEATURE_LAYER = "fc1"
NETWORKS = ("cnnf", "lateral", "cnn")
N_LABELS, SEEDS, N_TEST = (5, 10, 50, 100, 500), (0, 1, 2, 3, 4), 2000
RECIPE = Recipe("cnnf-digits", "digits", "shift", 200, 150, 3, batch_size=32)
QUICK_RECIPE = replace(RECIPE, feedforward_batches=10, feedback_batches=5, n_steps=2)
PIXELS, FEATURES_OF = "pixels", "features"


@dataclass(frozen=True)
class Images:
    """Images of one split, as the classifiers take them.

    Attributes
    ----------
    pixels
        float32 (image, channel, y, x) in [-1, 1], 16 × 16.
    features
        float32 (image, feature).
    labels
        int64 (image,).
    """

    pixels: NDArray[np.float32]
    features: NDArray[np.float32]
    labels: NDArray[np.int64]

    def chosen(self, index: NDArray[np.int64]) -> Images:
        """Return some of the images."""
        return Images(self.pixels[index], self.features[index], self.labels[index])


def draw_labelled(labels: NDArray[np.int64], n_per_class: int, seed: int) -> NDArray[np.int64]:
    """Draw the images whose labels are known: indices, the same number of each class.

    With the same seed, fewer labels are a part of more: learning curves are not mixed with the luck of the draw.

    Raises
    ------
    ValueError
        If a class has fewer images.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if not 1 <= n_per_class <= counts.min():
        raise ValueError(
            f"n_per_class: expected 1 to {counts.min()}, the size of the smallest class, got {n_per_class}. Ask fewer."
        )
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:n_per_class] for c in classes])


def network_accuracy(
    kind: str,
    labelled: Images,
    test: Images,
    seed: int,
    recipe: Recipe = RECIPE,
    *,
    folder: Path,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Train a network from scratch on labelled images, and test it at every step.

    Parameters
    ----------
    kind
        One of `NETWORKS`.
    labelled, test
        Images.
    seed
        Of the weights, the order of the images and the augmentation.
    recipe
        CNN-F's; a feedforward control takes no steps of feedback.
    folder
        For what training keeps; kinds that share it share the first, feedforward part of the training.
    progress
        Of the training.

    Returns
    -------
    pandas.DataFrame
        step, accuracy, n_test.
    """
    import torch

    from neurocnnf.train import train

    own = replace(recipe, model=f"{kind}-{recipe.model.partition('-')[2]}", n_steps=recipe.n_steps * (kind != "cnn"))
    data = torch.from_numpy(labelled.pixels), torch.from_numpy(labelled.labels)
    model = train(own, seed, folder / kind, data=data, progress=progress)
    with torch.no_grad():
        logits = model.unroll(torch.from_numpy(test.pixels), own.n_steps, chunk=50).logits
    correct = (logits.argmax(-1).numpy() == test.labels).mean(axis=1)
    return pd.DataFrame({"step": range(own.n_steps + 1), "accuracy": correct, "n_test": len(test.labels)})


def classical_accuracy(name: str, labelled: Images, test: Images) -> pd.DataFrame:
    """Fit a classifier of `CLASSIFIERS` on pixels and on features: input, step (0), accuracy, n_test."""
    rows = []
    for source, take in ((PIXELS, _flat), (FEATURES_OF, lambda images: images.features)):
        correct = accuracy_on_test(name, (take(labelled), labelled.labels), (take(test), test.labels))
        rows.append({"input": source, "step": 0, "accuracy": correct, "n_test": len(test.labels)})
    return pd.DataFrame(rows)


def load_images(data: str, n_test: int = N_TEST) -> tuple[Images, Images]:
    """Load the labelled pool and the test images: `n_test` of the test set, shuffled once and for all."""
    from neurocnnf import build_model, load_model
    from neurocnnf.record import prepare

    small, source = build_model(RECIPE.model), load_model(FEATURES[data])
    found = []
    for split in ("train", "test"):
        images, labels = load_split(data, split, n_test)
        pixels = in_parts(images, lambda part: prepare(part, small))
        features = in_parts(images, lambda part: _features(source, prepare(part, source)))
        found.append(Images(pixels.numpy(), features.numpy(), labels))
    return found[0], found[1]


def _features(model, images):
    (out,) = model.steps(images, 0, layers=(FEATURE_LAYER,))
    return out.activations[FEATURE_LAYER].flatten(1)


def _flat(images: Images) -> NDArray[np.float32]:
    return images.pixels.reshape(len(images.pixels), -1)


def jobs(n_labels: Sequence[int], seeds: Sequence[int]) -> Iterator[tuple[str, int, int]]:
    """Yield (model, labels per class, seed), models of the same labels one after another."""
    for n in n_labels:
        for seed in seeds:
            for model in (*CLASSIFIERS, *NETWORKS):
                yield model, n, seed


def run(
    data: str, out: Path, n_labels: Sequence[int], seeds: Sequence[int], recipe: Recipe, n_test: int, progress: Progress
) -> list[Path]:
    """Run what has not been run yet, each model, number and seed a stage of its own, and write the tables.

    Returns
    -------
    list of Path
        ``<out>.csv`` (a row per run and step), ``<out>.summary.csv``, ``<out>.differences.csv``.
    """
    pool, test = load_images(data, n_test)
    order = [*KEYS[:-1], "seed", "step", "accuracy", "n_test", "simulated"]
    with tempfile.TemporaryDirectory() as scratch:

        def make(model: str, n: int, seed: int) -> pd.DataFrame:
            labelled = pool.chosen(draw_labelled(pool.labels, n, seed))
            if model in CLASSIFIERS:
                found = classical_accuracy(model, labelled, test)
            else:
                folder = Path(scratch) / f"{n}-{seed}"
                found = network_accuracy(model, labelled, test, seed, recipe, folder=folder).assign(input=PIXELS)
            return found.assign(data=data, model=model, n_per_class=n, seed=seed, simulated=False)[order]

        todo, folder = list(jobs(n_labels, seeds)), out.with_name(f"{out.name}.runs")
        runs = run_each(folder, _inputs(data, recipe, n_test), todo, make, progress, f"few labels: {data}")
    return write_tables(out, {".csv": runs, ".summary.csv": summarise(runs), ".differences.csv": differences(runs)})


def _inputs(data: str, recipe: Recipe, n_test: int) -> dict[str, str]:
    """Name what every run depends on; the other analyses are no part of it."""
    from neurocnnf import load_model

    here = Path(__file__).resolve()
    settings = {"recipe": recipe, "n_test": n_test, "features": f"{FEATURES[data]} {FEATURE_LAYER}"}
    inputs = run_inputs(data, settings, [here, here.with_name("generative_pair.py")])
    return inputs | {f"checkpoint:{FEATURES[data]}": weights_hash(load_model(FEATURES[data]))}


def main(argv: Sequence[str] | None = None) -> None:
    """Write the tables, and print the path of the results last."""
    from neurocnnf.display import progress_bar
    from neurocnnf.images import load_training_set

    parser = argparse.ArgumentParser(description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=list(FEATURES), default="mnist", help="images (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending; printed last")
    parser.add_argument("--labels", type=int, nargs="+", default=list(N_LABELS), help="per class (default: 5 … 500)")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="(default: 0 … 4)")
    parser.add_argument("--n-test", type=int, default=N_TEST, help="test images (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="two numbers, two seeds, few batches: a check, no result")
    options = parser.parse_args(argv)
    n_labels, seeds, recipe, n_test = options.labels, options.seeds, RECIPE, options.n_test
    if options.quick:
        n_labels, seeds, recipe, n_test = [5, 10], [0, 1], QUICK_RECIPE, 100
    most = int(np.bincount(load_training_set(options.data, "train")[1]).min())
    if left_out := [n for n in n_labels if n > most]:
        print(f"left out: {left_out} labels per class, of which {options.data} has {most}", file=sys.stderr)
    with progress_bar() as progress:
        run(options.data, options.out, [n for n in n_labels if n <= most], seeds, recipe, n_test, progress)
    print(options.out)


if __name__ == "__main__":
    main()
