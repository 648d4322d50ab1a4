"""The paper's table of robustness: clean, PGD and SPSA, first and e2e, and transfer, for CNN and CNN-F.

Columns as in Huang et al. (2020, arXiv 2007.09200, tables 1 and 2), with PGD-50, AutoAttack and the answers that no
attack changed beside them; each kind of model at the last step that it was trained for, and at the last measured.
"any e2e" is the worst of five attacks through all steps of the answer (PGD with 7 and 50 gradients, the latter through
smooth gates too, SPSA, AutoAttack), which every model meets alike; "any" that of a recurrent model's other four, too,
made through its step 0 alone or on the control.

Run ``python -m analysis.robustness_summary --in build/robustness/cnn*.csv --out build/robustness/table``.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.cells import write_cells
from analysis.tables import write_tables
from analysis.trainings import split_seeds
from neurocnnf.recipes import RECIPES
from neurocnnf.robustness import CLEAN
from neurocnnf.validation import READOUTS

COLUMNS = {
    "clean": ("clean", "none"),
    "PGD first": ("pgd-7", "first"),
    "PGD e2e": ("pgd-7", "e2e"),
    "PGD-50 first": ("pgd-50", "first"),
    "PGD-50 e2e": ("pgd-50", "e2e"),
    "SPSA first": ("spsa", "first"),
    "SPSA e2e": ("spsa", "e2e"),
    "transfer": ("transfer-pgd-7", "transfer"),
    "PGD-50 smooth": ("pgd-50-smooth", "e2e"),
    "AutoAttack": ("autoattack", "e2e"),
    "any e2e": ("any", "e2e"),
    "any": ("any", "any"),
}
NAMES = {"cnn": "CNN", "cnnf": "CNN-F"}
SPREAD = " sd"
KEYS = ["data", "training", "epsilon"]
ANSWER = [*KEYS, "kind", "seed", "attack", "gradient", "readout", "step"]
NOTHING = "--"
"""In the place of what was not measured."""
NEEDED = {"model", "kind", "data", "attack", "gradient", "readout", "step", "epsilon", "accuracy", "n_used"}


def read_attacks(paths: Sequence[Path]) -> pd.DataFrame:
    """Read tables of `neurocnnf robustness`, below one another.

    Raises
    ------
    ValueError
        If one is something else.
    """
    tables = [pd.read_csv(path) for path in paths]
    for path, one in zip(paths, tables, strict=True):
        if missing := sorted(NEEDED - set(one)):
            raise ValueError(
                f"{path.name}: expected a table of `neurocnnf robustness`, got none of its column(s) "
                f"{', '.join(missing)}. Leave it out, or make it again."
            )
    return pd.concat(tables, ignore_index=True)


def columns_of(attacks: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return `COLUMNS`, the strong PGD called by the steps that it took: fewer in a quick run.

    Raises
    ------
    ValueError
        For an attack that has no column, or strong PGDs of several numbers of steps.
    """
    attacks = set(attacks)
    strong = sorted({one for one in attacks if re.fullmatch(r"pgd-\d+", one)} - {"pgd-7"}) or ["pgd-50"]
    if len(strong) > 1:
        raise ValueError(f"robustness: expected one strong PGD, got {', '.join(strong)}. Give tables of one effort.")
    named = {
        name.replace("PGD-50", strong[0].upper()): (attack.replace("pgd-50", strong[0]), gradient)
        for name, (attack, gradient) in COLUMNS.items()
    }
    if unknown := sorted(attacks - {attack for attack, _ in named.values()}):
        raise ValueError(
            f"robustness: expected attacks that `neurocnnf robustness` makes, got {', '.join(unknown)}. Leave them out."
        )
    return named


