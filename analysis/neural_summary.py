"""Scores of layers and steps: read them as files hold them, and lay them out as one table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

KEYS = ["benchmark", "model", "layer", "step"]
BY_STEP, SUMMARY = "by layer and step", "summary"


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
    table, beside = pd.read_csv(path, dtype={"session": str}), path.with_suffix(".json")
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


def read_summary(path: Path) -> dict[str, Any]:
    """Read what `Score.to_files` wrote beside a table: the one number, and what it rests on.

    Parameters
    ----------
    path
        The table, ``<stem>.csv``.

    Raises
    ------
    ValueError
        If ``<stem>.json`` is missing, or is no score.
    """
    beside = Path(path).with_suffix(".json")
    summary = json.loads(beside.read_text()) if beside.is_file() else {}
    needed = ("benchmark", "model", "value", "raw", "interval", "raw_interval", "ceiling", "ceiling_rule")
    missing = [name for name in (*needed, "chosen", "n_used", "n_total", "simulated") if name not in summary]
    if missing:
        raise ValueError(
            f"{Path(path).name}: expected a score in {beside.name} beside it, got none with {', '.join(missing)}. "
            "Write the score again with Score.to_files."
        )
    return summary


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


def by_layer_and_step(table: pd.DataFrame, chosen: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Give a row to each layer and step: over sessions their median, or else a row per target and metric.

    Parameters
    ----------
    table
        As `read_scores` gives it.
    chosen
        Layers and steps that the one number rests on: `Score.chosen`, a mapping per session or target.

    Returns
    -------
    pandas.DataFrame
        The keys and counts of `median_over_sessions`, or target and metric; raw, with its interval where it is not a
        median; ceiling (the median over the sessions that have one) and ceiling_rule; n_used and n_total, of
        neuroids or images, sums over sessions; and n_chose: how many sessions or targets chose this place.
    """
    picked = [dict(one) for one in chosen]
    if "session" not in table:
        rows = table.copy()
        keys = ["target", "metric", "layer", "step"]
    else:
        groups = table.groupby(KEYS, sort=False, as_index=False)
        # A session without repeats has no ceiling, and no rule: the rule is that of the sessions with one.
        rule = table.sort_values("ceiling", na_position="last", kind="stable").groupby(KEYS)["ceiling_rule"].first()
        more = groups.agg(ceiling=("ceiling", "median"), n_used=("n_used", "sum"), n_total=("n_total", "sum"))
        rows = median_over_sessions(table).merge(more, on=KEYS, validate="1:1").join(rule, on=KEYS)
        keys = ["layer", "step"]
    places = [tuple(one.get(key) for key in keys) for one in picked]
    return rows.assign(n_chose=[places.count(place) for place in rows[keys].itertuples(index=False, name=None)])


def summary_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Turn a score's one number into two rows, ``normalised`` and ``raw``; missing is NaN.

    Parameters
    ----------
    summary
        As `read_summary` gives it.
    """
    layers = dict.fromkeys(str(one["layer"]) for one in summary["chosen"] if one.get("layer"))
    same = {name: summary[name] for name in ("benchmark", "model", "ceiling_rule", "n_used", "n_total", "simulated")}
    same |= {"chosen_layers": ", ".join(layers), "notes": "; ".join(summary.get("notes", ()))}
    rows = []
    for quantity, interval in (("value", "interval"), ("raw", "raw_interval")):
        low, high = summary[interval]
        # After dividing by the ceiling, the ceiling is 1.
        ceiling = summary["ceiling"] if quantity == "raw" or summary["ceiling"] is None else 1.0
        name = "normalised" if quantity == "value" else "raw"
        rows.append(
            {**same, "quantity": name, "score": summary[quantity], "low": low, "high": high, "ceiling": ceiling}
        )
    return rows


def lay_out(scores: Iterable[tuple[pd.DataFrame, Mapping[str, Any]]]) -> pd.DataFrame:
    """Lay out several scores as one tidy table.

    Parameters
    ----------
    scores
        Pairs from `read_scores` and `read_summary`.

    Returns
    -------
    pandas.DataFrame
        ``part`` = "by layer and step": the rows of `by_layer_and_step`, raw as ``score``; then ``part`` = "summary":
        those of `summary_rows`. Common columns: part, benchmark, model, kind (first word of the model's name),
        quantity, score, low, high, ceiling, ceiling_rule, n_used, n_total, simulated.

    Raises
    ------
    ValueError
        If a benchmark has two scores of one kind of model.
    """
    maps, summaries = [], []
    for table, summary in scores:
        names = {"raw": "score", "raw_low": "low", "raw_high": "high"}
        maps.append(by_layer_and_step(table, summary["chosen"]).rename(columns=names))
        summaries += summary_rows(summary)
    steps = pd.concat(maps, ignore_index=True).assign(part=BY_STEP, quantity="raw")
    numbers = pd.DataFrame(summaries).assign(part=SUMMARY)
    for name in ("score", "low", "high", "ceiling"):
        numbers[name] = numbers[name].astype(np.float64)  # None, where JSON has no NaN
    table = pd.concat([steps, numbers], ignore_index=True)
    table["kind"] = table["model"].str.split("-").str[0]
    for (benchmark, kind), found in table[table["quantity"] == "normalised"].groupby(["benchmark", "kind"]):
        if len(found) > 1:
            raise ValueError(
                f"{benchmark}: expected one score of the kind {kind}, got those of {', '.join(found['model'])}. "
                "Name the scores to draw one by one."
            )
    first = ["part", "benchmark", "model", "kind", "target", "metric", "layer", "step", "quantity", "score", "low"]
    first += ["high", "ceiling", "ceiling_rule", "n_used", "n_total", "n_sessions", "n_sessions_total", "n_chose"]
    return table.reindex(columns=[*first, "chosen_layers", "notes", "simulated"])
