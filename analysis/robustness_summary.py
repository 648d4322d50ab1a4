"""The paper's table of robustness: clean, PGD and SPSA, first and e2e, and transfer, for CNN and CNN-F.

Columns as in Huang et al. (2020, arXiv 2007.09200, tables 1 and 2), with AutoAttack and the answers that no attack
changed beside them; each row at the last step that was measured.

Run ``python -m analysis.robustness_summary --in build/robustness/*.csv --out build/robustness/table``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.seed_spread import split_seeds
from analysis.suite_summary import as_latex
from analysis.tables import write_tables
from neurocnnf.stages import write_atomically

COLUMNS = {
    "clean": ("clean", "none"),
    "PGD first": ("pgd-7", "first"),
    "PGD e2e": ("pgd-7", "e2e"),
    "SPSA first": ("spsa", "first"),
    "SPSA e2e": ("spsa", "e2e"),
    "transfer": ("transfer-pgd-7", "transfer"),
    "AutoAttack": ("autoattack", "e2e"),
    "any": ("any", "any"),
}
READOUTS = ("last", "average")
NAMES = {"cnn": "CNN", "cnnf": "CNN-F"}
SPREAD = " sd"
NEEDED = {"model", "kind", "data", "attack", "gradient", "readout", "step", "epsilon", "accuracy", "n_used"}


def paper_table(table: pd.DataFrame) -> pd.DataFrame:
    """Arrange accuracies, in percent, as the paper does.

    Parameters
    ----------
    table
        Rows of `neurocnnf.robustness.robustness_on`, of any models, trainings and data sets; seeds of one training are
        named ``<model>`` and ``<model>-seed<n>``.

    Returns
    -------
    pandas.DataFrame
        A row per training, ε, kind of model (CNN first, then CNN-F) and readout ("last" alone where there are no
        steps): data, training (the model's name without its kind), epsilon, model, step, seeds; each of `COLUMNS` (NaN
        where not measured), its mean over seeds, and with " sd" after its name the standard deviation (NaN for one
        seed); and n, images of each seed, the most and the fewest ("200", or "200 (SPSA, AutoAttack: 20)").

    Raises
    ------
    ValueError
        If a column is missing.
    """
    if missing := sorted(NEEDED - set(table)):
        raise ValueError(f"robustness: expected the column(s) {', '.join(missing)}, got none. Make the table again.")
    table = split_seeds(table)
    table = table.assign(training=table["model"].str.partition("-")[2])
    keys = ["data", "training", "epsilon"]
    rows = []
    for place, _ in table[table["attack"] != "clean"].groupby(keys, sort=False):
        here = table[(table[keys[:2]] == list(place[:2])).all(axis=1)]
        here = here[here["epsilon"].eq(place[2]) | here["attack"].eq("clean")]
        for kind in sorted(here["kind"].unique(), key=lambda one: (one not in NAMES, one)):
            steps = here.loc[here["kind"] == kind, "step"].max()
            for readout in READOUTS if steps else READOUTS[:1]:
                name = NAMES.get(kind, kind) + (f" ({readout})" if steps else "")
                own = (here["kind"] == kind) & (here["readout"] == readout) & (here["step"] == steps)
                rows.append(dict(zip(keys, place, strict=True)) | {"model": name, "step": steps} | _row(here[own]))
    return pd.DataFrame(rows)


def _row(here: pd.DataFrame) -> dict[str, object]:
    cells = here.drop_duplicates(["seed", "attack", "gradient"]).set_index(["attack", "gradient"])["accuracy"]
    row: dict[str, object] = {"seeds": here["seed"].nunique()}
    for name, key in COLUMNS.items():
        values = 100 * cells[cells.index == key]
        row |= {name: values.mean(), name + SPREAD: values.std()}
    n, few = int(here["n_used"].max()), int(here["n_used"].min())
    return row | {"n": str(n) if n == few else f"{n} (SPSA, AutoAttack: {few})"}


def as_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Write the numbers of `paper_table` out, "mean ± sd" where there are seeds; "--" where nothing was measured."""
    percent = {name: [_cell(*pair) for pair in zip(table[name], table[name + SPREAD], strict=True)] for name in COLUMNS}
    table = table.drop(columns=[name + SPREAD for name in COLUMNS])
    return table.assign(epsilon=[f"{x:g}" for x in table["epsilon"]], **percent)


def _cell(mean: float, sd: float) -> str:
    if pd.isna(mean):
        return "--"
    return f"{mean:.1f}" + ("" if pd.isna(sd) else f" ± {sd:.1f}")


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table as ``<out>.csv`` and ``<out>.tex``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--in", dest="inputs", nargs="+", type=Path, required=True, metavar="CSV")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM")
    options = parser.parse_args(argv)
    table = paper_table(pd.concat([pd.read_csv(path) for path in options.inputs], ignore_index=True))
    write_tables(options.out, {".csv": table})
    write_atomically(options.out.with_name(options.out.name + ".tex"), as_latex(as_cells(table)).encode())


if __name__ == "__main__":
    main()
