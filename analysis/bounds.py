"""All readouts of a model's time, their bounds fitted on other objects and other subjects than are scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from analysis.censored import ConcordanceCounter
from analysis.model_time import (
    ModelTimes,
    answer_divergence,
    commitment_step,
    convergence_step,
    decision_step,
    entropy,
    evidence_step,
    feedforward_time,
    observer_step,
    softmax,
    uncertainty_area,
)
from analysis.solution_step import solution_steps

N_BOUNDS = 7
"""Candidate bounds: quantiles of what is bounded, over training presentations and steps."""
EVIDENCE_NOISE = 0.1
READOUTS = (
    "solution",
    "observer",
    "entropy_bound",
    "posterior_bound",
    "evidence",
    "commitment",
    "convergence",
    "answer_convergence",
    "uncertainty_area",
    "feedforward",
)


@dataclass(frozen=True)
class TrialTimes:
    """Model times of trials, cross-fitted.

    Parameters
    ----------
    step, reached
        (trial,), as in `model_time.ModelTimes`, with the bound fitted elsewhere.
    bounds
        (fold, half), the bounds fitted; NaN for readouts without one.
    n_steps
        Last step looked at; 0 for a feedforward time.
    """

    step: NDArray[np.float64]
    reached: NDArray[np.bool_]
    bounds: NDArray[np.float64]
    n_steps: int


def fit_temperature(decisions: NDArray, labels: ArrayLike) -> float:
    """Temperature at which the softmax of decision values is most likely right, all steps pooled (Guo et al. 2017).

    Parameters
    ----------
    decisions
        (step, presentation, category).
    labels
        (presentation,).
    """
    decisions, labels = np.asarray(decisions, np.float64), np.asarray(labels)
    column = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        p = softmax(decisions, np.exp(log_temperature))[:, column, labels]
        return -float(np.log(np.maximum(p, 1e-300)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-6.0, 4.0), method="bounded").x))


def calibrated(decisions: NDArray, labels: ArrayLike, folds: ArrayLike) -> NDArray[np.float64]:
    """Posteriors (step, presentation, category); a fold's temperature comes from the other folds' presentations."""
    labels, folds = np.asarray(labels), np.asarray(folds)
    out = np.empty(np.shape(decisions), np.float64)
    for fold in np.unique(folds):
        here = folds == fold
        out[:, here] = softmax(decisions[:, here], fit_temperature(decisions[:, ~here], labels[~here]))
    return out


def subject_halves(subjects: ArrayLike, seed: int = 0) -> NDArray[np.int64]:
    """Deal subjects into two halves at random, (trial,), 0 or 1."""
    names, index = np.unique(np.asarray(subjects), return_inverse=True)
    half = np.random.default_rng([seed, 11]).permutation(np.arange(len(names)) % 2)
    return half[index]


def observer_accuracy(trials: pd.DataFrame, folds: ArrayLike, halves: ArrayLike, which: tuple[int, int]) -> dict:
    """Category -> accuracy of the subjects of the other half with objects of other folds (unmasked trials)."""
    fold, half = which
    other = (np.asarray(folds) != fold) & (np.asarray(halves) != half) & ~trials["masked"].to_numpy(bool)
    return trials[other].groupby("category")["correct"].mean().to_dict()


def all_times(
    decisions: NDArray,
    movement: NDArray,
    table: pd.DataFrame,
    kept: pd.DataFrame,
    answered: pd.DataFrame,
    seed: int = 0,
    readouts: Sequence[str] = READOUTS,
) -> dict[str, TrialTimes]:
    """Read a model's time in every way asked for, for every trial kept.

    A trial of object fold k and subject half h gets a bound fitted on trials of other folds and the other half: the
    candidate whose times agree best in order with human times there (Somers' D, censored). Later should mean slower:
    of bounds that all disagree, the least bad is taken, not the reverse order.

    Parameters
    ----------
    decisions
        (step, presentation, category).
    movement
        (step - 1, presentation); empty for a feedforward model, which has the feedforward time alone.
    table
        Row per presentation: stimulus_id, label, category, fold.
    kept
        Trials scored: subject, stimulus_id, time_z (`human_times.clean_trials`).
    answered
        All trials with an answer, right or wrong, of stimuli in the table: for the observers' accuracy.
    seed
        Of halves and noise.
    readouts
        Of `READOUTS`.

    Returns
    -------
    dict
        Name -> `TrialTimes`.
    """
    labels, folds = table["label"].to_numpy(), table["fold"].to_numpy()
    p = calibrated(decisions, labels, folds)
    names = pd.Index(table["stimulus_id"])
    at = names.get_indexer(kept["stimulus_id"])
    halves = subject_halves(pd.concat([kept["subject"], answered["subject"]]), seed)
    place = _Place(at, folds[at], halves[: len(kept)], kept["time_z"].to_numpy())
    found = {"feedforward": _unbound(feedforward_time(p), place)}
    if len(decisions) < 2:
        return found
    found["solution"] = _unbound(ModelTimes.from_solution(solution_steps(decisions, labels)), place)
    answered_fold = folds[names.get_indexer(answered["stimulus_id"])]
    found["observer"] = _observer(p, table, place, (answered, answered_fold, halves[len(kept) :]))
    found["commitment"] = _unbound(commitment_step(decisions), place)
    found["uncertainty_area"] = _unbound(uncertainty_area(p), place)
    divergence = answer_divergence(p)
    total = np.cumsum(p, axis=0).max(axis=2)
    bounded: dict[str, tuple[NDArray, Callable[[float], ModelTimes]]] = {
        "entropy_bound": (entropy(p), lambda b: decision_step(p, b)),
        "posterior_bound": (p.max(axis=2), lambda b: decision_step(p, b, "posterior")),
        "evidence": (total, lambda b: evidence_step(p, b, EVIDENCE_NOISE, seed=seed)),
        "convergence": (movement, lambda b: convergence_step(movement, b)),
        "answer_convergence": (divergence, lambda b: convergence_step(divergence, b)),
    }
    found |= {name: cross_fitted(values, read, place) for name, (values, read) in bounded.items() if name in readouts}
    return {name: found[name] for name in readouts}


@dataclass(frozen=True)
class _Place:
    """Where trials stand: presentation, fold of the object, half of the subject, human time; each (trial,)."""

    at: NDArray[np.int64]
    fold: NDArray[np.int64]
    half: NDArray[np.int64]
    human: NDArray[np.float64]


def cross_fitted(values: NDArray, read: Callable[[float], ModelTimes], place: _Place) -> TrialTimes:
    """Choose a bound for each fold and half on all others, and read the times with it.

    Candidates are quantiles of `values` over all presentations: model answers alone, no human time, set their range.
    """
    grid = np.unique(np.quantile(values, np.linspace(0, 1, N_BOUNDS + 2)[1:-1]))
    times = [read(bound) for bound in grid]
    cells = [(fold, half) for fold in np.unique(place.fold) for half in (0, 1)]
    step, reached = np.zeros(len(place.at)), np.zeros(len(place.at), bool)
    bounds = np.full((int(place.fold.max()) + 1, 2), np.nan)
    for fold, half in cells:
        train = (place.fold != fold) & (place.half != half)
        rows = place.at[train]
        agreement = [
            float(ConcordanceCounter(t.step[rows], t.reached[rows], place.human[train]).somers_d()[0]) for t in times
        ]
        best = int(np.argmax(np.nan_to_num(agreement, nan=-np.inf)))
        score = (place.fold == fold) & (place.half == half)
        step[score], reached[score] = times[best].step[place.at[score]], times[best].reached[place.at[score]]
        bounds[fold, half] = grid[best]
    return TrialTimes(step, reached, bounds, times[0].n_steps)


def _unbound(times: ModelTimes, place: _Place) -> TrialTimes:
    """Give times that have no bound to their trials."""
    bounds = np.full((int(place.fold.max()) + 1, 2), np.nan)
    return TrialTimes(times.step[place.at], times.reached[place.at], bounds, times.n_steps)


def _observer(p, table, place: _Place, answered) -> TrialTimes:
    """Read the observer step with accuracies of other objects and subjects; bounds: mean over categories."""
    trials, folds, halves = answered
    step, reached = np.zeros(len(place.at)), np.zeros(len(place.at), bool)
    bounds = np.full((int(place.fold.max()) + 1, 2), np.nan)
    for fold in np.unique(place.fold):
        for half in (0, 1):
            accuracy = observer_accuracy(trials, folds, halves, (fold, half))
            score = (place.fold == fold) & (place.half == half)
            rows = place.at[score]
            target = table["category"].iloc[rows].map(accuracy).to_numpy(float)
            times = observer_step(p[:, rows], table["label"].to_numpy()[rows], target)
            step[score], reached[score] = times.step, times.reached
            bounds[fold, half] = float(np.mean(list(accuracy.values())))
    return TrialTimes(step, reached, bounds, len(p) - 1)
