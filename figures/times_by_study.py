"""Figure: what every study of time says of every model.

Run ``python -m figures.times_by_study --in build/times_by_study.csv --out build/figures/times_by_study``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.cells import chance
from figures.files import arguments, is_simulated, read_tables, save
from figures.style import CEILING, FAINT, INK, PAGE_MM, looks_of, model_handles, new_figure, styled, title

CAPTION = """Model time against human time and IT's, every study and model. Points: the one measure that was laid down
for each question, with 95 % intervals; gray: ceiling, where there is one (scores from the suite are divided by theirs:
1). Tang 2018: partial correlation of reaction time with the solution step (feedforward control: its uncertainty) given
confidences, occlusion and category, and share of the deviance of accuracy behind a mask that the truncated model
explains. p: against the control on the same resamples, or, for partial correlations, by permutation; Holm, over the
whole figure. ΔAIC above 0: the model's time helps. Studies whose data were not here are named."""
COLUMNS = ["study", "measure", "model", "state", "effect", "low", "high", "ceiling", "p_holm", "delta_aic", "n_used"]
COLUMNS += ["n_total", "simulated"]
MISSING, NUMBERS_AT = "missing", (0.78, 0.865, 1.0)


def draw(table: pd.DataFrame) -> Figure:
    """Draw a group of rows per question.

    Parameters
    ----------
    table
        As `analysis.times_by_study.tabulate` gives it.
    """
    looks = looks_of(list(table["model"]))
    known = table["effect"].notna()
    groups = list(table.groupby(["study", "measure"], sort=False))
    n_rows = sum(len(part) if part["effect"].notna().any() else 1 for _, part in groups) + 0.7 * len(groups)
    figure = new_figure(PAGE_MM, 26 + 4.3 * n_rows)
    title(figure, "Model time against time in people and in IT", is_simulated(table))
    axes = figure.subplots()
    down, ticks = 0.0, []
    reach = table.loc[known, ["effect", "low", "high"]].to_numpy()
    low, high = min(-0.1, float(np.nanmin(reach, initial=0))), max(1.0, float(np.nanmax(reach, initial=1)))
    for (study, measure), part in groups:
        here = part if part["effect"].notna().any() else part.iloc[:0]
        if here.empty:
            words, place = str(part["state"].iloc[0]), axes.get_yaxis_transform()
            axes.text(0.01, down, words, transform=place, va="center", color=FAINT)
        for row in here.to_dict("records"):
            _row(axes, row, down, looks[row["model"]])
            down += 1
        ticks.append((down - (len(here) + 1) / 2 if len(here) else down, f"{study}\n{measure}"))
        down += 0.7 + (len(here) == 0)
    axes.axvline(0, color=INK, linewidth=0.5, zorder=1)
    axes.set_yticks([y for y, _ in ticks], [text for _, text in ticks], fontsize=6)
    axes.set(ylim=(down - 0.5, -1.6), xlim=(low - 0.05, low + (high - low) / 0.7), xlabel="effect")
    axes.set_xticks([x for x in axes.get_xticks() if low - 0.05 <= x <= high])
    axes.tick_params(axis="y", length=0)
    for x, head in zip(NUMBERS_AT, ("p (Holm)", "ΔAIC", "n"), strict=True):
        axes.text(x, -1.1, head, transform=axes.get_yaxis_transform(), ha="right", va="center", fontsize=6, color=FAINT)
    handles = model_handles(looks)
    figure.legend(handles=handles, loc="outside lower left", ncols=min(5, len(handles)))
    return figure


def _row(axes, row: dict, down: float, look) -> None:
    """Draw a model's row, and write its numbers beside it."""
    if np.isnan(row["effect"]):
        axes.text(0.01, down, MISSING, transform=axes.get_yaxis_transform(), va="center", color=look.colour, fontsize=6)
        return
    if np.isfinite(row["ceiling"]):
        axes.plot([row["ceiling"]] * 2, [down - 0.5, down + 0.5], color=CEILING, linewidth=2, zorder=0)
    axes.plot([row["low"], row["high"]], [down, down], color=look.colour)
    axes.plot([row["effect"]], [down], look.marker, color=look.colour, markersize=3.6)
    p = chance(row["p_holm"])
    aic = "" if pd.isna(row["delta_aic"]) else f"{row['delta_aic']:.1f}".replace("-", "−")
    for x, words in zip(NUMBERS_AT, (p, aic, f"{row['n_used']:.0f}/{row['n_total']:.0f}"), strict=True):
        axes.text(x, down, words, transform=axes.get_yaxis_transform(), ha="right", va="center", fontsize=6)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from the table."""
    options = arguments(CAPTION.split(".")[0], "table of analysis.times_by_study", argv)
    (table,) = read_tables(options.inputs, COLUMNS)
    with styled():
        save(draw(table), options.out, table, CAPTION)


if __name__ == "__main__":
    main()
