"""Do later steps, or feedback at all, help against common corruptions? Paired differences over the same images.

Run ``python -m analysis.corruptions_summary --in build/accuracy/*.images.csv.gz --out build/corruptions.csv``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from analysis.accuracy_summary import readout_of
from analysis.inference import holm
from analysis.tables import as_csv
from benchmarks.bootstrap import LEVEL, count_draws, interval
from neurocnnf.evaluate import steps_of
from neurocnnf.stages import write_atomically

ACCURACY, GAIN, OVER_CONTROL = "accuracy", "gain over step 0", "gain over control"
CLEAN, ALL = "clean", "all corruptions"
N_RESAMPLES = 2000
PLACE = ("degradation", "level", "image")
NEEDED = ("model", "kind", "data", "degradation", "level", "image", "step_0")

COLUMNS = ("data", "model", "kind", "degradation", "level", "step", "quantity", "estimate", "low", "high", "n_images")
COLUMNS += ("n_gained", "n_lost", "p")

Conditions = dict[tuple[str, float], NDArray[np.int64]]


def paired_interval(n_gained: int, n_lost: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Give an interval of the difference of two accuracies on the same images.

    Wald's interval after half an image is added to each cell of the 2 × 2 table of right and wrong (Agresti & Min
    2005, Stat. Med. 24:729, "Wald+2"): it keeps its coverage, and has a width, where few answers or none differ.

    Parameters
    ----------
    n_gained, n_lost
        Images that the first alone answers right, and that the second alone does.
    n
        All images.
    level
        Coverage.
    """
    m, difference = n + 2, n_gained - n_lost
    half = norm.ppf((1 + level) / 2) * np.sqrt(n_gained + n_lost + 1 - difference**2 / m) / m
    return max(float(difference / m - half), -1.0), min(float(difference / m + half), 1.0)


def summarise(right: pd.DataFrame, seed: int = 0, n_resamples: int = N_RESAMPLES) -> pd.DataFrame:
    """Compare each model's steps with its first, and with the feedforward control.

    Parameters
    ----------
    right
        Rows of `neurocnnf.evaluate.evaluate_on`, of any models, evaluated with one seed.
    seed, n_resamples
        Of the intervals of means over conditions.

    Returns
    -------
    pandas.DataFrame
        data, model, kind, degradation, level, step, quantity ("accuracy"; "gain over step 0"; "gain over control",
        that is over step 0 of the model of kind cnn, where there is one), estimate, low, high (95 %), n_gained,
        n_lost (images that only the one, or only the other, answers right), n_images, p (McNemar's exact test),
        p_holm (over all conditions of a model, quantity and step).
        A condition's interval is Wilson's, or that of `paired_interval`. Where level is NaN, the row is the mean over
        the levels of a degradation, or over all of them ("all corruptions"); its interval is a bootstrap over images,
        each drawn with all its corrupted versions.

    Raises
    ------
    ValueError
        If a column is missing, an image comes twice, tables are of several readouts, a data set has two controls, or
        its models were shown different images.
    """
    if missing := [column for column in NEEDED if column not in right]:
        raise ValueError(
            f"corruptions: expected the column(s) {', '.join(missing)}, got none. Make the tables again with "
            "`neurocnnf evaluate`."
        )
    readout_of(right)
    if right.duplicated(["data", "model", *PLACE]).any():
        raise ValueError("corruptions: expected each image of a condition once, got some twice. Give a table once.")
    rows = []
    for data, here in right.groupby("data", sort=False):
        models = {name: _conditions(part) for name, part in here.groupby("model", sort=False)}
        control = _control(str(data), here)
        _check_images(str(data), here)
        for name, own in models.items():
            other = None if control in (None, name) else models[control]
            about = {"data": data, "model": name, "kind": here.loc[here["model"] == name, "kind"].iloc[0]}
            rows += [about | row for row in _by_condition(own, other)]
            rows += [about | row for row in _means(own, other, seed, n_resamples)]
    table = pd.DataFrame(rows).reindex(columns=list(COLUMNS))
    table["p_holm"] = table.groupby(["data", "model", "quantity", "step"])["p"].transform(holm)
    return table


