"""Object solution times of a model's readout beside those of macaque IT, with steps as the model's time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.behaviour import Ceiling, Rows, draw_items, table_row
from benchmarks.i1i2 import distractor_rates, i1, image_dprimes
from benchmarks.solution_time import SolutionTimes, solution_times, times_agreement
from neurocnnf.stimuli import Stimuli

CEILING = Ceiling(0.79, "0.79, for solved images: computed by K. Kar, stated in Brain-Score's Kar2019-ost")


@dataclass(frozen=True)
class SolvedImages:
    """Images, how well monkeys discriminate each, and when IT does as well.

    Parameters
    ----------
    stimuli, labels, categories
        As `benchmarks.answers.Shown`.
    threshold
        float64, (image,): the monkeys' i1; NaN where unknown.
    observers
        Solution times of IT, ms.
    notes
        What a reader has to know.
    """

    stimuli: Stimuli
    labels: NDArray[np.int64]
    categories: tuple[str, ...]
    threshold: NDArray[np.float64]
    observers: SolutionTimes
    notes: tuple[str, ...] = ()


def model_solution_times(log_probabilities: NDArray, labels: NDArray, threshold: NDArray) -> SolutionTimes:
    """Find the step at which a model's i1 reaches the observers'.

    Parameters
    ----------
    log_probabilities
        (step, image, category).
    labels, threshold
        (image,).
    """
    performance = i1(image_dprimes(distractor_rates(np.exp(log_probabilities), labels), labels))
    return solution_times(performance, threshold, np.arange(len(performance)))


def compare_solution_times(log_probabilities: NDArray, data: SolvedImages, seed: int, n_resamples: int) -> Rows:
    """Spearman over images of the model's and IT's solution times, seen from every step.

    Metrics: ``solution-time``, with unsolved images censored; ``solution-time-drop-unsolved``, without images that
    either side never solves, as Brain-Score has it (there within test folds of a tenth of the images, averaged; here
    over all images, each read out when held out). A row's step is the last one that the model has taken.

    Parameters
    ----------
    log_probabilities
        (step, image, category).
    data, seed, n_resamples
        Times; of resamples of images.
    """
    draws = draw_items(len(data.labels), n_resamples, np.random.default_rng(seed))
    rows = []
    for drop in (False, True):
        metric = "solution-time" + "-drop-unsolved" * drop
        for step in range(len(log_probabilities)):
            model = model_solution_times(log_probabilities[: step + 1], data.labels, data.threshold)
            found = times_agreement(model, data.observers, draws, drop_unsolved=drop)
            solved = {"n_solved_model": int(model.solved.sum()), "n_solved_observers": int(data.observers.solved.sum())}
            n = (found.n_used, found.n_total)
            rows.append(table_row(metric, step, found.rho, found.samples, CEILING, n, **solved))
    return rows
