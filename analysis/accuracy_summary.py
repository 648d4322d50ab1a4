"""Accuracy by step: single seeds, and their mean."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from analysis.trainings import SEED as SEED_NAME
from analysis.trainings import split_seeds
from neurocnnf.validation import READOUTS

KEYS = ["data", "kind", "degradation", "level", "step"]
SEED, MEAN = "seed", "mean over seeds"
LAST = READOUTS[0]


def read_accuracies(path: Path) -> pd.DataFrame:
    """Read accuracies from a checkpoint's card (.json), or from a table that `neurocnnf evaluate` wrote (.csv).

    Returns
    -------
    pandas.DataFrame
        model, kind, data, degradation, level, step, accuracy, n_correct, n_images, seed (of the training; a table's
        is in the name of its model, and taken out of it), and of newer tables readout (see `readout_of`).

    Raises
    ------
    ValueError
        If a .json file is not a card with accuracies.
    """
    path = Path(path)
    if path.suffix != ".json":
        table = pd.read_csv(path)
        return split_seeds(table) if "model" in table and "seed" not in table else table
    card = json.loads(path.read_text())
    if "accuracy" not in card:
        raise ValueError(
            f"{path.name}: expected a card with accuracies, got {', '.join(card)}. Write it with `neurocnnf ship`."
        )
    table = pd.DataFrame(card["accuracy"])
    for place, (column, value) in enumerate(
        (
            ("model", SEED_NAME.sub(r"\1", card["name"])),
            ("kind", card["name"].split("-")[0]),
            ("data", card["data"]),
        )
    ):
        table.insert(place, column, value)
    return table


def readout_of(table: pd.DataFrame) -> str:
    """Return the one readout that accuracies are of, "last" where it is not said; raise ValueError for several."""
    found = list(dict.fromkeys(table["readout"].fillna(LAST))) if "readout" in table else []
    if len(found) > 1:
        raise ValueError(f"accuracies: expected one readout, got {', '.join(found)}. Give the tables of one.")
    return found[0] if found else LAST


def with_means(table: pd.DataFrame) -> pd.DataFrame:
    """Add the mean over seeds to a table of single seeds.

    Parameters
    ----------
    table
        Columns model, kind, data, seed, degradation, level, step, accuracy, n_images; a row per seed. Rows
        that occur twice with the same accuracy (one model evaluated under two names) count once.

    Returns
    -------
    pandas.DataFrame
        The same rows with ``summary`` = "seed" and ``n_seeds`` = 1, then a row per data set, kind,
        degradation, level and step with ``summary`` = "mean over seeds", its mean accuracy, and ``n_seeds``.

    Raises
    ------
    ValueError
        If a seed has two accuracies for the same thing, or some are of one readout and some of another.
    """
    readout_of(table)
    keys = [*KEYS, "seed"]
    rows = table.drop_duplicates([*keys, "accuracy"])
    twice = rows[rows.duplicated(keys)]
    if len(twice):
        one = ", ".join(f"{key} {twice.iloc[0][key]}" for key in keys)
        raise ValueError(
            f"accuracy: expected one row per seed, got different accuracies for {one}. "
            "Leave out the table of the older evaluation."
        )
    groups = rows.groupby(KEYS, sort=False, as_index=False)
    means = groups.agg(accuracy=("accuracy", "mean"), n_images=("n_images", "sum"), n_seeds=("seed", "nunique"))
    return pd.concat([rows.assign(summary=SEED, n_seeds=1), means.assign(summary=MEAN)], ignore_index=True)
