"""Every benchmark × model as one table, tested against a control, with the composite of it.

Run ``python -m analysis.suite_summary --in build/scores --models cnnf-x cnn-x --control cnn-x --out build/suite``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from analysis.cells import as_latex, as_markdown
from benchmarks import list_benchmarks
from benchmarks.composite import composite, entries, leave_one_out, share_first
from benchmarks.run_suite import NO_DATA, SCORED
from benchmarks.score import SIGNIFICANT, Score, read_score
from benchmarks.statistics import compare_models
from neurocnnf.stages import provenance_path, write_atomically

NOT_SCORED = "not scored"
NUMBERS = ("value", "low", "high", "raw", "raw_low", "raw_high", "ceiling", "n_used", "n_total")
TESTED = ("difference", "difference_low", "difference_high", "p", "p_holm")
COLUMNS = ("benchmark", "model", "state", *NUMBERS, "ceiling_rule", "layers", "simulated", "control", "quantity")
ALPHA = 0.05
ENDINGS = (".csv", ".md", ".tex", ".entries.csv", ".composite.csv", ".weightings.csv", ".left_out.csv")


def read_suite(folder: Path, models: Iterable[str], benchmarks: Iterable[tuple[str, bool]]) -> dict[tuple, Score | str]:
    """Read what a suite wrote.

    Parameters
    ----------
    folder
        With ``<model>.<benchmark>.json`` and what belongs to it.
    models
        Names.
    benchmarks
        Identifier, and whether its data are at hand.

    Returns
    -------
    dict
        (benchmark, model) to the score, or to why there is none: "no data here" or "not scored".
    """
    benchmarks = list(benchmarks)
    found: dict[tuple, Score | str] = {}
    for model in models:
        for benchmark, available in benchmarks:
            stem = Path(folder) / f"{model}.{benchmark}"
            here = provenance_path(stem).is_file()
            found[benchmark, model] = read_score(stem) if here else (NOT_SCORED if available else NO_DATA)
    return found


def tabulate(scores: dict[tuple, Score | str], control: str | None) -> pd.DataFrame:
    """Lay scores out as one table, each model tested against the control.

    Parameters
    ----------
    scores
        From `read_suite`.
    control
        Name of the model that the others are compared with, on the same resamples; None: with none.

    Returns
    -------
    pandas.DataFrame
        A row per benchmark and model: benchmark, model, state, value, low, high, raw, raw_low, raw_high, ceiling,
        n_used, n_total, ceiling_rule, layers, simulated, control, quantity (that was tested: value, or raw where
        there is no ceiling), difference with its interval, p, p_holm (over all tests of the table), note. NaN: missing.
    """
    rows = []
    for (benchmark, model), score in scores.items():
        row: dict[str, Any] = {"benchmark": benchmark, "model": model, "state": score, "simulated": False}
        if isinstance(score, Score):
            row |= _numbers(score)
            other = scores.get((benchmark, control))
            if control not in (None, model):
                row |= _tested(score, other) if isinstance(other, Score) else {"note": f"no score of {control}"}
        rows.append(row)
    table = pd.DataFrame(rows).reindex(columns=[*COLUMNS, *TESTED, "note"])
    table[[*NUMBERS, *TESTED]] = table[[*NUMBERS, *TESTED]].astype(np.float64)
    tested = table["p"].notna()
    if tested.any():
        table.loc[tested, "p_holm"] = multipletests(table.loc[tested, "p"], method="holm")[1]
    return table


def _numbers(score: Score) -> dict[str, Any]:
    layers = [str(layer) for layer in score.chosen["layer"].dropna().unique()] if "layer" in score.chosen else []
    return {
        "state": SCORED,
        **{name: getattr(score, name) for name in ("value", "raw", "ceiling", "ceiling_rule", "n_used", "n_total")},
        **dict(zip(("low", "high"), score.interval, strict=True)),
        **dict(zip(("raw_low", "raw_high"), score.raw_interval, strict=True)),
        "layers": ", ".join(layers),
        "simulated": score.simulated,
    }


def _tested(score: Score, control: Score) -> dict[str, Any]:
    quantity = "value" if np.isfinite([score.value, control.value]).all() else "raw"
    row: dict[str, Any] = {"control": control.model, "quantity": quantity}
    try:
        test = compare_models(score, control, quantity)
    except ValueError as error:
        return row | {"note": f"no paired test: {error}"}
    bounds = {"difference": test.difference, "difference_low": test.low, "difference_high": test.high}
    return row | bounds | {"p": test.p, "note": test.note}


def as_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Write a table of scores for readers: a row per benchmark, a column per model.

    Returns
    -------
    pandas.DataFrame
        benchmark; a column per model, "value [low, high]", or "raw …" where there is no ceiling, or why there is no
        score; "differs (Holm)", the models whose p is below .05, with it, or the smallest p there is; ceiling; n (used
        / all). All str.
    """
    rows = []
    for benchmark, part in table.groupby("benchmark", sort=False):
        row = {"benchmark": str(benchmark)}
        for _, one in part.iterrows():
            row[one["model"]] = _cell(one)
        row["differs (Holm)"] = _differing(part.dropna(subset="p_holm"))
        scored = part[part["state"] == SCORED]
        ceilings = dict.fromkeys("none" if np.isnan(c) else _short(c) for c in scored["ceiling"])
        counts = dict.fromkeys(f"{int(one.n_used)} / {int(one.n_total)}" for one in scored.itertuples())
        rows.append(row | {"ceiling": ", ".join(ceilings), "n": ", ".join(counts)})
    return pd.DataFrame(rows)


