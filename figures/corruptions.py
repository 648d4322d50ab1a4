"""Accuracy under common corruptions, and what later steps and feedback change, on the same images.

Run ``python -m figures.corruptions --in build/corruptions.csv --out build/figures/corruptions``, with a table of
`analysis.corruptions_spread` (over trainings) or of `analysis.corruptions_summary` (over images).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from analysis.corruptions_summary import ACCURACY, CLEAN, GAIN, OVER_CONTROL
from figures.files import arguments, is_simulated, read_tables, save
from figures.style import INK, PAGE_MM, Look, apart, letter, looks_of, mean_of, model_handles, new_figure, styled, title

CAPTION = """Common corruptions, at three levels each (named below the axis; their units stand in the headings). First
row of a data set: accuracy of the first step (the feedforward sweep; open, pale) and of the last (filled). Second: what
the last step changes, in percentage points, against the first step of the same model on the same images. Third: the
same against the feedforward control. Filled: p < .05, Holm's correction over all conditions of a model; open: not.
Networks that normalise each channel over the image, as these do, hardly see a loss of contrast."""
OVER_IMAGES = """Intervals: 95 %, Wilson's, and, of changes, for matched proportions (Agresti and Min 2005); p by
McNemar's exact test. One trained network of each kind: they speak about other images, not about other trainings."""
OVER_TRAININGS = """Means over trainings, and 95 % intervals by Student's t over them (none of one training), compared
with the control of the same seed; p by the same t test, which has little power with few trainings."""
COLUMNS = ["data", "model", "degradation", "level", "step", "quantity", "estimate", "low", "high", "n_images", "p_holm"]
HEADINGS = {
    "noise": "noise (SD)",
    "blur": "blur (SD, pixels)",
    "contrast": "contrast (factor)",
    "occlusion": "occlusion (share)",
    "pixelate": "pixelate (block, pixels)",
}
LABELS = {ACCURACY: "accuracy", GAIN: "last − first\nstep (points)", OVER_CONTROL: "last − control\n(points)"}
ROW_MM, TOP_MM = 32.0, 20.0
FIRST = 0.45  # of the strength of the last step's colour


def draw(table: pd.DataFrame) -> Figure:
    """Draw three rows of panels per data set, a column per corruption.

    Parameters
    ----------
    table
        As `summarise` of `analysis.corruptions_spread` or `analysis.corruptions_summary` gives it; of the latter, means
        over levels are left out.
    """
    table = table[table["level"].notna()]
    kinds = [kind for kind in HEADINGS if kind in set(table["degradation"])]
    looks = {data: looks_of(list(here["model"])) for data, here in table.groupby("data", sort=False)}
    rows = [(data, quantity) for data in looks for quantity in LABELS if _of(table, data, quantity).size]
    figure = new_figure(PAGE_MM, TOP_MM + ROW_MM * len(rows))
    trainings = mean_of(table.get("n_seeds", [1]))
    title(figure, f"Accuracy under common corruptions, {trainings}", is_simulated(table))
    grid = figure.subplots(len(rows), len(kinds), squeeze=False, sharey="row")
    for place, (panels, (data, quantity)) in enumerate(zip(grid, rows, strict=True)):
        here = _of(table, data, quantity)
        clean = here[here["degradation"] == CLEAN]
        for axes, kind in zip(panels, kinds, strict=True):
            _panel(axes, pd.concat([clean, here[here["degradation"] == kind]]), looks[data], quantity)
            if place == 0:
                axes.set_title(HEADINGS[kind])
        panels[0].set_ylabel(f"{data}\n{LABELS[quantity]}")
        letter(panels[0], "abcdefghijklmnopqrstuvwxyz"[place % 26], 12)
        if quantity == ACCURACY:
            # Below a loss of contrast, which these networks hardly see, there is room.
            roomy = panels[kinds.index("contrast") if "contrast" in kinds else 0]
            corner = {"x": 0.03, "y": 0.04, "ha": "left", "va": "bottom"}
            roomy.text(s=_numbers(here), transform=roomy.transAxes, fontsize=6.5, **corner)
    _legend(figure, looks)
    return figure


