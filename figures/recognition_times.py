"""Figure 4, whether the model needs more steps for the objects that people need more time for.

Run ``python -m figures.recognition_times --in build/times/tang2018/cnnf-cifar-gray --out build/figures/times``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter
from matplotlib.transforms import ScaledTranslation

from analysis.cells import bounded, chance
from analysis.times_summary import ENDINGS, TimesTables, read_times, solved_by_step
from figures.files import arguments, check_columns, find_tables, is_simulated, save
from figures.style import (
    CATEGORIES,
    CEILING,
    CNNF,
    CONTROL,
    FAINT,
    INK,
    MARKERS,
    PAGE_MM,
    letter,
    new_figure,
    shades,
    styled,
    title,
)

CAPTION = """Model and human recognition times. (a) Objects: a linear readout, trained on whole objects, gives each
occluded stimulus a solution step; model time is the Kaplan-Meier restricted mean over an object's stimuli, unsolved
ones censored after the last step. Human time: mean reaction time, z scores within subjects. Open: some of the object's
stimuli were never solved; dashed: the longest time there is, no stimulus solved. (b) Spearman correlations with human
time over objects, and Somers' D over single trials; points with 95 % intervals, subjects and objects drawn anew; p
from permuted objects; n: objects (Somers' D: trials) used, of all. Given: partial correlations; what is given is held
constant. Filled: of normal scores, the ones to test by. Open, smaller: of ranks, which take strong covariates out only
in part (about 20 % false positives under strong covariates, against 6 % of normal scores), and, where stated, what
leaving unsolved stimuli out would have given. Confidence: decision value of the right category minus the largest other
one, at step 0 of CNN-F, and of its feedforward control. Gray bars: the ceiling, both ways: how far the reliability of
human times lets a correlation go; Somers' D has none. (c) Stimuli solved first at each step (dark), by an earlier one
(light), and never; the latter stay in the analysis, as censored."""
COLUMNS = {
    "statistics": ["statistic", "estimate", "low", "high", "ceiling", "p", "n_used", "n_total", "simulated"],
    "objects": ["object_id", "category", "human_time_z", "model_time", "n_solved", "n_stimuli", "simulated"],
    "stimuli": ["stimulus_id", "solution_step", "solved", "simulated"],
    "exclusions": ["rule", "n_excluded", "n_left"],
}
GIVEN = {
    "step-0 confidence": "step0_confidence",
    "control's confidence": "control_confidence",
    "both confidences": "both",
    "occlusion": "occlusion",
    "both, and occlusion": "both_and_occlusion",
    "category": "category",
    "both, and category": "both_and_category",
}
FOREST: dict[str, list[tuple[str, str, str, str]]] = {  # heading -> label, statistic, one to compare, colour
    "model time, ρ": [
        ("all stimuli", "rho_model_time", "", CNNF),
        ("unsolved left out", "", "rho_model_time_drop_unsolved", CNNF),
    ],
    "model time, partial ρ given": [
        (label, f"partial_given_{name}_normal_scores", f"partial_given_{name}", CNNF) for label, name in GIVEN.items()
    ],
    "other predictors, ρ": [
        ("step-0 confidence", "rho_step0_confidence", "", CNNF),
        ("control's confidence", "rho_control_confidence", "", CONTROL),
        ("occlusion", "rho_occlusion", "", FAINT),
    ],
    "other predictors, partial ρ given category": [
        (label, f"{name}_given_category_normal_scores", f"{name}_given_category", colour)
        for label, name, colour in (
            ("step-0 confidence", "step0_confidence", CNNF),
            ("control's confidence", "control_confidence", CONTROL),
        )
    ],
    "model time, trials, Somers' D": [
        ("unsolved censored", "somers_d", "", CNNF),
        ("unsolved left out", "", "somers_d_drop_unsolved", CNNF),
    ],
}
HEIGHT_MM, LEGEND_MM, PLOTTED, P_ENDS = 128.0, 9.0, 0.4, 0.805
"""Height; legend below the axes; shares of the forest's width at which its numbers begin, and their p values end."""


def draw(tables: TimesTables, shares: pd.DataFrame) -> Figure:
    """Draw objects, correlations and solved shares.

    Parameters
    ----------
    tables
        As `analysis.times_summary.read_times` gives them.
    shares
        As `analysis.times_summary.solved_by_step` gives it.
    """
    figure = new_figure(PAGE_MM, HEIGHT_MM)
    quick = " (quick check)" if tables.provenance["quick"] else ""
    title(
        figure,
        f"Recognition times of people and model: {tables.provenance['models'][0]}{quick}",
        is_simulated(tables.statistics, tables.objects, tables.stimuli),
    )
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 1.35), height_ratios=(1.9, 1))
    statistics = tables.statistics.set_index("statistic")
    panels = [figure.add_subplot(place) for place in (grid[0, 0], grid[:, 1], grid[1, 0])]
    _objects(panels[0], tables.objects, statistics, tables.provenance["n_steps"])
    _forest(panels[1], statistics)
    _solved(panels[2], shares)
    for axes, name, left_mm in zip(panels, "abc", (9, 28, 9), strict=True):
        letter(axes, name, left_mm)
    return figure


