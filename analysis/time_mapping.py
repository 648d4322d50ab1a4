"""When IT knows, and which clock maps a model's steps onto it: latencies, and what the IT latency figure draws.

Run ``python -m analysis.time_mapping cnnf-cifar-gray cnn-cifar-gray --out build/it_latency/zhang2011``.
Decoding windows are 50 ms long and stand at their centres: a latency may be up to 25 ms early for the width of the
window, in recording and fit alike (`benchmarks.clock_fit` averages the model over the same window).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.timing_stage import run_timing_stage
from benchmarks.bootstrap import interval, shifted
from benchmarks.centroid_decoding import ALL_POSITIONS
from benchmarks.clock_fit import clock_grid, read_at
from benchmarks.course_fit import GRID, CourseFit, prepare_fit
from benchmarks.it_courses import CHANCE, N_ASSIGNMENTS, N_NEURON_RESAMPLES, WINDOW_MS, TimeCourse, time_courses
from benchmarks.it_decoding import layer_rows

ONSET, HALF, N_PEAK, PROFILE_EVERY = 0.1, 0.5, 5, 5
"""Shares of the rise from baseline to peak; windows in a row that the peak is a mean over, so that noise does not
make it."""
QUICK = (1, 50)
RECORDED = "IT"


def rise_time(times_ms: NDArray, curves: NDArray, share: float) -> NDArray[np.float64]:
    """Time at which curves have risen by a share of the way from their mean before the stimulus to their peak.

    Parameters
    ----------
    times_ms
        (time,), with some before 0.
    curves
        (sample, time).
    share
        0.5: half-rise; 0.1: onset. At most 0.5: the last crossing is taken before half of the rise is first reached.

    Returns
    -------
    ndarray
        (sample,), ms, interpolated linearly; NaN for a curve that does not rise after the stimulus.
    """
    before = _baseline(times_ms, curves).mean(axis=1)
    runs = np.lib.stride_tricks.sliding_window_view(curves, N_PEAK, axis=1).mean(axis=2)
    rise, after = runs.max(axis=1) - before, np.asarray(times_ms) >= 0
    half = (curves >= (before + HALF * rise)[:, None]) & after
    level = before + share * rise
    first = half.argmax(axis=1)
    below = (curves < level[:, None]) & (np.arange(curves.shape[1]) < first[:, None])
    last = curves.shape[1] - 1 - below[:, ::-1].argmax(axis=1)
    found = half.any(axis=1) & below.any(axis=1) & (rise > 0)
    rows, following = np.arange(len(curves)), np.minimum(last + 1, curves.shape[1] - 1)
    low, high = curves[rows, last], curves[rows, following]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = (level - low) / (high - low)
    return np.where(found, times_ms[last] + part * (times_ms[following] - times_ms[last]), np.nan)


def latencies(course: TimeCourse) -> dict[str, float]:
    """Onset and half-rise of a recorded time course, ms, each with an interval over neurons (``_low``, ``_high``).

    Resamples of neurons, which hold doubles, are late by a little: their latencies are shifted to the measured one.
    """
    found: dict[str, float] = {}
    curves = np.concatenate([course.accuracy[None], course.resampled])
    for name, share in (("onset", ONSET), ("half_rise", HALF)):
        measured, *samples = rise_time(course.times_ms, curves, share)
        low, high = interval(shifted(np.array(samples), measured))
        found |= {name: float(measured), f"{name}_low": low, f"{name}_high": high}
    return found


def course_table(courses: dict[str, TimeCourse]) -> pd.DataFrame:
    """Tidy: decoding from IT by target and time, with intervals over neurons."""
    rows = []
    for target, course in courses.items():
        low, high = np.quantile(course.centred, [0.025, 0.975], axis=0)
        table = pd.DataFrame({"time_ms": course.times_ms, "accuracy": course.accuracy, "low": low, "high": high})
        rows.append(table.assign(target=target, source=RECORDED, step=-1, n_neurons=course.n_neurons))
    return pd.concat(rows, ignore_index=True)


def fitted_table(row: pd.Series, curve: NDArray, times_ms: NDArray) -> pd.DataFrame:
    """Tidy: a model's decodability over time, under its clock and amplitude.

    Parameters
    ----------
    row
        Of `benchmarks.course_fit.fit_course`.
    curve
        (step,), decodability up to the step of the row.
    times_ms
        (time,).
    """
    grid = clock_grid([row["onset_ms"]], [row["ms_per_step"]])
    shape = read_at(curve - CHANCE, times_ms, grid, 0.0, WINDOW_MS)[0]
    table = pd.DataFrame({"time_ms": times_ms, "accuracy": CHANCE + row["amplitude"] * shape})
    return table.assign(low=np.nan, high=np.nan, target=row["target"], source=row["model"], step=row["step"])


def profile_table(prepared: CourseFit, curve: NDArray) -> pd.DataFrame:
    """R² of a recorded time course under every clock of a coarser grid, amplitudes at their best.

    Parameters
    ----------
    prepared
        The course.
    curve
        (step,), the model's decodability.
    """
    fit = prepared.fit
    measured = replace(fit, power=fit.power[:1], products=fit.products[:, :1])  # no resamples
    errors, _ = measured.errors((curve - CHANCE)[None])
    coarse = np.isin(GRID.onset_ms, np.unique(GRID.onset_ms)[::PROFILE_EVERY])
    r2 = 1 - errors[0] / prepared.total[0]
    table = pd.DataFrame({"onset_ms": GRID.onset_ms, "ms_per_step": GRID.ms_per_step, "r2": r2})
    return table[coarse]


def time_mapping(models, source, n_steps: int, seed: int, *, quick: bool = False) -> dict[str, pd.DataFrame]:
    """Decode IT once, and fit every model's last layer to it.

    Parameters
    ----------
    models
        Models.
    source
        As in `benchmarks.it_decoding.ItDecoding`, but for the store.
    n_steps
        Feedback passes of recurrent models.
    seed
        Of everything drawn at random.
    quick
        Few assignments and resamples: a check, not a result.

    Returns
    -------
    dict
        ``fits`` (a row per model, target and step), ``curves``, ``latencies``, and ``profile`` (R² with all positions
        known over a range of clocks).
    """
    from neurocnnf.record import each_layer

    neurons, stimuli = source(model=models[0], n_steps=n_steps, seed=seed, each_layer=each_layer)
    size = QUICK if quick else (N_ASSIGNMENTS, N_NEURON_RESAMPLES)
    courses = time_courses(neurons, np.random.default_rng(seed), *size)
    fits, tables, profiles = [], [course_table(courses)], []
    for model in models:
        steps, layer = n_steps if model.recurrent else 0, model.layer_names[-1]
        prepared = {target: prepare_fit(course, steps) for target, course in courses.items()}
        activations = each_layer(model, stimuli, [layer], steps)[layer]
        fit = layer_rows(layer, activations, prepared, seed)[0].assign(model=model.name)
        fits.append(fit)
        known = fit[fit["target"] == ALL_POSITIONS]["decodability"].to_numpy()
        profiles.append(profile_table(prepared[ALL_POSITIONS], known).assign(model=model.name))
        for target, rows in fit.groupby("target", sort=False):
            curve = rows["decodability"].to_numpy()
            for step in sorted({0, steps}):
                row = rows[rows["step"] == step].iloc[0]
                tables.append(fitted_table(row, curve[: step + 1], courses[target].times_ms))
    late = [{"target": target, "n_neurons": c.n_neurons, **latencies(c)} for target, c in courses.items()]
    return {
        "fits": pd.concat(fits, ignore_index=True),
        "curves": pd.concat(tables, ignore_index=True),
        "latencies": pd.DataFrame(late),
        "profile": pd.concat(profiles, ignore_index=True),
    }


def _baseline(times_ms, curves):
    # windows that end before the stimulus
    before = curves[:, times_ms + WINDOW_MS / 2 <= 0]
    if before.shape[1] < 2:
        raise ValueError(
            f"latency: expected at least 2 windows that end before the stimulus, got {before.shape[1]}. Record "
            "from earlier on."
        )
    return before


def stage(argv: Sequence[str] | None = None) -> Path:
    """Write what figures.it_latency draws, unless it is up to date, and return the stem."""
    from benchmarks import timing_sources as sources

    what = "Compute what figures.it_latency draws."
    return run_timing_stage(what, argv, sources.ZHANG, sources.zhang_neurons, sources.digits_neurons, time_mapping)


if __name__ == "__main__":
    print(stage())
