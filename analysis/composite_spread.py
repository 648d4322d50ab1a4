"""The composite of several seeds of each model, and its families, beside the control of the same seed.

A family of benchmarks stands where a benchmark does, so that seeds are compared as `analysis.seed_spread` compares
them; p is corrected over a model's families and the composite, which is their mean. What is averaged are the benchmarks
that every training of every model has a score on (`benchmarks.composite`): nothing missing decides a difference.

Run ``python -m analysis.composite_spread --suite build/seeds/suite.csv --control cnn-x --out build/seeds/composite``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.seed_spread import run, with_differences
from analysis.trainings import split_seeds
from benchmarks.composite import COMMON, COMPOSITE, composite, of_all_models
from benchmarks.run_suite import SCORED


def by_seed(suite: pd.DataFrame, control: str) -> pd.DataFrame:
    """Lay out families and composite by model and seed, as `analysis.seed_spread.by_seed` does benchmarks.

    Parameters
    ----------
    suite
        As `analysis.suite_summary.tabulate` gives it, of models named ``<model>`` (seed 0) and ``<model>-seed<n>``.
    control
        The model that the others are compared with, without its seed.

    Raises
    ------
    ValueError
        If no row is of the control, or no benchmark of any family has a ceiling and a score of every model and seed.
    """
    common = of_all_models(suite)
    if common.empty:
        raise ValueError(
            "suite: expected a benchmark of some family with a score over its ceiling of every model and seed, got "
            "none. Score what is missing, or name the studies' folder: NEUROCNNF_DATA."
        )
    means = composite(common)
    means = means[(means["n_benchmarks"] > 0) & (means["family"] != COMMON)]  # here the composite's very benchmarks
    if means["family"].nunique() == 2:  # one family is the composite itself
        means = means[means["family"] != COMPOSITE]
    words = means["n_benchmarks"].map(lambda n: f" ({n} benchmark{'s' if n > 1 else ''})")
    simulated = means["model"].map(common.groupby("model")["simulated"].any())
    table = means.assign(
        benchmark=means["family"] + words, state=SCORED, quantity="value", score=means["value"], simulated=simulated
    )
    return with_differences(split_seeds(table), control)


def main(argv: Sequence[str] | None = None) -> None:
    """Read a suite's table, write families and composite by seed and their summary, and print the latter."""
    run(by_seed, __doc__, argv)


if __name__ == "__main__":
    main()
