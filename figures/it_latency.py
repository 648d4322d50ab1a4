"""Figure, when objects can be decoded from IT, and at which step from a model.

Run ``python -m figures.it_latency --in build/it_latency/zhang2011 --out build/figures/it_latency``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.files import arguments, is_simulated, joined, read_parts, save
from figures.style import BRAIN, FAINT, INK, PAGE_MM, Look, letter, looks_of, new_figure, styled, title

CAPTION = """IT latency against step. a, b: nearest-centroid decoding of seven objects from neurons of macaque IT in
windows of 50 ms (green; band: 95 % interval over neurons), trained on all positions, or tested at a position that it
was not trained on. Dotted: chance; dashed verticals: onset and half-rise (a tenth and a half of the way from baseline
to peak). Lines: decodability by step from the last layer of each model (a ramp for the feedforward control), under the
clock, and at the amplitude, that fit best. The pictures of the study do not exist: the model sees seven classes of
other pictures at three places, so that only shape and latency are compared. c: decodability by step, with 95 %
intervals over pictures. d: share of the variance over time (R²) that each model explains
when it is stopped at a step, with 95 % intervals over neurons and pictures; step 0 is the ramp that further steps
must beat."""
COLUMNS = {
    "curves": ("time_ms", "accuracy", "low", "high", "target", "source", "step", "simulated"),
    "fits": ("target", "model", "step", "raw", "raw_low", "raw_high", "decodability", "onset_ms", "ms_per_step"),
    "latencies": ("target", "onset", "half_rise", "half_rise_low", "half_rise_high", "n_neurons"),
}
RECORDED, CHANCE = "IT", 1 / 7
TARGETS = ("all positions", "new position")


def draw(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw four panels.

    Parameters
    ----------
    tables
        ``curves``, ``fits`` and ``latencies``, as `analysis.time_mapping` gives them.
    """
    figure = new_figure(PAGE_MM, 112)
    title(figure, "When objects can be decoded from IT, and at which step", is_simulated(tables["curves"]))
    looks = looks_of(list(tables["fits"]["model"]))
    axes = figure.subplots(2, 2, width_ratios=[1, 1])
    for one, target in zip(axes[0], TARGETS, strict=True):
        of_target = {name: table[table["target"] == target] for name, table in tables.items()}
        _course(one, of_target, target, looks)
    axes[0, 0].set_ylabel("objects decoded rightly")
    _by_step(axes[1, 0], tables["fits"], "decodability", looks)
    axes[1, 0].axhline(CHANCE, color=FAINT, linestyle=":", linewidth=0.8)
    axes[1, 0].set(title="model", ylabel="objects decoded rightly", ylim=(0, 1))
    _clocks(axes[1, 0], tables["fits"], looks)
    _by_step(axes[1, 1], tables["fits"], "raw", looks)
    axes[1, 1].set(title="share of IT's time course explained", ylabel="R²")
    for one, name in zip(axes.flat, "abcd", strict=True):
        letter(one, name, 9)
    handles = [
        Line2D([], [], color=BRAIN, label="IT"),
        *(
            Line2D([], [], color=look.colour, marker=look.marker, linestyle=look.line, markersize=3, label=look.name)
            for look in looks.values()
        ),
        Line2D([], [], color=INK, marker="o", linestyle="", markersize=3, label="all positions"),
        Line2D([], [], color=INK, marker="o", linestyle="", markersize=3, mfc="white", label="new position"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(6, len(handles)))
    return figure


def _course(axes: Axes, tables: Mapping[str, pd.DataFrame], target: str, looks: Mapping[str, Look]) -> None:
    curves, late = tables["curves"], tables["latencies"].iloc[0]
    it = curves[curves["source"] == RECORDED]
    axes.fill_between(it["time_ms"], it["low"], it["high"], color=BRAIN, alpha=0.25, linewidth=0)
    axes.plot(it["time_ms"], it["accuracy"], color=BRAIN)
    for time in (late["onset"], late["half_rise"]):
        axes.plot([time, time], [CHANCE, 1], color=BRAIN, linestyle="--", linewidth=0.7)
    for model, rows in tables["fits"].groupby("model", sort=False):
        last = rows[rows["step"] == rows["step"].max()].iloc[0]
        line = curves[(curves["source"] == model) & (curves["step"] == last["step"])]
        look = looks[str(model)]
        axes.plot(line["time_ms"], line["accuracy"], linestyle=look.line, color=look.colour)
    latency = f"half-rise {late['half_rise']:.0f} ms [{late['half_rise_low']:.0f}, {late['half_rise_high']:.0f}]"
    text = f"onset {late['onset']:.0f} ms, {latency}\n{late['n_neurons']:.0f} neurons"
    axes.text(0.99, 0.99, text, transform=axes.transAxes, ha="right", va="top", color=INK, fontsize=6.5)
    axes.axhline(CHANCE, color=FAINT, linestyle=":", linewidth=0.8)
    axes.set(title=target, xlabel="time after stimulus onset (ms)", ylim=(0, 1))
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])


def _clocks(axes: Axes, fits: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """Write each model's clock at its last step, where no accuracy is drawn."""
    words = ["clock, ms + ms per step, all positions; new position"]
    for model, look in looks.items():
        rows = fits[(fits["model"] == model)]
        rows = rows[rows["step"] == rows["step"].max()]
        clocks = (f"{row.onset_ms:.0f} + {row.ms_per_step:.0f}" for row in rows.itertuples())
        words.append(f"{look.name}: {'; '.join(clocks)}")
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # the line of chance would go through the words
    axes.text(0.02, 0.02, "\n".join(words), transform=axes.transAxes, va="bottom", color=INK, fontsize=5.5, bbox=box)


def _by_step(axes: Axes, fits: pd.DataFrame, column: str, looks: Mapping[str, Look]) -> None:
    """Draw a column by step; models, and the two targets of each, stand beside each other."""
    places = {model: 0.07 * n for n, model in enumerate(looks)}
    for (model, target), rows in fits.groupby(["model", "target"], sort=False):
        look = looks[str(model)]
        values = rows[column].to_numpy()
        errors = [values - rows[f"{column}_low"].to_numpy(), rows[f"{column}_high"].to_numpy() - values]
        axes.errorbar(
            rows["step"].to_numpy() + places[str(model)] - 0.035 * len(looks),
            values,
            np.maximum(errors, 0),
            marker=look.marker,
            linestyle=look.line,
            color=look.colour,
            markersize=3,
            markerfacecolor=look.colour if target == "all positions" else "white",
            elinewidth=0.7,
            linewidth=0.8,
        )
    axes.set_xlabel("step")
    axes.set_xticks(range(int(fits["step"].max()) + 1))


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from the stage's tables."""
    options = arguments(CAPTION.split(".")[0], "stem of the tables of analysis.time_mapping", argv)
    tables = read_parts(options.inputs, COLUMNS)
    with styled():
        save(draw(tables), options.out, joined(tables), CAPTION)


if __name__ == "__main__":
    main()
