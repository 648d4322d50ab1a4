"""Figure: masking as truncation, and the range of clocks.

Run ``python -m figures.masking --in build/masking/tang2018 --out build/figures/masking``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from figures.files import arguments, is_simulated, read_parts, save
from figures.style import FAINT, INK, PAGE_MM, Look, letter, looks_of, new_figure, styled, title

CAPTION = """Masking as truncation. (a, b) People's accuracy by stimulus duration, with and without a mask (points
with 95 % intervals, dispersion between subjects taken into account), and the model whose steps are ended after that
time under the best clock (lines; solid: clock fitted to this condition alone; dashed: one clock for both). Accuracy
is scaled about chance by one factor. (c …) Log likelihood of every clock looked at, masked trials, below the best
(contour: 95 % profile-likelihood region of one parameter, 1.92)."""
CURVES = ["model", "condition", "fit", "duration_ms", "human", "human_low", "human_high", "fitted", "onset_ms", "aic"]
PER_ROW = 4
CLOCKS = ["model", "fit", "onset_ms", "ms_per_step", "log_likelihood"]


def draw(curves: pd.DataFrame, clocks: pd.DataFrame) -> Figure:
    """Draw curves and likelihood surfaces.

    Parameters
    ----------
    curves, clocks
        As `analysis.masking_stage.masking_tables` gives them.
    """
    looks = looks_of(list(curves["model"]))
    n_rows = -(-len(looks) // PER_ROW)
    figure = new_figure(PAGE_MM, 82 + 48 * n_rows)
    title(figure, "Masking as truncation of the model's steps", is_simulated(curves, clocks))
    above, below = figure.subfigures(2, 1, height_ratios=(76, 48 * n_rows))
    panels = above.subplots(1, 2, sharey=True)
    for axes, condition in zip(panels, ("masked", "unmasked"), strict=True):
        _curves(axes, curves[curves["condition"] == condition], looks)
        axes.set(title=condition, ylim=(0, 1), xlabel="stimulus duration (ms)")
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    panels[0].set_ylabel("accuracy")
    handles = [Line2D([], [], color=INK, marker="o", linestyle="", markersize=3, label="people")]
    handles += [Line2D([], [], color=look.colour, label=look.name) for look in looks.values()]
    handles += [Line2D([], [], color=FAINT, linestyle="--", label="one clock for both")]
    above.legend(handles=handles, loc="outside lower left", ncols=len(handles), fontsize=6)
    surfaces = below.subplots(n_rows, min(PER_ROW, len(looks)), squeeze=False)
    for axes in surfaces.flat[len(looks) :]:
        axes.set_axis_off()
    for axes, (model, look) in zip(surfaces.flat, looks.items(), strict=False):
        mesh = _surface(axes, clocks[(clocks["model"] == model) & (clocks["fit"] == "masked")], look)
    for row in surfaces:
        row[0].set_ylabel("onset (ms)")
    below.colorbar(mesh, ax=list(surfaces.flat), label="log likelihood below best (cut at −60)", shrink=0.8)
    for axes, name in zip((*panels, *surfaces.flat[: len(looks)]), "abcdefghijk", strict=False):
        letter(axes, name, 4)
    return figure


def _surface(axes: Axes, part: pd.DataFrame, look: Look) -> QuadMesh:
    """Draw the likelihood of clocks, and the region that the data leave."""
    surface = part.pivot(index="onset_ms", columns="ms_per_step", values="log_likelihood")
    below = np.maximum(surface.to_numpy() - surface.to_numpy().max(), -60)
    mesh = axes.pcolormesh(surface.columns, surface.index, below, cmap="Greys_r", rasterized=True)
    axes.contour(surface.columns, surface.index, below, [-1.92], colors=[look.colour], linewidths=0.9)
    axes.set(title=look.name, xlabel="ms per step")
    return mesh


def _curves(axes: Axes, part: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """Draw people and fitted models of one condition."""
    human = part.drop_duplicates("duration_ms")
    axes.vlines(human["duration_ms"], human["human_low"], human["human_high"], color=INK, linewidth=0.8)
    axes.plot(human["duration_ms"], human["human"], "o", color=INK, markersize=3)
    for model, look in looks.items():
        for both, line in ((False, "-"), (True, "--")):
            rows = part[(part["model"] == model) & ((part["fit"] == "one clock") == both)]
            axes.plot(rows["duration_ms"], rows["fitted"], line, color=look.colour, linewidth=0.9)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure; its table holds the curves."""
    options = arguments(str(__doc__), "beginning of the names of the stage's files", argv)
    curves, clocks = read_parts(options.inputs, {"masking": CURVES, "clocks": CLOCKS}).values()
    with styled():
        save(draw(curves, clocks), options.out, curves, CAPTION)


if __name__ == "__main__":
    main()
