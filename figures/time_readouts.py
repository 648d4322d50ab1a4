"""Figure: what every readout of every model's time adds to human reaction times.

Run ``python -m figures.time_readouts --in build/comparison/tang2018 --out build/figures/time_readouts``. Beside the
usual files it writes the table in Markdown and LaTeX (``.md``, ``.tex``).
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.cells import MISSING, bounded, chance, number, write_cells
from figures.files import arguments, is_simulated, read_parts, save
from figures.style import CEILING, FAINT, INK, PAGE_MM, letter, looks_of, new_figure, styled, title

CAPTION = """What readouts of a model's time add to human reaction times. (a) Partial correlation (normal scores) of
model and human time over objects, with 95 % intervals (subjects and objects drawn anew; bounds as fitted on other
objects and subjects), given occlusion and, but for feedforward times themselves, the confidences of the feedforward
sweep and of the feedforward control (entropy, and margin of the right answer); gray: ceiling. Filled: category held
constant too. p: Holm, over all rows of one kind. (b) The same question, to single trials: difference in AIC of mixed
models of log reaction time, with crossed intercepts of subjects and objects, with and without model time (right of 0:
model time helps; a time that was not reached has a coefficient of its own). (c) In these, log reaction time per
standard deviation of model time, with 95 % Wald intervals. Times that were not reached are censored, not left out."""
COLUMNS = ["model", "readout", "given", "partial", "partial_low", "partial_high", "partial_ceiling", "p_holm"]
COLUMNS += ["delta_aic", "lr_p_holm", "beta", "beta_low", "beta_high", "n_reached", "n_used", "n_total"]


def draw(table: pd.DataFrame) -> Figure:
    """Draw partial correlations and differences in AIC, a line for each readout.

    Parameters
    ----------
    table
        As `analysis.model_comparison.compare_models` gives it.
    """
    lines = list(table[["model", "readout"]].drop_duplicates().itertuples(index=False, name=None))
    looks = looks_of([model for model, _ in lines])
    figure = new_figure(PAGE_MM, 30 + (7.5 if len(lines) < 24 else 5.5) * len(lines))
    study = "simulated" if is_simulated(table) else "Tang et al. 2018"
    title(figure, f"Readouts of model time against human reaction time: {study}", is_simulated(table))
    left, middle, right = figure.subplots(1, 3, sharey=True, width_ratios=(1.3, 1, 1))
    for y, (model, readout) in enumerate(lines):
        rows = table[(table["model"] == model) & (table["readout"] == readout)]
        for row in rows.to_dict("records"):
            filled = "category" in row["given"]
            look = {"color": looks[model].colour, "linewidth": 1.1 if filled else 0.6}
            at = y + (-0.18 if filled else 0.18)
            _point(left, row, "partial", at, look, filled)
            _point(right, row, "beta", at, look, filled)
            middle.plot([0, row["delta_aic"]], [at, at], **look)
            middle.plot([row["delta_aic"]], [at], "o", **_marker(look, filled))
            if filled:
                reach = [-row["partial_ceiling"], row["partial_ceiling"]]
                left.plot(reach, [y, y], color=CEILING, linewidth=7, alpha=0.5, solid_capstyle="butt", zorder=0)
                text = f"p {chance(row['p_holm']) or MISSING}"
                left.text(1.01, y, text, transform=left.get_yaxis_transform(), va="center", fontsize=6)
                text = f"{row['n_reached']}/{row['n_used']}"
                right.text(1.02, y, text, transform=right.get_yaxis_transform(), va="center", fontsize=6, color=FAINT)
    for axes, name, label in zip(
        (left, middle, right),
        "abc",
        ("partial correlation over objects", "ΔAIC, mixed models of trials", "log RT per SD of model time"),
        strict=True,
    ):
        axes.axvline(0, color=INK, linewidth=0.5, zorder=1)
        axes.set_xlabel(label)
        letter(axes, name, 4)
    left.set_yticks(
        range(len(lines)), [f"{readout.replace('_', ' ')}\n{model}" for model, readout in lines], fontsize=6
    )
    left.set_ylim(len(lines) - 0.5, -0.5)
    right.set_title("reached / trials", loc="right", fontsize=6, color=FAINT)
    return figure


def _point(axes: Axes, row: dict, name: str, y: float, look: dict, filled: bool) -> None:
    """Draw an estimate and its interval."""
    axes.plot([row[f"{name}_low"], row[f"{name}_high"]], [y, y], zorder=2, **look)
    axes.plot([row[name]], [y], "o", zorder=3, **_marker(look, filled))


def _marker(look: dict, filled: bool) -> dict:
    return {
        "color": look["color"],
        "markersize": 3.4 if filled else 2.6,
        "markerfacecolor": look["color"] if filled else "white",
    }


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """Write the comparison's numbers, a line for each readout and what is held constant."""
    numbers = table[["model", "readout", "given"]].replace({"readout": {"_": " "}}, regex=True)
    partial = ["partial", "partial_low", "partial_high"]
    name = "partial ρ, simulated people" if is_simulated(table) else "partial ρ"
    numbers[name] = [bounded(*values, 2) for values in table[partial].itertuples(index=False)]
    numbers["p (Holm)"] = table["p_holm"].map(chance)
    numbers["ΔAIC"] = [number(value, 1) for value in table["delta_aic"]]
    numbers["p (LR, Holm)"] = table["lr_p_holm"].map(chance)
    return numbers.assign(n=[f"{used}/{total}" for used, total in table[["n_used", "n_total"]].to_numpy()])


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure and write the table."""
    options = arguments(str(__doc__), "beginning of the names of the comparison's files", argv)
    (table,) = read_parts(options.inputs, {"comparison": COLUMNS}).values()
    with styled():
        save(draw(table), options.out, table, CAPTION)
    write_cells(options.out, cells(table))


if __name__ == "__main__":
    main()