def with_trainings(table: pd.DataFrame) -> pd.DataFrame:
    """Take seeds out of models' names, and add ``training``, what is left of a name without its kind."""
    table = split_seeds(table)
    return table.assign(training=table["model"].str.partition("-")[2])


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
        A row per training, ε, kind of model (CNN first, then CNN-F), step (the number of steps the model's recipe
        trains, and the last one measured) and readout ("last" alone where there are no steps): data, training (the
        model's name without its kind), epsilon, model, step, trained (steps; NaN for a model without a recipe), seeds;
        each of `COLUMNS` (NaN where not measured), its mean over seeds, and with " sd" after its name the standard
        deviation (NaN for one seed); and n, images of each seed, the most and the fewest ("200", or "200 (SPSA,
        AutoAttack, any: 20)").

    Raises
    ------
    ValueError
        If seeds of one model were attacked with other steps or numbers of images, or with what has no column.
    """
    rows, columns = [], columns_of(table["attack"])
    for about, here in each_training(table):
        for kind in sorted(here["kind"].unique(), key=lambda one: (one not in NAMES, one)):
            own = here[here["kind"] == kind]
            recurrent = own["step"].max() > 0
            for step, readout, one in answers(own[own["step"].isin(shown_steps(own))]):
                row = about | {"model": row_name(kind, readout, recurrent), "step": step, "trained": _trained(own)}
                rows.append(row | _row(one, columns))
    return pd.DataFrame(rows)


def each_training(table: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield `KEYS` of each training and ε, and its rows, the clean ones with every ε's; seeds are out of the names.

    Raises
    ------
    ValueError
        If one answer has two accuracies, or seeds of one model were attacked with other steps or numbers of images.
    """
    # Several ε in one table, or a table that is given twice, repeat what is clean.
    table = with_trainings(table).drop_duplicates([*ANSWER, "accuracy", "n_used"])
    if several := sorted(set(table["model"][table.duplicated(ANSWER)])):
        raise ValueError(
            f"robustness: expected one accuracy of each answer, got several of {', '.join(several)}. "
            "Give one table of each model."
        )
    for place, _ in table[table["attack"] != CLEAN].groupby(KEYS, sort=False):
        here = table[(table[KEYS[:2]] == list(place[:2])).all(axis=1)]
        here = here[here["epsilon"].eq(place[2]) | here["attack"].eq(CLEAN)]
        for _, own in here.groupby("kind"):
            _check_seeds(own)
        yield dict(zip(KEYS, place, strict=True)), here


def answers(own: pd.DataFrame) -> Iterator[tuple[int, str, pd.DataFrame]]:
    """Yield steps and readouts, in order, with their rows; at step 0 the readouts are one."""
    for step in sorted(set(own["step"])):
        for readout in READOUTS if step else READOUTS[:1]:
            rows = own[(own["step"] == step) & (own["readout"] == readout)]
            if not rows.empty:  # of the last step, its own answers may have been attacked alone
                yield step, readout, rows


def shown_steps(own: pd.DataFrame) -> list[int]:
    """List the steps of a model that the table has: the one its recipe trains, and the last one measured."""
    return sorted({own["step"].max(), _trained(own)} & set(own["step"]))


def _trained(own: pd.DataFrame) -> float:
    recipe = RECIPES.get(own["model"].iloc[0])
    return recipe.n_steps if recipe else float("nan")


def row_name(kind: str, readout: str, recurrent: bool) -> str:
    """Name a row as the paper does, "CNN-F (last)"; a feedforward model has one readout."""
    return NAMES.get(kind, kind) + (f" ({readout})" if recurrent else "")


def _check_seeds(own: pd.DataFrame) -> None:
    """Refuse seeds of one model that were not measured alike."""
    measured = {
        seed: set(zip(*(part[c] for c in ("attack", "gradient", "readout", "step", "n_used")), strict=True))
        for seed, part in own.groupby("seed")
    }
    for seed, one in measured.items():
        if one != measured[min(measured)]:
            raise ValueError(
                f"robustness: expected all seeds of {own['model'].iloc[0]} attacked alike, got other steps, attacks or "
                f"numbers of images for seed {seed} than for seed {min(measured)}. Attack both with the same settings."
            )


def _row(here: pd.DataFrame, columns: Mapping[str, tuple[str, str]]) -> dict[str, object]:
    cells = here.drop_duplicates(["seed", "attack", "gradient"]).set_index(["attack", "gradient"])["accuracy"]
    row: dict[str, object] = {"seeds": here["seed"].nunique()}
    for name, key in columns.items():
        values = 100 * cells[cells.index == key]
        row |= {name: values.mean(), name + SPREAD: values.std()}
    n, few = int(here["n_used"].max()), int(here["n_used"].min())
    return row | {"n": str(n) if n == few else f"{n} (SPSA, AutoAttack, any: {few})"}


def as_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Write `paper_table` for readers, "mean ± sd" where there are seeds, "--" where nothing was measured; all str."""
    names = [name for name in table if name + SPREAD in table]
    percent = {name: [_cell(*pair) for pair in zip(table[name], table[name + SPREAD], strict=True)] for name in names}
    table = table.drop(columns=[name + SPREAD for name in names])
    written = {name: [f"{x:g}" if x == x else NOTHING for x in table[name]] for name in ("epsilon", "trained")}
    return table.assign(**written, **percent).astype(str)


def _cell(mean: float, sd: float) -> str:
    if pd.isna(mean):
        return NOTHING
    return f"{mean:.1f}" + ("" if pd.isna(sd) else f" ± {sd:.1f}")


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table as ``<out>.csv``, ``<out>.md`` and ``<out>.tex``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--in", dest="inputs", nargs="+", type=Path, required=True, metavar="CSV")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM")
    options = parser.parse_args(argv)
    table = paper_table(read_attacks(options.inputs))
    write_tables(options.out, {".csv": table})
    write_cells(options.out, as_cells(table))


if __name__ == "__main__":
    main()
