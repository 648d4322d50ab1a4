"""Figure: what the rules by which reaction times are kept do to the answer.

Run ``python -m figures.cleaning --in build/comparison/tang2018 --out build/figures/cleaning``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.files import arguments, is_simulated, read_parts, save
from figures.style import INK, PAGE_MM, apart, letter, looks_of, model_handles, new_figure, styled, title

CAPTION = """What the rules for reaction times do. Partial correlation (normal scores) over objects of model and human
time, with 95 % intervals (subjects and objects drawn anew), under each rule; of solution steps, given occlusion,
category, and the confidences of the feedforward sweep and of the feedforward control; of the uncertainty of the
feedforward sweep, given occlusion and category. In parentheses: reaction times kept, seconds; right: trials left of
all. As elsewhere: right answers without a mask, log reaction time, z scores within subjects."""
COLUMNS = ["model", "readout", "given", "partial", "partial_low", "partial_high", "n_used", "n_total"]
COLUMNS += ["rule", "shortest_s", "longest_s"]
TITLES = {"solution": "solution step, beyond confidence", "feedforward": "uncertainty at step 0"}


def draw(table: pd.DataFrame) -> Figure:
    """Draw a panel per readout, a line per rule and model.

    Parameters
    ----------
    table
        As `analysis.comparison_stage.cleaning_table` gives it.
    """
    table = table[table["given"].str.contains("category")]
    looks = looks_of(list(table["model"]))
    rules = list(dict.fromkeys(table["rule"]))
    figure = new_figure(PAGE_MM, 30 + (4 + 3.5 * len(looks)) * len(rules))
    title(figure, "What the rules for reaction times do", is_simulated(table))
    panels = figure.subplots(1, len(TITLES), sharey=True)
    for axes, (readout, name), place in zip(panels, TITLES.items(), "ab", strict=True):
        part = table[table["readout"] == readout]
        for row in part.to_dict("records"):
            look = looks[row["model"]]
            y = rules.index(row["rule"]) + apart(list(looks).index(row["model"]), len(looks), 0.6 / len(looks))
            axes.plot([row["partial_low"], row["partial_high"]], [y, y], color=look.colour, linewidth=0.9)
            axes.plot([row["partial"]], [y], look.marker, color=look.colour, markersize=3.4)
        axes.axvline(0, color=INK, linewidth=0.5, zorder=0)
        axes.set(title=name, xlabel="partial correlation with reaction time")
        letter(axes, place, 4)
    _label(panels, table, rules)
    figure.legend(handles=model_handles(looks), loc="outside lower left", ncols=5)
    return figure


def _label(panels: Sequence[Axes], table: pd.DataFrame, rules: Sequence[str]) -> None:
    """Name the rules at the left, and count trials at the right."""
    facts = table.drop_duplicates("rule").set_index("rule").loc[list(rules)]
    names = [f"{rule}\n({row['shortest_s']:g} – {row['longest_s']:g})" for rule, row in facts.iterrows()]
    panels[0].set_yticks(range(len(rules)), names)
    panels[0].set_ylim(len(rules) - 0.5, -0.5)
    for y, (used, total) in enumerate(zip(facts["n_used"], facts["n_total"], strict=True)):
        place = {"transform": panels[-1].get_yaxis_transform(), "va": "center", "fontsize": 6}
        panels[-1].text(1.02, y, f"{used:.0f}/{total:.0f}", **place)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from the table of rules."""
    options = arguments(str(__doc__), "beginning of the names of the comparison's files", argv)
    (table,) = read_parts(options.inputs, {"cleaning": COLUMNS}).values()
    with styled():
        save(draw(table), options.out, table, CAPTION)


if __name__ == "__main__":
    main()
