"""Which layer stands for the model, chosen on data that the layer is then not scored on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import resamples
from benchmarks.bootstrap import interval
from benchmarks.ceilings import NO_RULE, NO_RULE_RSA, RIDGE_RULE
from benchmarks.score import Score

if TYPE_CHECKING:
    from benchmarks.neural_predictivity import StepScore
    from benchmarks.representational_similarity import Comparison


@dataclass(frozen=True)
class LayerChoice:
    """A layer, and what chose it.

    Parameters
    ----------
    layer
        None where nothing could choose.
    chosen_by
        The sessions or targets whose scores were averaged to choose.
    """

    layer: str | None
    chosen_by: tuple[str, ...]


def best_layer(table: pd.DataFrame, by: str, choosers: tuple[str, ...], step: int) -> LayerChoice:
    """Return the layer with the highest mean raw score at one step, over some sessions or targets.

    Parameters
    ----------
    table
        Tidy scores: columns `by`, ``layer``, ``step``, ``raw``.
    by
        Column that names the session or target.
    choosers
        Values of that column to average over.
    step
        Solution step at which layers are compared.

    Returns
    -------
    LayerChoice
        The layer is None where no chooser has a score for every layer it is compared with. Where scores are
        equal the layer that comes first in the table wins.
    """
    rows = table[table[by].isin(choosers) & (table["step"] == step)]
    if rows.empty:
        return LayerChoice(None, ())
    scores = rows.pivot_table(index=by, columns="layer", values="raw", sort=False, dropna=False)
    # a session that lacks a layer's score (a layer that did not vary, say) must not tilt the means
    scores = scores.loc[:, scores.notna().any()].dropna()
    if scores.empty:
        return LayerChoice(None, ())
    ordered = [layer for layer in rows["layer"].unique() if layer in scores]
    means = scores[ordered].mean()
    return LayerChoice(str(ordered[int(np.argmax(means.to_numpy()))]), tuple(map(str, scores.index)))


def choose_across_sessions(
    table: pd.DataFrame, animals: Mapping[str, str], step: int, by: str = "session"
) -> dict[str, LayerChoice]:
    """Choose each session's layer by the sessions of the other animals, or else by its animal's others.

    Parameters
    ----------
    table
        Tidy scores: columns `by`, ``layer``, ``step``, ``raw``.
    animals
        Session to animal.
    step
        Solution step at which layers are compared.
    by
        Column that names the session.

    Returns
    -------
    dict
        Session to choice; a session that nothing can choose for gets the layer None.

    Raises
    ------
    ValueError
        If a session of the table has no animal.
    """
    sessions = tuple(table[by].unique())
    missing = [session for session in sessions if session not in animals]
    if missing:
        raise ValueError(
            f"animals: expected one animal per session, got none for {', '.join(missing)}. Add them to the mapping."
        )
    choices = {}
    for session in sessions:
        others = tuple(other for other in sessions if animals[other] != animals[session])
        choice = best_layer(table, by, others, step)
        if choice.layer is None:
            choice = best_layer(table, by, tuple(other for other in sessions if other != session), step)
        choices[session] = choice
    return choices


def average_sessions(
    results: Mapping[tuple[str, str, int], StepScore],
    animals: Mapping[str, str],
    benchmark: str,
    model: str,
    n_steps: int,
    simulated: bool,
) -> Score:
    """Choose each session's layer on other sessions, and average sessions at the last step.

    Parameters
    ----------
    results
        (session, layer, step) to score.
    animals
        Session to animal.
    benchmark, model, n_steps, simulated
        As in `Score`; `n_steps` is the last step.
    """
    table = pd.DataFrame(
        [
            {"session": session, "animal": animals[session], "layer": layer, "step": step, **score.row}
            for (session, layer, step), score in results.items()
        ]
    )
    table["simulated"] = simulated
    rows, raw_samples, normalised_samples, notes = [], [], [], []
    for session, choice in choose_across_sessions(table, animals, n_steps).items():
        by = ", ".join(choice.chosen_by)
        row = {"session": session, "layer": choice.layer, "chosen_by": by, "step": n_steps}
        if choice.layer is None:
            notes.append(f"session {session}: no other session to choose its layer, so it is not in value or raw")
        else:
            score = results[session, choice.layer, n_steps]
            row |= score.row
            raw_samples.append(score.raw_samples)
            if np.isfinite(score.row["normalised"]):
                normalised_samples.append(score.normalised_samples)
        rows.append(row)
    columns = ["session", "layer", "chosen_by", "step", *next(iter(results.values())).row]
    chosen = pd.DataFrame(rows).reindex(columns=columns)
    with_ceiling = chosen[chosen["normalised"].notna()]
    notes += _notes(chosen, with_ceiling)
    return Score(
        benchmark=benchmark,
        model=model,
        value=float(with_ceiling["normalised"].mean()),
        raw=float(chosen["raw"].mean()),
        ceiling=float(with_ceiling["ceiling"].mean()),
        ceiling_rule=RIDGE_RULE if len(with_ceiling) else NO_RULE,
        interval=_mean_interval(normalised_samples),
        raw_interval=_mean_interval(raw_samples),
        n_used=int(chosen["n_used"].sum()),
        n_total=int(table.groupby("session")["n_total"].first().sum()),
        per_step=table,
        chosen=chosen,
        simulated=simulated,
        notes=tuple(notes),
        samples=_session_samples(results, n_steps, chosen, raw_samples, normalised_samples),
    )


def _session_samples(results, n_steps, chosen, raw_samples, normalised_samples) -> pd.DataFrame:
    """Keep samples of the one number, and of every layer and step: the mean over sessions that have a score there."""
    parts: dict[resamples.Key, tuple[float, NDArray]] = {}
    if raw_samples:
        value = None
        if normalised_samples:
            value = float(chosen["normalised"].mean()), np.mean(normalised_samples, axis=0)
        parts = resamples.one_number(n_steps, (float(chosen["raw"].mean()), np.mean(raw_samples, axis=0)), value)
    places = {(layer, step): [] for _, layer, step in results}
    for (_, layer, step), score in results.items():
        if np.isfinite(score.row["raw"]):
            places[layer, step].append(score)
    for (layer, step), scores in places.items():
        if scores:
            mean = np.mean([score.raw_samples for score in scores], axis=0)
            parts["raw", layer, step] = float(np.mean([score.row["raw"] for score in scores])), mean
    return resamples.tabulate(parts)


def _mean_interval(samples: list[NDArray]) -> tuple[float, float]:
    """Interval of the mean over sessions, which are fixed: those recorded, not a sample of sessions."""
    return interval(np.mean(samples, axis=0)) if samples else (float("nan"), float("nan"))


def _notes(chosen: pd.DataFrame, with_ceiling: pd.DataFrame) -> list[str]:
    scored = chosen["raw"].notna().sum()
    notes = [f"raw: mean over {scored} of {len(chosen)} sessions"]
    if len(with_ceiling):
        names = ", ".join(with_ceiling["session"])
        notes.append(f"value: {len(with_ceiling)} of {len(chosen)} sessions, those with repeats ({names})")
    else:
        notes.append("value: missing, because no session that is scored has repeats for a ceiling")
    return notes


def choose_by_target(
    results: Mapping[tuple[str, str, str, int], Comparison],
    roles: tuple[str, str, str],
    benchmark: str,
    model: str,
    n_steps: int,
    simulated: bool,
) -> Score:
    """Choose the layer on one target, and score it on another, at the last step.

    Parameters
    ----------
    results
        (target, metric, layer, step) to comparison.
    roles
        The target that is scored, the target that chooses, and the metric.
    benchmark, model, n_steps, simulated
        As in `Score`; `n_steps` is the last step.
    """
    scored, chooser, metric = roles
    columns = ("target", "metric", "layer", "step")
    table = pd.DataFrame([dict(zip(columns, key, strict=True)) | dict(one.row) for key, one in results.items()])
    table["simulated"] = simulated
    choice = best_layer(table[table["metric"] == metric], "target", (chooser,), n_steps)
    note = f"value: {metric} with {scored}, layer chosen by {chooser}"
    row: dict[str, Any] = dict.fromkeys(next(iter(results.values())).row, float("nan"))
    row |= {"ceiling_rule": NO_RULE_RSA, "n_used": 0}
    if choice.layer is None:
        note = f"value: missing, because {chooser} has no score to choose a layer by"
    else:
        row |= results[scored, metric, choice.layer, n_steps].row
        if not np.isfinite(row["ceiling"]):
            note += f"; missing, because there is no ceiling ({row['ceiling_rule']}), so only raw stands"
    place = {"target": scored, "metric": metric, "layer": choice.layer, "chosen_by": chooser, "step": n_steps}
    return Score(
        benchmark=benchmark,
        model=model,
        value=row["normalised"],
        raw=row["raw"],
        ceiling=row["ceiling"],
        ceiling_rule=row["ceiling_rule"],
        interval=(row["normalised_low"], row["normalised_high"]),
        raw_interval=(row["raw_low"], row["raw_high"]),
        n_used=int(row["n_used"]),
        n_total=int(table["n_total"].iloc[0]),
        per_step=table,
        chosen=pd.DataFrame([place | row]),
        simulated=simulated,
        notes=(note,),
        samples=_target_samples(results, (scored, metric), choice.layer, n_steps),
    )


def _target_samples(results, target: tuple[str, str], layer: str | None, n_steps: int) -> pd.DataFrame:
    """Keep samples of the one number, and of every layer and step, for the target and metric that are scored."""
    parts: dict[resamples.Key, tuple[float, NDArray]] = {}
    if layer is not None:
        one = results[*target, layer, n_steps]
        value = None
        if np.isfinite(one.row["normalised"]):
            value = one.row["normalised"], one.samples / one.row["ceiling"]
        parts = resamples.one_number(n_steps, (one.row["raw"], one.samples), value)
    for (*of, name, step), one in results.items():
        if tuple(of) == target and np.isfinite(one.row["raw"]):
            parts["raw", name, step] = one.row["raw"], one.samples
    return resamples.tabulate(parts)
