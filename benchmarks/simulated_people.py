"""People whose true answer is known: they recognise what a model does at a step, and are slow where it needs steps.

They check the benchmarks of recognition, and stand in where the study is not at hand. Everything made here says that it
is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from benchmarks.clean_readout import Answers
from benchmarks.profiles import condition_means
from benchmarks.recognition_measures import steps_until_right
from benchmarks.recordings.maniquet2025 import Humans
from neurocnnf.stimuli import Stimuli

N_OBSERVERS, N_TRIALS, N_RT_BINS = 60, 80, 5
FASTEST_MS, MS_PER_STEP, OBSERVER_MS = 500.0, 100.0, 60.0
"""Reaction time without any step, per step, and its standard deviation over observers."""
CONTROL = "whole"


@dataclass(frozen=True)
class SimulatedStudy:
    """Pictures, and simulated people who answered them.

    Parameters
    ----------
    stimuli
        Table columns condition, category, original.
    humans
        The fields of the recorded ones; attrs of every array say ``simulated`` and the truth.
    """

    stimuli: Stimuli
    humans: Humans


def simulated_people(
    answers: Answers,
    layer: str,
    masked_step: int,
    unmasked_step: int,
    rng: np.random.Generator,
    *,
    n_observers: int = N_OBSERVERS,
    bin_steps: tuple[int, ...] | None = None,
) -> Humans:
    """Simulate people who answer as a model does: at one step where a mask cut them short, at another where not.

    Parameters
    ----------
    answers, layer
        The model's answers, and the layer they are read from.
    masked_step, unmasked_step
        The truth. Times are those of the unmasked: `FASTEST_MS` and `MS_PER_STEP` for each step that a picture is
        unsolved, up to this one.
    rng
        Source of noise: answers are drawn per trial, half masked, half not; observers differ in speed.
    n_observers
        Half of them see each half of the conditions; all see the first.
    bin_steps
        Step that answers in each bin of reaction time come from, the fastest first; evenly spread where None.

    Raises
    ------
    ValueError
        If a step is not among those answered.
    """
    right = answers.right(layer)
    steps = tuple(np.linspace(0, len(right) - 1, N_RT_BINS).round().astype(int)) if bin_steps is None else bin_steps
    for step in (masked_step, unmasked_step, *steps):
        if not 0 <= step < len(right):
            raise ValueError(f"step: expected 0 to {len(right) - 1}, got {step}. Choose a step that was answered.")
    attrs = {"simulated": 1, "layer": layer, "masked_step": masked_step, "unmasked_step": unmasked_step}
    n_conditions = len(answers.conditions)
    truth = condition_means(right, answers.condition, n_conditions)
    seen = _shown(n_observers, n_conditions)
    chance = np.stack([truth[masked_step], truth[unmasked_step]])
    trials = rng.binomial(N_TRIALS // 2, chance[:, None], (2, n_observers, n_conditions)) / (N_TRIALS // 2)
    accuracy = np.where(seen, trials.mean(axis=0), np.nan)
    slow = condition_means(steps_until_right(right)[unmasked_step], answers.condition, n_conditions)
    speed = OBSERVER_MS * rng.standard_normal((n_observers, 1))
    rt = np.where(seen, FASTEST_MS + MS_PER_STEP * slow + speed + 10 * rng.standard_normal(seen.shape), np.nan)
    by_masking = np.where(seen, trials, np.nan)
    coords = {"observer": [f"simulated-{k}" for k in range(n_observers)], "condition": list(answers.conditions)}
    bins = rng.binomial(N_TRIALS * n_observers, truth[list(steps)]) / (N_TRIALS * n_observers)
    number = np.arange(1, len(steps) + 1)
    given = answers.given(layer)
    confusions = np.stack([_confusions(given[unmasked_step], answers, rng) for _ in range(n_observers)])
    masked = np.stack([_confusions(given[step], answers, rng) for step in (masked_step, unmasked_step)])
    binned = np.stack([_confusions(given[step], answers, rng) for step in steps])
    categories = {"category": list(answers.categories), "answer": list(answers.categories)}

    def array(values, coords):
        return xr.DataArray(values, coords, tuple(coords), attrs=attrs)

    return Humans(
        _by_condition([accuracy, *by_masking], [rt] * 3, answers.conditions, attrs),
        array(accuracy, coords),
        array(rt, coords),
        array(bins, {"rt_bin": number, "condition": list(answers.conditions)}),
        array(confusions, {"participant": np.arange(n_observers), **categories}),
        array(masked, {"masking": ["masked", "unmasked"], **categories}),
        array(binned, {"rt_bin": number, **categories}),
    )


def _shown(n_observers: int, n_conditions: int) -> NDArray[np.bool_]:
    """Show the first condition to all, and the other ones by turns."""
    seen = np.arange(n_observers)[:, None] % 2 == np.arange(n_conditions) % 2
    seen[:, 0] = True
    return seen


def _confusions(given, answers, rng) -> NDArray[np.int64]:
    """Count the answers of one observer, who sees a random half of the pictures."""
    n = len(answers.categories)
    shown = rng.random(len(given)) < 0.5
    return np.bincount(answers.labels[shown] * n + given[shown], minlength=n * n).reshape(n, n)


def _by_condition(accuracy, rt, conditions, attrs) -> xr.Dataset:
    """Average observers; standard errors are over observers."""
    coords = {"masking": ["all", "masked", "unmasked"], "condition": list(conditions)}

    def mean(values):
        return np.nanmean(values, axis=1)

    def sem(values):
        return np.nanstd(values, axis=1, ddof=1) / np.sqrt(np.isfinite(values).sum(axis=1))

    accuracy, rt = np.stack(accuracy), np.stack(rt)
    values = {"accuracy": mean(accuracy), "accuracy_sem": sem(accuracy), "rt_ms": mean(rt), "rt_sem_ms": sem(rt)}
    return xr.Dataset({name: (tuple(coords), value) for name, value in values.items()}, coords, attrs)


def degraded_digits(n_per_category: int, seed: int = 0) -> Stimuli:
    """Show handwritten digits whole, and with noise, blur, occlusion and less contrast, each at three levels.

    Parameters
    ----------
    n_per_category
        Originals of each digit: the first ones of scikit-learn's test split.
    seed
        Of noise and occlusion.

    Returns
    -------
    Stimuli
        16 × 16 gray; table columns stimulus_id, condition ("whole" or "<kind> <level>"), category, original.
    """
    import torch

    from neurocnnf.degradations import DEGRADATION_LEVELS, degrade
    from neurocnnf.images import load_training_set, to_model_range

    images, labels = load_training_set("digits", "test")
    rows = np.concatenate([np.flatnonzero(labels == digit)[:n_per_category] for digit in range(10)])
    whole = to_model_range(images[rows])
    generator = torch.Generator().manual_seed(seed)
    shown = {CONTROL: whole}
    for kind in ("noise", "blur", "occlusion", "contrast"):
        for level in DEGRADATION_LEVELS[kind]:
            shown[f"{kind} {level:g}"] = degrade(whole, kind, level, generator)
    pictures = [((one + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy() for one in shown.values()]
    table = pd.DataFrame(
        {
            "stimulus_id": [f"digits-test-{row:04d} {condition}" for condition in shown for row in rows],
            "condition": np.repeat(list(shown), len(rows)),
            "category": [str(digit) for _ in shown for digit in labels[rows]],
            "original": [f"{row:04d}" for _ in shown for row in rows],
        }
    )
    return Stimuli(np.concatenate(pictures), table, "degraded-digits")
