"""What a model answers when it looks at images of given categories: its own classes, or a readout of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from benchmarks.category_decoder import held_out_log_probabilities
from benchmarks.inputs import EachLayer
from benchmarks.readout import object_folds

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
DIGITS = tuple("0123456789")
CLASSES = {"cifar10": CIFAR10, "cifar-gray": CIFAR10, "digits": DIGITS, "mnist": DIGITS}
"""Training set, as a model's card names it, to the classes that the model's last layer answers with."""
N_FOLDS = 10


class Shown(Protocol):
    """Images of known categories."""

    stimuli: Any
    categories: tuple[str, ...]
    labels: NDArray[np.int64]  # (image,), index into categories


@dataclass(frozen=True)
class Answers:
    """A model's answers to all images at every step.

    Parameters
    ----------
    log_probabilities
        float64, (step, image, category), natural logarithms, not calibrated.
    layer
        Where they come from.
    how
        In words, for the notes of a score.
    """

    log_probabilities: NDArray[np.float64]
    layer: str
    how: str


def category_answers(model, shown: Shown, n_steps: int, each_layer: EachLayer, seed: int) -> Answers:
    """Let a model answer.

    A model whose card names a training set with these very categories answers with its last layer. For any other, a
    logistic readout is fitted, at every step, to the last layer before ``"logits"``, in 10 folds: each image is read
    out by a decoder that saw neither it nor, where `shown` has ``groups``, another picture of the same photograph.
    Where `shown` has ``trains``, only those images are fitted on. No observer's data enters.

    Parameters
    ----------
    model
        With ``layer_names``, and ``card`` where it has one.
    shown
        Images, categories, labels; ``groups`` and ``trains``, (image,), where it has them.
    n_steps, each_layer, seed
        Feedback passes; what records; of the folds.
    """
    card = getattr(model, "card", None) or {}
    if CLASSES.get(card.get("data", "")) == shown.categories:
        layer = model.layer_names[-1]
        logits = each_layer(model, shown.stimuli, [layer], n_steps)[layer].astype(np.float64)
        return Answers(log_softmax(logits, axis=-1), layer, f"answers: the model's own classes, softmax of {layer}")
    layer = next((name for name in reversed(model.layer_names) if name != "logits"), model.layer_names[-1])
    activations = each_layer(model, shown.stimuli, [layer], n_steps)[layer]
    groups = getattr(shown, "groups", None)
    folds = object_folds(shown.labels, N_FOLDS, seed) if groups is None else group_folds(groups, N_FOLDS, seed)
    read = held_out_log_probabilities(activations, shown.labels, folds, getattr(shown, "trains", None))
    return Answers(read, layer, f"answers: logistic readout of {layer} at every step, {N_FOLDS} folds")


def group_folds(groups: NDArray, n_folds: int, seed: int) -> NDArray[np.int64]:
    """Deal groups of images into folds at random, all images of a group together: (image,)."""
    names, index = np.unique(groups, return_inverse=True)
    return np.random.default_rng(seed).permutation(np.arange(len(names)) % n_folds)[index]