def _conditions(part: pd.DataFrame) -> Conditions:
    """Give (degradation, level) -> right answers, 0 or 1, (image, step), of one model."""
    part = part.dropna(axis=1, how="all")  # steps that only other models have
    if part.isna().any(axis=None):
        raise ValueError(f"{part['model'].iloc[0]}: expected an answer at every step, got none for some images.")
    return {
        condition: each.sort_values("image")[steps_of(part)].to_numpy(np.int64)
        for condition, each in part.groupby(["degradation", "level"], sort=False)
    }


def _control(data: str, here: pd.DataFrame) -> str | None:
    controls = list(here.loc[here["kind"] == "cnn", "model"].unique())
    if len(controls) > 1:
        raise ValueError(f"{data}: expected one feedforward control, got {', '.join(controls)}. Leave out the others.")
    return controls[0] if controls else None


def _check_images(data: str, here: pd.DataFrame) -> None:
    shown = {name: set(zip(*(part[c] for c in PLACE), strict=True)) for name, part in here.groupby("model", sort=False)}
    (first, wanted), *others = shown.items()
    for name, got in others:
        if got != wanted:
            raise ValueError(
                f"{data}: expected the conditions and images of {first}, {len(wanted)}, got {len(got)} for {name}, "
                f"{len(got & wanted)} of them the same. Evaluate both with the same settings."
            )


def _quantities(own: NDArray, other: NDArray | None) -> Iterator[tuple[str, int, NDArray]]:
    """Yield (quantity, step, a value per image): 1 or 0; or 1 gained, -1 lost, 0 neither."""
    for step, values in enumerate(own.T):
        yield ACCURACY, step, values
        if step:
            yield GAIN, step, values - own[:, 0]
        if other is not None:
            yield OVER_CONTROL, step, values - other[:, 0]


def _by_condition(own: Conditions, other: Conditions | None) -> Iterator[dict]:
    for (kind, level), right in own.items():
        for quantity, step, values in _quantities(right, other[kind, level] if other else None):
            row = {"degradation": kind, "level": level, "step": step, "quantity": quantity, "estimate": values.mean()}
            n, gained, lost = len(values), int((values > 0).sum()), int((values < 0).sum())
            if quantity == ACCURACY:
                ci = binomtest(gained, n).proportion_ci(LEVEL, method="wilson")
                yield row | {"low": ci.low, "high": ci.high, "n_images": n}
                continue
            low, high = paired_interval(gained, lost, n)
            p = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
            yield row | {"low": low, "high": high, "n_gained": gained, "n_lost": lost, "n_images": n, "p": p}


def _means(own: Conditions, other: Conditions | None, seed: int, n_resamples: int) -> Iterator[dict]:
    corrupted = [condition for condition in own if condition[0] != CLEAN]
    groups = {kind: [each for each in corrupted if each[0] == kind] for kind, _ in corrupted} | {ALL: corrupted}
    n = len(own[corrupted[0]])
    counts = count_draws((np.arange(n),), n_resamples, np.random.default_rng(seed))
    for kind, members in groups.items():
        mine, theirs = (conds and np.mean([conds[each] for each in members], axis=0) for conds in (own, other))
        for quantity, step, values in _quantities(mine, theirs):
            low, high = interval(counts @ values / n)
            row = {"degradation": kind, "level": np.nan, "step": step, "quantity": quantity}
            yield row | {"estimate": values.mean(), "low": low, "high": high, "n_images": n}


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--in", dest="inputs", nargs="+", type=Path, required=True, metavar="CSV")
    parser.add_argument("--out", type=Path, required=True, metavar="CSV")
    options = parser.parse_args(argv)
    table = summarise(pd.concat([pd.read_csv(path) for path in options.inputs], ignore_index=True))
    write_atomically(options.out, as_csv(table))


if __name__ == "__main__":
    main()
