"""Where CNN-F stands among published networks in likeness to people, at every step.

Run ``python -m figures.published_networks --in build/networks/maniquet2025 --out build/figures/published_networks``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from figures.files import arguments, check_columns, find_tables, is_simulated, save
from figures.style import CEILING, CNNF, CONTROL, FAINT, INK, PAGE_MM, letter, new_figure, styled, title

REAL = "Likeness to people under 17 manipulations of the picture (Maniquet et al. 2025)."
OF_ITSELF = "Likeness to people simulated to answer as the very model does, under manipulations of handwritten digits."
CAPTION = """Panels a, b: networks and models in the order of their likeness, the highest on top, with their rank among
the published networks on the right (of a model: the rank it would have among them). Points of published networks: mean
over 20 training seeds; bars: 95 % of the seeds. Points of models: CNN-F at every step (0 is the feedforward sweep) and
its feedforward control; bars: 95 % bootstrap interval over pictures and observers. Gray line: the ceiling that
differences between observers set. a: Pearson r of accuracy with people's over conditions. b: Pearson r of the number
of times that one category was taken for another, right answers left out; participants whose answers are recorded with
mixed-up keys are left out too. c: likeness of accuracy against accuracy itself, mean over conditions; vertical line:
people. Filled circles: recurrent; open squares: feedforward. Networks were trained from end to end on whole pictures
and tested with ten times as many pictures; the readouts of the models learnt from the 80 whole pictures that people
saw, 72 at a time, never from versions of a picture they are tested on."""
NEEDED = [
    "measure",
    "kind",
    "name",
    "architecture",
    "step",
    "value",
    "low",
    "high",
    "mean_accuracy",
    "rank",
    "simulated",
]
PANELS = {"accuracy": "accuracy over conditions", "confusions": "wrong answers"}
LOOKS = {"recurrent": ("o", "full"), "feedforward": ("s", "none")}
ROW_MM, FIXED_MM = 3.4, 34.0


def draw(table: pd.DataFrame) -> Figure:
    """Draw the ranks by two measures, and likeness against accuracy.

    Parameters
    ----------
    table
        As `analysis.published_networks.rank_table` gives it.
    """
    shown = [measure for measure in PANELS if (table["measure"] == measure).any()]
    rows = max(int((_of(table, measure)["kind"] != "people").sum()) for measure in shown)
    figure = new_figure(PAGE_MM, FIXED_MM + ROW_MM * rows)
    title(
        figure, "Likeness to people under manipulations of the picture, among published networks", is_simulated(table)
    )
    grid = figure.add_gridspec(1, len(shown) + 1, width_ratios=[1] * len(shown) + [0.9])
    for place, measure in enumerate(shown):
        axes = figure.add_subplot(grid[0, place])
        _ranks(axes, _of(table, measure), PANELS[measure])
        letter(axes, "ab"[place], 12)
    axes = figure.add_subplot(grid[0, -1])
    _against_accuracy(axes, _of(table, "accuracy"))
    letter(axes, "abc"[len(shown)], 9)
    _legend(figure, table)
    return figure


def _of(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    return table[table["measure"] == measure]


def _colour(row: pd.Series) -> str:
    if row["kind"] == "network":
        return INK if row["architecture"] == "recurrent" else FAINT
    return CNNF if row["architecture"] == "recurrent" else CONTROL


def _label(row: pd.Series) -> str:
    if row["kind"] == "network":
        return str(row["name"])
    return f"CNN-F, step {int(row['step'])}" if row["architecture"] == "recurrent" else "control"


def _ranks(axes: Axes, part: pd.DataFrame, heading: str) -> None:
    """Draw one row for each network and each step of each model."""
    for ceiling in part.loc[part["kind"] == "people", "value"]:
        axes.axvline(ceiling, color=CEILING, linewidth=3, zorder=0)
    ordered = part[part["kind"] != "people"].sort_values("value", ascending=False, kind="stable", na_position="last")
    axes.axvline(0, color=CEILING, linewidth=0.6, zorder=0)
    for place, (_, row) in enumerate(ordered.iterrows()):
        marker, fill = LOOKS[row["architecture"]]
        colour = _colour(row)
        axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=0.9)
        axes.plot(row["value"], place, marker, color=colour, fillstyle=fill, markersize=3.6, markeredgewidth=0.9)
        if fill == "none":  # the bar must not run through an open marker
            axes.plot(row["value"], place, marker, color="white", markersize=2.4)
        rank = "missing" if np.isnan(row["value"]) else "" if np.isnan(row["rank"]) else f"{int(row['rank'])}"
        axes.text(1.03, place, rank, transform=axes.get_yaxis_transform(), va="center", fontsize=6, color=colour)
    axes.set_yticks(range(len(ordered)), [_label(row) for _, row in ordered.iterrows()], fontsize=6)
    for tick, (_, row) in zip(axes.get_yticklabels(), ordered.iterrows(), strict=True):
        tick.set_color(_colour(row))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(ordered) - 0.4, -0.6)
    axes.set_xlabel("likeness to people, Pearson r")
    axes.set_title(heading, loc="left")
    axes.text(1.03, -1.0, "rank", transform=axes.get_yaxis_transform(), fontsize=6, color=FAINT)


def _against_accuracy(axes: Axes, part: pd.DataFrame) -> None:
    """Draw how like people's each profile is against how accurate it is."""
    for _, row in part[part["kind"] != "people"].iterrows():
        marker, fill = LOOKS[row["architecture"]]
        axes.plot(row["mean_accuracy"], row["value"], marker, color=_colour(row), fillstyle=fill, markersize=3.6)
    for ceiling in part.loc[part["kind"] == "people", "value"]:
        axes.axhline(ceiling, color=CEILING, linewidth=3, zorder=0)
    human = part["human_accuracy"].dropna() if "human_accuracy" in part else pd.Series(dtype=float)
    for value in human.unique()[:1]:
        axes.axvline(value, color=CEILING, linewidth=1, linestyle="--", zorder=0)
    steps = part[(part["kind"] == "model") & (part["architecture"] == "recurrent")].sort_values("step")
    axes.plot(steps["mean_accuracy"], steps["value"], color=CNNF, linewidth=0.8)
    for _, row in steps.iloc[[0, -1]].iterrows() if len(steps) > 1 else ():
        axes.annotate(
            f"step {int(row['step'])}",
            (row["mean_accuracy"], row["value"]),
            xytext=(-3, 3),
            textcoords="offset points",
            ha="right",
            fontsize=6,
            color=CNNF,
        )
    low = min(0.0, float(np.nanmin(part["value"], initial=0))) - 0.04
    axes.set(xlim=(0, 1), ylim=(low, 1.05), xlabel="accuracy, mean over conditions", ylabel="likeness, Pearson r")
    axes.set_title("likeness and accuracy", loc="left")


