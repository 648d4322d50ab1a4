"""One clock for all levels of noise and blur, or one for each? And what the speed-accuracy figure draws.

Run ``python -m analysis.speed_accuracy cnnf-cifar-gray cnn-cifar-gray --out build/speed_accuracy/kumbhar2021``.
If steps are time, one `StepClock` must serve all levels. A clock per level has more parameters: both are judged on
observers that they were not fitted to.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.timing_stage import run_timing_stage
from benchmarks import speed_accuracy_curves as curves
from benchmarks.bootstrap import N_RESAMPLES, interval
from benchmarks.clock_fit import ClockGrid, clock_grid, read_at
from benchmarks.recordings.kumbhar2021 import CHANCE, CONDITIONS, DEADLINES_MS, Observers, included
from benchmarks.speed_accuracy import EVERYONE, GRID, INCLUDED, model_accuracy, observer_counts, score_table

ONE, PER_LEVEL, FLAT, PEOPLE = "one clock", "a clock per level", "no time course", "other observers"
PROFILE_EVERY = 5
QUICK_RESAMPLES = 200


def clock_comparison(
    accuracy: NDArray, model: NDArray, counts: NDArray, grid: ClockGrid = GRID, chance: float = CHANCE
) -> pd.DataFrame:
    """Predict each observer from the others, in four ways, and compare the errors.

    Parameters
    ----------
    accuracy
        (observer, condition, deadline), NaN where nothing was answered.
    model
        (condition, step).
    counts
        (resample, observer), for the intervals: errors of observers are resampled, fits held fixed.
    grid, chance
        Clocks tried; accuracy before onset.

    Returns
    -------
    DataFrame
        A row per ``prediction``: "one clock"; "a clock per level"; "no time course" (the others' mean over deadlines,
        for each condition); "other observers" (their mean curve: the ceiling). ``rmse`` of the observer left out;
        ``more_than_one_clock``, its mean squared error less that of one clock; both with ``_low``, ``_high``.
    """
    deadlines = np.array(DEADLINES_MS)
    errors = curves.clock_errors(accuracy, model, deadlines, grid, chance)
    of_level = np.take_along_axis(errors, curves.held_out_clock(errors)[..., None], axis=2)[..., 0]
    mean = curves.others_mean(accuracy)
    found = {
        ONE: curves.held_out_errors(errors),
        PER_LEVEL: np.nanmean(of_level, axis=1),
        FLAT: curves.prediction_errors(accuracy, mean.mean(axis=2, keepdims=True)),
        PEOPLE: curves.prediction_errors(accuracy, mean),
    }
    rows = []
    for name, squared in found.items():
        low, high = interval(np.sqrt(counts @ squared / len(squared)))
        more = squared - found[ONE]
        more_low, more_high = interval(counts @ more / len(more))
        row = {"prediction": name, "rmse": np.sqrt(squared.mean()), "rmse_low": low, "rmse_high": high}
        row |= {"more_than_one_clock": more.mean()}
        rows.append(row | {"more_than_one_clock_low": more_low, "more_than_one_clock_high": more_high})
    return pd.DataFrame(rows)


def clock_table(
    accuracy: NDArray, model: NDArray, counts: NDArray, grid: ClockGrid = GRID, chance: float = CHANCE
) -> pd.DataFrame:
    """Fit the clock of all conditions, and that of each, with intervals over observers, the fit done anew in each.

    Parameters
    ----------
    accuracy, model, counts, grid, chance
        As in `clock_comparison`.

    Returns
    -------
    DataFrame
        ``condition`` ("all", or its number), ``onset_ms``, ``ms_per_step`` with ``_low``, ``_high``;
        ``at_edge``: the observers do not bound the clock; ``model_range``: how far the model's accuracy is from chance,
        at most. Near 0 every clock says the same, and the one named is arbitrary. Nor can deadlines time a rise that
        happens between two of them: the first of the clocks that fit as well is then named.
    """
    errors = curves.clock_errors(accuracy, model, np.array(DEADLINES_MS), grid, chance)
    weights = np.concatenate([np.ones((1, len(accuracy))), counts])
    totals: dict[object, NDArray] = {"all": weights @ curves.observer_errors(errors)}
    for condition in range(len(model)):
        totals[condition] = weights @ np.nan_to_num(errors[:, condition])
    rows = []
    for condition, total in totals.items():
        best = total.argmin(axis=1)
        row = {"condition": condition}
        for name, values in (("onset_ms", grid.onset_ms[best]), ("ms_per_step", grid.ms_per_step[best])):
            row |= {name: values[0]} | dict(zip((f"{name}_low", f"{name}_high"), interval(values[1:]), strict=True))
        used = model if condition == "all" else model[condition]
        at_edge, reach = bool(grid.at_edge(best[:1])[0]), float(np.abs(used - chance).max())
        rows.append(row | {"at_edge": at_edge, "model_range": reach})
    return pd.DataFrame(rows)


def profile_table(accuracy: NDArray, model: NDArray) -> pd.DataFrame:
    """Root mean squared error over a range of clocks, one clock for all: ``onset_ms``, ``ms_per_step``, ``rmse``."""
    every = clock_grid(np.unique(GRID.onset_ms)[::PROFILE_EVERY], np.unique(GRID.ms_per_step)[::PROFILE_EVERY])
    errors = curves.clock_errors(accuracy, model, np.array(DEADLINES_MS), every, CHANCE)
    rmse = np.sqrt(curves.observer_errors(errors).mean(axis=0))
    return pd.DataFrame({"onset_ms": every.onset_ms, "ms_per_step": every.ms_per_step, "rmse": rmse})


def observer_table(observers: Observers, counts: NDArray) -> pd.DataFrame:
    """Tidy: mean accuracy of observers by condition and deadline, interval over observers, trials and time-outs."""
    accuracy, known = np.nan_to_num(observers.accuracy), np.isfinite(observers.accuracy)
    weights = np.concatenate([np.ones((1, len(observers))), counts])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.tensordot(weights, accuracy, 1) / np.tensordot(weights, known * 1.0, 1)
    low, high = np.nanquantile(mean[1:], [0.025, 0.975], axis=0)
    condition, deadline = (i.ravel() for i in np.indices(mean.shape[1:]))
    answered, shown = (part.sum(axis=(0, 3)).ravel() for part in (observers.answered, observers.shown))
    table = pd.DataFrame({"condition": CONDITIONS["condition"].to_numpy()[condition]})
    table = table.assign(time_ms=np.array(DEADLINES_MS)[deadline], accuracy=mean[0].ravel(), low=low.ravel())
    return table.assign(high=high.ravel(), n_observers=known.sum(axis=0).ravel(), n_answered=answered, n_shown=shown)


def model_table(model: NDArray, clock: pd.Series) -> pd.DataFrame:
    """Tidy: a model's accuracy, (condition, step), at every deadline under one clock."""
    grid = clock_grid([clock["onset_ms"]], [clock["ms_per_step"]])
    read = [read_at(curve, np.array(DEADLINES_MS), grid, CHANCE)[0] for curve in model]
    names = np.repeat(CONDITIONS["condition"].to_numpy(), len(DEADLINES_MS))
    return pd.DataFrame({"condition": names, "time_ms": DEADLINES_MS * len(model), "accuracy": np.concatenate(read)})


