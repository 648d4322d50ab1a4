"""Figure 3, which layers are like V4 and IT at which step, CNN-F against its feedforward control.

Run ``python -m figures.neural_scores --in build/scores --out build/figures/neural_scores``.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from analysis.cells import bounded, number
from analysis.neural_summary import BY_STEP, OVER, SUMMARY, lay_out, read_scores, read_summary
from figures.files import arguments, check_columns, find_tables, is_simulated, save
from figures.style import (
    CEILING,
    CNNF,
    FAINT,
    INK,
    LOOKS,
    NAMES,
    PAGE_MM,
    Look,
    apart,
    ink_on,
    letter,
    mean_of,
    new_figure,
    styled,
    title,
)

CAPTION = """Likeness of layers to neurons, by step. Maps: raw scores of every layer (rows, deepest on top) at every
step (columns; 0 is the feedforward sweep) of CNN-F, and, apart on the left, of its feedforward control, which has step
0 only. Recordings of neurons: Pearson r of held-out ridge predictions, median over neuroids, then median over sessions;
the ceiling is the median over sessions with repeats. Dissimilarities: similarity with the layer's correlation
distances, mean over subjects; cosine is not centred, so that all its values are close to 1. Colour runs from the lowest
(pale) to the highest (dark) score of the maps of one benchmark and metric; hatched: no score. Frames: the layers that
the one number rests on; they are chosen on other data than are scored (sessions of other animals; macaque IT for human
IT). Points: that one number at the last step, mean over sessions, with its 95 % bootstrap interval (over images, and
neuroids), divided by the noise ceiling (normalised) and not (raw). Gray bar: the ceiling, named below each heading by
the rule that normalises; n: neuroids or images used, of all. Without a ceiling nothing is normalised: that number is
missing."""
OF_ITSELF = """Simulated recordings are made from the very model that is scored: scores of two models are not of one
brain, and do not say which is the better model of it."""
OF_TRAININGS = """Of several trainings, maps show the mean over them (hatched, too, where one has no score), and frames
what any of them rests on; small points: each training, with its interval over images; large: their mean, and its 95 %
interval by Student's t over trainings, which the numbers on the right give."""
PER_STEP = ["layer", "step", "raw", "ceiling", "ceiling_rule", "n_used", "n_total", "simulated"]
BY_TARGET = ["target", "metric", "raw_low", "raw_high"]
REGIONS = {"humanIT": "human IT", "macaqueIT": "macaque IT"}
METHODS = {"ridge": "ridge predictivity", "rsa": "representational similarity"}
NONE = "none: "
ROW_MM, FIXED_MM, TALLER, PLOTTED = 47.0, 18.0, 1.2, 0.62
LINES = {"heading": 1.1, "rule": 0.95, "row": 1.0, "gap": 0.45}
"""Heights in the panel of single numbers."""


def draw(table: pd.DataFrame) -> Figure:
    """Draw a map per benchmark, target and metric, and a panel of single numbers.

    Parameters
    ----------
    table
        As `analysis.neural_summary.lay_out` gives it.
    """
    maps, numbers = table[table["part"] == BY_STEP], table[table["part"].isin([SUMMARY, OVER])]
    rows, summary = arrange(maps)
    order = {key[0]: place for place, key in enumerate(key for row in rows for key in row)}
    heights = [TALLER if row == summary[0] else 1.0 for row in range(len(rows))]
    figure = new_figure(PAGE_MM, FIXED_MM + ROW_MM * sum(heights))
    quick = " (quick check)" if numbers["notes"].str.contains("quick").any() else ""
    trainings = mean_of(maps.groupby("kind")["n_seeds"].max().astype(int))
    title(figure, f"Likeness to V4 and IT, by layer and step, {trainings}{quick}", is_simulated(table))
    grid = figure.add_gridspec(len(rows), max(2, *map(len, rows)), height_ratios=heights)
    drawn: list[tuple[tuple[int, int], Axes]] = []
    for row, panels in enumerate(rows):
        for column, keys in enumerate(panels):
            axes = figure.add_subplot(grid[row, column])
            part = maps[_is_of(maps, keys)]
            same_unit = maps[(maps["benchmark"] == keys[0]) & (maps["metric"].fillna("") == keys[2])]
            _map(axes, part, (same_unit["score"].min(), same_unit["score"].max()), labelled=column == 0)
            drawn.append(((row, column), axes))
    axes = figure.add_subplot(grid[summary])
    _numbers(axes, numbers.sort_values("benchmark", key=lambda names: names.map(order), kind="stable"))
    drawn.append((summary, axes))
    for name, ((_, column), axes) in zip("abcdefghijklmnop", sorted(drawn, key=lambda one: one[0]), strict=False):
        letter(axes, name, 11 if column == 0 else 4)
    _legend(figure, table)
    return figure


