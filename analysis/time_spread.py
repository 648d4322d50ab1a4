"""What recognition times say of several trainings of one model: each one's correlations, and what they share.

Run ``python -m analysis.time_spread --in build/times/tang2018/cnnf-x{,-seed1} --out build/seeds/times``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.cells import bounded, chance
from analysis.times_summary import ENDINGS, TimesTables, read_times
from analysis.trainings import check_alike, described, split_seeds, student, within_families, write_summary

SHOWN = {
    "rho_model_time": "steps until solved, ρ",
    "partial_given_category_normal_scores": "steps, given category",
    "step0_confidence_given_category_normal_scores": "confidence at step 0, given category",
    "control_confidence_given_category_normal_scores": "control's confidence, given category",
    "partial_given_both_and_category_normal_scores": "steps, given both and category",
    "somers_d": "steps, trials, Somers' D",
}
"""Of `analysis.recognition_time`'s statistics, those that are compared; partial correlations are of normal scores."""
COLUMNS = (
    "statistic",
    "model",
    "seed",
    "estimate",
    "low",
    "high",
    "ceiling",
    "n_used",
    "n_total",
    "quick",
    "simulated",
)


def by_seed(trainings: Sequence[TimesTables]) -> pd.DataFrame:
    """Lay out `SHOWN`, training by training.

    Parameters
    ----------
    trainings
        Of one model, named ``<model>`` (seed 0) and ``<model>-seed<n>``, each with the control of its seed.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; estimate NaN where it could not be computed; quick: of a subsample.

    Raises
    ------
    ValueError
        If trainings are of several models, one is there twice, or they were made with other settings.
    """
    names = [one.provenance["models"][0] for one in trainings]
    check_alike(names, [(one.provenance["n_steps"], one.provenance["quick"]) for one in trainings])
    parts = [one.statistics.assign(model=name) for one, name in zip(trainings, names, strict=True)]
    table = split_seeds(pd.concat(parts, ignore_index=True)).assign(quick=trainings[0].provenance["quick"])
    return table[table["statistic"].isin(SHOWN)][list(COLUMNS)].reset_index(drop=True)


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise trainings.

    Parameters
    ----------
    table
        From `by_seed`.

    Returns
    -------
    pandas.DataFrame
        A row per statistic, in the order of `SHOWN`: statistic, words, model, n_seeds (with an estimate), n_total,
        mean, sd, low, high (95 %, Student's t over trainings; NaN of one), p (that the mean is zero), p_holm (over the
        statistics), ceiling (of the first training), simulated.
    """
    rows = []
    for statistic, words in SHOWN.items():
        part = table[table["statistic"] == statistic]
        row = {"statistic": statistic, "words": words, "model": part["model"].iloc[0]}
        row |= described(part["estimate"]) | student(part["estimate"])
        rows.append(row | {"ceiling": part["ceiling"].iloc[0], "simulated": bool(part["simulated"].any())})
    summary = pd.DataFrame(rows)
    return summary.assign(p_holm=within_families(summary["p"], summary["n_total"], summary["model"]))


def as_cells(table: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Write seeds and their summary for readers; all str."""
    rows = []
    for one in summary.itertuples():
        part = table[table["statistic"] == one.statistic]
        row = {"statistic": one.words}
        row |= {f"seed {seed.seed}": bounded(seed.estimate, seed.low, seed.high) for seed in part.itertuples()}
        rows.append(row | {"mean [over seeds]": bounded(one.mean, one.low, one.high), "p (Holm)": chance(one.p_holm)})
    return pd.DataFrame(rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Write seeds and summary, as `analysis.trainings.write_summary` does, and print the latter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in", dest="stems", nargs="+", type=Path, required=True, metavar="STEM")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending")
    options = parser.parse_args(argv)
    table = by_seed([read_times([stem.with_name(stem.name + end) for end in ENDINGS]) for stem in options.stems])
    summary = over_seeds(table)
    print(write_summary(options.out, table, summary, as_cells(table, summary)), end="")


if __name__ == "__main__":
    main()
