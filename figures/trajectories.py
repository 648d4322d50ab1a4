"""Figure: where representations go over steps, layer by layer.

Run ``python -m figures.trajectories --in build/comparison/tang2018 --out build/figures/trajectories``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from figures.files import arguments, check_columns, find_tables, is_simulated, save
from figures.style import CATEGORIES, CNNF, INK, MARKERS, PAGE_MM, letter, new_figure, styled, title

CAPTION = """Representational trajectories over steps, occluded stimuli, means with 95 % intervals over stimuli. (a)
Distance moved at each step, over the activation's mean length. (b) Angle between successive displacements: 0°
straight on, 180° back. (c) Step at which each layer moved on average: layers on the right move last. (d) Accuracy of
a readout of whole objects, trained at one step (rows) and tested at another (columns), objects held out."""
MOVED = ["model", "layer", "measure", "step", "mean", "low", "high", "n_used", "n_total"]
ACROSS = ["model", "layer", "trained", "tested", "accuracy"]


def draw(moved: pd.DataFrame, across: pd.DataFrame) -> Figure:
    """Draw a row of panels for each model.

    Parameters
    ----------
    moved, across
        As `analysis.comparison_stage.trajectory_tables` gives them.
    """
    models = list(dict.fromkeys(moved["model"]))
    figure = new_figure(PAGE_MM, 12 + 55 * len(models))
    title(figure, "Trajectories over steps", is_simulated(moved, across))
    panels = figure.subplots(len(models), 4, squeeze=False)
    for row, model in zip(panels, models, strict=True):
        _model(figure, row, moved[moved["model"] == model], across[across["model"] == model])
        row[0].set_title(model, loc="left")
    for axes, name in zip(panels[0], "abcd", strict=True):
        letter(axes, name, 6)
    return figure


def _model(figure: Figure, row, moved: pd.DataFrame, across: pd.DataFrame) -> None:
    """Draw one model's four panels."""
    layers = list(dict.fromkeys(moved["layer"]))
    looks = [
        {"color": (*CATEGORIES, CNNF, INK)[n % 7], "marker": MARKERS[n % len(MARKERS)], "markersize": 2.5}
        for n in range(len(layers))
    ]
    for axes, measure, label in zip(row, ("distance", "curvature"), ("distance moved", "angle (°)"), strict=False):
        for layer, look in zip(layers, looks, strict=True):
            part = moved[(moved["layer"] == layer) & (moved["measure"] == measure)].sort_values("step")
            axes.fill_between(part["step"], part["low"], part["high"], color=look["color"], alpha=0.2, linewidth=0)
            axes.plot(part["step"], part["mean"], label=layer, linewidth=0.9, **look)
        axes.set(xlabel="step", ylabel=label)
        axes.set_xticks(sorted(moved.loc[moved["measure"] == measure, "step"].unique()))
    row[0].legend(fontsize=5.5, handlelength=1.2, labelspacing=0.2)
    for y, (layer, look) in enumerate(zip(layers, looks, strict=True)):
        part = moved[(moved["layer"] == layer) & (moved["measure"] == "mean step")].iloc[0]
        row[2].plot([part["low"], part["high"]], [y, y], color=look["color"])
        row[2].plot([part["mean"]], [y], **look)
    row[2].set_yticks(range(len(layers)), layers)
    row[2].set(xlabel="mean step of movement", ylim=(len(layers) - 0.5, -0.5))
    square = across.pivot(index="trained", columns="tested", values="accuracy")
    image = row[3].imshow(square, cmap="Blues", origin="upper")
    row[3].set(xlabel="tested at step", ylabel="trained at step", title=across["layer"].iloc[0])
    for trained, values in square.iterrows():
        for tested, value in values.items():
            dark = value > (square.to_numpy().min() + square.to_numpy().max()) / 2
            text = f"{100 * value:.0f}"
            row[3].text(tested, trained, text, ha="center", va="center", fontsize=5, color="white" if dark else INK)
    figure.colorbar(image, ax=row[3], label="accuracy", shrink=0.7)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure; its table holds the measures of layers."""
    options = arguments(str(__doc__), "beginning of the names of the comparison's files", argv)
    paths = find_tables(options.inputs, (".trajectories.csv", ".generalisation.csv"))
    tables = {path.name.split(".")[-2]: pd.read_csv(path) for path in paths}
    moved = check_columns(tables["trajectories"], MOVED, "trajectories")
    across = check_columns(tables["generalisation"], ACROSS, "generalisation")
    with styled():
        save(draw(moved, across), options.out, moved, CAPTION)


if __name__ == "__main__":
    main()