def arrange(maps: pd.DataFrame) -> tuple[list[list[tuple[str, str, str]]], tuple]:
    """Say what goes where.

    Parameters
    ----------
    maps
        Rows by layer and step: columns benchmark, target, metric; the latter two NaN where there are sessions.

    Returns
    -------
    rows
        Rows of panels (benchmark, target, metric): one per benchmark with sessions, one per target of the others.
    summary
        Place of the single numbers, (row, column): right of the first benchmark with sessions, or below all.
    """
    keys = maps[["benchmark", "target", "metric"]].fillna("").drop_duplicates()
    with_sessions = [[key] for key in keys[keys["target"] == ""].itertuples(index=False, name=None)]
    with_targets = [
        list(group.itertuples(index=False, name=None))
        for _, group in keys[keys["target"] != ""].groupby(["benchmark", "target"], sort=False)
    ]
    if with_sessions:
        return with_sessions + with_targets, (0, 1)
    return [*with_targets, []], (len(with_targets), 0)


def _is_of(table: pd.DataFrame, keys: Sequence[str]) -> pd.Series:
    """Say which rows are of a benchmark, target and metric."""
    return (table[["benchmark", "target", "metric"]].fillna("") == list(keys)).all(axis=1)


def _map(axes: Axes, part: pd.DataFrame, span: tuple[float, float], labelled: bool) -> None:
    """Draw layer × step, the control on the left; `span`: scores that are palest and darkest."""
    layers = list(part["layer"].unique())
    steps = sorted(part.loc[part["kind"] == "cnnf", "step"].astype(int).unique())
    digits = 3 if max(map(abs, span)) < 1 else 2
    columns = {("cnn", 0): 0.0} | {("cnnf", step): 1.3 + place for place, step in enumerate(steps)}
    found = part.set_index(["kind", "step", "layer"])
    for (kind, step), x in columns.items():
        for y, layer in enumerate(layers):
            row = found.loc[(kind, step, layer)] if (kind, step, layer) in found.index else None
            _cell(axes, (x, y), row, span, digits)
    axes.set(xlim=(-0.05, max(columns.values()) + 1.05), ylim=(-0.08, len(layers) + 0.08))
    axes.set_xticks([x + 0.5 for x in columns.values()], ["control", *map(str, steps)])
    for mark, (kind, _) in zip(axes.get_xticklabels(), columns, strict=True):
        mark.set_color(LOOKS[kind].colour)
    axes.set_yticks([y + 0.5 for y in range(len(layers))], layers if labelled else [])
    axes.tick_params(length=0, pad=1)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("CNN-F, step", color=CNNF, labelpad=1, x=0.5 + 0.5 / len(columns))
    axes.set_title(heading(part), loc="left", x=0)


def _cell(axes: Axes, corner: tuple[float, float], row: pd.Series | None, span, digits: int) -> None:
    """Draw one score, or hatch where there is none; a frame where it was chosen."""
    missing = row is None or math.isnan(row["score"])
    if missing:
        axes.add_patch(Rectangle(corner, 1, 1, facecolor="white", edgecolor=CEILING, hatch="////", linewidth=0))
    else:
        share = (row["score"] - span[0]) / (span[1] - span[0]) if span[1] > span[0] else 0.5
        colour = matplotlib.colormaps["Blues"](0.05 + 0.85 * share)
        axes.add_patch(Rectangle(corner, 1, 1, facecolor=colour, edgecolor="white", linewidth=0.4))
        x, y = corner[0] + 0.5, corner[1] + 0.47
        axes.text(x, y, number(row["score"], digits), color=ink_on(colour), fontsize=6.5, ha="center", va="center")
    if row is not None and row["n_chose"] > 0:
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=INK, linewidth=1.4, zorder=3))


def heading(part: pd.DataFrame) -> str:
    """Say what a map shows, and, in a second line, where from and below which ceiling."""
    first = part[part["kind"] == "cnnf"].iloc[0] if (part["kind"] == "cnnf").any() else part.iloc[0]
    study, region, method = names(first["benchmark"])
    what = f"{region}, {method} (r)" if pd.isna(first["target"]) else f"{first['target']}, {first['metric']}"
    if pd.isna(first["target"]):
        n = int(first["n_sessions_total"])
        study += f", median of {n} sessions" if n > 1 else ", 1 session"
    return f"{what}\n{study}; {ceiling(first['ceiling'], first['ceiling_rule'])}"


def ceiling(value: float, rule: str) -> str:
    """Name a ceiling, or say why there is none."""
    return f"no ceiling ({rule.removeprefix(NONE)})" if math.isnan(value) else f"ceiling {number(value)}"


def names(benchmark: str) -> tuple[str, str, str]:
    """Split an identifier, ``<study>.<region>-<metric>``, into study, region and method, in words."""
    study, _, what = benchmark.partition(".")
    region, _, method = what.rpartition("-")
    return study, REGIONS.get(region, region), METHODS.get(method, method)


