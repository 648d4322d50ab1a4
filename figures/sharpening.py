"""Figure: how far feedback restores degraded images, beside filters and inversion.

Run ``python -m figures.sharpening --in build/sharpening/mnist.csv --out build/figures/sharpening``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.files import arguments, read_tables, save
from figures.style import CATEGORIES, CNNF, CONTROL, FAINT, INK, PAGE_MM, letter, new_figure, shades, styled, title

CAPTION = """Does feedback sharpen obfuscated images? Likeness to the clean image, mean over test images with 95 %
intervals, by strength of the degradation: of the degraded input (black), of a Gaussian filter of it whose width was
chosen on training images as degraded, of a median filter of it, of the best inversion of the feedforward control
(smooth pixels to which a layer responds as to the degraded image; layer and smoothness chosen like the width; fewer
images), and of CNN-F's reconstruction at steps 1 (light) to the last (dark). Gain and offset of every image are those
that fit the clean one best. Above: peak signal-to-noise ratio; below: structural similarity (Wang et al. 2004)."""
COLUMNS = ["degradation", "level", "way", "step", "n_images", "model"]
COLUMNS += [f"{name}{end}" for name in ("psnr", "ssim") for end in ("", "_low", "_high")]
LABELS = {"psnr": "PSNR (dB)", "ssim": "SSIM"}
UNITS = {"noise": "noise (SD)", "blur": "blur (SD, pixels)", "occlusion": "occlusion (share)"}
STEP = "step"
LOOKS = {
    "degraded input": (INK, "o"),
    "gaussian filter": (CATEGORIES[0], "s"),
    "median filter": (CATEGORIES[1], "^"),
    "inversion": (CONTROL, "D"),
}


def draw(table: pd.DataFrame) -> Figure:
    """Draw a column per degradation, a row per measure.

    Parameters
    ----------
    table
        As `analysis.sharpening.measure` gives it, with the model's name; of one model, or of several trainings.
    """
    models = list(table["model"].unique())
    if len(models) > 1:
        table = over_models(table)
    kinds = list(table["degradation"].unique())
    figure = new_figure(PAGE_MM, 108)
    title(figure, f"Likeness to the clean image: {', '.join(models)}", False)
    panels = figure.subplots(2, len(kinds), squeeze=False, sharex="col", sharey="row")
    for row, name in zip(panels, LABELS, strict=True):
        for axes, kind in zip(row, kinds, strict=True):
            _panel(axes, table[table["degradation"] == kind], name)
        row[0].set_ylabel(LABELS[name])
    for axes, kind in zip(panels[1], kinds, strict=True):
        axes.set_xlabel(UNITS.get(kind, kind))
    for axes, name in zip(panels.flat, "abcdefgh", strict=False):
        letter(axes, name, 9)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=5)
    counts = " / ".join(str(n) for n in sorted(table["n_images"].unique(), reverse=True))
    of_each = f", {len(models)} trainings" if len(models) > 1 else ""
    figure.text(0.99, 0.005, f"n = {counts} images{of_each}", ha="right", va="bottom", color=FAINT)
    return figure


def over_models(table: pd.DataFrame) -> pd.DataFrame:
    """Give the mean over models, and, of what a network restored, their lowest and highest in place of the intervals.

    Raises
    ------
    ValueError
        If models were shown different numbers of images.
    """
    keys = ["degradation", "level", "way", "step"]
    if (table.groupby(keys)["n_images"].nunique() > 1).any():
        raise ValueError("sharpening: expected as many images of every training, got others. Give tables made alike.")
    network = table["way"].isin([STEP, "inversion"])
    ends = {f"{measure}_{end}": measure for measure in LABELS for end in ("low", "high")}
    table = table.assign(**{end: table[end].where(~network, table[measure]) for end, measure in ends.items()})
    how = dict.fromkeys(LABELS, "mean") | {end: "min" if end.endswith("low") else "max" for end in ends}
    return table.groupby([*keys, "n_images"], sort=False).agg(how).reset_index()


def _panel(axes: Axes, table: pd.DataFrame, name: str) -> None:
    colours = shades(CNNF, int(table["step"].max()) or 1, 0.3)
    for (way, step), part in table.groupby(["way", "step"], sort=False):
        colour, marker = (colours[int(step) - 1], ".") if way == STEP else LOOKS[str(way)]
        values = part[name].to_numpy()
        errors = np.maximum([values - part[f"{name}_low"], part[f"{name}_high"] - values], 0)
        label = f"CNN-F, step {step}" if way == STEP else str(way)
        look = {"color": colour, "marker": marker, "markersize": 3, "linewidth": 0.9, "elinewidth": 0.6}
        axes.errorbar(part["level"], values, errors, label=label, **look)
    axes.set_xticks(sorted(table["level"].unique()))


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from the table."""
    options = arguments(str(__doc__), "tables of analysis.sharpening (.csv), one for each training", argv)
    table = pd.concat(read_tables(options.inputs, COLUMNS), ignore_index=True)
    with styled():
        save(draw(table), options.out, table, CAPTION)


if __name__ == "__main__":
    main()
