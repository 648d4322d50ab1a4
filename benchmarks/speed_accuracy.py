"""Whether a model's steps trade accuracy for time as people do, under noise, blur and in gray.

Three measures, named by Subramanian et al. (2025) J Vis 25(1):4; how they are computed here is ours.
Curve-fit error: root mean squared difference of an observer's accuracy by deadline from the model's by step, under
one `StepClock` for all conditions, fitted to the other observers; the ceiling is the error of the others' mean.
Category-wise correlation: Pearson r over the ten categories of accuracies, mean over conditions; needs no clock.
Steepness: accuracy gained from the first deadline (step) to the last, by a least-squares line; needs no clock either.

The value is ceiling / curve-fit error: 1 where the model predicts a person as well as other people do. Accuracy is of
answered trials; time-outs are counted. A model without CIFAR-10's classes answers by a linear readout of its last
layer. Intervals resample observers within studies; the model's pictures are held fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import resamples
from benchmarks import speed_accuracy_curves as curves
from benchmarks.benchmark import Benchmark, Run
from benchmarks.bootstrap import N_RESAMPLES, count_draws, interval
from benchmarks.clock_fit import clock_grid
from benchmarks.inputs import EachLayer
from benchmarks.readout import fit_readout, object_folds
from benchmarks.recordings.kumbhar2021 import CHANCE, DEADLINES_MS, INCLUSION, Observers, included
from benchmarks.score import Score
from neurocnnf.images import CIFAR10_CLASSES
from neurocnnf.progress import Progress

GRID = clock_grid(np.arange(0, 901, 20), np.arange(20, 1201, 20))
N_PER_CLASS, N_PER_CLASS_QUICK, N_TRAINING_PER_CLASS, N_FOLDS = 100, 20, 50, 10
ERROR_RULE = "RMSE of the other observers' mean curve / RMSE of the model, for the observer left out"
CATEGORY_RULE = "r / sqrt(Spearman-Brown split-half reliability over observers)"
STEEPNESS_RULE = "steepness of the model / of the observers"
SAMPLES = "samples"
ERROR, CATEGORY, STEEPNESS = "curve-fit error", "category-wise correlation", "steepness"
INCLUDED, EVERYONE = "included observers", "all observers"
OWN_CLASSES = ("cifar10", "cifar-gray")


@dataclass(frozen=True)
class SpeedAccuracyData:
    """What a source gives.

    Parameters
    ----------
    observers
        Their answers.
    stimuli
        A set for each row of `CONDITIONS`, with ``label`` in its table.
    training
        Stimuli with ``label``, other pictures, whole: for a readout of a model without these classes.
    classes_of
        Names of training sets (``model.card["data"]``) whose classes these are.
    """

    observers: Observers
    stimuli: Sequence[Any]
    training: Any
    classes_of: tuple[str, ...] = OWN_CLASSES


def model_accuracy(
    model, data: SpeedAccuracyData, n_steps: int, each_layer: EachLayer, progress: Progress | None = None
) -> tuple[NDArray[np.float64], str]:
    """Return the model's accuracy by condition, step and category, and how it answers.

    Returns
    -------
    accuracy
        (condition, step, category), float64.
    how
        "own classes", or "linear readout of <layer>".
    """
    layer = model.layer_names[-1]
    own = (getattr(model, "card", None) or {}).get("data") in data.classes_of
    readout = None
    if not own:
        labels = data.training.table["label"].to_numpy()
        folds = object_folds(labels, N_FOLDS)
        readout = fit_readout(each_layer(model, data.training, [layer], n_steps)[layer], labels, folds)
    found: dict[bytes, NDArray] = {}
    accuracy = np.empty((len(data.stimuli), n_steps + 1, len(CIFAR10_CLASSES)))
    for condition, stimuli in enumerate(data.stimuli):
        key = np.asarray(stimuli.images[:]).tobytes()  # whole contrast, unblurred: the same pictures in two studies
        if key not in found:
            values = each_layer(model, stimuli, [layer], n_steps)[layer]
            if readout is not None:
                values = readout.decide(values, np.arange(len(stimuli)) % N_FOLDS)
            right = values.argmax(axis=2) == stimuli.table["label"].to_numpy()
            by_class = [right[:, stimuli.table["label"] == c].mean(axis=1) for c in range(len(CIFAR10_CLASSES))]
            found[key] = np.stack(by_class, axis=1)
        accuracy[condition] = found[key]
        if progress:
            progress(f"{model.name}: answers", condition + 1, len(data.stimuli))
    return accuracy, "own classes" if own else f"linear readout of {layer}"


def observer_counts(observers: Observers, n_resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw observers with replacement within each study: (resample, observer)."""
    groups = tuple(np.flatnonzero(observers.study == study) for study in np.unique(observers.study))
    return count_draws(groups, n_resamples, rng)


