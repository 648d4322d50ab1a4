"""Observers' reaction times beside a model's: who is slow with what, image by image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.behaviour import Ceiling, Rows, draw_items, table_row
from benchmarks.ceilings import spearman_brown
from benchmarks.soft_labels import label_entropy
from benchmarks.solution_time import bootstrap_spearman
from neurocnnf.stimuli import Stimuli

SUBJECT_RULE = "sqrt of Spearman-Brown reliability between halves of the subjects (Spearman)"
N_SPLITS = 100


@dataclass(frozen=True)
class Exclusion:
    """A rule, and which trials it leaves out: bool, (trial,)."""

    rule: str
    trials: NDArray[np.bool_]


@dataclass(frozen=True)
class TimedImages:
    """Images, and the times of trials that count.

    Parameters
    ----------
    stimuli, labels, categories
        As `benchmarks.answers.Shown`.
    subjects, items
        int, (trial,): index of the subject and of the image.
    times
        float64, (trial,): log reaction time, z-scored within subject.
    notes
        What a reader has to know: trials left out among it.
    """

    stimuli: Stimuli
    labels: NDArray[np.int64]
    categories: tuple[str, ...]
    subjects: NDArray[np.int64]
    items: NDArray[np.int64]
    times: NDArray[np.float64]
    notes: tuple[str, ...] = ()


def standardised_times(
    trials: pd.DataFrame, exclusions: tuple[Exclusion, ...], range_s: tuple[float, float]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Keep the trials that count, and z-score the logarithm of their times within subject.

    Parameters
    ----------
    trials
        Columns subject, rt_s (seconds), and others that stay.
    exclusions
        Rules, applied in turn before those about the time itself (unknown, out of range, subject without variation).
    range_s
        Shortest and longest time kept, both included.

    Returns
    -------
    trials, counts
        Those kept, with ``time_z``; and "rule: number left out" of each rule, on what the ones before it left.

    Raises
    ------
    ValueError
        If no trial is left.
    """
    time = trials["rt_s"].to_numpy(np.float64)
    unknown = Exclusion("time unknown or not above 0", ~(time > 0))
    outside = Exclusion(
        f"time outside {range_s[0]:g} to {range_s[1]:g} s", ~((time >= range_s[0]) & (time <= range_s[1]))
    )
    kept, counts = np.ones(len(trials), bool), []
    for exclusion in (*exclusions, unknown, outside):
        counts.append(f"{exclusion.rule}: {int((kept & exclusion.trials).sum())}")
        kept &= ~exclusion.trials
    result = trials[kept].copy()
    varies = result.groupby("subject")["rt_s"].transform("nunique") > 1
    counts.append(f"subject's times do not vary: {int((~varies).sum())}")
    result = result[varies]
    if result.empty:
        raise ValueError(f"trials: expected some that count, got none ({'; '.join(counts)}). Check the columns' units.")
    log_time = np.log(result["rt_s"])
    by_subject = log_time.groupby(result["subject"])
    z = (log_time - by_subject.transform("mean")) / by_subject.transform("std")
    return result.assign(time_z=z), tuple(counts)


def item_means(items: NDArray, values: NDArray, n_items: int, taken: NDArray | None = None) -> NDArray[np.float64]:
    """Mean of the trials' values over each item's trials: (item,), NaN where it has none.

    Parameters
    ----------
    items, values
        (trial,).
    n_items
        Items in all.
    taken
        bool, (trial,): trials to use; all by default.
    """
    taken = np.ones(len(items), bool) if taken is None else taken
    n = np.bincount(items[taken], minlength=n_items)
    with np.errstate(invalid="ignore"):
        return np.bincount(items[taken], weights=values[taken], minlength=n_items) / n


def subject_halves_ceiling(subjects, items, values, n_items: int, rng: np.random.Generator) -> Ceiling:
    """Largest expected rank correlation with the items' means, from random halves of the subjects.

    Parameters
    ----------
    subjects, items, values
        (trial,).
    n_items
        Items in all; those that only one half has seen are left out of that split.
    """
    n_subjects = int(subjects.max()) + 1
    r = []
    for _ in range(N_SPLITS):
        half = (rng.permutation(n_subjects) < n_subjects // 2)[subjects]
        first, second = item_means(items, values, n_items, half), item_means(items, values, n_items, ~half)
        both = np.isfinite(first) & np.isfinite(second)
        r.append(spearmanr(first[both], second[both])[0] if both.sum() > 2 else np.nan)
    finite = np.isfinite(r)
    reliability = float(spearman_brown(np.mean(np.array(r)[finite]))) if finite.any() else float("nan")
    return Ceiling(float(np.sqrt(reliability)) if reliability > 0 else float("nan"), SUBJECT_RULE)


def steps_needed(log_probabilities: NDArray, labels: NDArray) -> NDArray[np.float64]:
    """Count the steps an image needed, seen from every step: (step, image).

    At step s: the first step up to s with the right answer; where there is none, infinite: later than all others.

    Parameters
    ----------
    log_probabilities
        (step, image, category).
    labels
        (image,).
    """
    right = log_probabilities.argmax(axis=-1) == labels
    solved = np.logical_or.accumulate(right, axis=0)
    return np.where(solved, right.argmax(axis=0), np.inf)


def compare_reaction_times(log_probabilities: NDArray, data: TimedImages, seed: int, n_resamples: int) -> Rows:
    """Spearman over images of the subjects' mean time with two readings of the model, at every step.

    Metrics: ``entropy`` of the answer at the step, which every model has; ``solution-step``, with images unsolved by
    the step censored there: later than the solved ones, tied with each other.

    Parameters
    ----------
    log_probabilities
        (step, image, category).
    data, seed, n_resamples
        Times; of halves and resamples of images.
    """
    for_halves, for_images = np.random.default_rng(seed).spawn(2)
    n_items = len(data.labels)
    people = item_means(data.items, data.times, n_items)
    seen = np.isfinite(people)
    draws = draw_items(int(seen.sum()), n_resamples, for_images)
    ceiling = subject_halves_ceiling(data.subjects, data.items, data.times, n_items, for_halves)
    needed = steps_needed(log_probabilities, data.labels)
    n_steps = len(needed)
    readings = {
        "entropy": label_entropy(np.exp(log_probabilities)),
        "solution-step": np.where(np.isfinite(needed), needed, n_steps),  # only the order counts
    }
    rows = []
    for metric, values in readings.items():
        for step in range(n_steps):
            model = values[step, seen]
            raw = float(spearmanr(model, people[seen])[0]) if np.ptp(model) > 0 else float("nan")
            samples = bootstrap_spearman(model, people[seen], draws)
            unsolved = int(np.isinf(needed[step, seen]).sum())
            n = (int(seen.sum()), n_items)
            rows.append(table_row(metric, step, raw, samples, ceiling, n, n_unsolved=unsolved))
    return rows
