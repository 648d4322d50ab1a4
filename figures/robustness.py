"""Accuracy under attack at every step, CNN-F against its feedforward control.

Run ``python -m figures.robustness --in build/robustness --out build/figures/robustness``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from string import ascii_lowercase

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from analysis.robustness_summary import with_trainings
from figures.files import arguments, is_simulated, read_tables, save
from figures.style import LOOKS, NAMES, PAGE_MM, letter, new_figure, styled, title

CAPTION = """Accuracy under attack, by step; rows: trainings. Columns: attacks, each aimed at the very answer that is
shown; first: gradient through step 0 alone; e2e: through all steps; smooth: hard functions replaced by smooth ones in
the backward pass; autoattack: APGD on two losses and Square, by the Adversarial Robustness Toolbox; transfer: images
made on the feedforward control; any: right only where no attack changed the answer, of the images that all attacked;
any e2e: of those attacks alone that every model meets alike, through all steps. Blue: CNN-F, answers of the last
step's own logits (filled circles) and of the mean over steps so far (open squares); of other recurrent models, of the
last step's. Vermilion diamond: the feedforward control, which has step 0 only; the dashed line carries it on. It meets
none of what "any" counts beyond "any e2e". Where a training has several seeds: their mean, and bars from the lowest to
the highest; of one seed: Wilson's 95 % interval over images. n: images of each seed attacked, the same ones. An image
whose clean answer is wrong is wrong under attack."""
COLUMNS = ["model", "kind", "data", "attack", "gradient", "readout", "step", "epsilon", "accuracy", "n_used", "low"]
COLUMNS += ["high"]
# Shade, marker, its fill, and how far aside; other recurrences and the wide control look as everywhere.
LINES = {
    ("cnnf", "last"): (1.0, "o", "full", 0.0),
    ("cnnf", "average"): (0.55, "s", "none", 0.09),
    ("cnn", "last"): (1.0, "D", "full", -0.09),
} | {(kind, "last"): (1.0, look.marker, "full", 0.0) for kind, look in LOOKS.items() if kind not in ("cnnf", "cnn")}
LABELS = {("cnnf", "last"): "last step", ("cnnf", "average"): "average over steps"}
PER_ROW, ROW_MM, TOP_MM = 6, 43.0, 16.0


def draw(table: pd.DataFrame) -> Figure:
    """Draw a panel per training, ε and attack.

    Parameters
    ----------
    table
        Rows of `neurocnnf.robustness.robustness_on`, of CNN-Fs, their controls or both; seeds of one training are named
        ``<model>`` and ``<model>-seed<n>``.
    """
    table = with_trainings(table)
    keys = ["training", "epsilon", "attack", "gradient"]
    panels = []
    for _, here in table.groupby("training", sort=False):
        shown = [key for key, _ in here.groupby(keys, sort=False)]
        panels += [shown[start : start + PER_ROW] for start in range(0, len(shown), PER_ROW)]
    n_columns = max(map(len, panels))
    figure = new_figure(PAGE_MM, TOP_MM + ROW_MM * len(panels))
    title(figure, "Accuracy under attack", is_simulated(table))
    grid = figure.subplots(len(panels), n_columns, squeeze=False, sharex=True, sharey=True)
    letters = cycle(ascii_lowercase)
    for row, shown in zip(grid, panels, strict=True):
        for axes, key in zip(row, shown, strict=False):
            _panel(axes, table[(table[keys] == list(key)).all(axis=1)], int(table["step"].max()))
            letter(axes, next(letters))
        row[0].set_ylabel(f"{shown[0][0]}\naccuracy")
        for axes in row[len(shown) :]:
            axes.set_visible(False)
    for column in grid.T:
        lowest = [axes for axes in column if axes.get_visible()][-1]
        lowest.set_xlabel("step")
        lowest.tick_params(labelbottom=True)
    _legend(figure, table)
    return figure


def _panel(axes: Axes, part: pd.DataFrame, last: int) -> None:
    """Draw one attack's accuracies by step, with their intervals or their range over seeds."""
    attack, gradient = part[["attack", "gradient"]].iloc[0]
    # Smooth gates are those of all steps; transfer and any speak for themselves.
    whole = gradient in ("none", attack) or attack.startswith(gradient) or attack.endswith("smooth")
    numbers = "/".join(str(n) for n in sorted(set(part["n_used"])))
    seeds = "/".join(str(n) for n in sorted(set(part.groupby("kind")["seed"].nunique())))
    words = f"n = {numbers}" if seeds == "1" else f"{seeds} × {numbers}"
    radius = "" if attack == "clean" else f"ε = {part['epsilon'].iloc[0]:g}"
    lines = (attack if whole else f"{attack} {gradient}", radius, words)  # one line each: panels are narrow
    axes.set_title("\n".join(filter(None, lines)))
    axes.set_xlim(-0.35, last + 0.35)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xticks(range(last + 1))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    for (kind, readout), (shade, marker, fill, shift) in LINES.items():
        rows = part[(part["kind"] == kind) & (part["readout"] == readout)]
        if rows.empty:
            continue
        colour = LOOKS[kind].colour
        points = _over_seeds(rows)
        steps, accuracy = points.index.to_numpy(), points["accuracy"].to_numpy()
        # At 0 and 1 Wilson's interval ends there, but for the rounding.
        errors = np.maximum([accuracy - points["low"], points["high"] - accuracy], 0)
        axes.errorbar(
            steps + shift, accuracy, errors, color=colour, alpha=shade, marker=marker, fillstyle=fill,
            markersize=3.4, elinewidth=0.6, linewidth=1.1, clip_on=False,
        )  # fmt: skip
        if steps.max() == 0 and last:
            axes.plot([shift, last], [accuracy[0]] * 2, color=colour, linestyle=(0, (3, 1.6)))


def _over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Give accuracy, low and high by step: of one seed, as they are; of several, mean and range."""
    if rows["seed"].nunique() > 1:
        rows = rows.assign(low=rows["accuracy"], high=rows["accuracy"])
    return rows.groupby("step").agg({"accuracy": "mean", "low": "min", "high": "max"})


def _legend(figure: Figure, table: pd.DataFrame) -> None:
    handles = []
    for (kind, readout), (shade, marker, fill, _) in LINES.items():
        if kind in set(table["kind"]):
            label = ", ".join(filter(None, [NAMES[kind], LABELS.get((kind, readout))]))
            style = {"color": LOOKS[kind].colour, "alpha": shade, "marker": marker, "fillstyle": fill}
            handles.append(Line2D([], [], markersize=3.4, label=label, **style))
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), handlelength=2.6)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from tables of robustness."""
    options = arguments(str(__doc__), "tables of neurocnnf robustness (.csv)", argv)
    table = pd.concat(read_tables(options.inputs, COLUMNS), ignore_index=True)
    with styled():
        save(draw(table), options.out, table, CAPTION)


if __name__ == "__main__":
    main()