def error_row(observers: Observers, accuracy: NDArray, counts: NDArray) -> dict[str, Any]:
    """Score the curve-fit error of a model, (condition, step); clocks of resamples are fitted anew."""
    errors = curves.clock_errors(observers.accuracy, accuracy, np.array(DEADLINES_MS), GRID, CHANCE)
    model = curves.held_out_errors(errors)
    people = curves.prediction_errors(observers.accuracy, curves.others_mean(observers.accuracy))
    n = len(observers)
    raw, ceiling = np.sqrt(model.mean()), np.sqrt(people.mean())
    samples, ceilings = np.sqrt(counts @ model / n), np.sqrt(counts @ people / n)
    clocks = (np.concatenate([np.ones((1, n)), counts]) @ curves.observer_errors(errors)).argmin(axis=1)
    normalised = ceilings / samples
    row = _row(raw, samples, ceiling, ERROR_RULE, ceiling / raw, normalised) | {SAMPLES: (samples, normalised)}
    for name, values in (("onset_ms", GRID.onset_ms[clocks]), ("ms_per_step", GRID.ms_per_step[clocks])):
        row |= {name: values[0]} | dict(zip((f"{name}_low", f"{name}_high"), interval(values[1:]), strict=True))
    return row | {"at_edge": bool(GRID.at_edge(clocks[:1])[0])}


def category_row(observers: Observers, accuracy: NDArray, counts: NDArray, ceiling: float) -> dict[str, Any]:
    """Score the category-wise correlation of a model, (condition, category)."""
    weights = np.concatenate([np.ones((1, len(observers))), counts])
    right, answered = (np.tensordot(weights, part, axes=1) for part in (observers.right, observers.answered))
    r = curves.category_correlation(curves.category_accuracy(right, answered), accuracy)
    return _row(r[0], r[1:], ceiling, CATEGORY_RULE, r[0] / ceiling, r[1:] / ceiling)


def steepness_row(observers: Observers, accuracy: NDArray, counts: NDArray) -> dict[str, Any]:
    """Compare the steepness of a model, (condition, step), with observers', mean over conditions."""
    weights = np.concatenate([np.ones((1, len(observers))), counts])
    known = np.isfinite(observers.accuracy)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.tensordot(weights, np.nan_to_num(observers.accuracy), 1) / np.tensordot(weights, known * 1.0, 1)
    people, model = curves.steepness(mean).mean(axis=1), float(curves.steepness(accuracy).mean())
    row = _row(model, np.full(len(counts), model), people[0], STEEPNESS_RULE, model / people[0], model / people[1:])
    return row | {"raw_low": float("nan"), "raw_high": float("nan")}  # observers are resampled, pictures are not


def _row(raw, samples, ceiling, rule, normalised, normalised_samples) -> dict[str, Any]:
    low, high = interval(samples)
    n_low, n_high = interval(normalised_samples)
    return {
        "raw": float(raw),
        "raw_low": low,
        "raw_high": high,
        "ceiling": float(ceiling),
        "ceiling_rule": rule,
        "normalised": float(normalised),
        "normalised_low": n_low,
        "normalised_high": n_high,
    }


