"""Figure: masking as truncation, and the range of clocks.

Run ``python -m figures.masking --in build/comparison/tang2018 --out build/figures/masking``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from figures.files import arguments, check_columns, find_tables, is_simulated, save
from figures.style import CNNF, CONTROL, FAINT, INK, PAGE_MM, letter, new_figure, styled, title

CAPTION = """Masking as truncation. (a, b) People's accuracy by stimulus duration, with and without a mask (points
with 95 % intervals, dispersion between subjects taken into account), and the model whose steps are ended after that
time under the best clock (lines; solid: clock fitted to this condition alone; dashed: one clock for both). Accuracy
is scaled about chance by one factor. (c …) Log likelihood of every clock looked at, masked trials, below the best
(contour: 95 % profile-likelihood region of one parameter, 1.92)."""
CURVES = ["model", "condition", "fit", "duration_ms", "human", "human_low", "human_high", "fitted", "onset_ms", "aic"]
CLOCKS = ["model", "fit", "onset_ms", "ms_per_step", "log_likelihood"]


def draw(curves: pd.DataFrame, clocks: pd.DataFrame) -> Figure:
    """Draw curves and likelihood surfaces.

    Parameters
    ----------
    curves, clocks
        As `analysis.comparison_stage.masking_tables` gives them.
    """
    models = list(dict.fromkeys(curves["model"]))
    figure = new_figure(PAGE_MM, 74)
    title(figure, "Masking as truncation of the model's steps", is_simulated(curves, clocks))
    panels = figure.subplots(1, 2 + len(models))
    for axes, condition in zip(panels[:2], ("masked", "unmasked"), strict=True):
        _curves(axes, curves[curves["condition"] == condition], models)
        axes.set_title(condition, loc="left")
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_xlabel("stimulus duration (ms)")
    panels[0].set_ylabel("accuracy")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=len(labels), fontsize=6)
    panels[1].tick_params(labelleft=False)
    for axes, model in zip(panels[2:], models, strict=True):
        part = clocks[(clocks["model"] == model) & (clocks["fit"] == "masked")]
        surface = part.pivot(index="onset_ms", columns="ms_per_step", values="log_likelihood")
        below = np.maximum(surface.to_numpy() - surface.to_numpy().max(), -60)
        mesh = axes.pcolormesh(surface.columns, surface.index, below, cmap="Greys_r", rasterized=True)
        axes.contour(surface.columns, surface.index, below, [-1.92], colors=[CNNF], linewidths=0.9)
        axes.set_title(model, loc="left")
        axes.set_xlabel("ms per step")
    panels[2].set_ylabel("onset (ms)")
    figure.colorbar(mesh, ax=list(panels[2:]), label="log likelihood below best (cut at −60)", shrink=0.8)
    for axes, name in zip(panels, "abcdefgh", strict=False):
        letter(axes, name, 4)
    return figure


def _curves(axes, part: pd.DataFrame, models: Sequence[str]) -> None:
    """Draw people and fitted models of one condition."""
    human = part.drop_duplicates("duration_ms")
    axes.vlines(human["duration_ms"], human["human_low"], human["human_high"], color=INK, linewidth=0.8)
    axes.plot(human["duration_ms"], human["human"], "o", color=INK, markersize=3, label="people")
    for place, model in enumerate(models):
        colour = CONTROL if model.startswith("cnn-") else (CNNF, FAINT)[min(place, 1)]
        for fit, line in (("own", "-"), ("one clock", "--")):
            same = part["fit"] == "one clock" if fit == "one clock" else part["fit"] != "one clock"
            rows = part[(part["model"] == model) & same]
            label = model if fit == "own" else f"{model}, one clock"
            axes.plot(rows["duration_ms"], rows["fitted"], line, color=colour, linewidth=0.9, label=label)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure; its table holds the curves."""
    options = arguments(str(__doc__), "beginning of the names of the comparison's files", argv)
    paths = find_tables(options.inputs, (".masking.csv", ".clocks.csv"))
    tables = {path.name.split(".")[-2]: pd.read_csv(path) for path in paths}
    curves = check_columns(tables["masking"], CURVES, "masking")
    clocks = check_columns(tables["clocks"], CLOCKS, "clocks")
    with styled():
        save(draw(curves, clocks), options.out, curves, CAPTION)


if __name__ == "__main__":
    main()
