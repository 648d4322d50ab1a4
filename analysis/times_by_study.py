"""Every model × every study of time in one table: effect, interval, ceiling, corrected p, ΔAIC.

One measure per study and question, laid down here before anything is seen. From the suite: scores of the benchmarks of
time, each tested against the control on the same resamples. From the comparison with Tang et al. (2018): the partial
correlation of human reaction time with the solution step (of a feedforward model: with its uncertainty), given
confidences, occlusion and category; and the share of the deviance of accuracy behind a mask, by duration, that the
truncated model explains. A study whose data are not here has its row, too.

Run ``python -m analysis.times_by_study --suite build/suite/suite.csv --comparison build/comparison/tang2018
--masking build/masking/tang2018 --out build/times_by_study``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.cells import as_markdown, bounded, chance, number, write_cells
from analysis.inference import holm
from analysis.model_comparison import GIVEN
from analysis.tables import write_tables
from benchmarks.run_suite import SCORED

MEASURES = {
    "maniquet2025.rt": ("Maniquet 2025", "reaction time by condition, r"),
    "maniquet2025.masking": ("Maniquet 2025", "shift from masked to unmasked people"),
    "kumbhar2021.sat": ("Kumbhar 2021", "accuracy by deadline, people's error / error"),
    "zhang2011.IT-decoding": ("Zhang 2011", "decodability from IT by time, R²"),
    "geirhos.rt-by-condition": ("Geirhos 2021", "reaction time by condition"),
    "cifar10h.rt-by-image": ("CIFAR-10H", "reaction time by image"),
    "kar2019.ost": ("Kar 2019", "object solution time"),
}
TANG, STAND_IN = "Tang 2018", "simulated observers"
PARTIAL, DEVIANCE = "reaction time by object, partial ρ", "accuracy behind a mask, share of deviance"
READOUTS = ("solution", "feedforward")
"""Of recurrent models, and of the others."""
COLUMNS = ("study", "measure", "model", "state", "effect", "low", "high", "ceiling", "against")
COLUMNS += ("p", "p_holm", "delta_aic", "n_used", "n_total", "simulated")


def from_suite(suite: pd.DataFrame) -> pd.DataFrame:
    """Take the benchmarks of time from a suite's table (`analysis.suite_summary.tabulate`).

    The effect is the score over its ceiling; where there is no ceiling, the raw one.
    """
    rows = []
    for benchmark, (study, measure) in MEASURES.items():
        for one in suite[suite["benchmark"] == benchmark].to_dict("records"):
            normalised = np.isfinite(one["value"])
            names = ("value", "low", "high") if normalised else ("raw", "raw_low", "raw_high")
            row = {"study": study, "measure": measure, "model": one["model"], "state": one["state"]}
            row |= dict(zip(("effect", "low", "high"), (one[name] for name in names), strict=True))
            row |= {"ceiling": 1.0 if normalised else np.nan, "against": one["control"], "p": one["p"]}
            rows.append(row | {name: one[name] for name in ("n_used", "n_total", "simulated")})
    return pd.DataFrame(rows)


def from_trials(comparison: pd.DataFrame) -> pd.DataFrame:
    """Take the one readout of each model from a comparison over trials (`analysis.model_comparison.compare_models`)."""
    rows = []
    for model, part in comparison[comparison["given"] == GIVEN[1]].groupby("model", sort=False):
        read = part.set_index("readout")
        one = read.loc[READOUTS[0] if READOUTS[0] in read.index else READOUTS[1]]
        names = {"effect": "partial", "low": "partial_low", "high": "partial_high", "ceiling": "partial_ceiling"}
        study = STAND_IN if one["simulated"] else TANG
        row = {"study": study, "measure": PARTIAL, "model": model, "state": SCORED}
        row |= {name: one[column] for name, column in names.items()}
        rows.append(row | {name: one[name] for name in ("p", "delta_aic", "n_used", "n_total", "simulated")})
    return pd.DataFrame(rows)


def from_masking(shares: pd.DataFrame, masking: pd.DataFrame) -> pd.DataFrame:
    """Take the share of deviance that each truncated model explains, tested against the control's.

    ``delta_aic`` is that of the control less that of the model: above 0, the model's steps explain more.

    Parameters
    ----------
    shares, masking
        As `analysis.masking_stage.masking_tables` gives them.
    """
    control = shares.loc[shares["difference"].isna(), "model"].iloc[0]
    fits = masking[masking["fit"] == "masked"].drop_duplicates("model").set_index("model")
    table = shares.set_index("model")[["share", "low", "high", "p"]].rename(columns={"share": "effect"})
    table = table.join(fits[["n_used", "n_total", "simulated"]])
    study = np.where(table["simulated"], STAND_IN, TANG)
    table = table.assign(study=study, measure=DEVIANCE, state=SCORED)
    others = table.index != control
    table["delta_aic"] = (fits.loc[control, "aic"] - fits["aic"]).where(others)
    return table.assign(against=np.where(others, control, None)).reset_index()


def tabulate(suite: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Lay everything out.

    Parameters
    ----------
    suite
        Table of a suite.
    tables
        "comparison" of `comparison_stage`, "masking" and "masking_shares" of `masking_stage`.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; ``p_holm`` over all tests of the table; NaN: missing.
    """
    masked = from_masking(tables["masking_shares"], tables["masking"])
    parts = [from_trials(tables["comparison"]), masked, from_suite(suite)]
    table = pd.concat(parts, ignore_index=True).reindex(columns=list(COLUMNS))
    return table.assign(p_holm=holm(table["p"]))


def as_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Write the table for readers: study, measure, model, effect [95 %], ceiling, p (Holm), ΔAIC, n; all str."""
    rows = []
    for row in table.to_dict("records"):
        scored = row["state"] == SCORED
        rows.append(
            {
                "study": row["study"],
                "measure": row["measure"],
                "model": row["model"],
                "effect": bounded(row["effect"], row["low"], row["high"], 2) if scored else row["state"],
                "ceiling": number(row["ceiling"], 2),
                "p (Holm)": chance(row["p_holm"]),
                "ΔAIC": number(row["delta_aic"], 1),
                "n": f"{int(row['n_used'])} / {int(row['n_total'])}" if scored else "",
            }
        )
    return pd.DataFrame(rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Read what the stages wrote, write the table, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", type=Path, required=True, help="table of a suite (.csv)")
    parser.add_argument("--comparison", type=Path, required=True, metavar="STEM", help="of comparison_stage's tables")
    parser.add_argument("--masking", type=Path, required=True, metavar="STEM", help="of masking_stage's tables")
    parser.add_argument("--out", type=Path, required=True, metavar="STEM", help="path without an ending")
    options = parser.parse_args(argv)
    out, parts = options.out, {"comparison": options.comparison}
    parts |= dict.fromkeys(("masking", "masking_shares"), options.masking)
    tables = {name: pd.read_csv(stem.with_name(f"{stem.name}.{name}.csv")) for name, stem in parts.items()}
    table = tabulate(pd.read_csv(options.suite), tables)
    cells = as_cells(table)
    write_tables(out, {".csv": table})
    write_cells(out, cells)
    print(as_markdown(cells), end="")


if __name__ == "__main__":
    main()