def _cell(row: pd.Series) -> str:
    if row["state"] != SCORED:
        return str(row["state"])
    name, number, low, high = ("", row["value"], row["low"], row["high"])
    if np.isnan(number):
        name, number, low, high = ("raw ", row["raw"], row["raw_low"], row["raw_high"])
    if np.isnan(number):
        return "missing"
    return f"{name}{_short(number)}" + ("" if np.isnan(low) else f" [{_short(low)}, {_short(high)}]")


def _differing(tested: pd.DataFrame) -> str:
    """Name the models that differ from the control, with p; else the smallest p of any."""
    if tested.empty:
        return "not tested"
    found = tested[tested["p_holm"] < ALPHA]
    if found.empty:
        return f"none (p ≥ {_short(tested['p_holm'].min())})"
    return ", ".join(f"{one.model} (p {_short(one.p_holm)})" for one in found.itertuples())


def _short(value: float) -> str:
    """Write a number with two digits, three where it is small, with the minus of print."""
    return f"{value:.{3 if abs(value) < 0.05 else 2}f}".replace("-", "−")


def write(table: pd.DataFrame, out: Path, seed: int = 0) -> list[Path]:
    """Write the table as CSV, Markdown and LaTeX, and the composite: what enters, means, weightings, one left out."""
    cells = as_cells(table)
    parts = [table, as_markdown(cells), as_latex(cells), entries(table), composite(table)]
    parts += [share_first(table, seed=seed), leave_one_out(table)]
    paths = []
    for ending, part in zip(ENDINGS, parts, strict=True):
        text = part
        if isinstance(part, pd.DataFrame):
            text = part.to_csv(index=False, lineterminator="\n", float_format=SIGNIFICANT)
        paths.append(write_atomically(out.with_name(out.name + ending), str(text).encode()))
    return paths


def main(argv: Sequence[str] | None = None) -> None:
    """Read scores, write the tables, and print the one for readers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in", dest="folder", type=Path, required=True, help="folder of scores")
    parser.add_argument("--models", nargs="+", required=True, help="names, in the table's order")
    parser.add_argument("--control", help="the model that the others are tested against")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending")
    options = parser.parse_args(argv)
    benchmarks = [(one.identifier, one.available()) for one in list_benchmarks() if not one.simulated]
    table = tabulate(read_suite(options.folder, options.models, benchmarks), options.control)
    write(table, options.out)
    print(as_markdown(as_cells(table)), end="")


if __name__ == "__main__":
    main()
