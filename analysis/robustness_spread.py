"""Accuracy under attack less the feedforward control's, and less that of the own step 0, over trainings.

Every attack is compared with the same one on the control of the same seed: what was made through step 0 alone, with
what was made through the control's one sweep; "any", of which the control meets fewer attacks, with its "any".

Run ``python -m analysis.robustness_spread --in build/robustness/cnn*.csv --out build/robustness/differences``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.cells import bounded, write_summary
from analysis.robustness_summary import KEYS, NOTHING, columns_of, each_training, read_attacks, row_name, shown_steps
from analysis.trainings import described, student, within_families
from neurocnnf.attacks import READOUTS

CONTROL, OWN = "control", "step 0"
FAMILY = [*KEYS, "model", "step", "against"]


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
        ("control", or "step 0", the model's own), attack (column of the paper's table), seed, accuracy and difference,
        in points. No row for a seed, or an attack, that what it is compared with lacks.
    """
    parts = []
    for about, here in each_training(table):
        columns = columns_of(here["attack"])
        controls = here[here["kind"] == "cnn"]
        for kind, own in here[here["kind"] != "cnn"].groupby("kind", sort=False):
            shown = shown_steps(own)
            for (step, readout), one in own.groupby(["step", "readout"], sort=False):
                begins = own[(own["step"] == 0) & (own["readout"] == READOUTS[0])]
                for against, other in ((CONTROL, controls), (OWN, begins if step else begins[:0])):
                    part = _differences(one, other[other["readout"] == READOUTS[0]], columns)
                    names = {"model": row_name(str(kind), str(readout), recurrent=True), "step": step}
                    parts.append(part.assign(**about, **names, shown=step in shown, against=against))
    order = [*FAMILY[:-1], "shown", "against", "attack", "seed", "accuracy", "difference"]
    return pd.concat(parts, ignore_index=True)[order] if parts else pd.DataFrame(columns=order)


def _differences(one: pd.DataFrame, other: pd.DataFrame, columns: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """Give attack, seed, accuracy and difference, in points, of what both tables have."""
    keys = ["attack", "gradient", "seed"]
    pairs = one[[*keys, "accuracy"]].merge(other[[*keys, "accuracy"]], on=keys, suffixes=("", "_of_other"))
    named = {key: name for name, key in columns.items()}
    attack = [named[pair] for pair in zip(pairs["attack"], pairs["gradient"], strict=True)]
    difference = 100 * (pairs["accuracy"] - pairs["accuracy_of_other"])
    return pd.DataFrame(
        {"attack": attack, "seed": pairs["seed"], "accuracy": 100 * pairs["accuracy"], "difference": difference}
    )


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise trainings.

    Parameters
    ----------
    table
        From `by_seed`.

    Returns
    -------
    pandas.DataFrame
        A row per training, model, step, what it is compared with, and attack: n_seeds, n_total, mean and sd of the
        difference in points, low, high (95 %, Student's t over seeds; NaN of one, or where all are alike), p (that
        there is none), p_holm (over the attacks of a row of the paper's table).
    """
    rows: list[dict[str, Any]] = []
    for key, part in table.groupby([*FAMILY[:-1], "shown", "against", "attack"], sort=False):
        row = dict(zip([*FAMILY[:-1], "shown", "against", "attack"], key, strict=True))
        rows.append(row | described(part["difference"]) | student(part["difference"], 100.0))
    summary = pd.DataFrame(rows)
    family = summary[FAMILY].astype(str).agg(" ".join, axis=1)
    return summary.assign(p_holm=within_families(summary["p"], summary["n_seeds"], family))


def as_cells(summary: pd.DataFrame) -> pd.DataFrame:
    """Write the steps that the paper's table shows for readers: a column per attack, "--" if there is none; all str."""
    return pd.DataFrame(list(_cells(summary[summary["shown"]]))).fillna(NOTHING)


def _cells(summary: pd.DataFrame) -> Iterator[dict[str, str]]:
    for (_, training, epsilon, model, step, against), part in summary.groupby(FAMILY, sort=False):
        row = {"training": training, "ε": f"{epsilon:g}", "model": model, "step": str(step), "less": against}
        yield row | {one.attack: bounded(one.mean, one.low, one.high, 1) for one in part.itertuples()}


def main(argv: Sequence[str] | None = None) -> None:
    """Write seeds and summary, as `analysis.cells.write_summary` does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in", dest="inputs", nargs="+", type=Path, required=True, metavar="CSV")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending")
    options = parser.parse_args(argv)
    table = by_seed(read_attacks(options.inputs))
    if table.empty:
        raise ValueError(
            "robustness: expected tables of a recurrent model and of its control, got none of the former. Give both."
        )
    summary = over_seeds(table)
    print(write_summary(options.out, table, summary, as_cells(summary)), end="")


if __name__ == "__main__":
    main()
