"""What readings of a model's time add to mixed models of people's times, over several trainings of one model.

Run ``python -m analysis.readout_spread --in build/seeds/comparison/cnnf-x{,-seed1,-seed2} --out build/readouts``, with
the stems of what `analysis.comparison_stage` wrote of one training and the control of its seed each.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.model_comparison import holm
from analysis.seed_spread import split_seeds, student
from analysis.suite_summary import as_markdown
from analysis.tables import write_tables
from neurocnnf.stages import write_atomically

FEEDFORWARD = "feedforward"
"""The reading that is held constant for all others: the confidence at step 0."""
COLUMNS = ("given", "readout", "model", "seed", "beta", "beta_low", "beta_high", "delta_aic", "lr_p", "lr_p_holm")


def by_seed(comparisons: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Take the recurrent model's rows out of each training's comparison.

    Parameters
    ----------
    comparisons
        Of `analysis.model_comparison.compare_models`, each of ``<model>`` (seed 0) or ``<model>-seed<n>``, which comes
        first, and its control.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS` and simulated; ``lr_p_holm`` as each training's own comparison corrects it.

    Raises
    ------
    ValueError
        If trainings are of several models, or one is there twice.
    """
    parts = [table[table["model"] == table["model"].iloc[0]] for table in comparisons]
    table = split_seeds(pd.concat(parts, ignore_index=True))
    if table["model"].nunique() > 1 or table.duplicated(["given", "readout", "seed"]).any():
        names = ", ".join(part["model"].iloc[0] for part in parts)
        raise ValueError(f"comparisons: expected one of each training of one model, got {names}. Name each once.")
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
        mean (beta: log reaction time per standard deviation of model time), sd, low, high (95 %, Student's t over
        trainings), p, p_holm (over the readouts), lr_p_holm (the smallest of any training's own), delta_aic_low,
        delta_aic_high (of any training; positive: model time helps), simulated.
    """
    rows = []
    for (given, readout), part in table.groupby(["given", "readout"], sort=False):
        beta = part["beta"].dropna()
        row = {"given": given, "readout": readout, "model": part["model"].iloc[0]}
        row |= {"n_seeds": len(beta), "n_total": len(part), "mean": beta.mean(), "sd": beta.std(), **student(beta)}
        row |= {"lr_p_holm": part["lr_p_holm"].min(), "delta_aic_low": part["delta_aic"].min()}
        row |= {"delta_aic_high": part["delta_aic"].max(), "simulated": bool(part["simulated"].any())}
        rows.append(row)
    summary = pd.DataFrame(rows)
    return summary.assign(p_holm=summary.groupby("given")["p"].transform(holm))


def as_cells(summary: pd.DataFrame) -> pd.DataFrame:
    """Write the summary for readers; all str."""

    def number(value: float, digits: int) -> str:
        return "" if pd.isna(value) else f"{value:.{digits}f}".replace("-", "−")

    rows = []
    for one in summary.itertuples():
        bounds = "" if pd.isna(one.low) else f" [{number(one.low, 4)}, {number(one.high, 4)}]"
        row = {"held constant": one.given, "readout": one.readout, "trainings": f"{one.n_seeds}/{one.n_total}"}
        row |= {"β, mean [over seeds]": number(one.mean, 4) + bounds, "p (Holm)": number(one.p_holm, 3)}
        row |= {"smallest p of a training (Holm)": number(one.lr_p_holm, 3)}
        ends = [number(one.delta_aic_low, 1), number(one.delta_aic_high, 1)]
        rows.append(row | {"ΔAIC": " to ".join(ends) if one.n_seeds else ""})
    return pd.DataFrame(rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Write seeds (``<out>.scores.csv``) and summary (``.summary.csv``, ``.md``), and print the latter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in", dest="stems", nargs="+", type=Path, required=True, metavar="STEM")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending")
    options = parser.parse_args(argv)
    table = by_seed([pd.read_csv(stem.with_name(f"{stem.name}.comparison.csv")) for stem in options.stems])
    summary = over_seeds(table)
    write_tables(options.out, {".scores.csv": table, ".summary.csv": summary})
    text = as_markdown(as_cells(summary))
    write_atomically(options.out.with_name(options.out.name + ".md"), text.encode())
    print(text, end="")


if __name__ == "__main__":
    main()
