"""Figure: how results change with the clock, over a range of clocks.

Run ``python -m figures.clock_ranges --in build/speed_accuracy/kumbhar2021 build/it_latency/zhang2011 --out
build/figures/clock_ranges``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.files import arguments, check_columns, find_tables, is_simulated, joined, save
from figures.style import CNNF, CONTROL, PAGE_MM, letter, looks_of, new_figure, styled, title

CAPTION = """The clock is an assumption: results over a range of clocks. Each cell is one clock, onset and duration of a
step; each column a model. Above: root mean squared difference between accuracies of people at deadlines and of the
model, included observers, one clock for all conditions (the darker, the better). Below: share of the time course of
decodability from IT that the model explains, all positions known, amplitudes at their best (below 0 is cut). Cross: the
best clock; line: clocks within 5 % of its error, or within .05 of its R². Masking has the same in its own figure."""
COLUMNS = ["model", "onset_ms", "ms_per_step"]
LABELS = {"rmse": "RMSE (accuracy), people at deadlines", "r2": "R², decodability from IT"}
INCLUDED = "included observers"


def draw(tables: Sequence[pd.DataFrame]) -> Figure:
    """Draw a row per study, a column per model.

    Parameters
    ----------
    tables
        "profile" tables of `analysis.speed_accuracy` (column rmse) and `analysis.time_mapping` (column r2).
    """
    looks = looks_of([model for table in tables for model in table["model"]])
    figure = new_figure(PAGE_MM, 14 + 50 * len(tables))
    title(figure, "Results over a range of clocks", is_simulated(*tables))
    panels = figure.subplots(len(tables), len(looks), squeeze=False, sharex="row", sharey="row")
    for row, table in zip(panels, tables, strict=True):
        value = _measured(table)
        here = table[table["target"] == INCLUDED] if "target" in table else table
        low = max(0.0, float(here[value].min()))
        for axes, (model, look) in zip(row, looks.items(), strict=True):
            part = here[here["model"] == model]
            if part.empty:
                axes.set_axis_off()
                continue
            mesh = _map(axes, part, value, (low, float(here[value].max())))
            axes.set(title=look.name, xlabel="ms per step")
        row[0].set_ylabel("onset (ms)")
        figure.colorbar(mesh, ax=list(row), label=LABELS[value], shrink=0.9)
    for row, name in zip(panels, "abcd", strict=False):
        letter(row[0], name, 9)
    return figure


def _measured(table: pd.DataFrame) -> str:
    """Name the column that a profile is of."""
    return "rmse" if "rmse" in table else "r2"


def _map(axes: Axes, part: pd.DataFrame, value: str, limits: tuple[float, float]):
    square = part.pivot(index="onset_ms", columns="ms_per_step", values=value)
    values = np.clip(square.to_numpy(), *limits)
    error = value == "rmse"
    look = {"cmap": "Greys_r" if error else "Greys", "vmin": limits[0], "vmax": limits[1], "rasterized": True}
    mesh = axes.pcolormesh(square.columns, square.index, values, **look)
    best = np.unravel_index(values.argmin() if error else values.argmax(), values.shape)
    level = 1.05 * values[best] if error else values[best] - 0.05
    if values.min() < level < values.max():
        axes.contour(square.columns, square.index, values, [level], colors=[CNNF], linewidths=0.8)
    axes.plot([square.columns[best[1]]], [square.index[best[0]]], "x", color=CONTROL, markersize=5)
    return mesh


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from the stages' profiles."""
    options = arguments(CAPTION.split(".")[0], "stems of the stages' tables", argv)
    tables = []
    for path in find_tables(options.inputs, [".profile.csv"]):
        table = pd.read_csv(path)
        tables.append(check_columns(table, [*COLUMNS, _measured(table)], path.name))
    with styled():
        parts = {str(place): table for place, table in enumerate(tables)}
        save(draw(tables), options.out, joined(parts), CAPTION)


if __name__ == "__main__":
    main()
