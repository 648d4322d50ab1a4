"""Answers of a model to manipulated pictures, by a readout that learnt from the whole pictures alone.

The readout is `benchmarks.readout`: ridge, all steps pooled, one per fold of originals. A manipulated picture is
answered by the readout of the fold that its original was left out of, so that no readout is tested on a version of a
picture that it has seen. Few pictures make readouts that differ with how originals are dealt to folds; decision values
are averaged over several dealings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.inputs import EachLayer, each_activation
from benchmarks.readout import Readout, choose_layer, fit_readout, object_folds
from neurocnnf.progress import Progress

N_FOLDS, N_DEALS = 10, 4
CHUNK = 64
"""Pictures recorded at once: all layers of them at all steps are in memory."""


@dataclass(frozen=True)
class Answers:
    """What a model answers to every picture, from every layer, at every step.

    Parameters
    ----------
    decisions
        Layer to float32 (step, presentation, category), decision values; the answer is the largest.
    labels
        int64 (presentation,), the right category.
    condition, original
        int64 (presentation,), number of the picture's condition and of its original.
    conditions, categories
        Their names, in the order of these numbers.
    category_of_original
        int64 (original,).
    layer
        The layer that is most accurate on whole pictures that its readout has not seen; manipulated ones do not enter.
    whole_accuracy
        Layer to float64 (step,), that accuracy.
    """

    decisions: dict[str, NDArray[np.float32]]
    labels: NDArray[np.int64]
    condition: NDArray[np.int64]
    original: NDArray[np.int64]
    conditions: tuple[str, ...]
    categories: tuple[str, ...]
    category_of_original: NDArray[np.int64]
    layer: str
    whole_accuracy: dict[str, NDArray[np.float64]]

    def given(self, layer: str) -> NDArray[np.int64]:
        """Return the category answered, (step, presentation)."""
        return self.decisions[layer].argmax(axis=2)

    def right(self, layer: str) -> NDArray[np.bool_]:
        """Return where the answer is right, (step, presentation)."""
        return self.given(layer) == self.labels


def answer(
    model,
    stimuli,
    conditions: Sequence[str],
    categories: Sequence[str],
    control: str,
    n_steps: int,
    each_layer: EachLayer,
    *,
    layers: Sequence[str] | None = None,
    seed: int = 0,
    n_deals: int = N_DEALS,
    progress: Progress | None = None,
) -> Answers:
    """Train readouts of every layer on the whole pictures, and answer all pictures with them.

    Parameters
    ----------
    model, n_steps, each_layer
        As in `benchmarks.inputs`.
    stimuli
        With the table columns condition, category and original.
    conditions, categories
        Names, in the order wanted.
    control
        The condition of the whole pictures.
    layers
        Names; all of the model's where None.
    seed
        Of the folds.
    n_deals
        How many times originals are dealt to folds.
    progress
        Called with (what, done, total).

    Raises
    ------
    ValueError
        If the table names a condition, category or original that it should not, or originals have no whole picture.
    """
    layers = tuple(model.layer_names if layers is None else layers)
    table = stimuli.table
    condition, labels, original, whole = _numbers(table, conditions, categories, control)
    deals = [object_folds(labels[whole], N_FOLDS, seed * n_deals + deal) for deal in range(n_deals)]
    readouts: dict[str, list[Readout]] = {}
    # `whole` lists the originals' pictures in the originals' order, so that folds are numbered by original
    recorded = each_activation(model, stimuli.subset(whole), layers, n_steps, each_layer)
    for done, (layer, activations) in enumerate(recorded, start=1):
        readouts[layer] = [fit_readout(activations, labels[whole], folds) for folds in deals]
        if progress:
            progress(f"{model.name}: readout of whole pictures", done, len(layers))
    decisions = {layer: np.empty((n_steps + 1, len(stimuli), len(categories)), np.float32) for layer in layers}
    for start in range(0, len(stimuli), CHUNK):
        part = slice(start, min(start + CHUNK, len(stimuli)))
        for layer, activations in each_layer(model, stimuli.subset(part), list(layers), n_steps).items():
            every = zip(readouts[layer], deals, strict=True)
            decided = [readout.decide(activations, folds[original[part]]) for readout, folds in every]
            decisions[layer][:, part] = np.mean(decided, axis=0)
        if progress:
            progress(f"{model.name}: pictures answered", part.stop, len(stimuli))
    # a readout like any other, for `choose_layer`: one dealing's, with the accuracy of all
    mean = {layer: np.mean([one.accuracy for one in fitted], axis=0) for layer, fitted in readouts.items()}
    chosen = choose_layer({layer: replace(readouts[layer][0], accuracy=mean[layer]) for layer in layers})
    return Answers(
        decisions,
        labels,
        condition,
        original,
        tuple(conditions),
        tuple(categories),
        labels[whole],
        chosen,
        mean,
    )


def _numbers(table: pd.DataFrame, conditions, categories, control):
    """Return conditions, categories and originals as numbers, and the rows of the whole pictures by original."""
    condition = pd.Index(conditions).get_indexer(table["condition"])
    labels = pd.Index(categories).get_indexer(table["category"])
    for what, numbers in (("condition", condition), ("category", labels)):
        row = (numbers < 0).argmax()
        if numbers[row] < 0:
            raise ValueError(
                f"stimuli: expected each {what} to be one of those scored, got {table[what].iloc[row]!r} (row {row}). "
                "Name it, or leave it out."
            )
    whole = np.flatnonzero(table["condition"] == control)
    originals = pd.Index(table["original"].iloc[whole])
    if originals.has_duplicates:
        raise ValueError(
            f"stimuli: expected one picture of each original in the condition {control!r}, got "
            f"{originals[originals.duplicated()][0]!r} more than once. Give other originals other names."
        )
    original = originals.get_indexer(table["original"])
    if (original < 0).any() or (labels[whole][original] != labels).any():
        raise ValueError(
            f"stimuli: expected a picture of every original, of the same category, in the condition {control!r}, got "
            f"{(original < 0).sum()} pictures without one. Add it, or leave them out."
        )
    return condition, labels, original, whole
