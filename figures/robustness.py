"""Accuracy under attack at every step, CNN-F against its feedforward control.

Run ``python -m figures.robustness --in build/robustness --out build/figures/robustness``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from figures.files import arguments, is_simulated, read_tables, save
from figures.style import CNNF, CONTROL, FAINT, NAMES, PAGE_MM, letter, new_figure, shades, styled, title

CAPTION = """Accuracy under attack, by step. Columns: attacks, each aimed at the very answer that is shown; first:
gradient through step 0 alone; e2e: through all steps; smooth: hard gates replaced by smooth ones in the backward pass;
autoattack: APGD on two losses and Square, by the Adversarial Robustness Toolbox; transfer: images made on the
feedforward control; any: right only where no attack changed the answer. Blue: CNN-F, answers of the last step's own
logits (filled circles) and of the mean over steps so far (open squares). Vermilion diamond: the feedforward control,
which has step 0 only; the dashed line carries it on. Bars: Wilson's 95 % interval over images. n: images attacked. An
image whose clean answer is wrong is wrong under attack."""
COLUMNS = ["kind", "data", "attack", "gradient", "readout", "step", "epsilon", "accuracy", "n_used", "low", "high"]
LINES = {
    ("cnnf", "last"): (1.0, "o", "full", 0.0),
    ("cnnf", "average"): (0.55, "s", "none", 0.09),
    ("cnn", "last"): (1.0, "D", "full", -0.09),
}
LABELS = {("cnnf", "last"): "last step", ("cnnf", "average"): "average over steps", ("cnn", "last"): ""}
PER_ROW, ROW_MM, TOP_MM = 5, 44.0, 16.0


def draw(table: pd.DataFrame) -> Figure:
    """Draw a panel per data set, ε and attack.

    Parameters
    ----------
    table
        Rows of `neurocnnf.robustness.robustness_on`, of one CNN-F and its control or either, per data set.
    """
    keys = ["data", "epsilon", "attack", "gradient"]
    shown = [key for key, _ in table.groupby(keys, sort=False)]
    n_columns = min(PER_ROW, len(shown))
    n_rows = -(-len(shown) // n_columns)
    figure = new_figure(PAGE_MM, TOP_MM + ROW_MM * n_rows)
    title(figure, "Accuracy under attack", is_simulated(table))
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True).ravel()
    for place, (axes, key) in enumerate(zip(panels, shown, strict=False)):
        part = table[(table[keys] == list(key)).all(axis=1)]
        _panel(axes, part, int(table["step"].max()))
        letter(axes, "abcdefghijklmnopqrstuvwxyz"[place % 26])
        if place % n_columns == 0:
            axes.set_ylabel(f"{key[0]}\naccuracy")
        if place + n_columns >= len(shown):
            axes.set_xlabel("step")
            axes.tick_params(labelbottom=True)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    _legend(figure, table)
    return figure


def _panel(axes: Axes, part: pd.DataFrame, last: int) -> None:
    """Draw one attack's accuracies by step, with their intervals."""
    attack, gradient = part[["attack", "gradient"]].iloc[0]
    name = attack if gradient in ("none", attack) or attack.startswith(gradient) else f"{attack} {gradient}"
    numbers = "/".join(str(n) for n in sorted(set(part["n_used"])))
    axes.set_title(name if attack == "clean" else f"{name}\nε = {part['epsilon'].iloc[0]:g}")
    axes.text(0.04, 0.04, f"n = {numbers}", color=FAINT, transform=axes.transAxes)
    axes.set_xlim(-0.35, last + 0.35)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xticks(range(last + 1))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    for (kind, readout), (shade, marker, fill, shift) in LINES.items():
        rows = part[(part["kind"] == kind) & (part["readout"] == readout)].sort_values("step")
        if rows.empty:
            continue
        colour = shades(CNNF if kind == "cnnf" else CONTROL, 1, 1.0)[0]
        steps, accuracy = rows["step"].to_numpy(), rows["accuracy"].to_numpy()
        # At 0 and 1 Wilson's interval ends there, but for the rounding.
        errors = np.maximum([accuracy - rows["low"], rows["high"] - accuracy], 0)
        axes.errorbar(
            steps + shift, accuracy, errors, color=colour, alpha=shade, marker=marker, fillstyle=fill,
            markersize=3.4, elinewidth=0.6, linewidth=1.1, clip_on=False,
        )  # fmt: skip
        if len(rows) == 1 and last:
            axes.plot([shift, last], [accuracy[0]] * 2, color=colour, linestyle=(0, (3, 1.6)))


def _legend(figure: Figure, table: pd.DataFrame) -> None:
    handles = []
    for (kind, readout), (shade, marker, fill, _) in LINES.items():
        if kind in set(table["kind"]):
            colour = CNNF if kind == "cnnf" else CONTROL
            label = ", ".join(filter(None, [NAMES[kind], LABELS[kind, readout]]))
            handles.append(
                Line2D([], [], color=colour, alpha=shade, marker=marker, fillstyle=fill, markersize=3.4, label=label)
            )
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), handlelength=2.6)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from tables of robustness."""
    options = arguments(str(__doc__), "tables of neurocnnf robustness (.csv)", argv)
    table = pd.concat(read_tables(options.inputs, COLUMNS), ignore_index=True)
    with styled():
        save(draw(table), options.out, table, CAPTION)


if __name__ == "__main__":
    main()
