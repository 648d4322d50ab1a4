"""One look for all figures: sizes, fonts, and one colour per thing.

Colours: Okabe and Ito (2008), Color Universal Design; they stay apart for colour-blind readers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

COLUMN_MM, PAGE_MM = 85.0, 180.0
"""Widths of a journal's column and page."""

CNNF, CONTROL, BRAIN, WRONG = "#0072B2", "#D55E00", "#009E73", "#E69F00"
CEILING, INK, FAINT = "#D0D0D0", "#222222", "#6B6B6B"
WRONG_INK = "#8A5A00"
"""`WRONG`, dark enough for words on white."""
SIMULATED = "#B3123F"
CATEGORIES = ("#56B4E9", "#E69F00", "#CC79A7", "#111111", "#B8A900")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "p", ">")
LESION = "#56B4E9"


class Look(NamedTuple):
    """How a model is drawn, and what it is called."""

    colour: str
    marker: str
    line: str | tuple[float, tuple[float, ...]]
    name: str


LOOKS = {
    "cnnf": Look(CNNF, "o", "-", "CNN-F"),
    "cnn": Look(CONTROL, "D", (0, (3, 1.6)), "feedforward control"),
    "wide": Look(CONTROL, "*", (0, (1, 1)), "wide feedforward control"),
    "lateral": Look("#CC79A7", "s", (0, (5, 1, 1, 1)), "lateral control"),
    "predictive": Look("#B8A900", "^", (0, (1, 1)), "predictive control"),
    "ungated": Look(LESION, "v", (0, (4, 1)), "CNN-F without gates"),
    "shuffled": Look(LESION, "P", (0, (2, 1)), "CNN-F, feedback shuffled"),
    "untied": Look(LESION, "X", (0, (1, 2)), "CNN-F, weights untied"),
}
"""Kinds of models, as their names begin."""
NAMES = {kind: look.name for kind, look in LOOKS.items()}

RC = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Helvetica", "Arial"],
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "figure.titlesize": 8,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.1,
    "legend.frameon": False,
    "figure.constrained_layout.use": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",  # text stays text
    "pdf.fonttype": 42,
    "svg.hashsalt": "neurocnnf",  # the same drawing gives the same bytes
    "mathtext.default": "regular",
}


def styled() -> AbstractContextManager:
    """Give a context in which figures are drawn and saved; settings outside of it stay as they were."""
    return matplotlib.rc_context({**matplotlib.rcParamsDefault, **RC, "backend": matplotlib.get_backend()})


def new_figure(width_mm: float, height_mm: float) -> Figure:
    """Make an empty figure of a size on paper, laid out so that nothing overlaps."""
    figure = Figure(figsize=(width_mm / 25.4, height_mm / 25.4), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.04, hspace=0.06)
    return figure


def title(figure: Figure, text: str, simulated: bool) -> None:
    """Write the title, and, where recordings are simulated, say so in it and in a tag on the figure's face."""
    text = f"{text} (simulated recordings)" if simulated else text
    figure.suptitle(text, x=0.01, ha="left", fontweight="bold")
    if simulated:
        tag(figure)


def tag(figure: Figure) -> None:
    """Put the word SIMULATED into the upper right corner, in a frame."""
    frame = {"boxstyle": "square,pad=0.3", "facecolor": "white", "edgecolor": SIMULATED, "linewidth": 1.2}
    words = {"color": SIMULATED, "fontsize": 8, "fontweight": "bold"}
    figure.text(0.988, 0.985, "SIMULATED", ha="right", va="top", bbox=frame, zorder=100, in_layout=False, **words)


def looks_of(models: Sequence[str]) -> dict[str, Look]:
    """Give each model the look of its kind, or, where a kind is unknown or has several models, one that is free."""
    looks: dict[str, Look] = {}
    for n, model in enumerate(dict.fromkeys(models)):
        look = LOOKS.get(model.split("-")[0])
        if look is None or look in looks.values():
            look = Look(CATEGORIES[n % len(CATEGORIES)], MARKERS[(4 + n) % len(MARKERS)], "-", model)
        looks[model] = look
    return looks


