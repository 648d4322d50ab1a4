"""Digits seen in glimpses: accuracy after each, with a carried state and without, and what the state adds.

Run ``python -m figures.glimpses --in build/glimpses/mnist.csv --out build/figures/glimpses``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from analysis.glimpses_summary import AVERAGE, LAST, NOTHING, PICTURE, STATE, differences, summarise
from figures.files import arguments, is_simulated, read_tables, save
from figures.style import FAINT, INK, LOOKS, PAGE_MM, apart, letter, new_figure, spread, styled, title

CAPTION = """Digits of 16 × 16 pixels seen in a sequence of squares of 8 × 8 pixels at random places, the rest gray; all
networks see the same ones, were trained from scratch to answer at every one of them, and took the same number of
optimiser steps. First panel: accuracy after each glimpse. CNN-F: at each glimpse, feedback comes from the state after
the one before; reset: the same weights, each glimpse seen alone; without gates: feedback passes all units, and moves
the feature alone. Lateral control: its state is carried, too.
Feedforward control: each glimpse alone; the average of its logits over the glimpses so far, which adds up evidence
without feedback or state; and all glimpses so far in one picture. Second: less that average; open: answers of recurrent
networks averaged over glimpses, too. Third: less the answer to each glimpse alone, of the same weights with the state
reset (dashed) or of the feedforward control. Numbers: at the last glimpse. Lines: means; points: seeds, each with
weights, batches and glimpses of its own; bars: Student's 95 % interval of the paired difference over seeds."""
COLUMNS = ["data", "model", "carried", "readout", "glimpse", "seed", "accuracy", "n_test"]
Style = tuple[str, str, object, bool, str]  # colour, marker, line, filled, name
STYLES: dict[str, Style] = {
    f"cnnf {STATE} {LAST}": (*LOOKS["cnnf"][:2], "-", True, "CNN-F, state carried"),
    f"cnnf {STATE} {AVERAGE}": (*LOOKS["cnnf"][:2], (0, (1, 1)), False, "CNN-F, averaged"),
    f"cnnf {NOTHING} {LAST}": (LOOKS["cnnf"].colour, "x", (0, (4, 1)), True, "CNN-F, state reset"),
    f"ungated {STATE} {LAST}": (*LOOKS["ungated"][:2], "-", True, "CNN-F without gates, carried"),
    f"lateral {STATE} {LAST}": (*LOOKS["lateral"][:2], "-", True, "lateral control, state carried"),
    f"lateral {STATE} {AVERAGE}": (*LOOKS["lateral"][:2], (0, (1, 1)), False, "lateral control, averaged"),
    f"cnn {NOTHING} {LAST}": (*LOOKS["cnn"][:2], (0, (3, 1.6)), True, "feedforward, each alone"),
    f"cnn {NOTHING} {AVERAGE}": (INK, "^", "-", True, "feedforward, averaged"),
    f"cnn {PICTURE} {LAST}": (FAINT, "P", (0, (1, 2)), True, "feedforward, all in one picture"),
}
CURVES = tuple(way for way in STYLES if way.startswith("cnn ") or way.endswith(LAST))
NULL = f"cnn {NOTHING} {AVERAGE}"
AGAINST_NULL = [
    (f"cnnf {STATE} {LAST}", NULL),
    (f"cnnf {STATE} {AVERAGE}", NULL),
    (f"ungated {STATE} {LAST}", NULL),
    (f"lateral {STATE} {LAST}", NULL),
    (f"lateral {STATE} {AVERAGE}", NULL),
    (f"cnn {PICTURE} {LAST}", NULL),
]
AGAINST_ALONE = [
    (f"cnnf {STATE} {LAST}", f"cnn {NOTHING} {LAST}"),
    (f"cnnf {STATE} {LAST}", f"cnnf {NOTHING} {LAST}"),
    (f"ungated {STATE} {LAST}", f"cnn {NOTHING} {LAST}"),
    (f"lateral {STATE} {LAST}", f"cnn {NOTHING} {LAST}"),
]
HEADINGS = ("accuracy", "less averaged feedforward answers", "less the answer to a glimpse alone")
ROW_MM, EXTRA_MM = 58.0, 26.0


