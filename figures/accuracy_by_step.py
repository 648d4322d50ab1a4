"""Figure 2, accuracy at every step, clean and degraded, CNN-F against its feedforward control.

Run ``python -m figures.accuracy_by_step --in neurocnnf/weights/*.json --out build/figures/accuracy_by_step``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from analysis.accuracy_summary import LAST, MEAN, SEED, read_accuracies, readout_of, with_means
from figures.files import arguments, check_columns, find_tables, is_simulated, save
from figures.style import FAINT, LOOKS, NAMES, PAGE_MM, letter, new_figure, shades, spread, styled, title

CAPTION = """Accuracy by step. Step 0 is the feedforward sweep; the answer at each step is that of its own logits.
Columns: test images as they are, with Gaussian noise (SD, images span -1 to 1), blurred (SD of the Gaussian, in
pixels), and behind gray squares (share of the pixels hidden). Blue circles: CNN-F. Vermilion diamonds: its feedforward
control (same architecture, same data), which has step 0 only; the dashed line carries it on for comparison. Faint
lines: single seeds; strong ones: their mean. Darker lines are the harder levels, named at the right end. The clean
panels have an axis of their own, which does not begin at 0; the degraded panels of a row share one."""
COLUMNS = ["model", "kind", "data", "seed", "degradation", "level", "step", "accuracy", "n_images"]
HEADINGS = {"clean": "clean", "noise": "noise (SD)", "blur": "blur (SD, pixels)", "occlusion": "occlusion (share)"}
ROW_MM, TOP_MM, GAP_POINTS = 46.0, 16.0, 8.0


def draw(table: pd.DataFrame) -> Figure:
    """Draw a row of panels per data set, a column per degradation.

    Parameters
    ----------
    table
        As `analysis.accuracy_summary.with_means` gives it.
    """
    sets = list(table["data"].unique())
    kinds = [kind for kind in HEADINGS if kind in set(table["degradation"])]
    figure = new_figure(PAGE_MM, TOP_MM + ROW_MM * len(sets))
    title(figure, "Accuracy by step", is_simulated(table))
    grid = figure.subplots(len(sets), len(kinds), squeeze=False, sharex=True)
    last = int(table["step"].max())
    for row, name in enumerate(sets):
        here = table[table["data"] == name]
        shared = _limits(here[here["degradation"] != "clean"], 0.0)
        for column, kind in enumerate(kinds):
            axes, part = grid[row][column], here[here["degradation"] == kind]
            axes.set_ylim(*(_limits(part, None) if kind == "clean" else shared))
            axes.set_xlim(-0.3, last + 0.3 + 0.3 * last)
            axes.set_xticks(range(last + 1))
            axes.spines["bottom"].set_bounds(0, last)
            axes.set_yticks([y for y in MaxNLocator(5).tick_values(*axes.get_ylim()) if axes.get_ylim()[0] <= y <= 1])
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
            _lines(axes, part, last)
            letter(axes, "abcdefghijklmnop"[row * len(kinds) + column])
            if row == 0:
                axes.set_title(HEADINGS[kind])
            if row == len(sets) - 1:
                axes.set_xlabel("step")
        grid[row][0].set_ylabel(f"{name}\naccuracy")
    _legend(figure, table)
    return figure


def _limits(part: pd.DataFrame, bottom: float | None) -> tuple[float, float]:
    """Give an axis room around the accuracies; `bottom` fixes its lower end."""
    if part.empty:
        return 0.0, 1.0
    low, high = float(part["accuracy"].min()), float(part["accuracy"].max())
    room = max(0.12 * (high - low), 0.004)
    return (low - room if bottom is None else bottom), min(high + room, 1 + room / 2)


def _lines(axes: Axes, part: pd.DataFrame, last: int) -> None:
    """Draw each level of each kind: seeds faint, mean strong; name the levels at the right end of CNN-F's lines."""
    ends: list[tuple[float, str]] = []
    levels = sorted(part["level"].unique())
    for kind, (colour, marker, dashes, _) in LOOKS.items():
        for shade, level in zip(shades(colour, len(levels), 0.45), levels, strict=True):
            rows = part[(part["kind"] == kind) & (part["level"] == level)]
            for _, seed in rows[rows["summary"] == SEED].groupby("seed"):
                _line(axes, seed, last, color=shade, linestyle=dashes, linewidth=0.5, alpha=0.45)
            mean = rows[rows["summary"] == MEAN].sort_values("step")
            if mean.empty:
                continue
            _line(axes, mean, last, color=shade, linestyle=dashes, linewidth=1.2)
            axes.plot(mean["step"], mean["accuracy"], marker, color=shade, markersize=3.2, clip_on=False, zorder=3)
            if kind == "cnnf" or "cnnf" not in set(part["kind"]):
                ends.append((float(mean["accuracy"].iloc[-1]), f"{level:g}"))
    if len(levels) < 2:
        return
    low, high = axes.get_ylim()
    # Room for a line of text, in units of the axis: the panels are about 30 mm high.
    places = spread([y for y, _ in ends], (high - low) * GAP_POINTS / (30 / 25.4 * 72))
    for y, (_, text) in zip(places, ends, strict=True):
        axes.text(last + 0.25, y, text, color=FAINT, va="center")


def _line(axes: Axes, rows: pd.DataFrame, last: int, **style) -> None:
    """Draw accuracy by step; a single step is carried on, flat, to the last one."""
    rows = rows.sort_values("step")
    steps, accuracy = rows["step"].to_numpy(), rows["accuracy"].to_numpy()
    if len(steps) == 1:
        steps, accuracy = np.array([steps[0], last]), np.repeat(accuracy, 2)
    axes.plot(steps, accuracy, **style)


def _legend(figure: Figure, table: pd.DataFrame) -> None:
    """Name the kinds and the seeds below the title."""
    n_seeds = table.loc[table["summary"] == MEAN].groupby("kind")["n_seeds"].agg(["min", "max"])
    handles = []
    for kind, (colour, marker, dashes, _) in LOOKS.items():
        if kind in n_seeds.index:
            low, high = n_seeds.loc[kind]
            count = f"{high} seed{'s' if high > 1 else ''}" if low == high else f"{low} to {high} seeds"
            label = f"{NAMES[kind]} ({'mean of ' if high > 1 else ''}{count})"
            handles.append(Line2D([], [], color=colour, marker=marker, markersize=3.2, linestyle=dashes, label=label))
    handles.append(Line2D([], [], color=FAINT, linewidth=0.5, alpha=0.6, label="single seeds"))
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), handlelength=2.6)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from tables of accuracies."""
    options = arguments(str(__doc__), "cards of checkpoints (.json), or tables of accuracies (.csv)", argv)
    tables = [check_columns(read_accuracies(path), COLUMNS, path.name) for path in find_tables(options.inputs)]
    table = pd.concat(tables, ignore_index=True)
    if (readout := readout_of(table)) != LAST:
        raise ValueError(f"accuracies: expected each step's own answers, got the {readout}. See figures.averages.")
    table = with_means(table[table["degradation"].isin(HEADINGS)])  # figures.corruptions draws more of them
    with styled():
        save(draw(table), options.out, table, CAPTION)


if __name__ == "__main__":
    main()
