"""What steps change of accuracy, over several trainings of each model: the last one less step 0, of the same images.

Run ``python -m analysis.step_gains --accuracy neurocnnf/weights/{cnnf,lateral}-x.json --n-steps 5 --out build/gains``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.accuracy_summary import read_accuracies, readout_of
from analysis.cells import bounded, chance
from analysis.trainings import described, student, within_families, write_summary

CLEAN, ALL = "clean", "all corruptions"
COLUMNS = ("condition", "model", "seed", "step", "gain", "n_images")
HEADER = "points from step 0 on (mean over trainings [95 %], p by Holm)"


def by_seed(by_step: pd.DataFrame, n_steps: int | None = None) -> pd.DataFrame:
    """Subtract step 0 from step `n_steps`.

    Parameters
    ----------
    by_step
        As `analysis.accuracy_summary.read_accuracies` gives it, of recurrent models and any; those without later steps
        are left out.
    n_steps
        Of the answers that are compared with step 0's; the last there is, where not given.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, a row per condition, model and seed. condition: "clean", each corruption (the mean over its levels)
        and the mean over all levels of all, "all corruptions". gain: in accuracy, -1 to 1. n_images: of a level.

    Raises
    ------
    ValueError
        If a model has later steps, but not that one, or a condition twice; if none has; or if accuracies are of
        several readouts.
    """
    keys = ["model", "seed", "degradation", "level"]
    recurrent = by_step[by_step.groupby("model")["step"].transform("max") > 0]
    if recurrent.empty:
        raise ValueError("accuracies: expected those of a recurrent model, got none. Name one that has steps.")
    readout_of(recurrent)
    n_steps = int(recurrent["step"].max()) if n_steps is None else n_steps
    pairs = recurrent[recurrent["step"].isin([0, n_steps])]
    given = pairs.groupby(keys)["step"].agg(sorted)
    if wrong := [place[0] for place, steps in given.items() if steps != [0, n_steps]]:
        raise ValueError(
            f"{wrong[0]}: expected each condition once at step 0 and step {n_steps}, got others. Choose a step that "
            "every model has (--n-steps)."
        )
    first, last = (pairs[pairs["step"] == step].set_index(keys) for step in (0, n_steps))
    table = last.assign(gain=last["accuracy"] - first["accuracy"], step=n_steps).reset_index()
    table = table.rename(columns={"degradation": "condition"})
    every = table[table["condition"] != CLEAN].assign(condition=ALL)
    means = pd.concat([table, every]).groupby(["condition", "model", "seed"], sort=False)
    means = means.agg(step=("step", "first"), gain=("gain", "mean"), n_images=("n_images", "first")).reset_index()
    order = list(dict.fromkeys(means["condition"]))
    means = means.sort_values("condition", key=lambda names: names.map(order.index), kind="stable")
    return means[list(COLUMNS)].reset_index(drop=True)


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise trainings.

    Parameters
    ----------
    table
        From `by_seed`.

    Returns
    -------
    pandas.DataFrame
        A row per condition and model: condition, model, step, n_seeds, n_total, mean, sd, low, high (95 %, Student's t
        over trainings; NaN of one), p (that nothing changes), p_holm (over a model's conditions, but for the mean over
        all corruptions, which is a family of its own).
    """
    rows = []
    for (condition, model), part in table.groupby(["condition", "model"], sort=False):
        row = {"condition": condition, "model": model, "step": part["step"].iloc[0]}
        rows.append(row | described(part["gain"]) | student(part["gain"]))
    summary = pd.DataFrame(rows)
    family = [summary["model"], summary["condition"] == ALL]
    return summary.assign(p_holm=within_families(summary["p"], summary["n_seeds"], family))


def as_cells(summary: pd.DataFrame) -> pd.DataFrame:
    """Write the summary for readers, in points: a row per condition, a column per model; all str."""
    rows = []
    for condition, part in summary.groupby("condition", sort=False):
        cells = {}
        for one in part.itertuples():
            p = "" if pd.isna(one.p_holm) else f", p {chance(one.p_holm)}"
            cells[one.model] = bounded(100 * one.mean, 100 * one.low, 100 * one.high, 2) + p
        rows.append({HEADER: condition, **cells})
    return pd.DataFrame(rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Write seeds and their summary, as `analysis.trainings.write_summary` does, and print the latter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--accuracy", nargs="+", type=Path, required=True, metavar="FILE", help="cards, or tables of evaluate"
    )
    parser.add_argument(
        "--n-steps", type=int, metavar="N", help="which step is compared with step 0 (default: the last)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending")
    options = parser.parse_args(argv)
    table = by_seed(pd.concat(map(read_accuracies, options.accuracy), ignore_index=True), options.n_steps)
    summary = over_seeds(table)
    print(write_summary(options.out, table, summary, as_cells(summary)), end="")


if __name__ == "__main__":
    main()
