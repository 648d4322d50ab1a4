"""Model time against human time over the conditions of Maniquet et al. (2025): 17 manipulations of pictures.

Run ``python -m analysis.condition_times cnnf-cifar-gray cnn-cifar-gray --out build/condition_times/maniquet2025``.
A condition's model time is the mean number of steps that its pictures stay unsolved; one that is never solved is
censored at the last step (a restricted mean). The time that the feedforward sweep alone would claim is its
uncertainty: how little lies between its best two answers. What is fitted and how is that of the benchmark
``maniquet2025.rt`` (`benchmarks.recognition_measures.rt`); people's fifths of reaction time are `analysis.rt_bins`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.rt_bins import STATISTIC, rt_bins
from analysis.timing_stage import run_timing_stage
from benchmarks.bootstrap import N_RESAMPLES
from benchmarks.clean_readout import Answers
from benchmarks.recognition_by_condition import QUICK_RESAMPLES, answer_study, tabulate
from benchmarks.recognition_measures import (
    People,
    draw_pictures,
    meet_people,
    profiles,
    rt,
    steps_until_right,
    uncertainty,
)
from benchmarks.score import used_steps

METRIC = "pearson"


def condition_table(answers: Answers, people: People, drawn: NDArray) -> pd.DataFrame:
    """Lay model and human times out by condition.

    Parameters
    ----------
    answers
        Of the model; read from its chosen layer.
    people
        From `benchmarks.recognition_measures.meet_people`.
    drawn
        (resample, presentation), from `benchmarks.recognition_measures.draw_pictures`.

    Returns
    -------
    pandas.DataFrame
        A row per condition: condition, experiment (conditions with one number were seen by the same people), human_ms
        (mean reaction time), model_steps, doubt (of the feedforward sweep), each with _low, _high (95 %, over people;
        over pictures), unsolved (share of pictures, censored), n_pictures, n_observers.
    """
    right = answers.right(answers.layer)
    measured = {
        "model_steps": steps_until_right(right)[-1].astype(float),
        "doubt": uncertainty(answers.decisions[answers.layer][0]),
    }
    table = pd.DataFrame({"condition": answers.conditions, "experiment": people.experiment})
    table = _with_interval(table, "human_ms", people.published("rt_ms"), people.rt_ms)
    for name, values in measured.items():
        table = _with_interval(table, name, profiles(values, answers), profiles(values, answers, drawn))
    table["unsolved"] = profiles(~right.any(axis=0), answers)
    table["n_pictures"] = np.bincount(answers.condition, minlength=len(table))
    return table.assign(n_observers=np.isfinite(people.humans.rt_ms.to_numpy()).sum(axis=0), layer=answers.layer)


def _with_interval(table: pd.DataFrame, name: str, values: NDArray, samples: NDArray) -> pd.DataFrame:
    """Add a column with the bounds of its resamples (resample, condition)."""
    low, high = np.nanquantile(samples, [0.025, 0.975], axis=0)
    return table.assign(**{name: values, f"{name}_low": low, f"{name}_high": high})


def statistics_table(answers: Answers, people: People, drawn: NDArray) -> pd.DataFrame:
    """Correlate times over conditions at the last step: rows of the benchmark, of the chosen layer, by Pearson's r."""
    last = len(answers.decisions[answers.layer]) - 1
    simulated = bool(people.humans.accuracy.attrs.get("simulated", 0))
    rows = [
        tabulate(match, answers.layer, len(answers.labels), simulated)[0]
        for match in rt(answers, answers.layer, people, drawn)
        # what is known at step 0 has that step alone
        if match.metric == METRIC and (match.step == last or match.target.startswith("from"))
    ]
    return pd.DataFrame(rows).assign(n_conditions=len(answers.conditions))


def condition_times(models, source, n_steps: int, seed: int, *, quick: bool = False) -> dict[str, pd.DataFrame]:
    """Compare every model with people.

    Parameters
    ----------
    models
        Models.
    source
        ``source(model, n_steps, seed, each_layer)`` returns a study (`benchmarks.recognition_by_condition.Study`) and
        the name of its condition of whole pictures.
    n_steps
        Feedback passes of recurrent models.
    seed
        Of folds and resamples.
    quick
        Few resamples: a check, not a result.

    Returns
    -------
    dict
        ``conditions`` (`condition_table`), ``statistics`` (`statistics_table`), ``bins`` (likeness of steps to fifths
        of reaction time) and ``time_course`` (whether it rises with both together; see `analysis.rt_bins`).
    """
    from neurocnnf.record import each_layer

    n_resamples = QUICK_RESAMPLES if quick else N_RESAMPLES
    study, control = source(model=models[0], n_steps=n_steps, seed=seed, each_layer=each_layer)
    people = meet_people(study.humans, n_resamples, seed)
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in ("conditions", "statistics", "bins", "time_course")}
    for model in models:
        answers = answer_study(model, study, used_steps(model, n_steps), each_layer, control=control, seed=seed)
        drawn = draw_pictures(answers, n_resamples, seed)
        bins = rt_bins(answers, study.humans, seed, n_resamples)
        course = {"what": STATISTIC, "statistic": bins.statistic, "low": bins.low, "high": bins.high}
        found = {
            "conditions": condition_table(answers, people, drawn),
            "statistics": statistics_table(answers, people, drawn),
            "bins": bins.table,
            "time_course": pd.DataFrame([course | {"layer": bins.layer}]),
        }
        for name, table in found.items():
            tables[name].append(table.assign(model=model.name))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}


def stage(argv: Sequence[str] | None = None) -> Path:
    """Write what figures.condition_times draws, unless it is up to date, and return the stem."""
    from benchmarks import simulated_people, sources

    def real(store, **_):
        return sources.maniquet_answers(store), "control"

    def simulated(**settings):
        return sources.digits_people(**settings), simulated_people.CONTROL

    what = "Compute what figures.condition_times draws."
    return run_timing_stage(what, argv, sources.MANIQUET, real, simulated, condition_times)


if __name__ == "__main__":
    print(stage())
