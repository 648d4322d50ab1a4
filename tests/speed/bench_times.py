"""Speed of recognition times on simulated trials of the size of Tang et al. (2018), in seconds of the processor.

PYTHONPATH=. .venv/bin/python tests/speed/bench_times.py             about two minutes
PYTHONPATH=. .venv/bin/python tests/speed/bench_times.py coverage    200 simulations too: some ten minutes
"""

import argparse
import time

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from analysis.bounds import READOUTS, all_times
from analysis.human_times import clean_trials
from analysis.model_comparison import ObjectTimes
from analysis.timing_coverage import N_SIMULATIONS, neuron_intervals, observer_intervals

N_TRIALS, N_STEPS, N_OBJECTS, N_SUBJECTS, N_CATEGORIES, N_RESAMPLES = 13_000, 5, 325, 21, 5, 10_000


def make_study(seed=0):
    """Return decisions (step, stimulus, category), movement, and tables of stimuli and trials: a stimulus per trial."""
    rng = np.random.default_rng(seed)
    items = np.arange(N_TRIALS) % N_OBJECTS
    label = items % N_CATEGORIES
    decisions = rng.standard_normal((N_STEPS + 1, N_TRIALS, N_CATEGORIES))
    decisions[:, np.arange(N_TRIALS), label] += np.linspace(0, 2, N_STEPS + 1)[:, None]
    movement = rng.random((N_STEPS, N_TRIALS)) * np.arange(N_STEPS, 0, -1)[:, None]
    ids = np.array([f"{k:05d}" for k in range(N_TRIALS)])
    table = pd.DataFrame({"stimulus_id": ids, "object_id": items, "category": label, "label": label})
    table = table.assign(fold=items % 10)
    trials = pd.DataFrame({"subject": rng.integers(0, N_SUBJECTS, N_TRIALS), "object_id": items, "stimulus_id": ids})
    trials = trials.assign(category=label, masked=False, correct=rng.random(N_TRIALS) < 0.8)
    return decisions, movement, table, trials.assign(rt_s=np.exp(0.2 * rng.standard_normal(N_TRIALS)))


def show(what, seconds, bar):
    """Print a time beside its bar."""
    print(f"{what}: {seconds:.1f} s (bar {bar} s){'' if seconds <= bar else ' MISSED'}", flush=True)


def main():
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=["coverage"], help="measure the coverage study too")
    with_coverage = parser.parse_args().part
    decisions, movement, table, trials = make_study()
    kept = clean_trials(trials).trials
    start = time.process_time()
    times = all_times(decisions, movement, table, kept, trials)
    what = f"{len(READOUTS)} readouts of the times of {len(kept)} of {N_TRIALS} trials × {N_STEPS + 1} steps"
    show(what, time.process_time() - start, 120)
    start = time.process_time()
    study = ObjectTimes(kept, N_RESAMPLES, 0)
    found = study.correlations(times["solution"], pd.DataFrame(index=kept.index), 99)
    what = f"{N_RESAMPLES} hierarchical resamples of a correlation, with its ceiling"
    show(
        f"{what} (ρ {found['rho']:.2f} [{found['rho_low']:.2f}, {found['rho_high']:.2f}])",
        time.process_time() - start,
        30,
    )
    if with_coverage:
        start = time.process_time()
        observer_intervals(N_SIMULATIONS, np.random.default_rng(0))
        neuron_intervals(N_SIMULATIONS, np.random.default_rng(1))
        show(f"coverage of clocks, {N_SIMULATIONS} simulations of each", time.process_time() - start, 900)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
