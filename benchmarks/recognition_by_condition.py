"""How alike a model and people are in what they recognise, and when, under manipulations of the picture.

The model answers by a readout that learnt from whole pictures alone (`benchmarks.clean_readout`). Scores compare its
profile over conditions with people's (`benchmarks.recognition_measures`). Intervals resample pictures (originals, with
all their versions) and observers (within their experiments), with readouts and ceilings held fixed; they are shifted to
have the score as their mean, because resampling noise attenuates correlations. Conditions are held fixed, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import resamples
from benchmarks.benchmark import Benchmark, Run
from benchmarks.bootstrap import N_RESAMPLES, interval, recentred
from benchmarks.clean_readout import Answers, answer
from benchmarks.recognition_measures import Match, People, draw_pictures, meet_people
from benchmarks.score import Score
from benchmarks.shift_ceiling import SHIFT_RULES

Measure = Callable[[Answers, str, People, NDArray], Iterable[Match]]
QUICK_RESAMPLES = 200
CHOSEN_BY = "whole pictures, held out"


class Study(Protocol):
    """Pictures and people; see `benchmarks.recordings.maniquet2025` and `benchmarks.simulated_people`."""

    stimuli: Any  # table columns condition, category, original
    humans: Any  # benchmarks.recordings.maniquet2025.Humans


@dataclass(frozen=True)
class RecognitionByCondition(Benchmark):
    """A benchmark of recognition under manipulations; calling it scores a model.

    `value` is of the first target by Pearson correlation at the last step, from the layer whose readout is most
    accurate on whole pictures that it has not seen.

    Parameters
    ----------
    identifier, studies, simulated, store, quick, each_layer
        As in `Benchmark`.
    source
        Returns a `Study`.
    measure
        One of `benchmarks.recognition_measures`.
    control
        The condition of the whole pictures, from which readouts learn.
    """

    measure: Measure
    control: str = "control"

    def _score(self, run: Run, data: Study) -> Score:
        answers = answer_study(
            run.model,
            data,
            run.n_steps,
            run.each_layer,
            control=self.control,
            layers=run.layers,
            seed=run.seed,
            progress=run.progress,
        )
        people = meet_people(data.humans, QUICK_RESAMPLES if self.quick else N_RESAMPLES, run.seed)
        drawn = draw_pictures(answers, people.n_resamples, run.seed)
        rows, scored, best, samples = [], None, {}, {}
        for layer in answers.decisions:
            for match in self.measure(answers, layer, people, drawn):
                row, shifted = tabulate(match, layer, len(answers.labels), self.simulated)
                rows.append(row)
                scored = scored or (row["target"], row["metric"])
                if (row["target"], row["metric"]) == scored:
                    samples["raw", layer, match.step] = row["raw"], shifted
                    if layer == answers.layer and match.step == run.n_steps:
                        best = row
        per_step = pd.DataFrame(rows)
        return score_of_best(self.identifier, run, answers, per_step, best, samples)


def score_of_best(
    identifier: str, run: Run, answers: Answers, per_step: pd.DataFrame, best: dict[str, Any], samples: dict
) -> Score:
    """Make a score of the row that counts.

    Parameters
    ----------
    identifier
        Of the benchmark.
    run, answers
        The model, and what it answered.
    per_step
        Rows from `tabulate`.
    best
        The row that counts.
    samples
        ("raw", layer, step) to (estimate, samples), of the target and metric that count.
    """
    notes = (f"readouts learnt from {len(answers.category_of_original)} whole pictures",)
    if best["ceiling_rule"] in SHIFT_RULES and not run.n_steps:
        notes += ("missing: a feedforward model has no later step to shift to",)
    left_out = best.get("n_participants_total", 0) - best.get("n_participants", 0)
    if left_out:
        total = best["n_participants_total"]
        notes += (f"{left_out} of {total} participants left out: their answers are of mixed-up keys",)
    elsewhere = {"chosen_by": CHOSEN_BY, "whole_accuracy": float(answers.whole_accuracy[answers.layer].mean())}
    keys = ("target", "metric", "layer", "step", "raw", "normalised", "ceiling")
    raw, drawn = samples["raw", best["layer"], best["step"]]
    value = (best["normalised"], drawn / best["ceiling"]) if np.isfinite(best["ceiling"]) else None
    return Score(
        benchmark=identifier,
        model=run.model.name,
        value=best["normalised"],
        raw=best["raw"],
        ceiling=best["ceiling"],
        ceiling_rule=best["ceiling_rule"],
        interval=(best["normalised_low"], best["normalised_high"]),
        raw_interval=(best["raw_low"], best["raw_high"]),
        n_used=best["n_used"],
        n_total=best["n_total"],
        per_step=per_step,
        chosen=pd.DataFrame([{**{key: best[key] for key in keys}, **elsewhere}]),
        simulated=bool(best["simulated"]),
        notes=notes,
        samples=resamples.tabulate(resamples.one_number(best["step"], (raw, drawn), value) | samples),
    )


def answer_study(
    model, study, n_steps, each_layer, *, control="control", layers=None, seed=0, progress=None
) -> Answers:
    """Answer a study's pictures, conditions and categories in the order of people's; see `clean_readout.answer`."""
    conditions = [str(name) for name in study.humans.accuracy["condition"].to_numpy()]
    categories = [str(name) for name in study.humans.confusions["category"].to_numpy()]
    return answer(
        model,
        study.stimuli,
        conditions,
        categories,
        control,
        n_steps,
        each_layer,
        layers=layers,
        seed=seed,
        progress=progress,
    )


def tabulate(match: Match, layer: str, n: int, simulated: bool) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Turn a match into a row of `Score.per_step`, and its samples into ones whose mean is the score.

    Parameters
    ----------
    match
        From a measure.
    layer
        Where the model was read out.
    n
        Presentations; all are used.
    simulated
        Whether the people are simulated.
    """
    shifted = recentred(match.samples, match.raw)
    low, high = interval(shifted)
    has_ceiling = np.isfinite(match.ceiling) and match.ceiling > 0
    scale = match.ceiling if has_ceiling else float("nan")
    row = {
        "target": match.target,
        "metric": match.metric,
        "layer": layer,
        "step": match.step,
        "raw": match.raw,
        "raw_low": low,
        "raw_high": high,
        "ceiling": scale,
        "ceiling_rule": match.rule
        if has_ceiling or match.rule.startswith("none")
        else f"none: not above 0 ({match.rule})",
        "normalised": match.raw / scale,
        "normalised_low": low / scale,
        "normalised_high": high / scale,
        "n_used": n,
        "n_total": n,
        "simulated": simulated,
        **match.more,
    }
    return row, shifted
