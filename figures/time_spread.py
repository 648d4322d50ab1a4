"""Figure: whether model times go with people's over several trainings of one model.

Run ``python -m figures.time_spread --in build/seeds/recognition_times --out build/figures/time_spread``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.cells import bounded, chance
from figures.files import arguments, is_simulated, joined, read_parts, save
from figures.style import (
    CEILING,
    FAINT,
    INK,
    PAGE_MM,
    apart,
    draw_interval,
    looks_of,
    new_figure,
    styled,
    title,
)

CAPTION = """Model and human recognition times over several trainings of one model. Each training: Spearman's ρ with
people's mean reaction times over objects (where something is given, partial, of normal scores), or Somers' D with
single trials, and its 95 % interval, subjects and objects drawn anew. Large: mean over trainings and its 95 % interval
(Student's t over trainings, the same subjects and objects; an arrow where it goes on). Gray bars: the ceiling, both
ways, that the reliability of people's times, and what is given, leave the first training; Somers' D has none. Numbers:
mean and interval over trainings; p that the mean is zero, Holm over the rows. Confidence: decision value of the right
category minus the largest other one, of step 0 and of the feedforward control of the same seed. Steps until solved: an
object's restricted mean over its stimuli, unsolved ones censored."""
SCORES = ["statistic", "model", "seed", "estimate", "low", "high", "quick", "simulated"]
SUMMARY = ["statistic", "words", "model", "n_seeds", "n_total", "mean", "low", "high", "p_holm", "ceiling", "simulated"]
GAP, REACH, ROW_MM, NUMBERS_AT, P_AT = 0.2, 1.0, 9.0, 0.7, 1.0
"""Between two seeds of a row; as far as correlations go; height of a row; where numbers end, in shares of axes."""


def draw(scores: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw a row of points per statistic.

    Parameters
    ----------
    scores, summary
        As `analysis.time_spread.by_seed` and `over_seeds` give them.
    """
    model = summary["model"].iloc[0]
    look = looks_of([model])[model]
    seeds = sorted(scores["seed"].unique())
    figure = new_figure(PAGE_MM, 24 + ROW_MM * len(summary))
    trainings = "one training" if len(seeds) == 1 else f"{len(seeds)} trainings"
    quick = " (quick check)" if scores["quick"].any() else ""
    title(figure, f"Recognition times over {trainings}: {model}{quick}", is_simulated(scores, summary))
    axes, numbers = figure.subplots(1, 2, sharey=True, width_ratios=(2.6, 1))
    numbers.set_axis_off()
    for row, one in enumerate(summary.itertuples()):
        if one.ceiling == one.ceiling:
            axes.barh([row, row], [one.ceiling, -one.ceiling], 0.9, color=CEILING, zorder=0)
        for place, seed in enumerate(seeds):
            part = scores[(scores["statistic"] == one.statistic) & (scores["seed"] == seed)].iloc[0]
            down = row + apart(place, len(seeds) + 1, GAP)
            axes.plot([part["low"], part["high"]], [down, down], color=look.colour, linewidth=0.7, alpha=0.6)
            axes.plot([part["estimate"]], [down], look.marker, color=look.colour, markersize=2.5, alpha=0.6)
        down = row + apart(len(seeds), len(seeds) + 1, GAP)
        if one.low == one.low:
            draw_interval(axes, one.low, one.high, REACH, down, INK)
        axes.plot([one.mean], [down], look.marker, color=INK, markersize=4)
        _write_numbers(numbers, one, row)
    axes.set_yticks(range(len(summary)), summary["words"])
    axes.set(ylim=(len(summary) - 0.4, -0.75), xlim=(-REACH, REACH), xlabel="correlation with people's times")
    axes.axvline(0, color=INK, linewidth=0.5, zorder=1)
    axes.tick_params(axis="y", length=0)
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, markersize=2.5, alpha=0.6, label="each training"),
        Line2D([], [], color=INK, marker=look.marker, markersize=4, label="mean over trainings"),
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=2)
    return figure


def _write_numbers(axes: Axes, one, row: int) -> None:
    words = bounded(one.mean, one.low, one.high, 2)
    if one.n_seeds < one.n_total:
        words += f" ({one.n_seeds}/{one.n_total})"
    small = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center", "fontsize": 6}
    for x, text, head in ((NUMBERS_AT, words, "mean [95 %]"), (P_AT, chance(one.p_holm), "p (Holm)")):
        axes.text(x, row, text, color=INK, **small)
        if row == 0:
            axes.text(x, -0.65, head, color=FAINT, **small)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from the tables."""
    options = arguments(CAPTION.split(".")[0], "tables of analysis.time_spread, without an ending", argv)
    parts = read_parts(options.inputs, {"scores": SCORES, "summary": SUMMARY})
    with styled():
        save(draw(**parts), options.out, joined(parts), CAPTION)


if __name__ == "__main__":
    main()
