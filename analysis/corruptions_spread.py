"""Do later steps, or feedback at all, help against common corruptions? Over several trainings of each model.

`analysis.corruptions_summary` asks the same of one training, over images.

Run ``python -m analysis.corruptions_spread --accuracy neurocnnf/weights/cnn*-x.json --out build/corruptions.csv``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.accuracy_summary import read_accuracies, readout_of
from analysis.corruptions_summary import ACCURACY, GAIN, OVER_CONTROL
from analysis.tables import as_csv
from analysis.trainings import described, student, within_families
from neurocnnf.stages import write_atomically

PLACE = ["degradation", "level"]
COLUMNS = ("data", "model", "kind", *PLACE, "step", "quantity", "estimate", "low", "high", "n_images", "n_seeds", "p")


def summarise(accuracies: pd.DataFrame, n_steps: int | None = None) -> pd.DataFrame:
    """Compare each model's steps with its first, and with the feedforward control of the same seed.

    Parameters
    ----------
    accuracies
        As `analysis.accuracy_summary.read_accuracies` gives it, of any models, each with all its seeds.
    n_steps
        Later steps are left out; none where not given.

    Returns
    -------
    pandas.DataFrame
        data (the model's name without its kind: what was trained on, and how large), model, kind, degradation, level,
        step, quantity (those of `analysis.corruptions_summary`), estimate (mean over trainings), low, high (95 %,
        Student's t over trainings; NaN of one), n_images, n_seeds, p (that nothing differs; NaN for accuracies), p_holm
        (over all conditions of a model, quantity and step).

    Raises
    ------
    ValueError
        If accuracies are of several readouts, or models of one kind of training were shown other conditions or numbers
        of images, or one condition twice.
    """
    readout_of(accuracies)
    accuracies = accuracies[accuracies["step"] <= (accuracies["step"].max() if n_steps is None else n_steps)]
    names = accuracies["model"].str.partition("-")
    rows: list[dict] = []
    for training, here in accuracies.assign(kind=names[0], training=names[2]).groupby("training", sort=False):
        counts = {model: part.groupby(PLACE)["n_images"].first() for model, part in here.groupby("model", sort=False)}
        answers = {model: _by_place(str(model), part) for model, part in here.groupby("model", sort=False)}
        control = answers.get(f"cnn-{training}")
        for model, own in answers.items():
            if not counts[model].equals(first := next(iter(counts.values()))):
                raise ValueError(
                    f"{model}: expected the {len(first)} conditions of the other models of {training}, and as many "
                    f"images, got {len(counts[model])} of others. Evaluate all with the same settings."
                )
            about = {"data": training, "model": model, "kind": str(model).partition("-")[0]}
            for step in own.columns:
                compared = {ACCURACY: own[step]}
                if step:
                    compared[GAIN] = own[step] - own[0]
                if control is not None and control is not own:
                    compared[OVER_CONTROL] = own[step] - control[0].reindex(own.index)
                rows += [
                    about | row
                    for quantity, values in compared.items()
                    for row in _over_trainings(quantity, int(step), values, counts[model])
                ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    tested = table["n_seeds"].where(table["quantity"] != ACCURACY, 0)
    family = [table[name] for name in ("data", "model", "quantity", "step")]
    return table.assign(p_holm=within_families(table["p"], tested, family))


def _by_place(model: str, part: pd.DataFrame) -> pd.DataFrame:
    """Give accuracies by (degradation, level, seed) and step."""
    if part.duplicated([*PLACE, "seed", "step"]).any():
        raise ValueError(f"{model}: expected each condition of a training once, got some twice. Name each card once.")
    wide = part.set_index([*PLACE, "seed", "step"])["accuracy"].unstack("step")
    return wide.reindex(pd.MultiIndex.from_frame(part[[*PLACE, "seed"]].drop_duplicates()))  # in the card's order


def _over_trainings(quantity: str, step: int, values: pd.Series, counts: pd.Series) -> list[dict]:
    rows = []
    for (kind, level), seeds in values.groupby(level=PLACE, sort=False):
        test, spread = student(seeds), described(seeds)
        row = {"degradation": kind, "level": level, "step": step, "quantity": quantity, "estimate": spread["mean"]}
        row |= {"low": test["low"], "high": test["high"], "n_seeds": spread["n_seeds"]}
        rows.append(row | {"n_images": counts[kind, level], "p": float("nan") if quantity == ACCURACY else test["p"]})
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accuracy", nargs="+", type=Path, required=True, metavar="FILE", help="cards, every seed in")
    parser.add_argument("--n-steps", type=int, metavar="N", help="the last step (default: the last there is)")
    parser.add_argument("--out", type=Path, required=True, metavar="CSV")
    options = parser.parse_args(argv)
    cards = pd.concat(map(read_accuracies, options.accuracy), ignore_index=True)
    write_atomically(options.out, as_csv(summarise(cards, options.n_steps)))


if __name__ == "__main__":
    main()
