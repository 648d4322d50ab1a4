"""What stands in for the study of occluded objects where it is missing: handwritten digits, and simulated observers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from analysis.human_times import simulate_trials
from analysis.masking import truncated_accuracy
from neurocnnf.clock import StepClock
from neurocnnf.degradations import DEGRADATION_LEVELS, degrade
from neurocnnf.images import load_training_set
from neurocnnf.stimuli import Stimuli


def simulated_data(seed: int = 0, **_):
    """Trials of simulated observers, with a mask in half of them, of occluded handwritten digits.

    Unmasked, their times are unrelated to any model's; masked, they know more after longer durations.
    """
    objects, occluded = occluded_digits(seed)
    ids = np.unique(occluded.table["object_id"])
    shown = occluded.table.groupby("object_id")["stimulus_id"].apply(list).to_dict()
    rng = np.random.default_rng([seed, 31])
    trials = simulate_trials(rng.standard_normal(len(ids)), ids, shown, seed=seed)
    trials["masked"] = rng.random(len(trials)) < 0.5
    trials["soa_s"] = rng.choice([0.025, 0.05, 0.075, 0.1, 0.15], len(trials))
    known = truncated_accuracy(np.linspace(0.5, 0.9, 6), trials["soa_s"] * 1000, StepClock(10, 20), 0.1)
    trials["correct"] = np.where(trials["masked"], rng.random(len(trials)) < known, trials["correct"])
    extra = occluded.table.set_index("stimulus_id")[["category", "occluded_percent"]]
    return trials.join(extra, on="stimulus_id"), objects, occluded


def occluded_digits(seed: int = 0, per_class: int = 20, per_object: int = 6) -> tuple[Stimuli, Stimuli]:
    """Whole handwritten digits (objects), and each of them occluded anew `per_object` times, as `Stimuli`.

    Occlusion goes through the levels in turn; ``occluded_percent`` is the percentage of pixels that changed.
    """
    images, labels = load_training_set("digits", "test")
    rng = np.random.default_rng([seed, 3])
    chosen = [rng.permutation(np.flatnonzero(labels == c))[:per_class] for c in np.unique(labels)]
    chosen = np.concatenate(chosen)
    names = [f"digit {n}" for n in labels[chosen]]
    table = pd.DataFrame({"object_id": np.arange(len(chosen)) + 1, "category": names})
    generator = torch.Generator().manual_seed(seed)
    whole = torch.as_tensor(images[chosen].transpose(0, 3, 1, 2).copy()).float() / 127.5 - 1
    shown, tables, levels = [], [], DEGRADATION_LEVELS["occlusion"]
    for number in range(per_object):
        hidden = degrade(whole, "occlusion", levels[number % len(levels)], generator)
        hidden = ((hidden.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        shown.append(hidden.numpy().transpose(0, 2, 3, 1))
        percent = 100.0 * (shown[-1] != images[chosen]).mean(axis=(1, 2, 3))
        ids = [f"object {i} occlusion {number}" for i in table["object_id"]]
        tables.append(table.assign(occluded_percent=percent, stimulus_id=ids))
    wholes = table.assign(stimulus_id=[f"object {i}" for i in table["object_id"]])
    return (
        Stimuli(images[chosen], wholes, "digits"),
        Stimuli(np.concatenate(shown), pd.concat(tables, ignore_index=True), "digits-occluded"),
    )
