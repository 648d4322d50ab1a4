"""Learning curves: how much is right after how many labels per class, generative against discriminative.

Run ``python -m figures.few_labels --in build/few_labels/mnist --out build/figures/few_labels``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter

from analysis.few_labels_summary import differences, summarise
from figures.files import arguments, is_simulated, read_tables, save
from figures.style import CATEGORIES, INK, LOOKS, PAGE_MM, letter, new_figure, spread, styled, title

CAPTION = """Accuracy by labels per class (log axis), trained from scratch on the same labelled images, at 16 × 16
pixels. First column: networks at their last step. Second: what recurrence adds, CNN-F at each step (darker: later, as
named at the right) and the lateral control at its last, less the feedforward control, on the same labels. Third and
fourth: generative classifiers (naive Bayes; LDA) and the discriminative one (logistic
regression) on pixels, and on features of a network trained on other people's digits. Lines: means; points: seeds, each
with labelled images, weights and batches of its own; bars: Student's 95 % interval of the paired difference over seeds.
All networks take the same number of optimiser steps."""
COLUMNS = ["data", "input", "model", "n_per_class", "seed", "step", "accuracy", "n_test"]
CLASSICAL_STYLES = {
    "naive-bayes": (CATEGORIES[0], "o", "naive Bayes"),
    "lda": (CATEGORIES[1], "s", "LDA"),
    "logistic": (INK, "D", "logistic regression"),
}
NETWORKS, CLASSICAL = ("cnnf", "lateral", "cnn"), tuple(CLASSICAL_STYLES)
STYLES = {kind: (LOOKS[kind].colour, LOOKS[kind].marker, LOOKS[kind].name) for kind in NETWORKS} | CLASSICAL_STYLES
HEADINGS = ("networks, last step", "less feedforward control", "classifiers of pixels", "classifiers of features")
ROW_MM, TOP_MM = 48.0, 16.0


def draw(runs: pd.DataFrame) -> Figure:
    """Draw a row of four panels per data set.

    Parameters
    ----------
    runs
        Rows of `analysis.few_labels`.
    """
    sets = list(runs["data"].unique())
    figure = new_figure(PAGE_MM, TOP_MM + ROW_MM * len(sets))
    title(figure, "Accuracy with few labels", is_simulated(runs))
    grid = figure.subplots(len(sets), 4, squeeze=False)
    for row, name in enumerate(sets):
        here = runs[runs["data"] == name]
        pixels = here[here["input"] == "pixels"]
        _curves(grid[row][0], pixels, NETWORKS)
        _gaps(grid[row][1], differences(pixels))
        _curves(grid[row][2], pixels, CLASSICAL)
        _curves(grid[row][3], here[here["input"] == "features"], CLASSICAL)
        low = here["accuracy"].min()
        for column, (axes, heading) in enumerate(zip(grid[row], HEADINGS, strict=True)):
            if column != 1:
                axes.set_ylim(max(0, low - 0.05), 1.0)
            _axis(axes, sorted(here["n_per_class"].unique()))
            letter(axes, "abcdefghijkl"[row * 4 + column])
            if row == 0:
                axes.set_title(heading)
            axes.set_xlabel("labels per class")
        grid[row][0].set_ylabel(f"{name}\naccuracy (n = {here['n_test'].iloc[0]} images)")
    handles = [
        Line2D([], [], color=colour, marker=marker, markersize=3, label=label)
        for model, (colour, marker, label) in STYLES.items()
        if model in set(runs["model"])
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), handlelength=2.0)
    return figure


def _axis(axes: Axes, numbers: Sequence[int]) -> None:
    named = [n for place, n in enumerate(numbers) if place % 2 == 0]  # all would touch one another
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(numbers))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}" if x in named else ""))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(min(numbers) / 1.4, max(numbers) * 1.4)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def _curves(axes: Axes, part: pd.DataFrame, models: Sequence[str]) -> None:
    """Draw each model's mean at its last step, and its seeds."""
    for place, model in enumerate(models):
        rows = part[part["model"] == model]
        rows = rows[rows["step"] == rows["step"].max()]
        if rows.empty:
            continue
        colour, marker, _ = STYLES[model]
        apart = 1.06 ** (place - 1)
        axes.plot(rows["n_per_class"] * apart, rows["accuracy"], marker, color=colour, markersize=2, alpha=0.4)
        mean = summarise(rows).sort_values("n_per_class")
        axes.plot(mean["n_per_class"] * apart, mean["mean"], color=colour)


def _gaps(axes: Axes, table: pd.DataFrame) -> None:
    """Draw paired differences with their intervals, and where there is none."""
    axes.axhline(0, color=INK, linewidth=0.6)
    if table.empty:
        return
    last = int(table["step"].max())
    ends: list[tuple[float, str, str]] = []
    shown = [("cnnf - cnn", step) for step in range(last + 1)] + [("lateral - cnn", last)]
    for place, (contrast, step) in enumerate(shown):
        rows = table[(table["contrast"] == contrast) & (table["step"] == step)].sort_values("n_per_class")
        if rows.empty:
            continue
        colour, marker, _ = STYLES[contrast.split(" ")[0]]
        errors = [rows["difference"] - rows["low"], rows["high"] - rows["difference"]]
        axes.errorbar(
            rows["n_per_class"] * 1.06 ** (place - len(shown) / 2), rows["difference"], errors, color=colour,
            alpha=1.0 if contrast != "cnnf - cnn" else 0.3 + 0.7 * (step / last if last else 1), marker=marker,
            markersize=2.6, linewidth=0.9, elinewidth=0.6,
        )  # fmt: skip
        ends.append((float(rows["difference"].iloc[-1]), f"step {step}", colour))
    low, high = axes.get_ylim()
    places = spread([y for y, _, _ in ends], (high - low) * 0.075)
    for y, (_, text, colour) in zip(places, ends, strict=True):
        axes.text(1.02, y, text, color=colour, va="center", transform=axes.get_yaxis_transform())


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from tables of runs."""
    options = arguments(str(__doc__), "stems of analysis.few_labels", argv)
    runs = pd.concat(read_tables(options.inputs, COLUMNS), ignore_index=True)
    with styled():
        save(draw(runs), options.out, runs, CAPTION)


if __name__ == "__main__":
    main()