def _numbers(axes: Axes, numbers: pd.DataFrame) -> None:
    """Draw each benchmark's one number, normalised and raw, a line of points per kind of model."""
    beside, down = axes.get_yaxis_transform(), 0.0
    ticks: list[tuple[float, str]] = []
    for benchmark, part in numbers.groupby("benchmark", sort=False):
        rule = next((r for r in part["ceiling_rule"] if not r.startswith(NONE)), part["ceiling_rule"].iloc[0])
        study, region, method = names(str(benchmark))
        axes.text(0, down, f"{region}, {method} ({study})", transform=beside, va="center", fontweight="bold")
        down += LINES["heading"]
        words = f"no ceiling ({rule.removeprefix(NONE)})" if rule.startswith(NONE) else f"ceiling: {rule}"
        for line in textwrap.wrap(words, 64, break_on_hyphens=False):
            axes.text(0, down, line, transform=beside, va="center", color=FAINT, fontsize=6.5)
            down += LINES["rule"]
        for quantity, pair in part.groupby("quantity", sort=False):
            kinds = sorted(pair["kind"].unique(), reverse=True)
            ticks.append((down + LINES["row"] * (len(kinds) - 1) / 2, str(quantity)))
            for kind in kinds:
                _number(axes, pair[pair["kind"] == kind], down)
                down += LINES["row"]
        down += LINES["gap"]
    reach = numbers[["score", "low", "high", "ceiling"]].to_numpy()
    low, high = min(0.0, np.nanmin(reach, initial=0)), np.nanmax(reach, initial=0.1)
    low, high = low - 0.02 * (high - low), high + 0.02 * (high - low)
    # Points on the left, numbers on the right, in one panel: so the maps below it keep their width.
    axes.set(xlim=(low, low + (high - low) / PLOTTED), ylim=(down - LINES["gap"], -0.8))
    axes.set_xticks([x for x in MaxNLocator(4).tick_values(low, high) if low <= x <= high])
    axes.spines["bottom"].set_bounds(low, high)
    axes.set_yticks([y for y, _ in ticks], [name for _, name in ticks])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("score at the last step", labelpad=1, x=PLOTTED / 2)


def _number(axes: Axes, rows: pd.DataFrame, y: float) -> None:
    """Draw the number of one kind of model, its interval and ceiling, and write it on the right.

    Of several trainings, each is drawn small, and their mean below them.
    """
    look = LOOKS.get(rows["kind"].iloc[0], Look(INK, "s", "-", ""))
    last = rows.iloc[-1]  # the mean over trainings, where there are several
    if not math.isnan(last["ceiling"]):
        half = LINES["row"] / 2
        axes.plot([last["ceiling"]] * 2, [y - half, y + half], color=CEILING, linewidth=3, solid_capstyle="butt")
    for place, (_, row) in enumerate(rows.iterrows()):
        at, alone = y + apart(place, len(rows), LINES["row"] / 5), len(rows) == 1
        big = alone or row["part"] == OVER
        style = {"color": look.colour, "alpha": 1.0 if big else 0.6}
        axes.plot([row["low"], row["high"]], [at, at], linewidth=1.1 if big else 0.5, **style)
        axes.plot([row["score"]], [at], look.marker, markersize=3.4 if alone else 2.6 if big else 1.4, **style)
    text = bounded(last["score"], last["low"], last["high"])
    if len(rows) > 1 and last["n_seeds"] < len(rows) - 1:
        text += f" ({int(last['n_seeds'])} of {len(rows) - 1})"
    text += f"  n {int(last['n_used'])}/{int(last['n_total'])}" if last["quantity"] == "raw" else ""
    axes.text(PLOTTED + 0.02, y, text, transform=axes.get_yaxis_transform(), va="center", fontsize=6.5)


def _legend(figure: Figure, table: pd.DataFrame) -> None:
    """Name what is drawn, below all panels."""
    handles: list[Line2D | Patch] = []
    for kind, (colour, marker, *_) in LOOKS.items():
        if kind in set(table["kind"]):
            models = ", ".join(table.loc[table["kind"] == kind, "model"].unique())
            label = f"{NAMES[kind]} ({models})"
            handles.append(Line2D([], [], color=colour, marker=marker, markersize=3.4, label=label))
    handles.append(Patch(facecolor=CEILING, label="ceiling"))
    handles.append(Patch(facecolor="none", edgecolor=INK, linewidth=1.4, label="layer chosen"))
    handles.append(Patch(facecolor="white", edgecolor=CEILING, hatch="////", label="no score"))
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), handlelength=1.8, columnspacing=1.4)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from scores: ``<stem>.csv`` and ``<stem>.json``."""
    options = arguments(str(__doc__), "scores (.csv, with .json beside), folders or stems of them", argv)
    scores = []
    for path in find_tables(options.inputs):
        table = read_scores(path)
        table = check_columns(table, [*PER_STEP, *([] if "session" in table else BY_TARGET)], path.name)
        scores.append((table, read_summary(path)))
    table = lay_out(scores)
    with styled():
        several = f"\n{OF_TRAININGS}" if (table["part"] == OVER).any() else ""
        save(draw(table), options.out, table, CAPTION + several + (f"\n{OF_ITSELF}" if is_simulated(table) else ""))


if __name__ == "__main__":
    main()
