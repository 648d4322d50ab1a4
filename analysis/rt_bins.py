"""Whether later steps of a model resemble people's later answers, more than early steps do.

People's trials are cut into fifths by reaction time; each fifth has a profile of accuracy over conditions. If a model's
steps run in people's time, the likeness of its profile at a step with theirs in a fifth should rise with both together:
early steps like fast answers, late steps like slow ones. A step that is more like all fifths alike, or a fifth that all
steps are more like, says nothing about time and does not count.

Source of the fifths: Maniquet et al. (2025). `analysis.condition_times` runs it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.bootstrap import N_RESAMPLES, interval, recentred
from benchmarks.clean_readout import Answers
from benchmarks.observers import error_ceiling
from benchmarks.profiles import correlate
from benchmarks.recognition_measures import draw_pictures, profiles

STATISTIC = "change of likeness (Pearson r / ceiling) per step and fifth of reaction time"


@dataclass(frozen=True)
class RtBins:
    """Likeness of steps to fifths of people's trials, and whether it rises with both together.

    Parameters
    ----------
    statistic, low, high
        Coefficient of the product of step and fifth in the least squares fit to the likenesses, each centred; 95 %
        interval over pictures (originals) and people's trials. Above 0: later steps are more like later answers. NaN
        for a model with one step.
    table
        Columns step, rt_bin, raw (Pearson r), ceiling (of that fifth), likeness (raw / ceiling), low, high (of
        likeness), human_accuracy, model_accuracy (means over conditions), n_pictures, n_conditions, simulated.
    layer
        Where the model was read out.
    """

    statistic: float
    low: float
    high: float
    table: pd.DataFrame
    layer: str


def together(likeness: NDArray) -> NDArray[np.float64]:
    """Return the least squares coefficient of (step - mean)(bin - mean) in likenesses (…, step, bin).

    For a complete table it is the sum of likeness × step × bin, both centred, over the sum of the squared products.
    """
    steps, bins = (np.arange(n) - (n - 1) / 2 for n in likeness.shape[-2:])
    scale = np.square(steps).sum() * np.square(bins).sum()
    total = np.einsum("...sb,s,b->...", likeness, steps, bins)
    return total / scale if scale > 0 else np.full(np.shape(total), np.nan)


def rt_bins(answers: Answers, humans, seed: int = 0, n_resamples: int = N_RESAMPLES) -> RtBins:
    """Compare the model's profile at every step with people's in every fifth of their reaction times.

    People's noise is that of their trials: the files hold no fifths of single observers, so that differences between
    observers are not in the interval. With that noise alone it is wide: in each of 120 simulations of people who answer
    the same at all times, it held zero.

    Parameters
    ----------
    answers
        Of the model; read from its chosen layer.
    humans
        `benchmarks.recordings.maniquet2025.Humans`.
    seed, n_resamples
        Of the bootstrap.
    """
    right = answers.right(answers.layer)
    model = profiles(right, answers)
    drawn = profiles(right, answers, draw_pictures(answers, n_resamples, seed))
    human = humans.accuracy_by_rt_bin.to_numpy()
    n_conditions = human.shape[1]
    # trials are spread over conditions about evenly
    n_trials = np.maximum(humans.confusions_by_rt_bin.sum(["category", "answer"]).to_numpy() // n_conditions, 1)[
        :, None
    ]
    rng = np.random.default_rng([seed, 7])
    people = rng.binomial(n_trials, human, (n_resamples, *human.shape)) / n_trials
    errors = np.sqrt(human * (1 - human) / n_trials)
    ceiling = np.array([error_ceiling(*pair) for pair in zip(human, errors, strict=True)])
    raw = correlate(model[:, None], human)
    likeness, samples = raw / ceiling, correlate(drawn[:, :, None], people[:, None]) / ceiling
    rows = []
    for step, fifth in np.ndindex(*likeness.shape):
        low, high = interval(recentred(samples[:, step, fifth], likeness[step, fifth]))
        rows.append(
            {
                "step": step,
                "rt_bin": fifth + 1,
                "raw": raw[step, fifth],
                "ceiling": ceiling[fifth],
                "likeness": likeness[step, fifth],
                "low": low,
                "high": high,
                "human_accuracy": human[fifth].mean(),
                "model_accuracy": model[step].mean(),
                "n_pictures": len(answers.labels),
                "n_conditions": n_conditions,
                "simulated": bool(humans.accuracy.attrs.get("simulated", 0)),
            }
        )
    statistic = float(together(likeness))
    low, high = interval(recentred(together(samples), statistic))
    return RtBins(statistic, low, high, pd.DataFrame(rows), answers.layer)
