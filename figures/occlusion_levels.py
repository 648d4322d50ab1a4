"""Figure: time and accuracy of people and models by how much of the object is hidden.

Run ``python -m figures.occlusion_levels --in build/comparison/tang2018 --out build/figures/occlusion_levels``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from figures.files import arguments, is_simulated, joined, read_parts, save
from figures.style import BRAIN, INK, PAGE_MM, Look, apart, letter, looks_of, model_handles, new_figure, styled, title

CAPTION = """Time and accuracy by how much of the object is hidden; each level holds a sixth of the trials without a
mask, a point stands at the mean of its trials. (a) People's reaction time, geometric mean of right answers without a
mask. (b) Accuracy without a mask; of recurrent models at step 0 (open) and at the last step (filled), of the
feedforward control at its only one. (c) Solution step in the same trials as in (a), those never solved put one step
after the last. (d) Somers' D over trials of hidden share and time, by each readout of it, times that were not reached
censored: right of 0, what is hidden more takes longer. Points with 95 % intervals, subjects and objects drawn anew."""
PARTS = {
    "occlusion": ("who", "measure", "mean_percent", "value", "low", "high", "n_used"),
    "occlusion_trends": ("who", "measure", "somers_d", "low", "high", "n_used", "n_total"),
}
PEOPLE = "people"


def draw(levels: pd.DataFrame, trends: pd.DataFrame) -> Figure:
    """Draw times and accuracies by level, and how each time goes with occlusion.

    Parameters
    ----------
    levels, trends
        As `analysis.occlusion_levels.occlusion_tables` gives them.
    """
    models = looks_of([who for who in levels["who"] if who != PEOPLE])
    looks = {PEOPLE: Look(BRAIN, "o", "-", "people"), **models}
    figure = new_figure(PAGE_MM, 112)
    title(figure, "Recognition times of people and models by occlusion", is_simulated(levels, trends))
    left, right = figure.subfigures(1, 2, width_ratios=(1.25, 1))
    panels = left.subplots(2, 2).ravel()
    accuracy = levels[levels["measure"].str.startswith("accuracy")]
    parts = (levels[levels["measure"] == "rt_s"], accuracy, levels[levels["measure"] == "solution"])
    for axes, part, label in zip(panels, parts, ("reaction time (s)", "accuracy", "solution step"), strict=False):
        last = part.groupby("who")["measure"].max()
        for (who, measure), rows in part.groupby(["who", "measure"], sort=False):
            _line(axes, rows, looks[str(who)], filled=measure == last[who])
        axes.set(xlabel="hidden (% of the object)", ylabel=label)
    panels[1].set_ylim(0, 1)
    panels[1].yaxis.set_major_formatter(PercentFormatter(1))
    panels[3].set_axis_off()
    panels[3].legend(handles=model_handles(looks), loc="center left")
    forest = right.subplots()
    _forest(forest, trends[~trends["measure"].str.contains("accuracy|rt_s")], looks)
    for axes, name, space in zip((*panels[:3], forest), "abcd", (9, 9, 9, 24), strict=True):
        letter(axes, name, space)
    return figure


def _line(axes: Axes, rows: pd.DataFrame, look: Look, filled: bool) -> None:
    """Draw a measure by level."""
    face = look.colour if filled else "white"
    style = {"color": look.colour, "linewidth": 0.9 if filled else 0.6, "linestyle": look.line}
    errors = np.abs(rows[["low", "high"]].to_numpy().T - rows["value"].to_numpy())
    marker = {"marker": look.marker, "markersize": 3.4, "markerfacecolor": face}
    axes.errorbar(rows["mean_percent"], rows["value"], errors, elinewidth=0.6, **style, **marker)


def _forest(axes: Axes, trends: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """Draw a line per readout, with a point per model; people first."""
    measures = list(dict.fromkeys(trends["measure"]))
    models = [who for who in looks if who != PEOPLE]
    for y, measure in enumerate(measures):
        rows = trends[trends["measure"] == measure]
        for row in rows.to_dict("records"):
            alone = row["who"] == PEOPLE
            at = y if alone else y + apart(models.index(row["who"]), len(models), 0.5 / len(models))
            look = looks[row["who"]]
            axes.plot([row["low"], row["high"]], [at, at], color=look.colour, linewidth=0.9)
            axes.plot([row["somers_d"]], [at], look.marker, color=look.colour, markersize=3.4)
    axes.axvline(0, color=INK, linewidth=0.5, zorder=0)
    names = {"time_z": "reaction time", "feedforward": "uncertainty, step 0"}
    axes.set_yticks(range(len(measures)), [names.get(one, one.replace("_", " ")) for one in measures])
    axes.set(ylim=(len(measures) - 0.5, -0.5), xlabel="Somers' D of time with hidden share")
    used = f"{int(trends['n_used'].max())} of {int(trends['n_total'].max())} trials"
    axes.set_title(f"n = {used}", loc="right", fontsize=6)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure; its table holds levels and trends."""
    options = arguments(str(__doc__), "beginning of the names of the comparison's files", argv)
    tables = read_parts(options.inputs, PARTS)
    with styled():
        save(draw(*tables.values()), options.out, joined(tables), CAPTION)


if __name__ == "__main__":
    main()
