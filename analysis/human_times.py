"""Human recognition times: which trials count, the time of each object, and how far subjects agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.inference import percentile_interval, rank_correlation
from benchmarks.ceilings import spearman_brown

Trials = Literal["unmasked", "masked", "all"]
COLUMNS = ("subject", "object_id", "stimulus_id", "correct", "rt_s", "masked")


@dataclass(frozen=True)
class CleanTrials:
    """Trials that count, and how many each rule left out.

    Parameters
    ----------
    trials
        The trials kept, with a column ``time_z``: log reaction time, z-scored within subject.
    exclusions
        Columns rule, n_excluded, n_left; rules in the order applied, each counted on what the ones before it
        left.
    """

    trials: pd.DataFrame
    exclusions: pd.DataFrame


@dataclass(frozen=True)
class HumanAgreement:
    """Agreement between halves of the subjects on the objects' times.

    Parameters
    ----------
    split_half, split_half_low, split_half_high
        Mean Spearman correlation between halves, uncorrected; its 95 % percentile interval, objects drawn anew.
    reliability
        The same for all subjects, by Spearman-Brown: 2r / (1 + r).
    low, high
        95 % percentile interval of `reliability`, objects drawn anew.
    ceiling
        Square root of `reliability`: the correlation with the subjects' mean expected of whoever knows the
        true times. NaN where reliability is negative.
    n_halves
        Number of random halves in which the correlation was defined.
    """

    split_half: float
    split_half_low: float
    split_half_high: float
    reliability: float
    low: float
    high: float
    ceiling: float
    n_halves: int


def clean_trials(
    trials: pd.DataFrame,
    which: Trials = "unmasked",
    rt_range_s: tuple[float, float] = (0.2, 2.5),
    shown: ArrayLike | None = None,
    *,
    right_only: bool = True,
    standardised: bool = True,
) -> CleanTrials:
    """Keep the trials whose reaction time says when an object was recognised, and standardise their times.

    Rules, in order: the object was occluded (where the trials say so); the model was shown the same stimulus
    (where `shown` is given); masked or not, as asked; answered rightly; reaction time known and within range;
    the subject has at least two such trials, not all equal. The time is the natural logarithm of the reaction
    time, z-scored within subject over the trials kept, so that a slow subject is not a slow object.

    Parameters
    ----------
    trials
        Columns subject, object_id, stimulus_id, correct, rt_s (seconds), masked; occluded_percent where
        known.
    which
        ``"unmasked"`` (a mask ends the processing that the times are about), ``"masked"`` or ``"all"``.
    rt_range_s
        Shortest and longest reaction time kept, seconds, both included. 2.5 s keeps 99 % of correct unmasked
        trials of Tang et al. 2018.
    shown
        Ids of the stimuli that the model was shown: not those of objects without a picture.
    right_only, standardised
        False, to see what these two rules do: wrong answers are kept too; `time_z` is the reaction time in seconds.

    Raises
    ------
    ValueError
        If a column is missing, `which` is unknown, the range is empty, or no trial is left.
    """
    missing = [column for column in COLUMNS if column not in trials]
    if missing:
        raise ValueError(f"clean_trials: expected columns {list(COLUMNS)}, {missing} missing. Add them.")
    if which not in ("unmasked", "masked", "all"):
        raise ValueError(f"clean_trials: expected which 'unmasked', 'masked' or 'all', got {which!r}. Pick one.")
    if not 0 <= rt_range_s[0] < rt_range_s[1]:
        raise ValueError(f"clean_trials: expected (shortest, longest) seconds, got {rt_range_s}. Swap them.")
    kept, counts = trials, []
    for rule, keeps in _rules(trials.columns, which, rt_range_s, shown, right_only):
        good = keeps(kept)
        counts.append((rule, int((~good).sum()), int(good.sum())))
        kept = kept[good]
    if kept.empty:
        reasons = "; ".join(f"{rule}: {n}" for rule, n, _ in counts)
        raise ValueError(f"clean_trials: expected some trials left, got none ({reasons}). Widen the rules.")
    log_rt = np.log(kept["rt_s"].astype(float))
    by_subject = log_rt.groupby(kept["subject"])
    z = (log_rt - by_subject.transform("mean")) / by_subject.transform("std")
    time_z = z if standardised else kept["rt_s"].astype(float)
    exclusions = pd.DataFrame(counts, columns=["rule", "n_excluded", "n_left"])
    return CleanTrials(kept.assign(time_z=time_z).reset_index(drop=True), exclusions)


def _rules(columns, which, rt_range_s, shown, right_only):
    """List the cleaning rules: a name and a function from trials to which of them it keeps."""
    low, high = rt_range_s
    rules = []
    if "occluded_percent" in columns:  # only a known 0 leaves a trial out, not an unknown percentage
        rules.append(("not occluded", lambda t: t["occluded_percent"].ne(0)))
    if shown is not None:
        rules.append(("stimulus not shown to the model", lambda t: t["stimulus_id"].isin(np.asarray(shown))))
    if which != "all":
        rules.append((f"not {which}", lambda t: t["masked"].astype(bool) == (which == "masked")))
    if right_only:
        rules.append(("wrong or no answer", lambda t: t["correct"].fillna(0).astype(bool)))
    rules += [
        ("reaction time unknown", lambda t: t["rt_s"].notna()),
        (f"reaction time below {low:g} s", lambda t: t["rt_s"] >= low),
        (f"reaction time above {high:g} s", lambda t: t["rt_s"] <= high),
        ("subject's times do not vary", lambda t: t.groupby("subject")["rt_s"].transform("nunique") > 1),
    ]
    return rules


def subject_object_sums(subjects: ArrayLike, objects: ArrayLike, times: ArrayLike, shape: tuple[int, int]):
    """Sum times over the trials of each subject and object.

    Parameters
    ----------
    subjects, objects
        (trial,), index of the trial's subject and object.
    times
        (trial,), finite.
    shape
        Number of subjects and of objects.

    Returns
    -------
    sums, counts
        float64, (subject, object): summed times, and number of trials.
    """
    cell = np.asarray(subjects) * shape[1] + np.asarray(objects)
    size = shape[0] * shape[1]
    sums = np.bincount(cell, weights=np.asarray(times, np.float64), minlength=size)
    return sums.reshape(shape), np.bincount(cell, minlength=size).reshape(shape).astype(np.float64)


def object_times(sums: NDArray, counts: NDArray, subject_weights: ArrayLike | None = None) -> NDArray[np.float64]:
    """Mean time of each object over trials, (..., object), NaN for an object without any.

    Parameters
    ----------
    sums, counts
        (subject, object), from `subject_object_sums`.
    subject_weights
        (..., subject), how often each subject is taken; all once by default.
    """
    weights = np.ones(len(sums)) if subject_weights is None else np.asarray(subject_weights, np.float64)
    total, n = weights @ sums, weights @ counts
    return np.where(n > 0, total / np.where(n > 0, n, 1.0), np.nan)


def agreement(sums: NDArray, counts: NDArray, objects: NDArray, n_halves: int = 400, seed: int = 0):
    """Split-half agreement of the objects' times, corrected by Spearman-Brown.

    Subjects are split at random, and the two halves' mean times correlated (Spearman) over the objects that
    both saw. The interval is over objects only: drawing subjects with replacement leaves about 63 % of them
    different, whose reliability is lower for that reason alone, so that the interval would miss its estimate.

    Parameters
    ----------
    sums, counts
        (subject, object), from `subject_object_sums`.
    objects
        (resample, object), index of the objects taken.
    n_halves
        Random halves that `split_half` is averaged over; each resample is averaged over 8 of them.
    seed
        Seed of the halves.

    Returns
    -------
    HumanAgreement

    Raises
    ------
    ValueError
        If there are fewer than two subjects.
    """
    if len(sums) < 2:
        raise ValueError(f"agreement: expected at least 2 subjects, got {len(sums)}. Add subjects.")
    half = np.tile(np.arange(len(sums)) < len(sums) // 2, (n_halves, 1))
    half = np.random.default_rng(seed).permuted(half, axis=1)
    first, second = object_times(sums, counts, half), object_times(sums, counts, ~half)
    halves = rank_correlation(first, second)
    row, drawn = np.arange(len(objects)), np.zeros(len(objects))
    for number in range(8):
        pick = ((8 * row + number) % n_halves)[:, None]
        drawn += rank_correlation(first[pick, objects], second[pick, objects]) / 8
    halves = halves[np.isfinite(halves)]
    split_half = float(halves.mean()) if len(halves) else float("nan")
    reliability = float(spearman_brown(split_half))
    ceiling = float(np.sqrt(reliability)) if reliability >= 0 else float("nan")
    of_halves, of_whole = percentile_interval(drawn), percentile_interval(spearman_brown(drawn))
    return HumanAgreement(split_half, *of_halves, reliability, *of_whole, ceiling, len(halves))


def simulate_trials(
    true_times: ArrayLike,
    object_ids: ArrayLike,
    stimuli: dict,
    n_subjects: int = 12,
    trials_per_object: int = 4,
    noise: float = 1.0,
    seed: int = 0,
) -> pd.DataFrame:
    """Simulate observers whose objects' true times are known.

    Each subject sees each object `trials_per_object` times, a stimulus of it drawn at random. Reaction time
    is exp(base + 0.15 (true time + noise e)) seconds, with e standard normal per trial and base normal per
    subject about log 0.8 s with standard deviation 0.15; a tenth of answers is wrong, at random. All trials
    are unmasked.

    Parameters
    ----------
    true_times
        (object,), finite, in standard units.
    object_ids
        (object,).
    stimuli
        Stimulus ids of each object id, each a non-empty sequence.
    n_subjects, trials_per_object, noise
        As above; `noise` in units of the standard deviation of the true times.
    seed
        Seed of everything drawn.

    Returns
    -------
    DataFrame
        Columns of `clean_trials`, one row per trial.
    """
    rng = np.random.default_rng([seed, 2])
    n_objects, true_times = len(np.asarray(true_times)), np.asarray(true_times, np.float64)
    subject = np.repeat(np.arange(n_subjects), n_objects * trials_per_object)
    item = np.tile(np.repeat(np.arange(n_objects), trials_per_object), n_subjects)
    base = np.log(0.8) + 0.15 * rng.standard_normal(n_subjects)
    log_rt = base[subject] + 0.15 * (true_times[item] + noise * rng.standard_normal(len(item)))
    ids = np.asarray(object_ids)[item]
    pick = rng.random(len(item))
    return pd.DataFrame(
        {
            "subject": subject,
            "object_id": ids,
            "stimulus_id": [stimuli[i][int(u * len(stimuli[i]))] for i, u in zip(ids, pick, strict=True)],
            "correct": rng.random(len(item)) < 0.9,
            "rt_s": np.exp(log_rt),
            "masked": False,
        }
    )
