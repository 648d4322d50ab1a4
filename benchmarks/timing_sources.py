"""Where the benchmarks of timing take recordings and pictures from: studies, or simulations of the same form."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.it_courses import CHANCE
from benchmarks.it_decoding import model_decodability, position_stimuli
from benchmarks.recordings import kumbhar2021
from benchmarks.recordings.kumbhar2021_stimuli import condition_stimuli, to_gray
from benchmarks.recordings.zhang2011 import FILES, load_neurons
from benchmarks.simulated_timing import simulated_neurons, simulated_trials
from benchmarks.speed_accuracy import (
    N_PER_CLASS,
    N_PER_CLASS_QUICK,
    N_TRAINING_PER_CLASS,
    SpeedAccuracyData,
    model_accuracy,
)
from neurocnnf.clock import StepClock
from neurocnnf.images import load_training_set
from neurocnnf.stimuli import Stimuli

CIFAR = ("cifar10*/*",)
ZHANG = (FILES, *CIFAR)
KUMBHAR = (kumbhar2021.FILE, *CIFAR)
IT_CLOCK, OBSERVER_CLOCK = StepClock(60, 40), StepClock(150, 400)
"""The truth of simulated recordings. Two deadlines fall into the observers' step 0: none could time a faster one."""
N_DIGITS_PER_CLASS = 30


def zhang_neurons(store, **_):
    """Return the neurons of Zhang et al. (2011), and pictures of CIFAR-10's test set at three places."""
    images, labels = load_training_set("cifar10", "test", store)
    return load_neurons(store), position_stimuli(images, labels, "cifar10-test, three places")


def digits_neurons(model, n_steps: int, seed: int, each_layer, **_):
    """Return simulated neurons that follow the last layer of the model under `IT_CLOCK`, and digits."""
    images, labels = load_training_set("digits", "test")
    stimuli = position_stimuli(images, labels, "digits-test, three places")
    layer = model.layer_names[-1]
    right = model_decodability(each_layer(model, stimuli, [layer], n_steps)[layer], "all positions")
    curve = np.maximum(right.mean(axis=1) - CHANCE, 0)
    return simulated_neurons(curve, IT_CLOCK, np.random.default_rng(seed)), stimuli


def kumbhar_observers(store, seed: int, quick: bool = False, **_) -> SpeedAccuracyData:
    """Return the answers of Kumbhar et al. (2021), and pictures of CIFAR-10's test set, perturbed."""
    images, labels = load_training_set("cifar10", "test", store)
    observers = kumbhar2021.count_answers(kumbhar2021.load_trials(store))
    stimuli = condition_stimuli(images, labels, N_PER_CLASS_QUICK if quick else N_PER_CLASS, seed)
    training = _whole(*load_training_set("cifar10", "train", store), N_TRAINING_PER_CLASS, "cifar10-train")
    return SpeedAccuracyData(observers, stimuli, training)


def digits_observers(model, n_steps: int, seed: int, each_layer, **_) -> SpeedAccuracyData:
    """Return simulated observers who answer as the model does under `OBSERVER_CLOCK`, and digits."""
    images, labels = load_training_set("digits", "test")
    stimuli = condition_stimuli(images, labels, N_DIGITS_PER_CLASS, seed)
    training = _whole(*load_training_set("digits", "train"), N_TRAINING_PER_CLASS, "digits-train")
    nobody = kumbhar2021.Observers(np.array([]), np.array([]), *(np.zeros((0, 8, 5, 10), int) for _ in range(3)))
    data = SpeedAccuracyData(nobody, stimuli, training, classes_of=("digits",))
    accuracy, _ = model_accuracy(model, data, n_steps, each_layer)
    trials = simulated_trials(
        accuracy,
        kumbhar2021.CONDITIONS,
        OBSERVER_CLOCK,
        np.random.default_rng(seed),
        deadlines_ms=np.array(kumbhar2021.DEADLINES_MS),
        categories=kumbhar2021.CIFAR10_CLASSES,
    )
    return SpeedAccuracyData(kumbhar2021.count_answers(trials), stimuli, training, data.classes_of)


def _whole(images, labels, n_per_class: int, identifier: str) -> Stimuli:
    """Take the first pictures of every class, in gray."""
    chosen = np.concatenate([np.flatnonzero(labels == c)[:n_per_class] for c in np.unique(labels)])
    pixels = np.round(255 * to_gray(images[chosen])).astype(np.uint8)
    table = pd.DataFrame({"stimulus_id": [f"{k:05d}" for k in chosen], "label": labels[chosen]})
    return Stimuli(pixels[..., None], table, identifier)
