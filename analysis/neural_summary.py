"""Scores of layers and steps: read them as files hold them, and take the median over sessions."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

KEYS = ["benchmark", "model", "layer", "step"]
SESSION, MEDIAN = "session", "median over sessions"


def read_scores(path: Path) -> pd.DataFrame:
    """Read a score's table, with the columns ``benchmark`` and ``model``.

    Parameters
    ----------
    path
        ``<stem>.csv`` as `benchmarks.score.Score.to_files` writes it; what the table lacks of these two
        columns is read from ``<stem>.json`` beside it.

    Raises
    ------
    ValueError
        If neither says what was scored.
    """
    path = Path(path)
    table, beside = pd.read_csv(path), path.with_suffix(".json")
    lacking = [column for column in ("benchmark", "model") if column not in table]
    if not lacking:
        return table
    summary = json.loads(beside.read_text()) if beside.is_file() else {}
    unknown = [column for column in lacking if column not in summary]
    if unknown:
        raise ValueError(
            f"{path.name}: expected {' and '.join(unknown)} as a column or in {beside.name} beside it, got neither. "
            "Write the score again with Score.to_files."
        )
    for place, column in enumerate(lacking):
        table.insert(place, column, summary[column])
    return table


def median_over_sessions(table: pd.DataFrame) -> pd.DataFrame:
    """Take the median of raw scores over sessions, for each benchmark, model, layer and step.

    Parameters
    ----------
    table
        Columns benchmark, model, session, layer, step, raw, simulated; NaN in raw: that session has no score.

    Returns
    -------
    pandas.DataFrame
        benchmark, model, layer, step, raw (NaN where no session has a score), n_sessions (with a score),
        n_sessions_total, simulated, in the order in which layers and steps come.
    """
    return table.groupby(KEYS, sort=False, as_index=False).agg(
        raw=("raw", "median"),
        n_sessions=("raw", "count"),
        n_sessions_total=("session", "nunique"),
        simulated=("simulated", "any"),
    )


def with_medians(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of single sessions (``summary`` = "session") and, below, their medians.

    Parameters
    ----------
    table
        As in `median_over_sessions`.
    """
    medians = median_over_sessions(table).assign(summary=MEDIAN)
    return pd.concat([table.assign(summary=SESSION), medians], ignore_index=True)
