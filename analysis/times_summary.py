"""Recognition times: read them as files hold them, and count what was solved by each step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

TABLES = ("statistics", "objects", "stimuli", "exclusions")
ENDINGS = (*(f".{name}.csv" for name in TABLES), ".json")
"""Of the files that `analysis.recognition_time` writes."""


@dataclass(frozen=True)
class TimesTables:
    """What the files hold; see `analysis.recognition_time.RecognitionTimes` for the columns."""

    statistics: pd.DataFrame
    objects: pd.DataFrame
    stimuli: pd.DataFrame
    exclusions: pd.DataFrame
    provenance: Mapping[str, Any]


def read_times(paths: list[Path]) -> TimesTables:
    """Read the tables and the provenance of one comparison.

    Parameters
    ----------
    paths
        One file for each of `ENDINGS`.

    Raises
    ------
    ValueError
        If there is not exactly one of each, or the provenance does not say how many steps there were.
    """
    found = {ending: [path for path in paths if path.name.endswith(ending)] for ending in ENDINGS}
    counts = [f"{len(files)} {ending}" for ending, files in found.items() if len(files) != 1]
    if counts:
        raise ValueError(
            f"recognition times: expected one file of each of {', '.join(ENDINGS)}, got {', '.join(counts)}. "
            "Name the beginning that the files of one comparison share."
        )
    note = found[".json"][0]
    provenance = json.loads(note.read_text())
    if not isinstance(provenance.get("n_steps"), int):
        raise ValueError(
            f"{note.name}: expected n_steps, an integer, got {provenance.get('n_steps')!r}. "
            "Run the stage that makes it again."
        )
    return TimesTables(*(pd.read_csv(found[f".{name}.csv"][0]) for name in TABLES), provenance)


def solved_by_step(stimuli: pd.DataFrame, n_steps: int) -> pd.DataFrame:
    """Count the stimuli that were solved at each step, by each step, and never.

    Parameters
    ----------
    stimuli
        Columns solution_step (NaN where unsolved), solved, simulated; a row per stimulus.
    n_steps
        Last step looked at.

    Returns
    -------
    pandas.DataFrame
        outcome ("solved" per step 0 to n_steps, then "never"), step (NaN for never), n_here (first solved at this
        step; or never), n_until (solved at an earlier one), n_total, share_here, share_until, simulated.

    Raises
    ------
    ValueError
        If a solved stimulus has a step that was not looked at, or an unsolved one has a step.
    """
    solved = stimuli["solved"].astype(bool)
    counts = stimuli.loc[solved, "solution_step"].value_counts()
    odd = int((~stimuli.loc[solved, "solution_step"].isin(range(n_steps + 1))).sum())
    odd += int(stimuli.loc[~solved, "solution_step"].notna().sum())
    if odd:
        raise ValueError(
            f"stimuli: expected steps 0 to {n_steps} where solved and none elsewhere, got {odd} rows that differ. "
            "Run the stage that makes the table again."
        )
    rows, until = [], 0
    for step in range(n_steps + 1):
        here = int(counts.get(step, 0))
        rows.append({"outcome": "solved", "step": float(step), "n_here": here, "n_until": until})
        until += here
    rows.append({"outcome": "never", "step": float("nan"), "n_here": int((~solved).sum()), "n_until": 0})
    table = pd.DataFrame(rows).assign(n_total=len(stimuli))
    table["share_here"], table["share_until"] = table["n_here"] / len(stimuli), table["n_until"] / len(stimuli)
    return table.assign(simulated=bool(stimuli["simulated"].any()))
