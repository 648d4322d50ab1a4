"""Scores of several seeds of each model, and what is left of a difference from the control over them.

A seed decides the weights that training begins with, the order of its images and what is drawn on the way; models of
one seed share the feedforward part of their training, so that a model is compared with the control of its own seed.

Run ``python -m analysis.seed_spread --suite build/seeds/suite.csv --control cnn-x --out build/seeds/spread``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.cells import MISSING, bounded, chance, number
from analysis.trainings import described, split_seeds, student, within_families, write_summary
from benchmarks.run_suite import SCORED

COLUMNS = ("benchmark", "model", "seed", "state", "quantity", "score", "difference", "simulated")
HEADER = "benchmark (mean ± SD; less control of the seed [95 %], p by Holm)"
"""Of the first column of what is written for readers: says how to read the others, which bear models' names."""


def by_seed(suite: pd.DataFrame, control: str) -> pd.DataFrame:
    """Lay out a suite's scores by model and seed, each beside the control of its seed.

    Parameters
    ----------
    suite
        As `analysis.suite_summary.tabulate` gives it, of models named ``<model>`` (seed 0) and ``<model>-seed<n>``.
    control
        The model that the others are compared with, without its seed.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`. ``quantity``: "value", the score over its ceiling, where every seed with a score has one; else
        "raw". ``difference``: from the control; NaN for the control itself. NaN: missing.

    Raises
    ------
    ValueError
        If no row is of the control.
    """
    table = split_seeds(suite)
    scored = table[(table["state"] == SCORED) & table["raw"].notna()]
    whole = scored["value"].notna().groupby(scored["benchmark"]).all()
    table["quantity"] = np.where(table["benchmark"].map(whole).eq(True), "value", "raw")
    table["score"] = np.where(table["quantity"] == "value", table["value"], table["raw"])
    return with_differences(table, control)


def with_differences(table: pd.DataFrame, control: str) -> pd.DataFrame:
    """Give `COLUMNS` of a table that has all but ``difference``, which is from the control of the same seed.

    Raises
    ------
    ValueError
        If no row is of the control.
    """
    if control not in set(table["model"]):
        known = ", ".join(dict.fromkeys(table["model"]))
        raise ValueError(f"control: expected one of {known}, got {control!r}. Score it too.")
    own = table[table["model"] == control].set_index(["benchmark", "seed"])["score"]
    pairs = pd.MultiIndex.from_frame(table[["benchmark", "seed"]])
    difference = np.where(table["model"] == control, np.nan, table["score"] - own.reindex(pairs).to_numpy())
    return table.assign(difference=difference)[list(COLUMNS)]


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise seeds: mean and standard deviation, and the mean difference from the control with its t interval.

    Parameters
    ----------
    table
        From `by_seed`.

    Returns
    -------
    pandas.DataFrame
        A row per benchmark and model: benchmark, model, state (of seeds without a score, where there are any),
        quantity, n_seeds (with a score), n_total, mean, sd, n_pairs (scores that have a control's of their seed),
        difference, low, high (95 %, Student's t over pairs; NaN of one pair, or where all differ alike), p (that of no
        difference), p_holm (over the benchmarks of a model, those counted whose pairs all differ alike), simulated.
    """
    rows = []
    for (benchmark, model), part in table.groupby(["benchmark", "model"], sort=False):
        differences = part["difference"].dropna()
        states = dict.fromkeys(part.loc[part["score"].isna(), "state"].replace(SCORED, MISSING))
        row = {"benchmark": benchmark, "model": model, "state": ", ".join(states) or SCORED}
        row |= {"quantity": part["quantity"].iloc[0], **described(part["score"]), "n_pairs": len(differences)}
        row |= {"difference": differences.mean(), **student(differences, part["score"].abs().max())}
        rows.append(row | {"simulated": bool(part["simulated"].any())})
    summary = pd.DataFrame(rows)
    return summary.assign(p_holm=within_families(summary["p"], summary["n_pairs"], summary["model"]))


def as_cells(summary: pd.DataFrame) -> pd.DataFrame:
    """Write the summary for readers: a row per benchmark, a column per model; all str.

    Returns
    -------
    pandas.DataFrame
        `HEADER`, the benchmark; for each model "mean ± sd", with the count of seeds where some have no score, or why
        there is none; and, but for the control, "; difference from the control [95 %]", with the count of pairs where
        some are missing, and p (Holm), where there was a test.
    """
    rows = []
    for benchmark, part in summary.groupby("benchmark", sort=False):
        raw = part["n_seeds"].any() and part["quantity"].iloc[0] == "raw"
        row = {HEADER: f"{benchmark}{' (raw)' if raw else ''}"}
        rows.append(row | {one.model: f"{_mean(one)}{_difference(one)}" for one in part.itertuples()})
    return pd.DataFrame(rows)


def _mean(row) -> str:
    if not row.n_seeds:
        return row.state
    spread = f" ± {number(row.sd)}" if row.n_seeds > 1 else ""
    return f"{number(row.mean)}{spread}" + (f" ({row.n_seeds} / {row.n_total})" if row.n_seeds < row.n_total else "")


def _difference(row) -> str:
    if not row.n_pairs:
        return ""
    pairs = f" ({row.n_pairs} pairs)" if row.n_pairs < row.n_total else ""
    p = "" if pd.isna(row.p_holm) else f", p {chance(row.p_holm)}"
    return f"; {bounded(row.difference, row.low, row.high)}{pairs}{p}"


def main(argv: Sequence[str] | None = None) -> None:
    """Read a suite's table, write seeds and their summary, and print the latter."""
    run(by_seed, __doc__, argv)


def run(
    lay_out: Callable[[pd.DataFrame, str], pd.DataFrame], about: str | None, argv: Sequence[str] | None = None
) -> None:
    """Read a suite's table, lay it out by seed beside the control, write that and its summary, and print the latter."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", type=Path, required=True, help="table of a suite (.csv) of every seed")
    parser.add_argument("--control", required=True, help="the model that the others are compared with, without a seed")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending")
    options = parser.parse_args(argv)
    print(write_spread(lay_out(pd.read_csv(options.suite), options.control), options.out), end="")


def write_spread(table: pd.DataFrame, out: Path) -> str:
    """Write what `by_seed` gives and its summary, as `write_summary` does."""
    summary = over_seeds(table)
    return write_summary(out, table, summary, as_cells(summary))


if __name__ == "__main__":
    main()
