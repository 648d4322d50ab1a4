"""Scores of layers and steps: read them as files hold them, and lay them out as one table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.trainings import described, split_seeds, student

KEYS = ["benchmark", "model", "layer", "step"]
BY_STEP, SUMMARY, OVER = "by layer and step", "summary", "over trainings"


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


def mean_over_trainings(steps: pd.DataFrame) -> pd.DataFrame:
    """Take the mean score of each layer and step over trainings; ceilings and counts are alike in all of them.

    Parameters
    ----------
    steps
        Rows of `by_layer_and_step` of every training, raw as ``score``, seeds apart from models' names.

    Returns
    -------
    pandas.DataFrame
        The same columns; score is NaN where a training has none, low and high where there are several; n_chose is the
        sum, and n_seeds the number of trainings with a score.
    """
    keys = [name for name in ("benchmark", "model", "target", "metric", "layer", "step") if name in steps]
    groups = steps.groupby(keys, sort=False, dropna=False)
    rows, one = groups.first(), groups.size() == 1
    for name in ("low", "high"):
        if name in rows:
            rows[name] = rows[name].where(one)
    rows["score"] = groups["score"].mean().where(groups["score"].count() == groups.size())
    rows = rows.assign(n_chose=groups["n_chose"].sum(), n_seeds=groups["score"].count())
    return rows.assign(simulated=groups["simulated"].any()).reset_index().drop(columns="seed")


def numbers_over_trainings(numbers: pd.DataFrame) -> list[dict[str, Any]]:
    """Summarise the one number of several trainings: mean, with its 95 % interval by Student's t over trainings.

    Parameters
    ----------
    numbers
        Rows of `summary_rows` of every training, seeds apart from models' names.

    Returns
    -------
    list of dict
        A row per benchmark, model and quantity that has several: what is alike in all, score, low, high, n_seeds (with
        a score).
    """
    rows = []
    for _, part in numbers.groupby(["benchmark", "model", "quantity"], sort=False):
        if len(part) > 1:
            alike = ["benchmark", "model", "quantity", "ceiling", "ceiling_rule", "n_used", "n_total", "notes"]
            spread = described(part["score"])
            row = {**part.iloc[0][alike], "score": spread["mean"], "n_seeds": spread["n_seeds"]}
            row |= {name: student(part["score"])[name] for name in ("low", "high")}
            rows.append(row | {"simulated": bool(part["simulated"].any())})
    return rows


def lay_out(scores: Iterable[tuple[pd.DataFrame, Mapping[str, Any]]]) -> pd.DataFrame:
    """Lay out several scores as one tidy table.

    Parameters
    ----------
    scores
        Pairs from `read_scores` and `read_summary`, of models named ``<model>`` (seed 0) and ``<model>-seed<n>``.

    Returns
    -------
    pandas.DataFrame
        ``part`` = "by layer and step": `mean_over_trainings` of the rows of `by_layer_and_step`; then ``part`` =
        "summary": those of `summary_rows`, with their seed; then ``part`` = "over trainings": `numbers_over_trainings`.
        Common columns: part, benchmark, model (without its seed), kind (first word of its name), seed, quantity, score,
        low, high, ceiling, ceiling_rule, n_used, n_total, n_seeds, simulated.

    Raises
    ------
    ValueError
        If a benchmark has two models of one kind, or two scores of one training.
    """
    maps, summaries = [], []
    for table, summary in scores:
        names = {"raw": "score", "raw_low": "low", "raw_high": "high"}
        maps.append(by_layer_and_step(table, summary["chosen"]).rename(columns=names))
        summaries += summary_rows(summary)
    steps = split_seeds(pd.concat(maps, ignore_index=True)).assign(quantity="raw")
    numbers = split_seeds(pd.DataFrame(summaries))
    for name in ("score", "low", "high", "ceiling"):
        numbers[name] = numbers[name].astype(np.float64)  # None, where JSON has no NaN
    _check_trainings(numbers)
    over = pd.DataFrame(numbers_over_trainings(numbers))
    parts = {BY_STEP: mean_over_trainings(steps), SUMMARY: numbers, OVER: over}
    table = pd.concat([rows.assign(part=name) for name, rows in parts.items() if len(rows)], ignore_index=True)
    table["kind"] = table["model"].str.split("-").str[0]
    first = ["part", "benchmark", "model", "kind", "seed", "target", "metric", "layer", "step", "quantity", "score"]
    first += ["low", "high", "ceiling", "ceiling_rule", "n_used", "n_total", "n_sessions", "n_sessions_total"]
    first += ["n_chose", "n_seeds"]
    return table.reindex(columns=[*first, "chosen_layers", "notes", "simulated"])


def _check_trainings(numbers: pd.DataFrame) -> None:
    """Refuse two models of one kind, and a training that is there twice."""
    once = numbers[numbers["quantity"] == "normalised"]
    for (benchmark, kind), found in once.groupby(["benchmark", once["model"].str.split("-").str[0]]):
        if found["model"].nunique() > 1 or found["seed"].duplicated().any():
            raise ValueError(
                f"{benchmark}: expected trainings of one model of the kind {kind}, each once, got those of "
                f"{', '.join(found['model'])}. Name the scores to draw one by one."
            )
