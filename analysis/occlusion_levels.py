"""Human and model time, and accuracy, by how much of the object is hidden.

Levels are quantiles of what was shown without a mask, the same for people and models: each holds as many trials, but
not as many right answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.censored import concordance_interval
from analysis.decoded_study import DecodedStudy
from analysis.inference import percentile_interval, resamples
from analysis.model_comparison import N_CONCORDANCE, Scored

N_LEVELS = 6
PEOPLE = "people"


class Measure(NamedTuple):
    """What is averaged: values (trial,), where they were reached (trial,), and what stands for those that were not."""

    who: str
    name: str
    values: NDArray
    reached: NDArray[np.bool_]
    horizon: float = 0.0


def occlusion_tables(
    study: DecodedStudy, scored: Scored, n_resamples: int = 1000, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Average times and accuracies within levels of occlusion, and say how they go with occlusion over trials.

    Times are those of the trials that `scored` keeps (unmasked, right, within range), for people and for models, so
    that both are about the same pictures. Accuracies are of all unmasked trials with a stimulus that the models saw; an
    answer that was not given counts as wrong.

    Parameters
    ----------
    study, scored
        Of `decoded_files.read_decoded` and `model_comparison.score_trials`.
    n_resamples, seed
        Of intervals; subjects and objects are drawn anew.

    Raises
    ------
    ValueError
        If it is not known how much of a kept trial's object was hidden.

    Returns
    -------
    levels
        who ("people", or a model), measure ("rt_s", seconds, geometric mean; "time_z", its logarithm in standard
        deviations within subjects; a readout, steps, those not reached put one step after the last; "accuracy", of
        models "accuracy, step k"), level, low_percent, high_percent,
        mean_percent (hidden, of the object's pixels), value, low, high (95 %), n_reached, n_used, n_total (trials).
    trends
        who, measure, somers_d of time (censored) or of right answers (1 or 0) with occlusion, low, high, n_used,
        n_total.
    """
    answered = _answered(study)
    unknown = int(scored.kept["occluded_percent"].isna().sum())
    if unknown:
        raise ValueError(f"occlusion: expected a percentage for every trial, got {unknown} without. Leave these out.")
    edges = np.quantile(answered["occluded_percent"], np.linspace(0, 1, N_LEVELS + 1))
    levels, trends = [], []
    for trials, measures in ((scored.kept, _times(scored)), (answered, _accuracies(study, answered))):
        hidden = trials["occluded_percent"].to_numpy(float)
        # The lowest level holds its lower edge too.
        level = np.maximum(np.searchsorted(edges, hidden, side="left"), 1)
        subject, item = (pd.factorize(trials[name], sort=True)[0] for name in ("subject", "object_id"))
        draws = resamples(subject.max() + 1, item.max() + 1, n_resamples, seed)
        weights = (draws[0][:, subject] * draws[1][:, item]).astype(np.float64)
        few = tuple(draw[:N_CONCORDANCE] for draw in draws)
        for one in measures:
            levels += list(_rows(one, level, hidden, weights))
            # Only their order counts, and times of 0 or more are asked for.
            columns = (one.values - one.values.min(), one.reached, hidden)
            found = concordance_interval(columns, (subject, item), few)
            trends.append((one.who, one.name, *found, len(trials)))
    table = pd.DataFrame(levels)
    table.insert(3, "low_percent", edges[table["level"] - 1])
    table.insert(4, "high_percent", edges[table["level"]])
    names = ["who", "measure", "somers_d", "low", "high", "n_used"]
    n_total = len(study.trials)
    return table.assign(n_total=n_total), pd.DataFrame(trends, columns=names).assign(n_total=n_total)


def _answered(study: DecodedStudy) -> pd.DataFrame:
    """Give the unmasked trials of occluded stimuli that the models saw."""
    trials = study.shown
    return trials[~trials["masked"].astype(bool) & trials["occluded_percent"].gt(0)]


def _times(scored: Scored) -> Iterator[Measure]:
    """Yield people's reaction times, and each model's time by each readout."""
    for name in ("rt_s", "time_z"):
        yield Measure(PEOPLE, name, scored.kept[name].to_numpy(float), np.ones(len(scored.kept), bool))
    for model, readouts in scored.times.items():
        for readout, times in readouts.items():
            yield Measure(model, readout, times.step, times.reached, times.n_steps + 1.0)


def _accuracies(study: DecodedStudy, answered: pd.DataFrame) -> Iterator[Measure]:
    """Yield whether people, and each model at its first and last step, were right."""
    known = np.ones(len(answered), bool)
    yield Measure(PEOPLE, "accuracy", answered["correct"].eq(1).to_numpy(float), known)
    for model, right in study.right(answered).items():
        for step in sorted({0, len(right) - 1}):
            yield Measure(model, f"accuracy, step {step}", right[step].astype(float), known)


def _rows(one: Measure, level: NDArray, hidden: NDArray, weights: NDArray) -> Iterator[dict]:
    """Yield a measure's mean in each level."""
    filled = np.where(one.reached, one.values, one.horizon)
    geometric = one.name == "rt_s"
    values = np.log(filled) if geometric else filled
    for number in range(1, N_LEVELS + 1):
        here = np.flatnonzero(level == number)
        if not len(here):
            continue
        total = weights[:, here].sum(axis=1)
        drawn = weights[:, here] @ values[here] / np.where(total > 0, total, np.nan)
        mean = np.array([values[here].mean(), *percentile_interval(drawn)])
        value, low, high = np.exp(mean) if geometric else mean
        row = {"who": one.who, "measure": one.name, "level": number, "mean_percent": hidden[here].mean()}
        row |= {"value": value, "low": low, "high": high}
        yield row | {"n_reached": int(one.reached[here].sum()), "n_used": len(here)}