def count(row: pd.Series) -> str:
    """Write how many were used, of how many."""
    return f"{int(row['n_used'])}/{int(row['n_total'])}"


def _objects(axes: Axes, objects: pd.DataFrame, statistics: pd.DataFrame, n_steps: int) -> None:
    """Scatter model time against human time, by category."""
    axes.axhline(n_steps + 1, color=FAINT, linewidth=0.6, linestyle=(0, (3, 2)), zorder=0)
    # What is not known has no place; `count` says how many there are.
    objects = objects.dropna(subset=["human_time_z", "model_time"])
    names = objects["category"].fillna("category unknown")
    handles = []
    for place, name in enumerate(sorted(names.unique())):
        colour = CATEGORIES[place % len(CATEGORIES)]
        marker = MARKERS[(place + place // len(CATEGORIES)) % len(MARKERS)]
        look = {"linestyle": "none", "marker": marker, "markersize": 3.2, "color": colour, "markeredgewidth": 0.7}
        here = objects[names == name]
        whole = here["n_solved"] == here["n_stimuli"]
        for part, fill in ((here[~whole], "none"), (here[whole], colour)):
            if len(part):  # markers without a place would be laid out at the corner of the page
                axes.plot(part["human_time_z"], part["model_time"], markerfacecolor=fill, clip_on=False, **look)
        handles.append(Line2D([], [], label=str(name), **look))
    axes.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(-0.14, 0),
        bbox_transform=axes.transAxes + ScaledTranslation(0, -LEGEND_MM / 25.4, axes.figure.dpi_scale_trans),
        ncols=3 if len(handles) <= 6 else 4,
        handletextpad=0.1,
        columnspacing=0.8,
        borderpad=0,
        labelspacing=0.25,
    )
    axes.set_yticks(range(n_steps + 2), [*map(str, range(n_steps + 1)), "never"])
    axes.set_ylim(-0.2, n_steps + 1.2)
    axes.set(xlabel="human time (z score)", ylabel="model time (step)")
    if "rho_model_time" in statistics.index:
        row = statistics.loc["rho_model_time"]
        rho = bounded(row["estimate"], row["low"], row["high"], 2)
        words = f"ρ = {rho}, n = {count(row)} objects\nopen: some of its stimuli never solved"
        axes.set_title(words, loc="left")


def _forest(axes: Axes, statistics: pd.DataFrame) -> None:
    """Draw a line per correlation: ceiling, interval, estimate; and write the numbers on the right."""
    beside, down = axes.get_yaxis_transform(), 0.0
    ticks: list[tuple[float, str]] = []
    reach = [0.0]
    for heading, lines in FOREST.items():
        known = [line for line in lines if line[1] in statistics.index or line[2] in statistics.index]
        if not known:
            continue
        axes.text(0, down, heading, transform=beside, va="center", fontweight="bold")
        axes.plot([0, 0], [down + 0.5, down + len(known) + 0.5], color=INK, linewidth=0.5, zorder=1)
        for label, *statistic, colour in known:
            down += 1
            reach += _line(
                axes, [statistics.loc[s] if s in statistics.index else None for s in statistic], down, colour
            )
            ticks.append((down, label))
        down += 1.3
    low, high = min(reach) - 0.05, max(reach) + 0.05
    axes.set(xlim=(low, low + (high - low) / PLOTTED), ylim=(down - 0.7, -0.6))
    axes.set_xticks([x / 10 for x in range(-10, 11, 5) if low <= x / 10 <= high])
    axes.set_yticks([y for y, _ in ticks], [text for _, text in ticks])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_bounds(low, high)
    axes.set_xlabel("correlation with human time", x=PLOTTED / 2)
    _write(axes, ("estimate, 95 %", "p", "n"), 0, FAINT)


def _line(axes: Axes, rows: Sequence[pd.Series | None], y: float, colour: str) -> list[float]:
    """Draw a line of the forest: an estimate, one to compare with it, or both; return the places they need."""
    shown, compared = rows
    first = compared if shown is None else shown
    places = [float(row[name]) for row in rows if row is not None for name in ("estimate", "low", "high")]
    if not math.isnan(first["ceiling"]):
        reach = [-first["ceiling"], first["ceiling"]]
        axes.plot(reach, [y, y], color=CEILING, linewidth=6, alpha=0.7, solid_capstyle="butt", zorder=0)
        places += reach
    apart = 0.2 if shown is not None and compared is not None else 0.0
    for row, at, filled in ((shown, y - apart, True), (compared, y + apart, False)):
        if row is not None:
            axes.plot([row["low"], row["high"]], [at, at], color=colour, linewidth=1.1 if filled else 0.6, zorder=2)
            face, size = (colour, 3.6) if filled else ("white", 2.8)
            axes.plot([row["estimate"]], [at], "o", color=colour, markersize=size, markerfacecolor=face, zorder=3)
    estimate = bounded(first["estimate"], first["low"], first["high"], 2)
    _write(axes, (estimate, chance(first["p"]), count(first)), y, INK)
    return [x for x in places if not math.isnan(x)]


def _write(axes: Axes, texts: tuple[str, str, str], y: float, colour: str) -> None:
    """Write estimate, p and n beside a line of the forest."""
    style = {"transform": axes.get_yaxis_transform(), "va": "center", "color": colour, "fontsize": 6.5}
    for x, text, side in zip((PLOTTED + 0.01, P_ENDS, 1.0), texts, ("left", "right", "right"), strict=True):
        axes.text(x, y, text, ha=side, **style)


def _solved(axes: Axes, shares: pd.DataFrame) -> None:
    """Draw the share of stimuli solved by each step, and the share that never was."""
    light, dark = shades(CNNF, 2, 0.3)
    steps = shares[shares["outcome"] == "solved"]
    never = shares[shares["outcome"] == "never"].iloc[0]
    axes.bar(steps["step"], steps["share_until"], 0.75, color=[light])
    axes.bar(steps["step"], steps["share_here"], 0.75, bottom=steps["share_until"], color=[dark])
    last = float(steps["step"].max()) + 1.3
    axes.bar([last], [never["share_here"]], 0.75, color="white", edgecolor=FAINT, hatch="////", linewidth=0.6)
    tops = [*zip(steps["step"], steps["share_until"] + steps["share_here"], steps["n_here"], strict=True)]
    for place, (x, top, n) in enumerate([*tops, (last, never["share_here"], never["n_here"])]):
        text = f"{n}" if place in (0, len(tops)) else f"+{n}"
        axes.text(x, top + 0.02, text, ha="center", va="bottom", fontsize=6.5)
    axes.set_xticks([*steps["step"], last], [*(f"{int(step)}" for step in steps["step"]), "never"])
    axes.set(ylim=(0, 1.12), xlabel="solved by step", ylabel="stimuli")
    axes.set_yticks([0, 0.5, 1])
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    total, solved = int(never["n_total"]), int(never["n_total"] - never["n_here"])
    axes.set_title(f"solved: n = {solved}/{total} stimuli", loc="left")


def facts(provenance: dict[str, Any], exclusions: pd.DataFrame) -> str:
    """Put into words what the times were made from, and which trials were left out."""
    made = [f"{model}, layer {layer}" for model, layer in provenance["layers"].items()]
    made.append("simulated observers" if provenance["simulated"] else "Tang et al. (2018)")
    left_out = [f"{rule} {n}" for rule, n in zip(exclusions["rule"], exclusions["n_excluded"], strict=True) if n]
    left = f"{exclusions['n_left'].iloc[-1]} trials are left" if len(exclusions) else ""
    return f"Made from: {'; '.join(made)}. Trials left out: {'; '.join(left_out) or 'none'}; {left}."


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from the tables of one comparison; the three panels' tables go into one."""
    options = arguments(str(__doc__), "beginning of the names of one comparison's files, or their folder", argv)
    tables = read_times(find_tables(options.inputs, ENDINGS))
    for name, columns in COLUMNS.items():
        check_columns(getattr(tables, name), columns, f"{name} of {options.inputs[0].name}")
    shares = solved_by_step(tables.stimuli, tables.provenance["n_steps"])
    panels = {"a": tables.objects, "b": tables.statistics, "c": shares}
    table = pd.concat([part.assign(panel=name) for name, part in panels.items()], ignore_index=True)
    table = table[["panel", *(column for column in table if column != "panel")]]
    with styled():
        caption = f"{CAPTION} {facts(dict(tables.provenance), tables.exclusions)}"
        save(draw(tables, shares), options.out, table, caption)


if __name__ == "__main__":
    main()
