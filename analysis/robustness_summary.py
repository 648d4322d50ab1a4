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
ROWS = {"CNN": ("cnn", "last"), "CNN-F (last)": ("cnnf", "last"), "CNN-F (average)": ("cnnf", "average")}
NEEDED = {"model", "kind", "data", "attack", "gradient", "readout", "step", "epsilon", "accuracy", "n_used"}


def paper_table(table: pd.DataFrame) -> pd.DataFrame:
    """Arrange accuracies, in percent, as the paper does.

    Parameters
    ----------
    table
        Rows of `neurocnnf.robustness.robustness_on`, of any models and data sets.

    Returns
    -------
    pandas.DataFrame
        A row per data set, ε and of `ROWS`; columns data, epsilon, model, step, those of `COLUMNS` (NaN where not
        measured), and n, the images of the first and the fewest of them ("200", or "200 (SPSA, AutoAttack: 20)").

    Raises
    ------
    ValueError
        If a column is missing, or there are two models of a kind for a data set.
    """
    if missing := sorted(NEEDED - set(table)):
        raise ValueError(f"robustness: expected the column(s) {', '.join(missing)}, got none. Make the table again.")
    models = table.groupby(["data", "kind"])["model"].nunique()
    if (models > 1).any():
        raise ValueError(
            f"robustness: expected one model per kind and data set, got {models.max()} for {models.idxmax()}. "
            "Give one table of each."
        )
    rows = []
    for (data, epsilon), _ in table[table["attack"] != "clean"].groupby(["data", "epsilon"], sort=False):
        for label, (kind, readout) in ROWS.items():
            here = table[(table["data"] == data) & (table["kind"] == kind) & (table["readout"] == readout)]
            here = here[(here["epsilon"] == epsilon) | (here["attack"] == "clean")]
            if not here.empty:
                here = here[here["step"] == here["step"].max()]
                rows.append({"data": data, "epsilon": epsilon, "model": label, "step": here["step"].max()} | _row(here))
    return pd.DataFrame(rows)


def _row(here: pd.DataFrame) -> dict[str, object]:
    cells = here.drop_duplicates(["attack", "gradient"]).set_index(["attack", "gradient"])
    row = {name: 100 * cells["accuracy"].get(key, float("nan")) for name, key in COLUMNS.items()}
    n, few = int(cells["n_used"].max()), int(cells["n_used"].min())
    return row | {"n": str(n) if n == few else f"{n} (SPSA, AutoAttack: {few})"}


def as_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Write the numbers of `paper_table` out; "--" where nothing was measured."""
    percent = {name: [f"{x:.1f}" if x == x else "--" for x in table[name]] for name in COLUMNS}
    return table.assign(epsilon=[f"{x:g}" for x in table["epsilon"]], **percent)


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
