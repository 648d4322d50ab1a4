"""How alike a model's answers and observers' behaviour are, at every step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.answers import category_answers
from benchmarks.bootstrap import N_RESAMPLES, count_draws, interval
from benchmarks.inputs import EachLayer, as_model, default_each_layer, files_available, files_used, open_store
from benchmarks.score import Score, make_provenance, used_steps
from neurocnnf.progress import Progress

QUICK_RESAMPLES = 200
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Ceiling:
    """What the best model can be expected to reach, and the rule that says so."""

    value: float
    rule: str


def table_row(
    metric: str, step: int, raw: float, samples: NDArray, ceiling: Ceiling, n: tuple[int, int], **columns
) -> dict[str, Any]:
    """Make a row of a score's table.

    Parameters
    ----------
    metric, step
        What was compared, and where.
    raw, samples
        The score, higher is better, and its bootstrap resamples (resample,).
    ceiling
        Normalises where above 0.
    n
        Number of images or conditions that entered, and of all.
    columns
        What the comparison adds.
    """
    low, high = interval(samples)
    scale = ceiling.value if ceiling.value > 0 else float("nan")
    return {
        "metric": metric,
        "step": step,
        "raw": raw,
        "raw_low": low,
        "raw_high": high,
        "ceiling": ceiling.value,
        "ceiling_rule": ceiling.rule,
        "normalised": raw / scale,
        "normalised_low": low / scale,
        "normalised_high": high / scale,
        "n_used": n[0],
        "n_total": n[1],
        **columns,
    }


def draw_items(n_items: int, n_resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw images (or conditions) with replacement: (resample, item), how often each was drawn."""
    return count_draws((np.arange(n_items),), n_resamples, rng)


@dataclass(frozen=True)
class Behaviour:
    """A benchmark of behaviour; calling it scores a model.

    Parameters
    ----------
    identifier
        ``<study>.<what>``.
    studies
        Names, or patterns of names, of the files it needs from the data store.
    source
        ``source(store, model, n_steps, seed, each_layer)`` returns what was shown (`benchmarks.answers.Shown`) with the
        observers' data, and ``notes``.
    compare
        ``compare(log_probabilities, data, seed, n_resamples)`` returns rows from `table_row`, every metric at every
        step; the first row's metric is the score.
    simulated
        Whether the observers are simulated.
    store
        Where the files are; a `DataStore` with its defaults where None.
    quick
        Fewer resamples: a check, not a result.
    each_layer
        What records the model; `neurocnnf.record.each_layer` where None.
    """

    identifier: str
    studies: tuple[str, ...]
    source: Callable[..., Any]
    compare: Callable[..., Rows]
    simulated: bool = False
    store: Any = None
    quick: bool = False
    each_layer: EachLayer | None = None

    def available(self, store=None) -> bool:
        """Say whether the files are at hand without downloading."""
        return files_available(self.studies, store or self.store)

    def __call__(self, model, n_steps: int = 5, seed: int = 0, progress: Progress | None = None) -> Score:
        """Score a model at every step.

        Parameters
        ----------
        model
            With ``name``, ``layer_names``, ``recurrent``; a feedforward one is scored at step 0.
        n_steps
            Feedback passes.
        seed
            Of folds, halves and resamples.
        progress
            Called with (what, done, total).

        Returns
        -------
        Score
            `value` at the last step. Layer and step are fixed beforehand: nothing is chosen.
        """
        model = as_model(model)
        n_steps = used_steps(model, n_steps)
        store = open_store(self.studies, self.store)
        each_layer = self.each_layer or default_each_layer()
        data = self.source(store=store, model=model, n_steps=n_steps, seed=seed, each_layer=each_layer)
        answers = category_answers(model, data, n_steps, each_layer, seed)
        if progress:
            progress(f"{model.name}: {self.identifier}, answers", 1, 2)
        n_resamples = QUICK_RESAMPLES if self.quick else N_RESAMPLES
        rows = self.compare(answers.log_probabilities, data, seed, n_resamples)
        if progress:
            progress(f"{model.name}: {self.identifier}, observers", 2, 2)
        quick = ("quick: few resamples, not a result",) if self.quick else ()
        score = score_of_rows(rows, answers.layer, self.identifier, model.name, self.simulated)
        provenance = make_provenance(model, n_steps, seed, store, files_used(self.studies, store))
        return replace(score, notes=(*quick, answers.how, *data.notes), provenance=provenance)


def score_of_rows(rows: Sequence[dict], layer: str, benchmark: str, model: str, simulated: bool) -> Score:
    """Make a score of rows from `table_row`: the first row's metric at the last step."""
    table = pd.DataFrame(rows)
    table.insert(1, "layer", layer)
    table["simulated"] = simulated
    last = table[(table["metric"] == table["metric"].iloc[0]) & (table["step"] == table["step"].max())].iloc[0]
    return Score(
        benchmark=benchmark,
        model=model,
        value=float(last["normalised"]),
        raw=float(last["raw"]),
        ceiling=float(last["ceiling"]),
        ceiling_rule=str(last["ceiling_rule"]),
        interval=(float(last["normalised_low"]), float(last["normalised_high"])),
        raw_interval=(float(last["raw_low"]), float(last["raw_high"])),
        n_used=int(last["n_used"]),
        n_total=int(last["n_total"]),
        per_step=table,
        chosen=pd.DataFrame([last.to_dict() | {"chosen_by": "fixed beforehand: the last step"}]),
        simulated=simulated,
    )