def draw(runs: pd.DataFrame) -> Figure:
    """Draw a row of three panels per data set.

    Parameters
    ----------
    runs
        Rows of `analysis.glimpses`.
    """
    sets = list(runs["data"].unique())
    figure = new_figure(PAGE_MM, EXTRA_MM + ROW_MM * len(sets))
    title(figure, "Recognition from glimpses", is_simulated(runs))
    grid = figure.subplots(len(sets), 3, squeeze=False)
    for row, name in zip(range(len(sets)), sets, strict=True):
        here = runs[runs["data"] == name]
        _curves(grid[row][0], here)
        found = differences(here)
        _gaps(grid[row][1], found, AGAINST_NULL)
        _gaps(grid[row][2], found, AGAINST_ALONE)
        for column, (axes, heading) in enumerate(zip(grid[row], HEADINGS, strict=True)):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axes.set_xlabel("glimpse")
            letter(axes, "abcdefghi"[row * 3 + column])
            if row == 0:
                axes.set_title(heading)
        grid[row][0].set_ylabel(f"{name}\naccuracy (n = {here['n_test'].iloc[0]} images)")
    figure.legend(handles=[_handle(style) for style in STYLES.values()], loc="outside lower left", ncols=4)
    return figure


def _handle(style: Style) -> Line2D:
    colour, marker, line, filled, name = style
    face = colour if filled else "white"
    return Line2D([], [], color=colour, marker=marker, linestyle=line, markerfacecolor=face, markersize=3, label=name)


def _curves(axes: Axes, runs: pd.DataFrame) -> None:
    """Draw each way's mean after each glimpse, and its seeds."""
    means = summarise(runs)
    for place, way in enumerate(CURVES):
        colour, marker, line, _, _ = STYLES[way]
        rows, mean = (table[_ways(table) == way] for table in (runs, means))
        aside = apart(place, len(CURVES), 0.05)
        axes.plot(rows["glimpse"] + aside, rows["accuracy"], marker, color=colour, markersize=1.6, alpha=0.4)
        axes.plot(mean["glimpse"] + aside, mean["mean"], color=colour, linestyle=line)


def _ways(table: pd.DataFrame) -> pd.Series:
    return table["model"] + " " + table["carried"] + " " + table["readout"]


def _gaps(axes: Axes, table: pd.DataFrame, shown: Sequence[tuple[str, str]]) -> None:
    """Draw paired differences with their intervals, and where there is none."""
    axes.axhline(0, color=INK, linewidth=0.6)
    ends: list[tuple[float, str]] = []
    for place, (first, second) in enumerate(shown):
        rows = table[(table["first"] == first) & (table["second"] == second)].sort_values("glimpse")
        if rows.empty:
            continue
        colour, marker, line, filled, _ = STYLES[first]
        own = first.split(" ")[0] == second.split(" ")[0] != "cnn"  # a lesion of the same weights
        errors = [rows["difference"] - rows["low"], rows["high"] - rows["difference"]]
        axes.errorbar(
            rows["glimpse"] + 0.06 * (place - (len(shown) - 1) / 2), rows["difference"], errors, color=colour,
            marker=marker, markersize=2.8, markerfacecolor=colour if filled else "white", elinewidth=0.6,
            linestyle=(0, (4, 1)) if own else line, linewidth=0.9,
        )  # fmt: skip
        ends.append((float(rows["difference"].iloc[-1]), colour))
    low, high = axes.get_ylim()
    places = spread([y for y, _ in ends], (high - low) * 0.06)
    for y, (value, colour) in zip(places, ends, strict=True):
        text = f"{round(100 * value, 1) + 0.0:+.1f}".replace("-", "−")
        axes.text(1.02, y, text, color=colour, va="center", transform=axes.get_yaxis_transform())


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from tables of runs."""
    options = arguments(str(__doc__), "tables of analysis.glimpses (<stem>.csv)", argv)
    runs = pd.concat(read_tables(options.inputs, COLUMNS), ignore_index=True)
    with styled():
        save(draw(runs), options.out, runs, CAPTION)


if __name__ == "__main__":
    main()
