"""Accuracy over glimpses: means over seeds, and paired differences with Student's intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.few_labels_summary import mean_interval

# What goes from one glimpse to the next: the network's state; nothing; or all glimpses so far lie in one picture.
STATE, NOTHING, PICTURE = "state", "nothing", "picture"
LAST, AVERAGE = "last", "average"
WAY = ["model", "carried", "readout"]
# The null: evidence adds up in the average of answers, without feedback and without a state.
NULL = ("cnn", NOTHING, AVERAGE)
ALONE = ("cnn", NOTHING, LAST)
CONTRASTS = (
    (("cnnf", STATE, LAST), ALONE),
    (("cnnf", STATE, LAST), NULL),
    (("cnnf", STATE, AVERAGE), NULL),
    (("cnnf", STATE, LAST), ("cnnf", NOTHING, LAST)),
    (("cnnf", STATE, AVERAGE), ("cnnf", NOTHING, AVERAGE)),
    (("cnnf", STATE, LAST), ("lateral", STATE, LAST)),
    (("ungated", STATE, LAST), ALONE),
    (("ungated", STATE, LAST), NULL),
    (("ungated", STATE, LAST), ("cnnf", STATE, LAST)),
    (("lateral", STATE, LAST), ALONE),
    (("lateral", STATE, LAST), NULL),
    (("lateral", STATE, AVERAGE), NULL),
    (("cnn", PICTURE, LAST), NULL),
)


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds.

    Parameters
    ----------
    runs
        Columns data, model, carried, readout, glimpse, seed, accuracy, n_test; a row per seed.

    Returns
    -------
    pandas.DataFrame
        data, model, carried, readout, glimpse, mean, low, high (Student's 95 %), n_seeds, n_test.
    """
    rows = []
    for keys, part in runs.groupby(["data", *WAY, "glimpse"], sort=False):
        low, high = mean_interval(part["accuracy"].to_numpy())
        row = dict(zip(["data", *WAY, "glimpse"], keys, strict=True)) | {"mean": part["accuracy"].mean()}
        rows.append(row | {"low": low, "high": high, "n_seeds": len(part), "n_test": part["n_test"].iloc[0]})
    return pd.DataFrame(rows)


def differences(runs: pd.DataFrame) -> pd.DataFrame:
    """Compare ways of looking at the same glimpses, seed by seed.

    Parameters
    ----------
    runs
        As in `summarise`.

    Returns
    -------
    pandas.DataFrame
        data, first, second ("model carried readout", of `CONTRASTS`), glimpse, difference (mean over seeds), low, high
        (Student's 95 %; NaN with one seed), n_seeds.
    """
    rows = []
    for data, part in runs.groupby("data", sort=False):
        table = part.pivot(index="seed", columns=[*WAY, "glimpse"], values="accuracy").sort_index(axis=1)
        present = {tuple(column[:3]) for column in table.columns}
        for first, second in CONTRASTS:
            if first not in present or second not in present:
                continue
            for glimpse, paired in (table[first] - table[second]).items():
                values: np.ndarray = paired.dropna().to_numpy()
                low, high = mean_interval(values)
                row = {"data": data, "first": " ".join(first), "second": " ".join(second), "glimpse": glimpse}
                rows.append(row | {"difference": values.mean(), "low": low, "high": high, "n_seeds": len(values)})
    return pd.DataFrame(rows, columns=["data", "first", "second", "glimpse", "difference", "low", "high", "n_seeds"])