def _of(table: pd.DataFrame, data: str, quantity: str) -> pd.DataFrame:
    return table[(table["data"] == data) & (table["quantity"] == quantity)]


def _numbers(here: pd.DataFrame) -> str:
    """Say how many images there are."""
    clean = here["degradation"] == CLEAN
    many, few = ("/".join(str(n) for n in sorted(here.loc[each, "n_images"].unique())) for each in (clean, ~clean))
    return f"n = {few}" if many == few else f"n = {few}\n(clean: {many})"


def _panel(axes: Axes, part: pd.DataFrame, looks: Mapping[str, Look], quantity: str) -> None:
    """Draw each model by severity: 0 is the clean image."""
    conditions = part[["degradation", "level"]].drop_duplicates()
    names = [CLEAN if kind == CLEAN else f"{level:g}" for kind, level in conditions.itertuples(index=False)]
    at = {key: place for place, key in enumerate(conditions.itertuples(index=False, name=None))}
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.5, len(names) - 0.5)
    shown = [model for model in looks if model in set(part["model"])]
    for place, model in enumerate(shown):
        rows = part[part["model"] == model]
        x = np.array([at[key] for key in rows[["degradation", "level"]].itertuples(index=False, name=None)])
        x = x + apart(place, len(shown), 0.14)
        last = rows["step"] == rows["step"].max()
        if quantity == ACCURACY:
            if not last.all():
                first = rows["step"] == 0
                _line(axes, x[first], rows[first], looks[model], alpha=FIRST, fillstyle="none")
            _line(axes, x[last], rows[last], looks[model])
        else:
            _changes(axes, x[last], rows[last], looks[model])
    if quantity == ACCURACY:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    else:
        axes.axhline(0, color=INK, linewidth=0.6, zorder=0)


def _line(axes: Axes, x: np.ndarray, rows: pd.DataFrame, look: Look, **style) -> None:
    errors = np.maximum([rows["estimate"] - rows["low"], rows["high"] - rows["estimate"]], 0)
    style |= {"color": look.colour, "marker": look.marker, "linestyle": look.line}
    axes.errorbar(x, rows["estimate"], errors, markersize=2.6, linewidth=0.8, elinewidth=0.6, clip_on=False, **style)


def _changes(axes: Axes, x: np.ndarray, rows: pd.DataFrame, look: Look) -> None:
    estimate, low, high = (100 * rows[column].to_numpy() for column in ("estimate", "low", "high"))
    sure = (rows["p_holm"] < 0.05).to_numpy()
    for which, fill in ((sure, look.colour), (~sure, "white")):
        axes.errorbar(
            x[which], estimate[which], np.maximum([estimate - low, high - estimate], 0)[:, which], color=look.colour,
            marker=look.marker, markerfacecolor=fill, markersize=2.8, markeredgewidth=0.7, linestyle="", elinewidth=0.7,
        )  # fmt: skip


def _legend(figure: Figure, looks: Mapping[str, Mapping[str, Look]]) -> None:
    together = {look.name: look for each in looks.values() for look in each.values()}
    handles = model_handles(together)
    for label, style in (("first step", {"alpha": FIRST, "fillstyle": "none"}), ("last step", {})):
        handles.append(Line2D([], [], color=INK, marker="o", markersize=3.4, label=label, **style))
    figure.legend(handles=handles, loc="outside lower left", ncols=4, handlelength=2.2)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from the summary."""
    options = arguments(str(__doc__), "table of analysis.corruptions_spread or _summary (.csv)", argv)
    table = pd.concat(read_tables(options.inputs, COLUMNS), ignore_index=True)
    with styled():
        over = OVER_TRAININGS if "n_seeds" in table else OVER_IMAGES
        save(draw(table), options.out, table, f"{CAPTION} {over}")


if __name__ == "__main__":
    main()
