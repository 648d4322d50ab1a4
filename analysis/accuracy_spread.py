"""Accuracy of several seeds of CNN-F and its controls: clean, corrupted and under attack, at one step or each's last.

A condition stands where a suite's benchmark does, so that seeds are compared as `analysis.seed_spread` compares them:
with the control of the same seed. Corruptions are means over their levels. The answers are those of the last step's own
logits, or, without attacks, of the mean over all steps where the tables are of that. Of the attacks, those are here
that every model meets alike: through all the steps of its answer.

Run ``python -m analysis.accuracy_spread --accuracy neurocnnf/weights/*-x.json --attacked build/robustness/cnn*.csv
--control cnn-x --out build/controls/spread``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.accuracy_summary import LAST, read_accuracies, readout_of
from analysis.cells import MISSING
from analysis.seed_spread import with_differences, write_spread
from analysis.trainings import SEED, split_seeds
from benchmarks.run_suite import SCORED
from neurocnnf.robustness import E2E
from neurocnnf.ship import seed_name

QUANTITY = {LAST: "accuracy", "average": "accuracy, mean over steps"}
NAMES = {"spsa": "SPSA", "autoattack": "AutoAttack", "any": "any attack"}


def accuracies(by_step: pd.DataFrame, attacked: pd.DataFrame, n_steps: int | None = None) -> pd.DataFrame:
    """List accuracies after `n_steps`, or at the last step there is, where that is earlier; at 0 where there are none.

    Parameters
    ----------
    by_step
        As `neurocnnf.evaluate.accuracy_by_step` or `analysis.accuracy_summary.read_accuracies` gives it, of any models,
        where a seed but 0 is added to the name; or empty.
    attacked
        As `neurocnnf.robustness.robustness_on` does, of one ε; or empty.
    n_steps
        All that there are, where not given.

    Returns
    -------
    pandas.DataFrame
        model, benchmark (the condition, with the number of images), accuracy. Where there are attacks, all is at their
        last step.

    Raises
    ------
    ValueError
        If accuracies are of several readouts, or of another than the attacks; the attacks have several ε, a model has
        two accuracies of one condition, models have other last steps (but 0), or were shown other conditions or numbers
        of images.
    """
    last, parts = float("inf") if n_steps is None else n_steps, []
    readout = readout_of(by_step)
    if not attacked.empty:
        if readout != LAST:
            raise ValueError(f"accuracies: expected the last step's, as attacked, got the {readout}. Leave out one.")
        attacked = attacked[(attacked["readout"] == "last") & (attacked["gradient"] == E2E)]
        if attacked["epsilon"].nunique() > 1:
            several = ", ".join(f"{e:g}" for e in sorted(set(attacked["epsilon"])))
            raise ValueError(f"attacks: expected one ε, got {several}. Give the tables of one.")
        last = min(last, attacked["step"].max())
        attacked = attacked[attacked["step"] <= last]
        kinds = attacked["attack"].replace(NAMES).str.replace("pgd", "PGD").str.replace("-smooth", ", smooth")
        parts.append(attacked.assign(kind=kinds, level=0.0, n=attacked["n_used"]))
    if not by_step.empty:
        by_step = by_step[by_step["step"] <= last]
        if "seed" in by_step:
            whose = zip(by_step["model"], by_step["seed"], strict=True)  # a seed's own card names it already
            by_step = by_step.assign(model=[m if SEED.fullmatch(m) else seed_name(m, seed) for m, seed in whose])
        parts.insert(0, by_step.assign(kind=by_step["degradation"], n=by_step["n_images"]))
    keys = ["kind", "level", "n"]
    parts = [part.assign(last=part.groupby("model")["step"].transform("max")) for part in parts]
    steps = sorted({int(one) for part in parts for one in part["last"]} - {0})  # a feedforward model has step 0 alone
    if len(steps) > 1:
        raise ValueError(
            f"accuracies: expected one last step, got {', '.join(map(str, steps))}. Name one that all have "
            "(--n-steps), or give tables made with the same number."
        )
    rows = []
    for table in parts:
        table = table[table["step"] == table["last"]]
        _check_conditions(table, keys)
        for (model, kind, n), part in table.groupby(["model", "kind", "n"], sort=False):
            words = f"{kind} (n = {n:,})" if len(part) == 1 else f"{kind} (n = {len(part)} × {n:,})"
            rows.append({"model": model, "benchmark": words, "accuracy": part["accuracy"].mean()})
    return pd.DataFrame(rows)


def _check_conditions(table: pd.DataFrame, keys: list[str]) -> None:
    """Refuse models of which one was shown other images than another, or one condition twice."""
    shown = {model: list(part[keys].itertuples(index=False, name=None)) for model, part in table.groupby("model")}
    first = next(iter(shown))
    for model, one in shown.items():
        if len(set(one)) < len(one):
            raise ValueError(f"{model}: expected one accuracy for each condition, got several. Give one table of each.")
        if set(one) != set(shown[first]):
            raise ValueError(
                f"{model}: expected the conditions and numbers of images of {first}, got others. Evaluate both with "
                "the same settings."
            )


def by_seed(table: pd.DataFrame, control: str, readout: str = LAST) -> pd.DataFrame:
    """Lay out accuracies as `analysis.seed_spread.by_seed` does scores; what a model lacks is "missing".

    Parameters
    ----------
    table
        From `accuracies`, of models named ``<model>`` (seed 0) and ``<model>-seed<n>``.
    control
        The model that the others are compared with, without its seed.
    readout
        What answered, which the quantity says.
    """
    every = pd.MultiIndex.from_product([dict.fromkeys(table["benchmark"]), dict.fromkeys(table["model"])])
    scores = table.set_index(["benchmark", "model"])["accuracy"].reindex(every.set_names(["benchmark", "model"]))
    whole = scores.rename("score").reset_index()
    state = whole["score"].notna().map({True: SCORED, False: MISSING})
    return with_differences(
        split_seeds(whole.assign(state=state, quantity=QUANTITY[readout], simulated=False)), control
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Write seeds and their summary, and print the latter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    files = {"nargs": "*", "type": Path, "default": [], "metavar": "FILE"}
    parser.add_argument("--accuracy", **files, help="cards, or tables of neurocnnf evaluate")
    parser.add_argument("--attacked", **files, help="tables of neurocnnf robustness")
    parser.add_argument("--control", required=True, help="the model that the others are compared with, without a seed")
    parser.add_argument("--n-steps", type=int, metavar="N", help="of the answers that are compared (default: the last)")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending")
    options = parser.parse_args(argv)
    by_step, attacked = (
        pd.concat([pd.DataFrame(), *map(read, paths)], ignore_index=True)
        for read, paths in ((read_accuracies, options.accuracy), (pd.read_csv, options.attacked))
    )
    table = accuracies(by_step, attacked, options.n_steps)
    print(write_spread(by_seed(table, options.control, readout_of(by_step)), options.out), end="")


if __name__ == "__main__":
    main()
