"""Accuracy under attack less the feedforward control's, and less that of the own step 0, over trainings.

Every attack is compared with the same one on the control of the same seed: what was made through step 0 alone, with
what was made through the control's one sweep. What "any" attack changed is compared with step 0 alone: the control
meets fewer of them. Transfer, which no control meets, too.

Run ``python -m analysis.robustness_spread --in build/robustness/cnn*.csv --out build/robustness/differences``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.cells import bounded
from analysis.robustness_summary import (
    KEYS,
    NOTHING,
    answers,
    columns_of,
    each_training,
    read_attacks,
    row_name,
    shown_steps,
)
from analysis.trainings import described, student, within_families, write_summary
from neurocnnf.robustness import ANY
from neurocnnf.validation import READOUTS

CONTROL, OWN = "control", "step 0"
FAMILY = [*KEYS, "model", "step", "shown", "against"]
HEADER = "less (points, mean over trainings [95 %])"
"""Of the column that says what is subtracted: says how to read the columns of attacks."""


def by_seed(table: pd.DataFrame) -> pd.DataFrame:
    """Subtract, seed by seed.

    Parameters
    ----------
    table
        Rows of `neurocnnf.robustness.robustness_on`, as `analysis.robustness_summary.paper_table` takes them.

    Returns
    -------
    pandas.DataFrame
        data, training, epsilon, model ("CNN-F (last)"), step, shown (whether the paper's table has that step), against
        ("control"; "step 0", the model's own, where the step is a later one), attack (column of the paper's table),
        seed, accuracy (percent) and difference (points; NaN where what it is compared with was not measured).

    Raises
    ------
    ValueError
        If no model is there to be compared, or what is compared was attacked on other numbers of images.
    """
    parts, columns = [], columns_of(table["attack"])
    for about, here in each_training(table):
        first = here[(here["step"] == 0) & (here["readout"] == READOUTS[0])]
        control = first[(first["kind"] == "cnn") & (first["gradient"] != ANY)]
        for kind, own in here[here["kind"] != "cnn"].groupby("kind", sort=False):
            recurrent, shown = bool(own["step"].max() > 0), shown_steps(own)
            others = {CONTROL: control, OWN: first[first["kind"] == kind]}
            for step, readout, one in answers(own):
                row = {"model": row_name(str(kind), readout, recurrent), "step": step, "shown": step in shown}
                for against in others if step else [CONTROL]:
                    part = _differences(one, others[against], columns)
                    parts.append(part.assign(**about, **row, against=against))
    if not parts:
        raise ValueError("robustness: expected tables of a model besides the control, got none. Give both.")
    return pd.concat(parts, ignore_index=True)[[*FAMILY, "attack", "seed", "accuracy", "difference"]]


def _differences(one: pd.DataFrame, other: pd.DataFrame, columns: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """Give attack, seed, accuracy and difference, attack by attack."""
    parts = []
    for name, (attack, gradient) in columns.items():
        mine, theirs = (
            part[(part["attack"] == attack) & (part["gradient"] == gradient)].set_index("seed") for part in (one, other)
        )
        theirs = theirs.reindex(mine.index)
        if (mine["n_used"] != theirs["n_used"])[theirs["n_used"].notna()].any():
            raise ValueError(
                f"robustness: expected {mine['model'].iloc[0]} and what it is compared with attacked on the same "
                f"images, got other numbers of them under {name}. Attack both with the same settings."
            )
        accuracy, difference = 100 * mine["accuracy"], 100 * (mine["accuracy"] - theirs["accuracy"])
        parts.append(pd.DataFrame({"attack": name, "accuracy": accuracy, "difference": difference}).reset_index())
    return pd.concat(parts)


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise trainings.

    Parameters
    ----------
    table
        From `by_seed`.

    Returns
    -------
    pandas.DataFrame
        A row per training, model, step, what it is compared with, and attack: n_seeds (with a difference), n_total,
        mean and sd of the difference in points, low, high (95 %, Student's t over seeds; NaN of one, or where all are
        alike), p (that there is none), p_holm (over the attacks, of one model, step and comparison).
    """
    rows: list[dict[str, Any]] = []
    for key, part in table.groupby([*FAMILY, "attack"], sort=False):
        row = dict(zip([*FAMILY, "attack"], key, strict=True))
        rows.append(row | described(part["difference"]) | student(part["difference"], 100.0))
    summary = pd.DataFrame(rows)
    family = [summary[name] for name in FAMILY]
    return summary.assign(p_holm=within_families(summary["p"], summary["n_seeds"], family))


def as_cells(summary: pd.DataFrame) -> pd.DataFrame:
    """Write the steps that the paper's table shows for readers: a column per attack, "--" if there is none; all str."""
    rows = []
    for key, part in summary[summary["shown"]].groupby(FAMILY, sort=False):
        about = dict(zip(FAMILY, key, strict=True))
        row = {"data": about["data"], "training": about["training"], "ε": f"{about['epsilon']:g}"}
        row |= {"model": about["model"], "step": str(about["step"]), HEADER: about["against"]}
        rows.append(row | {one.attack: _cell(one) for one in part.itertuples()})
    return pd.DataFrame(rows).fillna(NOTHING)


def _cell(one) -> str:
    pairs = f" ({one.n_seeds} of {one.n_total} trainings)" if one.n_seeds < one.n_total else ""
    return f"{bounded(one.mean, one.low, one.high, 1)}{pairs}" if one.n_seeds else NOTHING


def main(argv: Sequence[str] | None = None) -> None:
    """Write seeds and summary, as `analysis.trainings.write_summary` does, and print the latter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in", dest="inputs", nargs="+", type=Path, required=True, metavar="CSV")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending")
    options = parser.parse_args(argv)
    table = by_seed(read_attacks(options.inputs))
    summary = over_seeds(table)
    print(write_summary(options.out, table, summary, as_cells(summary)), end="")


if __name__ == "__main__":
    main()
