"""Figure 5, one number over all benchmarks, and how the models' ranks hang on what is weighed how.

Run ``python -m figures.composite --in build/suite --out build/figures/composite``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.cells import bounded
from figures.files import arguments, beside, check_columns, find_tables, is_simulated, joined, save
from figures.style import CEILING, FAINT, INK, PAGE_MM, Look, ink_on, letter, looks_of, new_figure, styled, title

CAPTION = """The composite of all benchmarks. a: scores, divided by their ceilings (gray line: 1), averaged within
families of benchmarks and then over the families with equal weights (bold: the composite), with 95 % intervals;
benchmarks of one study are taken as wholly dependent, studies as independent. n: benchmarks that enter; a model that
lacks one of them is missing in that family and in the composite, and a family that no model has a score in is no part
of it. Below, the same mean of the benchmarks that every model has a score on; b and c are of these. b: share of all
weightings of the families (uniform, drawn at random) under which each model ranks first, and in brackets its best and
worst rank. c: each model's rank when one benchmark is left out; below, the benchmarks that are not
ranked by, and why."""
COMPOSITE, COMMON, NONE_LEFT_OUT = "composite", "of all models", "none left out"
PARTS = {
    "entries": ("benchmark", "family", "state"),
    "composite": ("model", "family", "value", "low", "high", "n_benchmarks", "missing", "rank"),
    "weightings": ("model", "share_first", "best_rank", "worst_rank"),
    "left_out": ("left_out", "model", "rank"),
}
ROW_MM, HEAD_MM, LEAST_MM = 4.2, 34.0, 70.0


def draw(parts: dict[str, pd.DataFrame], simulated: bool) -> Figure:
    """Draw means by family, shares of weightings, and ranks without one benchmark.

    Parameters
    ----------
    parts
        Tables by name: entries, composite, weightings, left_out; see `benchmarks.composite`.
    simulated
        Whether any score is of simulated recordings.
    """
    looks = looks_of(parts["composite"]["model"].unique())
    n_families = parts["composite"]["family"].nunique()
    n_rows = max(n_families * (len(looks) + 1), len(parts["entries"]) + len(looks) + 7)
    figure = new_figure(PAGE_MM, max(LEAST_MM, HEAD_MM + ROW_MM * n_rows))
    title(figure, "All benchmarks as one number", simulated)
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 1), height_ratios=(1 + len(looks), 3 + n_rows - len(looks)))
    means, shares, ranks = (figure.add_subplot(grid[place]) for place in ((slice(None), 0), (0, 1), (1, 1)))
    _means(means, parts["composite"], looks)
    _shares(shares, parts["weightings"], looks)
    _ranks(ranks, parts["left_out"], outside_of(parts["entries"]), list(looks))
    for name, axes, left in zip("abc", (means, shares, ranks), (14, 26, 26), strict=True):
        letter(axes, name, left)
    handles = [
        matplotlib.lines.Line2D(
            [], [], color=look.colour, marker=look.marker, markersize=3.4, linestyle="", label=model
        )
        for model, look in looks.items()
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=min(4, len(handles)))
    return figure


def outside_of(entries: pd.DataFrame) -> pd.DataFrame:
    """Return the benchmarks that models are not ranked by."""
    return entries[entries["state"] != "enters"]


def _means(axes: Axes, table: pd.DataFrame, looks: dict[str, Look]) -> None:
    """Draw a group of rows per family, the composite last."""
    down, ticks = 0.0, []
    beside_axes = axes.get_yaxis_transform()
    for family, part in table.groupby("family", sort=False):
        ticks.append((down + (len(part) - 1) / 2, f"{family}\nn = {int(part['n_benchmarks'].iloc[0])}"))
        if family in (COMPOSITE, COMMON):
            axes.axhspan(down - 0.7, down + len(part) - 0.3, color=CEILING, alpha=0.35, linewidth=0)
        for _, row in part.iterrows():
            colour, marker, *_ = looks[row["model"]]
            if np.isnan(row["value"]):
                axes.text(0.01, down, "missing", transform=beside_axes, color=colour, va="center", fontsize=6.5)
            else:
                axes.plot([row["low"], row["high"]], [down, down], color=colour, linewidth=1.1)
                axes.plot([row["value"]], [down], marker, color=colour, markersize=3.8)
                axes.text(0.99, down, _text(row), transform=beside_axes, ha="right", va="center", fontsize=6.5)
            down += 1
        down += 0.8
    low, high = _reach(table)
    axes.axvline(1, color=CEILING, linewidth=1.5, zorder=0)
    # Points on the left, numbers on the right.
    axes.set(xlim=(low, low + (high - low) / 0.62), ylim=(down - 0.8, -0.9), xlabel="score / ceiling")
    axes.set_xticks([x for x in axes.get_xticks() if low <= x <= high])
    axes.set_yticks([y for y, _ in ticks], [name for _, name in ticks])
    for label in axes.get_yticklabels()[-2:]:
        label.set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    axes.set_title("mean score of each family", loc="left")


def _reach(table: pd.DataFrame) -> tuple[float, float]:
    reach = table[["value", "low", "high"]].to_numpy()
    low, high = min(0.0, float(np.nanmin(reach, initial=0))), max(1.0, float(np.nanmax(reach, initial=1)))
    return low - 0.04 * (high - low), high + 0.04 * (high - low)


def _text(row: pd.Series) -> str:
    return bounded(row["value"], row["low"], row["high"], 2)


def _shares(axes: Axes, table: pd.DataFrame, looks: dict[str, Look]) -> None:
    """Draw how often each model ranks first."""
    for place, row in enumerate(table.itertuples()):
        colour = looks[row.model].colour
        if np.isnan(row.share_first):
            axes.text(0.01, place, "missing", color=colour, va="center", fontsize=6.5)
            continue
        axes.barh(place, row.share_first, color=colour, height=0.62)
        words = f"{100 * row.share_first:.0f} % [{row.best_rank:.0f}–{row.worst_rank:.0f}]"
        axes.text(row.share_first + 0.01, place, words, va="center", fontsize=6.5)
    axes.set(xlim=(0, 1.35), ylim=(len(table) - 0.4, -0.6), xlabel="share of weightings")
    axes.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
    axes.set_yticks(range(len(table)), table["model"])
    axes.tick_params(axis="y", length=0)
    axes.set_title("ranks first [best–worst rank]", loc="left")


def _ranks(axes: Axes, table: pd.DataFrame, outside: pd.DataFrame, models: list[str]) -> None:
    """Draw ranks, a row per benchmark left out; then a row for each that is not ranked by, and why."""
    names = list(table["left_out"].unique())
    ranks = table.set_index(["left_out", "model"])["rank"]
    for down, name in enumerate(names):
        for across, model in enumerate(models):
            rank = ranks.get((name, model), np.nan)
            share = 0.0 if np.isnan(rank) or len(models) < 2 else (len(models) - rank) / (len(models) - 1)
            colour = matplotlib.colormaps["Blues"](0.05 + 0.75 * share)
            known = not np.isnan(rank)
            axes.add_patch(
                matplotlib.patches.Rectangle(
                    (across - 0.5, down - 0.5), 1, 1, facecolor=colour if known else "white", edgecolor="white"
                )
            )
            word = f"{rank:.0f}" if known else "missing"
            ink = ink_on(colour) if known else FAINT
            axes.text(across, down, word, ha="center", va="center", color=ink, fontsize=6.5)
    for down, row in enumerate(outside.itertuples(), start=len(names)):
        words = f"not ranked: {row.state}"
        axes.text((len(models) - 1) / 2, down, words, ha="center", va="center", color=FAINT, fontsize=6.5)
    labels = [*(name or NONE_LEFT_OUT for name in names), *outside["benchmark"]]
    axes.set(xlim=(-0.5, len(models) - 0.5), ylim=(len(labels) - 0.5, -0.5))
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xticks(range(len(models)), models, rotation=30, ha="right")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.tick_params(axis="both", colors=INK)
    axes.set_title("rank when left out is …", loc="left")


def read_parts(stem: Path) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Read the composite's tables and the suite's, as `analysis.suite_summary` wrote them beside each other."""
    (suite,) = find_tables([stem])
    parts = {}
    for name, columns in PARTS.items():
        (path,) = find_tables([beside(stem, f"{name}.csv")])
        parts[name] = check_columns(pd.read_csv(path), columns, path.name)
    parts["left_out"]["left_out"] = parts["left_out"]["left_out"].fillna("")
    return parts, pd.read_csv(suite)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from ``<stem>.csv`` and what stands beside it."""
    options = arguments(str(__doc__), "the stem of a suite's tables", argv)
    parts, suite = read_parts(options.inputs[0])
    table = joined(parts)
    table = table[["part", *(column for column in table.columns if column != "part")]]
    with styled():
        save(draw(parts, is_simulated(suite)), options.out, table, CAPTION)


if __name__ == "__main__":
    main()