def speed_accuracy(models, source, n_steps: int, seed: int, *, quick: bool = False) -> dict[str, pd.DataFrame]:
    """Compare every model with observers, with and without the inclusion rule.

    Parameters
    ----------
    models
        Models.
    source
        As in `benchmarks.speed_accuracy.SpeedAccuracy`, but for the store.
    n_steps
        Feedback passes of recurrent models.
    seed
        Of everything drawn at random.
    quick
        Few resamples: a check, not a result.

    Returns
    -------
    dict
        ``curves`` (accuracy of observers by deadline, of models under their clock), ``steps`` (of models by step),
        ``clocks``, ``comparison``, ``scores`` (all measures by step) and ``profile`` (error over a range of clocks).
    """
    from neurocnnf.record import each_layer

    n_resamples = QUICK_RESAMPLES if quick else N_RESAMPLES
    data = source(model=models[0], n_steps=n_steps, seed=seed, each_layer=each_layer)
    groups = {INCLUDED: data.observers.subset(included(data.observers)), EVERYONE: data.observers}
    counts = {name: observer_counts(g, n_resamples, np.random.default_rng(seed)) for name, g in groups.items()}
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in ("curves", "clocks", "comparison", "profile")}
    tables |= {"steps": [], "scores": []}
    for target, group in groups.items():
        table = observer_table(group, counts[target])
        tables["curves"].append(table.assign(source="observers", target=target))
    for model in models:
        steps = n_steps if model.recurrent else 0
        by_category, how = model_accuracy(model, data, steps, each_layer)
        accuracy, labels = by_category.mean(axis=2), {"model": model.name, "answers": how}
        scores, _ = score_table(data.observers, by_category, model.layer_names[-1], seed, n_resamples)
        tables["scores"].append(scores.assign(**labels))
        condition, step = (i.ravel() for i in np.indices(accuracy.shape))
        by_step = {"condition": CONDITIONS["condition"].to_numpy()[condition], "step": step}
        tables["steps"].append(pd.DataFrame(by_step | {"accuracy": accuracy.ravel()}).assign(**labels))
        for target, group in groups.items():
            here = labels | {"target": target}
            clocks = clock_table(group.accuracy, accuracy, counts[target])
            tables["curves"].append(model_table(accuracy, clocks.iloc[0]).assign(source=model.name, target=target))
            names = {number: name for number, name in enumerate(CONDITIONS["condition"])}
            tables["clocks"].append(clocks.replace({"condition": names}).assign(**here))
            tables["comparison"].append(clock_comparison(group.accuracy, accuracy, counts[target]).assign(**here))
            tables["profile"].append(profile_table(group.accuracy, accuracy).assign(**here))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}


def stage(argv: Sequence[str] | None = None) -> Path:
    """Write what figures.speed_accuracy draws, unless it is up to date, and return the stem."""
    from benchmarks import timing_sources as sources

    what = "Compute what figures.speed_accuracy draws."
    here = (sources.KUMBHAR, sources.kumbhar_observers, sources.digits_observers)
    return run_timing_stage(what, argv, *here, speed_accuracy)


if __name__ == "__main__":
    print(stage())
