"""Observers and models condition by condition: which manipulations make answers wrong, and which make them slow.

Source of the data and of the accuracy difference: Geirhos et al. (2018) NeurIPS 31; Geirhos, Narayanappa et al. (2021)
NeurIPS 34. Their images differ between subjects, so that conditions, not images, are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.behaviour import Ceiling, Rows, draw_items, table_row
from benchmarks.bootstrap import fold_correlations
from benchmarks.ceilings import spearman_brown
from benchmarks.reaction_times import item_means, steps_needed
from benchmarks.soft_labels import centre_within, label_entropy
from benchmarks.solution_time import bootstrap_spearman
from neurocnnf.stimuli import Stimuli

ACCURACY_RULE = "sqrt of Spearman-Brown reliability between halves of each experiment's subjects (Pearson)"
RT_RULE = (
    "sqrt of Spearman-Brown reliability between halves of each experiment's subjects (Spearman, within experiments)"
)
N_SPLITS = 100


@dataclass(frozen=True)
class Conditions:
    """Images of conditions of experiments, and trials of observers in them.

    Parameters
    ----------
    stimuli, labels, categories, groups, trains
        As `benchmarks.answers.category_answers` takes them.
    image_condition
        int, (image,), row of `table`.
    table
        One row per condition: experiment, condition.
    trials
        Columns subject (of one experiment), place (row of `table`), correct (bool), time_z (NaN where the time does
        not count).
    notes
        What a reader has to know.
    """

    stimuli: Stimuli
    labels: NDArray[np.int64]
    categories: tuple[str, ...]
    groups: NDArray
    trains: NDArray[np.bool_]
    image_condition: NDArray[np.int64]
    table: pd.DataFrame
    trials: pd.DataFrame
    notes: tuple[str, ...] = ()


def subject_halves(trials: pd.DataFrame, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mark the trials of a random half of each experiment's subjects: bool, (trial,).

    Parameters
    ----------
    trials
        Columns subject and experiment; no subject is in two experiments.
    """
    subjects = trials[["experiment", "subject"]].drop_duplicates()
    order = pd.Series(rng.random(len(subjects)), subjects.index).groupby(subjects["experiment"]).rank()
    size = subjects.groupby("experiment")["subject"].transform("size")
    first = set(subjects["subject"][order <= size // 2])
    return trials["subject"].isin(first).to_numpy()


def compare_accuracy(log_probabilities: NDArray, data: Conditions, seed: int, n_resamples: int) -> Rows:
    """Pearson correlation over conditions of the accuracies of people and model, at every step.

    Parameters
    ----------
    log_probabilities
        (step, image, category).
    data, seed, n_resamples
        Trials; of halves and resamples of conditions.

    Returns
    -------
    list of dict
        Beside the usual columns: ``accuracy_difference`` (mean over conditions of the squared difference),
        ``accuracy`` and ``people_accuracy`` (means over conditions).
    """
    for_halves, for_conditions = np.random.default_rng(seed).spawn(2)
    n, place = len(data.table), data.trials["place"].to_numpy()
    correct = data.trials["correct"].to_numpy(np.float64)
    people, every = item_means(place, correct, n), np.arange(n)
    r = []
    for _ in range(N_SPLITS):
        half = subject_halves(data.trials, for_halves)
        r.append(_pearson(*(item_means(place, correct, n, h) for h in (half, ~half))))
    ceiling = _ceiling(r, ACCURACY_RULE)
    draws, rows = draw_items(n, n_resamples, for_conditions), []
    for step, values in enumerate(log_probabilities):
        model = item_means(data.image_condition, (values.argmax(axis=-1) == data.labels).astype(np.float64), n)
        samples = fold_correlations(model[:, None], people[:, None], (every,), draws)[:, 0]
        row = table_row("accuracy", step, _pearson(model, people), samples, ceiling, (n, n))
        row |= {"accuracy_difference": float(np.mean((model - people) ** 2))}
        rows.append(row | {"accuracy": float(model.mean()), "people_accuracy": float(people.mean())})
    return rows


def compare_times(log_probabilities: NDArray, data: Conditions, seed: int, n_resamples: int) -> Rows:
    """Spearman over conditions of people's times with two readings of the model, within experiments, at every step.

    A condition's time is the mean over right answers of the log reaction time, z-scored within subject; its and the
    model's values are taken as differences from their experiment's mean. Experiments of one condition say nothing about
    that and are left out, and counted. Metrics: ``entropy``, mean over the condition's images at the step;
    ``solution-step``, mean steps needed, restricted to the step: unsolved by then counts one more, the horizon.

    Parameters
    ----------
    log_probabilities
        (step, image, category).
    data, seed, n_resamples
        Trials; of halves and resamples of conditions.
    """
    for_halves, for_conditions = np.random.default_rng(seed).spawn(2)
    n, trials = len(data.table), data.trials[data.trials["time_z"].notna()]
    place, times = trials["place"].to_numpy(), trials["time_z"].to_numpy()
    experiment = data.table["experiment"].to_numpy()
    timed = np.isfinite(item_means(place, times, n))
    per_experiment = pd.Series(timed).groupby(experiment).transform("sum").to_numpy()
    kept = timed & (per_experiment > 1)

    def within(values):
        return centre_within(values[kept], experiment[kept])

    people, r = within(item_means(place, times, n)), []
    for _ in range(N_SPLITS):
        half = subject_halves(trials, for_halves)
        r.append(_pearson(*(rankdata(within(item_means(place, times, n, h))) for h in (half, ~half))))
    ceiling = _ceiling(r, RT_RULE)
    draws, rows = draw_items(int(kept.sum()), n_resamples, for_conditions), []
    needed = steps_needed(log_probabilities, data.labels)
    for metric in ("entropy", "solution-step"):
        for step, values in enumerate(log_probabilities):
            reading = label_entropy(np.exp(values)) if metric == "entropy" else np.minimum(needed[step], step + 1)
            model = within(item_means(data.image_condition, reading, n))
            raw = _pearson(rankdata(model), rankdata(people))
            samples = bootstrap_spearman(model, people, draws)
            unsolved = int(np.isinf(needed[step]).sum())
            rows.append(table_row(metric, step, raw, samples, ceiling, (int(kept.sum()), n), n_unsolved=unsolved))
    return rows


def _pearson(a, b) -> float:
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < 3:
        return float("nan")
    every = (np.arange(known.sum()),)
    return float(fold_correlations(a[known, None], b[known, None], every)[0])


def _ceiling(r, rule: str) -> Ceiling:
    finite = np.array(r)[np.isfinite(r)]
    reliability = float(spearman_brown(finite.mean())) if len(finite) else float("nan")
    return Ceiling(float(np.sqrt(reliability)) if reliability > 0 else float("nan"), rule)
