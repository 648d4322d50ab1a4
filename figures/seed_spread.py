"""Figure: what three seeds of each model say, benchmark by benchmark.

Run ``python -m figures.seed_spread --in build/seeds/spread --out build/figures/seed_spread``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.cells import chance
from figures.files import arguments, is_simulated, joined, read_parts, save
from figures.style import (
    FAINT,
    INK,
    PAGE_MM,
    apart,
    draw_interval,
    looks_of,
    model_handles,
    new_figure,
    styled,
    title,
)

CAPTION = """Scores of several seeds of each model, on every benchmark. Left: each seed's score (small), and their mean.
Right: difference from the feedforward control of the same seed, which shares the feedforward part of its training: each
seed's (small), mean, and 95 % interval (Student's t over seeds, the same images and neurons; not corrected for the
number of benchmarks). Scores are over their ceilings, or raw where that is said. Numbers on the right: seeds with a
score, of all; p of no difference, Holm over the benchmarks of a model. What has no score is named."""
SCORES = ["benchmark", "model", "seed", "quantity", "score", "difference", "simulated"]
SUMMARY = [
    "benchmark",
    "model",
    "state",
    "quantity",
    "n_seeds",
    "n_total",
    "mean",
    "difference",
    "low",
    "high",
    "p_holm",
]
ROW_MM, FEW, MANY_MM, TOO_FAR = 3.6, 3, 2.3, 4.0
SMALL, NUMBERS_AT = {"fontsize": 5.5, "color": FAINT}, (1.1, 1.28)
"""Height of a model's row where there are few, or many; intervals are drawn to `TOO_FAR` times the largest difference,
where an arrow says that they go on."""


def draw(
    scores: pd.DataFrame,
    summary: pd.DataFrame,
    quantity: str = "score",
    heading: str = "CNN-F and its controls over seeds",
) -> Figure:
    """Draw a row of points per benchmark and model.

    Parameters
    ----------
    scores, summary
        As `analysis.seed_spread.by_seed` and `over_seeds` give them.
    quantity
        What the scores are called.
    heading
        Of the figure.

    Raises
    ------
    ValueError
        If no benchmark was scored.
    """
    if not summary["n_seeds"].any():
        raise ValueError("expected a benchmark that was scored, got none. Name the studies' folder: NEUROCNNF_DATA.")
    looks = looks_of(list(summary["model"]))
    benchmarks = list(dict.fromkeys(summary["benchmark"]))
    row_mm, gap = ROW_MM if len(looks) <= FEW else MANY_MM, min(0.3, 0.84 / len(looks))
    figure = new_figure(PAGE_MM, 24 + row_mm * len(benchmarks) * max(2, len(looks)))
    title(figure, heading, is_simulated(scores))
    left, right = figure.subplots(1, 2, sharey=True)
    for place, model in enumerate(looks):
        for row, benchmark in enumerate(benchmarks):
            here = (scores["model"] == model) & (scores["benchmark"] == benchmark)
            one = summary[(summary["model"] == model) & (summary["benchmark"] == benchmark)]
            down, look = row + apart(place, len(looks), gap), looks[model]
            _draw_seeds(left, scores.loc[here, "score"], one["mean"].item(), down, look)
            _draw_seeds(right, scores.loc[here, "difference"], one["difference"].item(), down, look)
            _write_numbers(left, right, one.iloc[0], down, look.colour)
    reach = TOO_FAR * np.nanmax(np.abs(scores["difference"]), initial=0.0)
    for place, model in enumerate(looks):
        for one in summary[(summary["model"] == model) & summary["low"].notna()].itertuples():
            down = benchmarks.index(one.benchmark) + apart(place, len(looks), gap)
            draw_interval(right, one.low, one.high, reach, down, looks[model].colour)
    raw = set(summary.loc[(summary["quantity"] == "raw") & (summary["n_seeds"] > 0), "benchmark"])
    left.set_yticks(range(len(benchmarks)), [f"{name}{' (raw)' if name in raw else ''}" for name in benchmarks])
    left.set(ylim=(len(benchmarks) - 0.45, -0.7), xlabel=quantity)
    right.set(xlabel="difference from the control of the same seed")
    right.axvline(0, color=INK, linewidth=0.5, zorder=1)
    right.xaxis.set_major_locator(MaxNLocator(5))
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color="#EEEEEE", linewidth=0.5)
        axes.set_axisbelow(True)
    for x, head in zip(NUMBERS_AT, ("seeds", "p (Holm)"), strict=True):
        right.text(x, -0.6, head, transform=right.get_yaxis_transform(), ha="right", va="center", **SMALL)
    figure.legend(handles=model_handles(looks), loc="outside lower left", ncols=5 if len(looks) == 5 else 4)
    return figure


def _write_numbers(left: Axes, right: Axes, row: pd.Series, down: float, colour: str) -> None:
    for x, words in zip(NUMBERS_AT, (f"{row['n_seeds']}/{row['n_total']}", chance(row["p_holm"])), strict=True):
        right.text(x, down, words, transform=right.get_yaxis_transform(), ha="right", va="center", **SMALL)
    if not row["n_seeds"]:
        words = {"color": colour, "fontsize": SMALL["fontsize"]}
        left.text(0.01, down, row["state"], transform=left.get_yaxis_transform(), va="center", **words)


def _draw_seeds(axes: Axes, each: pd.Series, mean: float, down: float, look) -> None:
    axes.plot(
        each, np.full(len(each), down), look.marker, color=look.colour, markersize=2, alpha=0.5, markeredgewidth=0
    )
    axes.plot([mean], [down], look.marker, color=look.colour, markersize=4)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from the tables."""
    options = arguments(CAPTION.split(".")[0], "tables of analysis.seed_spread, without an ending", argv)
    parts = read_parts(options.inputs, {"scores": SCORES, "summary": SUMMARY})
    with styled():
        save(draw(**parts), options.out, joined(parts), CAPTION)


if __name__ == "__main__":
    main()