def score_table(
    observers: Observers, accuracy: NDArray, layer: str, seed: int, n_resamples: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score every measure, for the model stopped at every step, with and without the inclusion rule.

    Parameters
    ----------
    observers
        All.
    accuracy
        (condition, step, category), the model's.
    layer
        That it answers with.
    seed
        Of resamples and split halves.
    n_resamples
        Of observers.

    Returns
    -------
    table
        A row per target, step and metric.
    samples
        Of included observers' curve-fit error, as in `benchmarks.resamples`; empty where none is included.
    """
    kept, rows = included(observers), []
    parts: dict[resamples.Key, tuple[float, NDArray]] = {}
    by_step = accuracy.mean(axis=2)
    for target, group in ((INCLUDED, observers.subset(kept)), (EVERYONE, observers)):
        if not len(group):
            continue
        for_counts, for_halves = np.random.default_rng(seed).spawn(2)
        counts = observer_counts(group, n_resamples, for_counts)
        ceiling = curves.category_ceiling(group.right, group.answered, group.study, for_halves)
        for step in range(accuracy.shape[1]):
            scored = {
                ERROR: error_row(group, by_step[:, : step + 1], counts),
                CATEGORY: category_row(group, accuracy[:, step], counts, ceiling),
                STEEPNESS: steepness_row(group, by_step[:, : step + 1], counts),
            }
            raw, value = scored[ERROR].pop(SAMPLES)
            if target == INCLUDED:
                parts["raw", layer, step] = scored[ERROR]["raw"], raw
                if step == accuracy.shape[1] - 1:
                    normalised = scored[ERROR]["normalised"], value
                    parts |= resamples.one_number(step, parts["raw", layer, step], normalised)
            place = {"target": target, "layer": layer, "step": step, "n_used": len(group), "n_total": len(observers)}
            rows += [{**place, "metric": metric, **row} for metric, row in scored.items()]
    return pd.DataFrame(rows), resamples.tabulate(parts)


@dataclass(frozen=True)
class SpeedAccuracy(Benchmark):
    """A benchmark of the trade of accuracy for time; calling it scores a model, by the answers of its last layer.

    `value` is ceiling / curve-fit error of included observers, with all steps.

    Parameters
    ----------
    identifier, studies, simulated, store, quick, each_layer
        As in `Benchmark`.
    source
        Returns `SpeedAccuracyData`; it is told ``quick`` too.
    """

    QUICK_NOTE: ClassVar[str] = "quick: few pictures and resamples, not a result"
    READS_LAYERS: ClassVar[bool] = False

    def _read(self, run: Run, store) -> SpeedAccuracyData:
        return self.source(
            store=store,
            model=run.model,
            n_steps=run.n_steps,
            seed=run.seed,
            each_layer=run.each_layer,
            quick=self.quick,
        )

    def _score(self, run: Run, data: SpeedAccuracyData) -> Score:
        accuracy, how = model_accuracy(run.model, data, run.n_steps, run.each_layer, run.progress)
        layer, n_resamples = run.model.layer_names[-1], 200 if self.quick else N_RESAMPLES
        table, samples = score_table(data.observers, accuracy, layer, run.seed, n_resamples)
        table = table.assign(simulated=self.simulated)
        return score_of_last(self.identifier, run, data.observers, table, samples, f"answers: {how}")


def score_of_last(
    identifier: str, run: Run, observers: Observers, table: pd.DataFrame, samples: pd.DataFrame, how: str
) -> Score:
    """Make a score of included observers' curve-fit error at the last step; missing where none is included."""
    last = table[table["step"] == run.n_steps]
    row = last[(last["target"] == INCLUDED) & (last["metric"] == ERROR)]
    if row.empty:
        row = last.iloc[:1].assign(**{name: np.nan for name in last.columns if "raw" in name or "normalised" in name})
        row = row.assign(n_used=0, ceiling=np.nan)
    one = row.iloc[0]
    shown, answered = int(observers.shown.sum()), int(observers.answered.sum())
    notes = (
        how,
        f"observers: {one['n_used']} of {one['n_total']} included: {INCLUSION}",
        f"time-outs: {shown - answered} of {shown} trials, left out of accuracy",
        "raw is an error: the smaller, the better",
    )
    edge = ("the data do not bound the clock: the best is at the edge of those tried",) if one["at_edge"] else ()
    return Score(
        benchmark=identifier,
        model=run.model.name,
        value=float(one["normalised"]),
        raw=float(one["raw"]),
        ceiling=float(one["ceiling"]),
        ceiling_rule=ERROR_RULE,
        interval=(float(one["normalised_low"]), float(one["normalised_high"])),
        raw_interval=(float(one["raw_low"]), float(one["raw_high"])),
        n_used=int(one["n_used"]),
        n_total=int(one["n_total"]),
        per_step=table,
        chosen=last.assign(chosen_by="fixed beforehand: the layer that answers").reset_index(drop=True),
        simulated=bool(one["simulated"]),
        notes=notes + edge,
        samples=samples,
    )
