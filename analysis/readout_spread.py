"""Effects of readings of a model's time in mixed models of people's times, over several trainings of one model.

Over trainings, the effect of the step is tested, among trials whose time the reading reached; each training's own p,
and its AIC, are of the step and of whether it was reached.

Run ``python -m analysis.readout_spread --in build/seeds/comparison/cnnf-x{,-seed1,-seed2} --out build/readouts``, with
the stems of what `analysis.comparison_stage` wrote of one training and the control of its seed each.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.cells import bounded, chance, number
from analysis.trainings import check_alike, described, split_seeds, student, within_families, write_summary
from neurocnnf.stages import provenance_path

FEEDFORWARD = "feedforward"
"""The reading that is held constant for all others: the confidence at step 0."""
COLUMNS = ("given", "readout", "model", "seed", "beta", "beta_low", "beta_high", "delta_aic", "lr_p", "lr_p_holm")


def by_seed(comparisons: Sequence[tuple[pd.DataFrame, Mapping[str, Any]]]) -> pd.DataFrame:
    """Take the recurrent model's rows out of each training's comparison.

    Parameters
    ----------
    comparisons
        Of `analysis.comparison_stage`, tables and provenance, each of ``<model>`` (seed 0) or ``<model>-seed<n>``,
        which comes first, and its control.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS` and simulated; ``lr_p_holm`` as each training's own comparison corrects it, over models and readouts.

    Raises
    ------
    ValueError
        If trainings are of several models, one is there twice, or they were made with other settings.
    """
    names = [note["models"][0] for _, note in comparisons]
    check_alike(names, [(note["n_steps"], note["quick"]) for _, note in comparisons])
    parts = [table[table["model"] == name] for (table, _), name in zip(comparisons, names, strict=True)]
    table = split_seeds(pd.concat(parts, ignore_index=True))
    return table.loc[table["readout"] != FEEDFORWARD, [*COLUMNS, "simulated"]].reset_index(drop=True)


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise trainings.

    Parameters
    ----------
    table
        From `by_seed`.

    Returns
    -------
    pandas.DataFrame
        A row per set of what is held constant and readout: given, readout, model, n_seeds (with an effect), n_total,
        mean (beta: log reaction time per standard deviation of model time, where reached), sd, low, high (95 %,
        Student's t over trainings), p, p_holm (over the readouts), lr_p_holm (the smallest of the trainings' own, which
        is not corrected for there being several), delta_aic_low, delta_aic_high (of any training; positive: model time
        helps), simulated.
    """
    rows = []
    for (given, readout), part in table.groupby(["given", "readout"], sort=False):
        row = {"given": given, "readout": readout, "model": part["model"].iloc[0]}
        row |= described(part["beta"]) | student(part["beta"])
        row |= {"lr_p_holm": part["lr_p_holm"].min(), "delta_aic_low": part["delta_aic"].min()}
        row |= {"delta_aic_high": part["delta_aic"].max(), "simulated": bool(part["simulated"].any())}
        rows.append(row)
    summary = pd.DataFrame(rows)
    return summary.assign(p_holm=within_families(summary["p"], summary["n_total"], summary["given"]))


def as_cells(summary: pd.DataFrame) -> pd.DataFrame:
    """Write the summary for readers; all str."""
    rows = []
    for one in summary.itertuples():
        row = {"held constant": one.given, "readout": one.readout, "trainings": f"{one.n_seeds}/{one.n_total}"}
        row |= {"β of the step, mean [over seeds]": bounded(one.mean, one.low, one.high, 4)}
        row |= {"p (Holm)": chance(one.p_holm), "smallest of the trainings' p (Holm in each)": chance(one.lr_p_holm)}
        ends = number(one.delta_aic_low, 1), number(one.delta_aic_high, 1)
        rows.append(row | {"ΔAIC": " to ".join(ends) if one.n_seeds else ""})
    return pd.DataFrame(rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Write seeds and summary, as `analysis.trainings.write_summary` does, and print the latter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in", dest="stems", nargs="+", type=Path, required=True, metavar="STEM")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending")
    options = parser.parse_args(argv)
    table = by_seed([_read(stem) for stem in options.stems])
    summary = over_seeds(table)
    print(write_summary(options.out, table, summary, as_cells(summary)), end="")


def _read(stem: Path) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    table = pd.read_csv(stem.with_name(f"{stem.name}.comparison.csv"))
    return table, json.loads(provenance_path(stem).read_text())


if __name__ == "__main__":
    main()
