"""How often the 95 % intervals of clocks and latencies hold the truth: simulated recordings whose clock is known.

Run ``python -m analysis.timing_coverage --out build/coverage`` (200 simulations: some minutes). Nominal: .95; with 200
simulations, 92 to 98 % is what chance leaves room for. Found, 200 simulations of each (seed 0). The observers' clock:
.975 for onset_ms and for ms_per_step. 40 neurons: onset .93, half-rise .955, onset_ms .95, ms_per_step .975.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.speed_accuracy import clock_table
from analysis.tables import write_tables
from analysis.time_mapping import latencies
from benchmarks.bootstrap import count_draws
from benchmarks.centroid_decoding import ALL_POSITIONS
from benchmarks.clock_fit import clock_grid, clock_interval, read_at
from benchmarks.course_fit import GRID, prepare_fit
from benchmarks.it_courses import N_NEURON_RESAMPLES, time_courses
from benchmarks.recordings.kumbhar2021 import CHANCE, CONDITIONS, DEADLINES_MS
from benchmarks.simulated_timing import simulated_neurons
from neurocnnf.clock import StepClock

N_SIMULATIONS, N_RESAMPLES = 200, 400
OBSERVER_CLOCK, IT_CLOCK = StepClock(280, 120), StepClock(60, 40)
N_OBSERVERS = {"noise": 20, "blur": 7, "colour_gray": 6}
N_TRIALS, SPREAD = 80, 0.2  # answered trials of a cell; standard deviation of skill over observers
IT_CURVE = np.array([0.2, 0.45, 0.7, 0.85, 0.95, 1.0])


def rising_curves(n_steps: int = 5) -> NDArray[np.float64]:
    """Return accuracies that rise over steps, less so the harder the condition: (condition, step)."""
    highest = np.array([0.6, 0.45, 0.2, 0.65, 0.5, 0.2, 0.65, 0.65])
    share = 1 - 0.5 ** np.arange(1, n_steps + 2)
    return CHANCE + (highest - CHANCE)[:, None] * share


def simulated_accuracy(model: NDArray, clock: StepClock, rng: np.random.Generator) -> NDArray[np.float64]:
    """Simulate observers of the study's number and design: (observer, condition, deadline), NaN in other studies."""
    grid = clock_grid([clock.onset_ms], [clock.ms_per_step])
    expected = np.stack([read_at(curve, np.array(DEADLINES_MS), grid, CHANCE)[0] for curve in model])
    people = []
    for study, n in N_OBSERVERS.items():
        shown = (CONDITIONS["study"] == study).to_numpy()
        skill = 1 + SPREAD * rng.standard_normal(n)
        p = np.clip(CHANCE + skill[:, None, None] * (expected - CHANCE), 0, 1)
        people.append(np.where(shown[:, None], rng.binomial(N_TRIALS, p) / N_TRIALS, np.nan))
    return np.concatenate(people)


def observer_intervals(n_simulations: int, rng: np.random.Generator) -> pd.DataFrame:
    """Simulate observers, and fit the clock of all conditions: ``quantity``, ``truth``, ``low``, ``high``."""
    model, rows = rising_curves(), []
    ends = np.cumsum([0, *N_OBSERVERS.values()])
    groups = tuple(np.arange(a, b) for a, b in itertools.pairwise(ends))
    for _ in range(n_simulations):
        accuracy = simulated_accuracy(model, OBSERVER_CLOCK, rng)
        fit = clock_table(accuracy, model, count_draws(groups, N_RESAMPLES, rng)).iloc[0]
        for name in ("onset_ms", "ms_per_step"):
            row = {"quantity": f"observers: {name}", "truth": getattr(OBSERVER_CLOCK, name), "estimate": fit[name]}
            rows.append(row | {"low": fit[f"{name}_low"], "high": fit[f"{name}_high"]})
    return pd.DataFrame(rows)


def neuron_intervals(
    n_simulations: int, rng: np.random.Generator, n_resamples: int = N_NEURON_RESAMPLES
) -> pd.DataFrame:
    """Simulate populations, decode them, fit the clock of `IT_CURVE` and find latencies.

    Decoding is not proportional to the strength of tuning: the truth is what the mean time course of all simulations
    gives, which neurons drawn anew scatter about.
    """
    every, courses = [], []
    for _ in range(n_simulations):
        neurons = simulated_neurons(IT_CURVE, IT_CLOCK, rng)
        course = time_courses(neurons, rng, 1, n_resamples, (ALL_POSITIONS,))[ALL_POSITIONS]
        courses.append(course.accuracy)
        every.append(_neuron_estimates(course))
    mean = np.mean(courses, axis=0)
    truth = _neuron_estimates(_measured(course, mean))
    rows = []
    for found in every:
        for name, (estimate, low, high) in found.items():
            row = {"quantity": f"neurons: {name}", "truth": truth[name][0], "estimate": estimate}
            rows.append(row | {"low": low, "high": high})
    return pd.DataFrame(rows)


def _measured(course, accuracy: NDArray):
    return replace(course, accuracy=accuracy, resampled=accuracy[None])


def _neuron_estimates(course) -> dict[str, tuple[float, float, float]]:
    """Give each quantity's estimate and interval."""
    prepared = prepare_fit(course, len(IT_CURVE) - 1)
    shapes = np.broadcast_to(IT_CURVE, (1 + len(course.resampled), len(IT_CURVE)))
    best = prepared.fit.errors(shapes)[0].argmin(axis=1)
    found = {}
    for name in ("onset_ms", "ms_per_step"):
        tried = getattr(GRID, name)
        found[name] = (float(tried[best[0]]), *clock_interval(tried[best], tried))
    late = latencies(course)
    for name in ("onset", "half_rise"):
        found[name] = (late[name], late[f"{name}_low"], late[f"{name}_high"])
    return found


def coverage(intervals: pd.DataFrame) -> pd.DataFrame:
    """Share of intervals that hold the truth, by quantity, and mean error; a missing interval holds nothing."""
    held = (intervals["low"] <= intervals["truth"]) & (intervals["truth"] <= intervals["high"])
    table = intervals.assign(held=held, error=intervals["estimate"] - intervals["truth"])
    table = table.assign(width=intervals["high"] - intervals["low"])
    grouped = table.groupby("quantity", sort=False)
    columns = {"truth": ("truth", "first"), "n": ("held", "size"), "coverage": ("held", "mean")}
    return grouped.agg(**columns, mean_error=("error", "mean"), mean_width=("width", "mean")).reset_index()


def main(argv: Sequence[str] | None = None) -> None:
    """Measure coverage, write ``<out>.coverage.csv``, and print it."""
    parser = argparse.ArgumentParser(description="Measure the coverage of intervals on simulated recordings.")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending")
    parser.add_argument("--n", type=int, default=N_SIMULATIONS, help="simulations (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything drawn at random (default: 0)")
    options = parser.parse_args(argv)
    for_observers, for_neurons = np.random.default_rng(options.seed).spawn(2)
    found = pd.concat([observer_intervals(options.n, for_observers), neuron_intervals(options.n, for_neurons)])
    table = coverage(found).assign(simulated=True)
    write_tables(options.out, {".coverage.csv": table})
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
