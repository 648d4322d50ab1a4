"""Where a model stands among the published networks of Maniquet et al. (2025), at every step, and below people.

Networks and models are compared with people by the same function, on the same profiles: accuracy over conditions, and
which categories are taken for which. What differs is stated: the networks were trained from end to end on whole
pictures and tested with ten times as many pictures; the models' readouts learnt from the 80 whole ones.

Run ``python -m analysis.published_networks SCORES --out STEM``; SCORES as ``neurocnnf score`` writes them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.neural_summary import read_scores, read_summary
from analysis.tables import write_tables
from benchmarks.profiles import correlate, off_diagonal
from benchmarks.recognition_measures import kept_participants

METRIC = "pearson"
MEASURES = ("accuracy", "masked", "unmasked", "confusions", "confusions, all participants")
NETWORK, MODEL, PEOPLE = "network", "model", "people"
COLUMNS = ["measure", "kind", "name", "architecture", "step", "value", "low", "high", "mean_accuracy", "human_accuracy"]
COLUMNS += ["rank", "n_networks", "n_seeds", "n_parameters", "layer", "simulated"]


def human_profiles(humans) -> dict[str, np.ndarray]:
    """Return what networks are compared with, by measure: accuracy (condition,), or wrong answers (cell,).

    Parameters
    ----------
    humans
        `benchmarks.recordings.maniquet2025.Humans`.
    """
    accuracy = humans.by_condition["accuracy"]
    confusions = humans.confusions.to_numpy()
    return {
        "accuracy": accuracy.sel(masking="all").to_numpy(),
        "masked": accuracy.sel(masking="masked").to_numpy(),
        "unmasked": accuracy.sel(masking="unmasked").to_numpy(),
        "confusions": off_diagonal(confusions[kept_participants(confusions)].sum(axis=0)),
        "confusions, all participants": off_diagonal(confusions.sum(axis=0)),
    }


def network_rows(humans, networks) -> pd.DataFrame:
    """Compare every seed of every network with people: its mean over seeds, and the spread of 95 % of the seeds.

    Parameters
    ----------
    humans, networks
        Of `benchmarks.recordings.maniquet2025`.
    """
    rows = []
    for measure, human in human_profiles(humans).items():
        values = networks.accuracy.to_numpy()
        if measure.startswith("confusions"):
            values = off_diagonal(networks.confusions.to_numpy())
        by_seed = correlate(values, human, METRIC)
        low, high = np.quantile(by_seed, [0.025, 0.975], axis=1)
        about = networks.accuracy
        rows.append(
            pd.DataFrame(
                {
                    "measure": measure,
                    "kind": NETWORK,
                    "name": about["label"].to_numpy(),
                    "architecture": about["architecture"].to_numpy(),
                    "value": by_seed.mean(axis=1),
                    "low": low,
                    "high": high,
                    "mean_accuracy": about.mean(["seed", "condition"]).to_numpy(),
                    "n_seeds": by_seed.shape[1],
                    "n_parameters": about["n_parameters"].to_numpy(),
                    "simulated": False,
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def model_rows(table: pd.DataFrame, summary: Mapping[str, Any]) -> pd.DataFrame:
    """Take a model's rows from a score: of its chosen layer, at every step.

    Parameters
    ----------
    table, summary
        From `analysis.neural_summary.read_scores` and `read_summary`.

    Raises
    ------
    ValueError
        If it is no score of recognition by condition.
    """
    layer = summary["chosen"][0].get("layer") if summary["chosen"] else None
    if layer is None or "target" not in table or not set(table["target"]) & {*MEASURES, "reaction time"}:
        raise ValueError(
            f"{summary['benchmark']}: expected a score of recognition by condition, with a chosen layer, got none. "
            "Pass scores of accuracy, confusion and masking."
        )
    used = table[table["target"].isin(MEASURES) & (table["metric"] == METRIC) & (table["layer"] == layer)]
    recurrent = used["step"].max() > 0
    names = {"target": "measure", "raw": "value", "raw_low": "low", "raw_high": "high", "accuracy": "mean_accuracy"}
    return used.rename(columns=names).assign(
        kind=MODEL, name=used["model"], architecture="recurrent" if recurrent else "feedforward"
    )


def rank_table(networks: pd.DataFrame, models: pd.DataFrame) -> pd.DataFrame:
    """Lay out networks, models at every step, and the ceiling that people set, with ranks.

    The rank of a network is among the networks; that of a model at a step is the one it would have among them: one more
    than there are networks above it. NaN where there are no networks.

    Parameters
    ----------
    networks
        From `network_rows`; empty where people are simulated.
    models
        From `model_rows`, one below the other.
    """
    rows = pd.concat([networks, models], ignore_index=True).reindex(columns=[*COLUMNS, "ceiling"])
    people = models.dropna(subset="ceiling").groupby("measure", sort=False).first().reset_index()
    people = pd.DataFrame({"measure": people["measure"], "value": people["ceiling"], "simulated": people["simulated"]})
    people = people.assign(kind=PEOPLE, name="people's ceiling")
    for measure, part in rows.groupby("measure"):
        above = part.loc[part["kind"] == NETWORK, "value"].to_numpy()
        here = rows["measure"] == measure
        rows.loc[here, "n_networks"] = len(above)
        if len(above):
            rank = 1 + (above > rows.loc[here, "value"].to_numpy()[:, None]).sum(axis=1)
            rows.loc[here, "rank"] = np.where(rows.loc[here, "value"].notna(), rank, np.nan)
    table = pd.concat([rows, people], ignore_index=True)[COLUMNS]
    order = table["measure"].map(MEASURES.index)
    return table.assign(order=order).sort_values("order", kind="stable").drop(columns="order").reset_index(drop=True)


def summarise(paths: Iterable[Path], store=None) -> pd.DataFrame:
    """Read scores, and the networks where the scores are of real people.

    Parameters
    ----------
    paths
        Scores, ``<stem>.csv`` or stems.
    store
        Data store that holds the study; one with its defaults where None.
    """
    files = [path if path.suffix == ".csv" else path.with_name(f"{path.name}.csv") for path in map(Path, paths)]
    models = pd.concat([model_rows(read_scores(path), read_summary(path)) for path in files], ignore_index=True)
    networks = pd.DataFrame()
    if not models["simulated"].any():
        from benchmarks.recordings import maniquet2025
        from neurocnnf.datastore import DataStore

        study = maniquet2025.load(store or DataStore())
        networks = network_rows(study.humans, study.networks)
    return rank_table(networks, models)


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table, and print the path of the result last; simulated people bear no study's name."""
    parser = argparse.ArgumentParser(description=str(__doc__))
    parser.add_argument("scores", nargs="+", type=Path, help="scores of accuracy, confusion and masking (.csv or stem)")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending; printed last")
    options = parser.parse_args(argv)
    table = summarise(options.scores)
    out = options.out.with_name("simulated") if table["simulated"].any() else options.out
    write_tables(out, {".csv": table})
    print(out)


if __name__ == "__main__":
    main()
