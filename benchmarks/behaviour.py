"""How alike a model's answers and observers' behaviour are, at every step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import resamples
from benchmarks.answers import category_answers
from benchmarks.benchmark import Benchmark, Run
from benchmarks.bootstrap import N_RESAMPLES, count_draws, interval
from benchmarks.score import Score

QUICK_RESAMPLES = 200
SAMPLES = "samples"
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

    Returns
    -------
    dict
        The table's columns, and `SAMPLES`.
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
        SAMPLES: samples,
        **columns,
    }


def draw_items(n_items: int, n_resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw images (or conditions) with replacement: (resample, item), how often each was drawn."""
    return count_draws((np.arange(n_items),), n_resamples, rng)


@dataclass(frozen=True)
class Behaviour(Benchmark):
    """A benchmark of behaviour; calling it scores a model. Layer and step are fixed beforehand: nothing is chosen.

    Parameters
    ----------
    identifier, studies, simulated, store, quick, each_layer
        As in `Benchmark`.
    source
        Returns what was shown (`benchmarks.answers.Shown`) with the observers' data, and ``notes``.
    compare
        ``compare(log_probabilities, data, seed, n_resamples)`` returns rows from `table_row`, every metric at every
        step; the first row's metric is the score.
    """

    READS_LAYERS: ClassVar[bool] = False

    compare: Callable[..., Rows]

    def _score(self, run: Run, data: Any) -> Score:
        answers = category_answers(run.model, data, run.n_steps, run.each_layer, run.seed)
        run.tell(f"{self.identifier}, answers", 1, 2)
        n_resamples = QUICK_RESAMPLES if self.quick else N_RESAMPLES
        rows = self.compare(answers.log_probabilities, data, run.seed, n_resamples)
        run.tell(f"{self.identifier}, observers", 2, 2)
        score = score_of_rows(rows, answers.layer, self.identifier, run.model.name, self.simulated)
        return replace(score, notes=(answers.how, *data.notes))


def score_of_rows(rows: Sequence[dict], layer: str, benchmark: str, model: str, simulated: bool) -> Score:
    """Make a score of rows from `table_row`: the first row's metric at the last step."""
    table = pd.DataFrame([{name: value for name, value in row.items() if name != SAMPLES} for row in rows])
    table.insert(1, "layer", layer)
    table["simulated"] = simulated
    scored = table["metric"] == table["metric"].iloc[0]
    at = table.index[scored & (table["step"] == table["step"].max())][0]
    last = table.loc[at]
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
        samples=resamples.of_steps(
            {int(table.loc[i, "step"]): (rows[i]["raw"], rows[i][SAMPLES]) for i in table.index[scored]},
            layer,
            last["ceiling"],
        ),
    )
