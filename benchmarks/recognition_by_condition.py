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

from benchmarks.bootstrap import N_RESAMPLES, interval, recentred
from benchmarks.clean_readout import Answers, answer
from benchmarks.inputs import EachLayer, as_model, default_each_layer, files_available, files_used, open_store
from benchmarks.recognition_measures import SHIFT_RULE, Match, People, draw_pictures, meet_people
from benchmarks.score import Score, make_provenance, used_steps
from neurocnnf.progress import Progress

Measure = Callable[[Answers, str, People, NDArray], Iterable[Match]]
QUICK_RESAMPLES = 200
CHOSEN_BY = "whole pictures, held out"


class Study(Protocol):
    """Pictures and people; see `benchmarks.recordings.maniquet2025` and `benchmarks.simulated_people`."""

    stimuli: Any  # table columns condition, category, original
    humans: Any  # benchmarks.recordings.maniquet2025.Humans


@dataclass(frozen=True)
class RecognitionByCondition:
    """A benchmark of recognition under manipulations; calling it scores a model.

    Parameters
    ----------
    identifier
        ``<study>.<what>``.
    studies
        Names, or patterns of names, of the files it needs from the data store.
    source
        ``source(store, model, n_steps, seed, each_layer)`` returns a `Study`.
    measure
        One of `benchmarks.recognition_measures`.
    control
        The condition of the whole pictures, from which readouts learn.
    simulated
        Whether the people are simulated.
    store
        Where the files are; a `DataStore` with its defaults where None.
    quick
        Fewer resamples: a check, not a result.
    each_layer
        What records the model; `neurocnnf.record.each_layer` where None.
    """

    identifier: str
    studies: tuple[str, ...]
    source: Callable[..., Study]
    measure: Measure
    control: str = "control"
    simulated: bool = False
    store: Any = None
    quick: bool = False
    each_layer: EachLayer | None = None

    def available(self, store=None) -> bool:
        """Say whether the files are at hand without downloading."""
        return files_available(self.studies, store or self.store)

    def __call__(
        self,
        model,
        n_steps: int = 5,
        seed: int = 0,
        progress: Progress | None = None,
        layers: tuple[str, ...] | None = None,
    ) -> Score:
        """Score a model at every layer and step.

        Parameters
        ----------
        model
            With ``name``, ``layer_names``, ``recurrent``; a feedforward one is scored at step 0.
        n_steps
            Feedback passes.
        seed
            Of folds, splits and resamples.
        progress
            Called with (what, done, total).
        layers
            Names; all of the model's where None.

        Returns
        -------
        Score
            `value`: of the first target by Pearson correlation at the last step, from the layer whose readout is most
            accurate on whole pictures that it has not seen.
        """
        model = as_model(model)
        n_steps = used_steps(model, n_steps)
        each_layer = self.each_layer or default_each_layer()
        store = open_store(self.studies, self.store)
        study = self.source(store=store, model=model, n_steps=n_steps, seed=seed, each_layer=each_layer)
        answers = answer_study(
            model, study, n_steps, each_layer, control=self.control, layers=layers, seed=seed, progress=progress
        )
        people = meet_people(study.humans, QUICK_RESAMPLES if self.quick else N_RESAMPLES, seed)
        drawn = draw_pictures(answers, people.n_resamples, seed)
        rows, first, best, samples = [], None, {}, np.zeros(0)
        for layer in answers.decisions:
            for match in self.measure(answers, layer, people, drawn):
                row, shifted = tabulate(match, layer, len(answers.labels), self.simulated)
                rows.append(row)
                key = row["target"], row["metric"]
                first = first or key
                if key == first and layer == answers.layer and match.step == n_steps:
                    best, samples = row, shifted
        return self._score(model, n_steps, seed, store, answers, (pd.DataFrame(rows), best, samples))

    def _score(self, model, n_steps, seed, store, answers, found) -> Score:
        per_step, best, samples = found
        notes = ("quick: few resamples, not a result",) if self.quick else ()
        notes += (f"readouts learnt from {len(answers.category_of_original)} whole pictures",)
        if best["ceiling_rule"] == SHIFT_RULE and not n_steps:
            notes += ("missing: a feedforward model has no later step to shift to",)
        left_out = best.get("n_participants_total", 0) - best.get("n_participants", 0)
        if left_out:
            total = best["n_participants_total"]
            notes += (f"{left_out} of {total} participants left out: their answers are of mixed-up keys",)
        elsewhere = {"chosen_by": CHOSEN_BY, "whole_accuracy": float(answers.whole_accuracy[answers.layer].mean())}
        keys = ("target", "metric", "layer", "step", "raw", "normalised", "ceiling")
        chosen = pd.DataFrame([{**{key: best[key] for key in keys}, **elsewhere}])
        return Score(
            self.identifier,
            model.name,
            best["normalised"],
            best["raw"],
            best["ceiling"],
            best["ceiling_rule"],
            (best["normalised_low"], best["normalised_high"]),
            interval(samples),
            best["n_used"],
            best["n_total"],
            per_step,
            chosen,
            self.simulated,
            notes,
            make_provenance(model, n_steps, seed, store, files_used(self.studies, store)),
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
