"""Every model and every readout of its time against Tang et al. (2018): tables for figures and for readers.

Run ``python -m analysis.comparison_stage --in build/decoded/{cnnf,cnn}-cifar-gray/tang2018 --out
build/comparison/tang2018``, with the stems of what `analysis.decode_stage` wrote, the feedforward control's last.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.decoded_files import run_decoded_stage
from analysis.decoded_study import DecodedStudy
from analysis.model_comparison import compare_models, score_trials
from analysis.occlusion_levels import occlusion_tables

TABLES = ("comparison", "bounds", "exclusions", "cleaning", "occlusion", "occlusion_trends")
USUAL_RANGE_S = (0.2, 2.5)
CLEANING: dict[str, tuple[tuple[float, float], dict[str, bool]]] = {
    "nearly all times": ((0.1, 5.0), {}),
    "few times": ((0.3, 1.5), {}),
    "wrong answers too": (USUAL_RANGE_S, {"right_only": False}),
    "seconds as they are": (USUAL_RANGE_S, {"standardised": False}),
}
"""Rule to range of reaction times (s) and what else differs; the effect of each is shown for two readouts."""
CLEANED_READOUTS = ("solution", "feedforward")


def cleaning_table(study: DecodedStudy, control: str, settings: dict, usual: pd.DataFrame) -> pd.DataFrame:
    """Repeat the comparison under each rule of `CLEANING`; two readouts, chosen beforehand.

    Mixed models are of log reaction time under every rule. The first rows are those of the comparison itself, `usual`,
    with its number of permutations; p values corrected for a number of tests are left out, since the numbers differ.
    """
    usual = usual[usual["readout"].isin(CLEANED_READOUTS)]
    parts = [usual.assign(rule="as elsewhere", shortest_s=USUAL_RANGE_S[0], longest_s=USUAL_RANGE_S[1])]
    for rule, ((low, high), differs) in CLEANING.items():
        scored = score_trials(study, (low, high), settings["seed"], CLEANED_READOUTS, **differs)
        table = compare_models(scored, control, held_out=False, **settings)
        parts.append(table.assign(rule=rule, shortest_s=low, longest_s=high))
    return pd.concat(parts, ignore_index=True).drop(columns=["p_holm", "lr_p_holm"])


def bounds_table(scored) -> pd.DataFrame:
    """Bound of each model, readout, fold of objects and half of subjects, as fitted on the others."""
    rows = [
        (model, readout, fold, half, times.bounds[fold, half])
        for model, readouts in scored.times.items()
        for readout, times in readouts.items()
        for fold, half in np.ndindex(*times.bounds.shape)
    ]
    return pd.DataFrame(rows, columns=["model", "readout", "fold", "half", "bound"]).dropna(subset="bound")


def comparison(study: DecodedStudy, control: str, seed: int, *, quick: bool = False) -> dict[str, pd.DataFrame]:
    """Make all of `TABLES`.

    Parameters
    ----------
    study
        What was decoded from every model.
    control
        The feedforward one.
    seed
        Of everything drawn at random.
    quick
        Few resamples, and nobody is predicted from others: a check, not a result.
    """
    few = {"n_resamples": 100, "n_permutations": 99} if quick else {"n_resamples": 2000, "n_permutations": 2000}
    settings = {**few, "seed": seed}
    # As many p values are corrected for their number as there are rows: few permutations could leave none below .05.
    many = settings if quick else {**settings, "n_permutations": 10_000}
    scored = score_trials(study, USUAL_RANGE_S, seed)
    usual = compare_models(scored, control, held_out=not quick, **many)
    tables = {
        "comparison": usual,
        "bounds": bounds_table(scored),
        "exclusions": scored.exclusions,
        "cleaning": cleaning_table(study, control, settings, usual),
    }
    occlusion = occlusion_tables(study, scored, settings["n_resamples"], seed)
    return tables | dict(zip(("occlusion", "occlusion_trends"), occlusion, strict=True))


def stage(argv: Sequence[str] | None = None) -> Path:
    """Write ``<out>.<table>.csv`` for each of `TABLES`, and ``<out>.json``, unless up to date; return the stem."""
    return run_decoded_stage(__doc__ or "", argv, comparison)


if __name__ == "__main__":
    print(stage())
