"""Figure: model time against human time over manipulations of pictures.

Run ``python -m figures.condition_times --in build/condition_times/maniquet2025 --out build/figures/condition_times``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.cells import bounded, number
from figures.files import arguments, is_simulated, joined, read_parts, save
from figures.style import (
    CATEGORIES,
    CEILING,
    INK,
    MARKERS,
    PAGE_MM,
    Look,
    letter,
    looks_of,
    model_handles,
    new_figure,
    number_map,
    styled,
    title,
)

CAPTION = """Model time against human time over manipulations. a: mean reaction time of people, and mean number of
steps that pictures stay unsolved by the first model (never solved: censored at the last step), by condition; bars:
95 % intervals over people and over pictures; colour: experiment (other people). b: the same with the uncertainty of
the first model's feedforward sweep. c: likeness of the first model's accuracy profile at a step to people's in a
fifth of their reaction times (1 the fastest), over its ceiling; in the title, by how much likeness rises with step
and fifth together, per step and fifth. d: Pearson correlations over conditions, with 95 % intervals (pictures and
people drawn anew); gray: ceiling, where people's reliability gives one. "Beyond error at step 0": with the error of
the feedforward sweep held constant; "within experiments": with differences between experiments taken out."""
PARTS = {
    "conditions": ("model", "condition", "experiment", "human_ms", "human_ms_low", "model_steps", "doubt", "simulated"),
    "statistics": ("model", "target", "raw", "raw_low", "raw_high", "ceiling", "n_conditions"),
    "bins": ("model", "step", "rt_bin", "likeness"),
    "time_course": ("model", "statistic", "low", "high"),
}


def draw(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw two scatters, a forest and a map.

    Parameters
    ----------
    tables
        Those of `PARTS`, as `analysis.condition_times` gives them.
    """
    looks = looks_of(list(tables["statistics"]["model"]))
    n_targets = tables["statistics"]["target"].nunique()
    above_mm, below_mm = 62, max(40, 12 + (4.5 * len(looks) + 3) * n_targets)
    figure = new_figure(PAGE_MM, above_mm + below_mm + 8)
    simulated = is_simulated(tables["conditions"])
    study = "simulated people" if simulated else "Maniquet et al. 2025"
    title(figure, f"Model time against human time over manipulations: {study}", simulated)
    above, below = figure.subfigures(2, 1, height_ratios=(above_mm, below_mm))
    panels = [*above.subplots(1, 3), below.subplots()]
    model = next(iter(looks))
    here = tables["conditions"][tables["conditions"]["model"] == model]
    _scatter(panels[0], here, "model_steps", "steps until solved")
    _scatter(panels[1], here, "doubt", "uncertainty at step 0")
    _map(panels[2], *(tables[name][tables[name]["model"] == model] for name in ("bins", "time_course")))
    _forest(panels[3], tables["statistics"], looks)
    for axes, name, left in zip(panels, "abcd", (9, 9, 9, 40), strict=True):
        letter(axes, name, left)
    panels[0].set_title(model, loc="left")
    handles = model_handles(looks)
    below.legend(handles=handles, loc="outside lower left", ncols=min(5, len(handles)))
    return figure


def _scatter(axes: Axes, table: pd.DataFrame, name: str, label: str) -> None:
    for experiment, part in table.groupby("experiment"):
        colour = CATEGORIES[int(experiment) % len(CATEGORIES)]
        marker = MARKERS[int(experiment) % len(MARKERS)]
        errors = [[part[c] - part[f"{c}_low"], part[f"{c}_high"] - part[c]] for c in ("human_ms", name)]
        across, down = (np.maximum(np.array(error), 0) for error in errors)
        look = {"fmt": marker, "color": colour, "markersize": 3, "elinewidth": 0.5}
        axes.errorbar(part["human_ms"], part[name], xerr=across, yerr=down, **look)
    axes.set(xlabel="reaction time of people (ms)", ylabel=label)


def _forest(axes: Axes, table: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    down, ticks = 0.0, []
    for target, part in table.groupby("target", sort=False):
        ticks.append((down + (len(part) - 1) / 2, str(target)))
        for row in part.to_dict("records"):
            look = looks[row["model"]]
            if np.isfinite(row["ceiling"]):
                reach = [-row["ceiling"], row["ceiling"]]
                axes.plot(reach, [down, down], color=CEILING, linewidth=5, alpha=0.6, solid_capstyle="butt", zorder=0)
            axes.plot([row["raw_low"], row["raw_high"]], [down, down], color=look.colour)
            axes.plot([row["raw"]], [down], look.marker, color=look.colour, markersize=3.4)
            words = bounded(row["raw"], row["raw_low"], row["raw_high"], 2)
            words += ": one step" if np.isnan(row["raw"]) else ""
            axes.text(1.01, down, words, transform=axes.get_yaxis_transform(), va="center", fontsize=6)
            down += 1
        down += 0.6
    axes.axvline(0, color=INK, linewidth=0.5, zorder=1)
    axes.set_yticks([y for y, _ in ticks], [name for _, name in ticks])
    axes.set(ylim=(down - 0.6, -0.8), xlabel=f"r over {table['n_conditions'].iloc[0]} conditions", xlim=(-1, 1))
    axes.tick_params(axis="y", length=0)


def _map(axes: Axes, bins: pd.DataFrame, course: pd.DataFrame) -> None:
    square = bins.pivot(index="step", columns="rt_bin", values="likeness")
    number_map(axes, square, lambda value: number(value, 2), aspect="auto")
    axes.set(xlabel="fifth of reaction times", ylabel="step")
    row = course.iloc[0]
    found = bounded(row["statistic"], row["low"], row["high"])
    axes.set_title("one step: no time course" if np.isnan(row["statistic"]) else found, loc="left")


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from the stage's tables."""
    options = arguments(CAPTION.split(".")[0], "stem of the tables of analysis.condition_times", argv)
    tables = read_parts(options.inputs, PARTS)
    with styled():
        save(draw(tables), options.out, joined(tables), CAPTION)


if __name__ == "__main__":
    main()