def _legend(figure: Figure, table: pd.DataFrame) -> None:
    """Name what is drawn, below all panels."""
    named = (
        ("network", "recurrent", INK, "published, recurrent"),
        ("network", "feedforward", FAINT, "published, feedforward"),
        ("model", "recurrent", CNNF, "CNN-F"),
        ("model", "feedforward", CONTROL, "feedforward control"),
    )
    handles: list[Line2D | Patch] = []
    for kind, architecture, colour, label in named:
        these = table[(table["kind"] == kind) & (table["architecture"] == architecture)]
        if len(these):
            marker, fill = LOOKS[architecture]
            names = f" ({', '.join(these['name'].unique())})" if kind == "model" else ""
            handles.append(
                Line2D([], [], color=colour, marker=marker, fillstyle=fill, markersize=3.6, label=label + names)
            )
    handles.append(Patch(facecolor=CEILING, label="people's ceiling"))
    figure.legend(handles=handles, loc="outside lower left", ncols=3, handlelength=1.8, columnspacing=1.4)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from the table that analysis.published_networks wrote."""
    options = arguments(str(__doc__), "table of analysis.published_networks (.csv)", argv)
    (path,) = find_tables(options.inputs)
    table = check_columns(pd.read_csv(path), NEEDED, path.name)
    with styled():
        save(draw(table), options.out, table, f"{OF_ITSELF if is_simulated(table) else REAL} {CAPTION}")


if __name__ == "__main__":
    main()
