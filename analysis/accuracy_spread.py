"""Accuracy of several seeds of CNN-F and its controls: clean, corrupted and under attack, at the last step of each.

A condition stands where a suite's benchmark does, so that seeds are compared as `analysis.seed_spread` compares them:
with the control of the same seed. Corruptions are means over their levels. The answers are those of the last step's own
logits.

Run ``python -m analysis.accuracy_spread --accuracy neurocnnf/weights/*-x.json --attacked build/robustness/*.csv
--control cnn-x --out build/controls/spread``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.accuracy_summary import read_accuracies
from analysis.robustness_summary import COLUMNS
from analysis.seed_spread import MISSING, split_seeds, with_differences, write_spread
from benchmarks.run_suite import SCORED

CLEAN, ALL = "clean", "all corruptions"
# Clean answers to the attacked images are a part of all clean ones; a feedforward model has no transfer.
ATTACKS = {pair: name for name, pair in COLUMNS.items() if name not in (CLEAN, "transfer")}


def accuracies(by_step: pd.DataFrame, attacked: pd.DataFrame) -> pd.DataFrame:
    """List accuracies at each model's last step.

    Parameters
    ----------
    by_step
        As `neurocnnf.evaluate.accuracy_by_step` or `analysis.accuracy_summary.read_accuracies` gives it, of any models,
        where a seed but 0 is added to the name; or empty.
    attacked
        As `neurocnnf.robustness.robustness_on` does, of one ε; or empty.

    Returns
    -------
    pandas.DataFrame
        model, benchmark (the condition), accuracy.

    Raises
    ------
    ValueError
        If the attacks have several ε.
    """
    parts = []
    if not by_step.empty:
        last = _last(by_step)
        if "seed" in last:
            named = last["model"].str.contains("-seed") | (last["seed"] == 0)
            last = last.assign(model=last["model"].where(named, last["model"] + "-seed" + last["seed"].astype(str)))
        corrupted = last[last["degradation"] != CLEAN]
        means = last.groupby(["model", "degradation"], sort=False)["accuracy"].mean().reset_index()
        everything = corrupted.groupby("model", sort=False)["accuracy"].mean().reset_index().assign(degradation=ALL)
        parts += [each.rename(columns={"degradation": "benchmark"}) for each in (means, everything)]
    if not attacked.empty:
        last = _last(attacked[(attacked["readout"] == "last") & (attacked["attack"] != CLEAN)])
        if last["epsilon"].nunique() > 1:
            raise ValueError(
                f"attacks: expected one ε, got {', '.join(f'{e:g}' for e in sorted(set(last['epsilon'])))}. Give the "
                "tables of one."
            )
        names = [ATTACKS.get(pair) for pair in zip(last["attack"], last["gradient"], strict=True)]
        parts.append(last.assign(benchmark=names).dropna(subset="benchmark"))
    return pd.concat(parts, ignore_index=True)[["model", "benchmark", "accuracy"]]


def by_seed(table: pd.DataFrame, control: str) -> pd.DataFrame:
    """Lay out accuracies as `analysis.seed_spread.by_seed` does scores; what a model lacks is "missing".

    Parameters
    ----------
    table
        From `accuracies`, of models named ``<model>`` (seed 0) and ``<model>-seed<n>``.
    control
        The model that the others are compared with, without its seed.
    """
    every = pd.MultiIndex.from_product([dict.fromkeys(table["benchmark"]), dict.fromkeys(table["model"])])
    scores = table.set_index(["benchmark", "model"])["accuracy"].reindex(every.set_names(["benchmark", "model"]))
    whole = scores.rename("score").reset_index()
    state = whole["score"].notna().map({True: SCORED, False: MISSING})
    return with_differences(split_seeds(whole.assign(state=state, quantity="accuracy", simulated=False)), control)


def _last(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["step"] == table.groupby("model")["step"].transform("max")]


def main(argv: Sequence[str] | None = None) -> None:
    """Write seeds and their summary, and print the latter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    files = {"nargs": "*", "type": Path, "default": [], "metavar": "FILE"}
    parser.add_argument("--accuracy", **files, help="cards, or tables of neurocnnf evaluate")
    parser.add_argument("--attacked", **files, help="tables of neurocnnf robustness")
    parser.add_argument("--control", required=True, help="the model that the others are compared with, without a seed")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending")
    options = parser.parse_args(argv)
    by_step, attacked = (
        pd.concat([pd.DataFrame(), *map(read, paths)], ignore_index=True)
        for read, paths in ((read_accuracies, options.accuracy), (pd.read_csv, options.attacked))
    )
    print(write_spread(by_seed(accuracies(by_step, attacked), options.control), options.out), end="")


if __name__ == "__main__":
    main()
