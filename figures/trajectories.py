"""Figure: where representations go over steps, layer by layer.

Run ``python -m figures.trajectories --in build/decoded/cnnf-cifar-gray/tang2018 --out build/figures/trajectories``,
with the stem of what `analysis.decode_stage` wrote for each model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from figures.files import arguments, is_simulated, read_parts, save
from figures.style import CATEGORIES, CNNF, INK, MARKERS, PAGE_MM, letter, new_figure, number_map, styled, title

CAPTION = """Representational trajectories over steps, occluded stimuli, means with 95 % intervals over stimuli. (a)
Distance moved at each step, over the activation's mean length; layers are marked as in c. (b) Angle between successive
displacements: 0° straight on, 180° back. (c) Step at which each layer moved on average: layers on the right move last.
(d) Accuracy of a readout of whole objects, trained at one step (rows) and tested at another (columns), objects held
out. (e) Dissimilarity of steps in the same layer: 1 − Pearson correlation of activations, mean over stimuli. Shades of
d and e are the same for all models."""
PARTS = {
    "trajectories": ["model", "layer", "measure", "step", "mean", "low", "high", "n_used", "n_total"],
    "generalisation": ["model", "layer", "trained", "tested", "accuracy"],
    "steps": ["model", "layer", "step", "other_step", "dissimilarity"],
}


def draw(moved: pd.DataFrame, across: pd.DataFrame, between: pd.DataFrame) -> Figure:
    """Draw a row of panels for each model.

    Parameters
    ----------
    moved, across, between
        As `analysis.decode_stage.trajectory_tables` gives them, of all models.
    """
    models = list(dict.fromkeys(moved["model"]))
    figure = new_figure(PAGE_MM, 12 + 55 * len(models))
    title(figure, "Trajectories over steps", is_simulated(moved, across, between))
    between = between.merge(across[["model", "layer"]].drop_duplicates())  # of the layer that is read out
    limits = [(float(values.min()), float(values.max())) for values in (across["accuracy"], between["dissimilarity"])]
    panels = figure.subplots(len(models), 5, squeeze=False, width_ratios=(1, 1, 0.8, 1, 1))
    for row, model in zip(panels, models, strict=True):
        tables = (table[table["model"] == model] for table in (moved, across, between))
        _model(row, *tables, limits)
        row[0].set_title(model, loc="left")
    for axes, name in zip(panels[0], "abcde", strict=True):
        letter(axes, name, 6)
    return figure


def _model(row, moved: pd.DataFrame, across: pd.DataFrame, between: pd.DataFrame, limits) -> None:
    """Draw one model's five panels; `limits` of the two maps are those of all models."""
    layers = list(dict.fromkeys(moved["layer"]))
    looks = [
        {"color": (*CATEGORIES, CNNF, INK)[n % 7], "marker": MARKERS[n % len(MARKERS)], "markersize": 2.5}
        for n in range(len(layers))
    ]
    for axes, measure, label in zip(row, ("distance", "curvature"), ("distance moved", "angle (°)"), strict=False):
        for layer, look in zip(layers, looks, strict=True):
            part = moved[(moved["layer"] == layer) & (moved["measure"] == measure)].sort_values("step")
            axes.fill_between(part["step"], part["low"], part["high"], color=look["color"], alpha=0.2, linewidth=0)
            axes.plot(part["step"], part["mean"], linewidth=0.9, **look)
        axes.set(xlabel="step", ylabel=label)
        axes.set_xticks(sorted(moved.loc[moved["measure"] == measure, "step"].unique()))
    for y, (layer, look) in enumerate(zip(layers, looks, strict=True)):
        part = moved[(moved["layer"] == layer) & (moved["measure"] == "mean step")].iloc[0]
        row[2].plot([part["low"], part["high"]], [y, y], color=look["color"])
        row[2].plot([part["mean"]], [y], **look)
    row[2].set_yticks(range(len(layers)), layers)
    row[2].set(xlabel="mean step of movement", ylim=(len(layers) - 0.5, -0.5))
    accuracy = across.pivot(index="trained", columns="tested", values="accuracy")
    number_map(row[3], accuracy, _percent, limits=limits[0])
    row[3].set(xlabel="tested at step", ylabel="trained at step", title=f"accuracy (%), {across['layer'].iloc[0]}")
    dissimilarity = between.pivot(index="step", columns="other_step", values="dissimilarity")
    number_map(row[4], dissimilarity, _percent, limits=limits[1])
    row[4].set(xlabel="step", ylabel="step", title="dissimilarity × 100")


def _percent(value: float) -> str:
    return f"{round(100 * value)}"


def read_recurrent(stems: Sequence[Path]) -> list[pd.DataFrame]:
    """Read the tables of `PARTS`, of all models that take steps; one that stands in for several counts once."""
    layers = {stem: read_parts([stem], {"layers": ["model", "n_steps"]})["layers"].iloc[0] for stem in stems}
    models = {one["model"]: stem for stem, one in layers.items() if one["n_steps"] > 0}
    if not models:
        raise ValueError("trajectories: expected a recurrent model among those given, got none. Name one with steps.")
    tables = [read_parts([stem], PARTS) for stem in models.values()]
    return [pd.concat([one[part] for one in tables], ignore_index=True) for part in PARTS]


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure; its table holds the measures of layers."""
    options = arguments(str(__doc__), "beginning of the names of each model's files", argv)
    moved, across, between = read_recurrent(options.inputs)
    with styled():
        save(draw(moved, across, between), options.out, moved, CAPTION)


if __name__ == "__main__":
    main()