def model_handles(looks: Mapping[str, Look]) -> list[Line2D]:
    """Return a legend's entries, one per model: its line, marker and name."""
    return [
        Line2D([], [], color=look.colour, marker=look.marker, markersize=3.4, label=look.name)
        for look in looks.values()
    ]


def apart(place: int, n: int, gap: float) -> float:
    """Return how far the `place`-th of n things that share a place is drawn from its middle, `gap` between two."""
    return gap * (place - (n - 1) / 2)


def draw_interval(axes: Axes, low: float, high: float, reach: float, down: float, colour: str) -> None:
    """Draw an interval as far as `reach` on either side of 0, and an arrow where it goes on."""
    axes.plot([max(low, -reach), min(high, reach)], [down, down], color=colour, linewidth=0.9)
    for beyond, end, marker in ((low < -reach, -reach, "<"), (high > reach, reach, ">")):
        if beyond:
            axes.plot([end], [down], marker, color=colour, markersize=2.5)


def mean_of(counts: Iterable[int]) -> str:
    """Say of how many trainings means are, for a title: of one, of so many, or of some and of others."""
    found = sorted(set(counts))
    if len(found) > 1:
        return f"means of {found[0]} to {found[-1]} trainings"
    return "one training" if found == [1] else f"mean of {found[0]} trainings"


def number_map(
    axes: Axes,
    square: pd.DataFrame,
    text: Callable[[float], str],
    aspect: str = "equal",
    limits: tuple[float, float] | None = None,
) -> None:
    """Draw a table (row, column) as a map, each cell with its number as `text` writes it.

    Parameters
    ----------
    limits
        Values of the lightest and the darkest cell, for maps that are read beside each other; the table's own where
        not given.
    """
    lightest, darkest = limits or (np.nanmin(square.to_numpy()), np.nanmax(square.to_numpy()))
    axes.imshow(square, cmap="Blues", origin="upper", aspect=aspect, vmin=lightest, vmax=darkest)
    axes.set_xticks(range(square.shape[1]), square.columns)
    axes.set_yticks(range(square.shape[0]), square.index)
    middle = (lightest + darkest) / 2
    for (down, across), value in np.ndenumerate(square.to_numpy()):
        ink = "white" if value > middle else INK
        axes.text(across, down, text(value), ha="center", va="center", fontsize=5, color=ink)


def letter(axes: Axes, name: str, left_mm: float = 8.0) -> None:
    """Letter a panel, in bold, `left_mm` to the left of its upper left corner."""
    axes.annotate(
        name,
        (0, 1),
        xycoords="axes fraction",
        xytext=(-left_mm / 25.4 * 72, 3),
        textcoords="offset points",
        fontsize=9,
        fontweight="bold",
        va="bottom",
        ha="left",
    )


def shades(colour: str, n: int, lightest: float = 0.35) -> list[tuple[float, float, float]]:
    """Return n shades from light (`lightest` of the colour, the rest white) to the colour itself."""
    strength = np.linspace(lightest, 1, n) if n > 1 else np.ones(1)
    rgb = np.asarray(to_rgb(colour))
    return [tuple(1 - s * (1 - rgb)) for s in strength]


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Move labels apart: the places nearest to those wanted, in the same order, at least `gap` apart.

    Parameters
    ----------
    wanted
        Places, in any order and unit.
    gap
        Smallest distance, in the same unit.

    Returns
    -------
    list of float
        A place for each of `wanted`. Crowded labels share a block about their mean, the least-squares answer.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    blocks: list[list[float]] = []  # [sum of wanted places less offsets, number of labels]
    for rank, i in enumerate(order):
        blocks.append([wanted[i] - rank * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, n = blocks.pop()
            blocks[-1] = [blocks[-1][0] + total, blocks[-1][1] + n]
    starts = [total / n for total, n in blocks for _ in range(int(n))]
    places = [0.0] * len(wanted)
    for rank, i in enumerate(order):
        places[i] = float(starts[rank] + rank * gap)
    return places


def ink_on(rgb: Sequence[float]) -> str:
    """Return the ink, dark or white, that reads better on a colour (relative luminance, WCAG 2.1)."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return INK if luminance > 0.22 else "white"
