"""Figure, accuracy for time: people by deadline, models by step under one clock.

Run ``python -m figures.speed_accuracy --in build/speed_accuracy/kumbhar2021 --out build/figures/speed_accuracy``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.files import arguments, is_simulated, joined, read_parts, save
from figures.style import (
    BRAIN,
    CEILING,
    FAINT,
    INK,
    PAGE_MM,
    Look,
    letter,
    looks_of,
    new_figure,
    shades,
    spread,
    styled,
    title,
)

CAPTION = """Accuracy for time. a, b, c: accuracy of people (points, mean over observers with 95 % bootstrap interval
over observers) who had to answer at a deadline, under noise (with contrast reduced to a tenth), blur, and in colour
or gray (which of the two is 0, the files do not say; models see both in gray). Answered trials only; time-outs are
counted in the table. Lines: accuracy of each model under the one clock for all conditions, onset and duration of a
step, that fits these observers best. Dotted: chance. d: accuracy of the first model by step, by condition, in the
same colours. e: error of predicting an observer from the others: root mean squared difference of accuracies, with 95
% intervals over observers; by the model under one clock, under a clock for each level, by the other observers' mean
over deadlines (no time course), and by their mean curve (the ceiling, gray). f: the three measures of Subramanian et
al. (2025), as shares of what observers reach, of each model stopped at each step: curve fit (ceiling / error),
category-wise correlation, steepness (none for a single step); filled: observers that pass the inclusion rule, open:
all observers."""
COLUMNS = {
    "curves": ("condition", "time_ms", "accuracy", "low", "high", "source", "target", "simulated"),
    "steps": ("condition", "step", "accuracy", "model"),
    "comparison": ("prediction", "rmse", "rmse_low", "rmse_high", "model", "target"),
    "scores": ("target", "metric", "step", "normalised", "normalised_low", "normalised_high", "model"),
}
PANELS = {"noise": "noise SD", "blur": "blur SD", "colour or gray": "colour/gray"}
OBSERVERS, INCLUDED, EVERYONE, CHANCE = "observers", "included observers", "all observers", 0.1
PREDICTIONS = ("one clock", "a clock per level", "no time course", "other observers")
METRICS = {"curve-fit error": "curve fit", "category-wise correlation": "categories", "steepness": "steepness"}
LINES = {"one clock": "one\nclock", "a clock per level": "a clock\nper level", "no time course": "no time\ncourse"}
MARKS = ("o", "s", "^")


def draw(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw six panels.

    Parameters
    ----------
    tables
        ``curves``, ``steps``, ``comparison`` and ``scores``, as `analysis.speed_accuracy` gives them.
    """
    figure = new_figure(PAGE_MM, 122)
    title(figure, "Accuracy for time: people by deadline, models by step", is_simulated(tables["curves"]))
    looks = looks_of(list(tables["steps"]["model"]))
    axes = figure.subplots(2, 3)
    curves = tables["curves"][tables["curves"]["target"] == INCLUDED]
    for one, (name, prefix) in zip(axes[0], PANELS.items(), strict=True):
        _curves(one, curves[curves["condition"].str.startswith(prefix)], name, looks)
    axes[0, 0].set_ylabel("accuracy")
    _steps(axes[1, 0], tables["steps"])
    _errors(axes[1, 1], tables["comparison"], looks)
    _measures(axes[1, 2], tables["scores"], looks)
    for one, name in zip(axes.flat, "abcdef", strict=True):
        letter(one, name, 9)
    handles = [
        Line2D([], [], color=INK, marker="o", linestyle="", markersize=3.5, label="people"),
        *(Line2D([], [], color=INK, linestyle=look.line, label=look.name) for look in looks.values()),
        Line2D([], [], color=FAINT, linestyle=":", label="chance"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(6, len(handles)))
    return figure


def _colours(conditions: Sequence[str]) -> dict[str, tuple]:
    return dict(zip(conditions, shades(BRAIN, len(conditions), 0.4)[::-1], strict=True))


def _curves(axes: Axes, curves: pd.DataFrame, name: str, looks: Mapping[str, Look]) -> None:
    conditions = list(curves["condition"].unique())
    people = curves[curves["source"] == OBSERVERS]
    ends = [float(people[people["condition"] == c]["accuracy"].iloc[-1]) for c in conditions]
    for condition, place in zip(conditions, spread(ends, 0.07), strict=True):
        axes.text(1035, place, condition.rsplit(" ", 1)[-1], va="center", color=INK)
    for mark, (condition, colour) in zip(MARKS, _colours(conditions).items(), strict=False):
        here = curves[curves["condition"] == condition]
        for source, line in here.groupby("source", sort=False):
            if source == OBSERVERS:
                errors = [line["accuracy"] - line["low"], line["high"] - line["accuracy"]]
                axes.errorbar(line["time_ms"], line["accuracy"], errors, fmt=mark, color=colour, markersize=3.5)
            else:
                style = looks[str(source)].line
                axes.plot(line["time_ms"], line["accuracy"], linestyle=style, color=colour, linewidth=1)
    axes.axhline(CHANCE, color=FAINT, linestyle=":", linewidth=0.8)
    axes.set(title=name, xlabel="deadline (ms)", ylim=(0, 1), xlim=(150, 1130))
    axes.set_xticks([200, 400, 600, 800, 1000])


def _steps(axes: Axes, steps: pd.DataFrame) -> None:
    model = steps["model"].iloc[0]
    steps = steps[steps["model"] == model]
    for prefix, style in zip(PANELS.values(), ("-", "--", ":"), strict=True):
        here = steps[steps["condition"].str.startswith(prefix)]
        for condition, colour in _colours(list(here["condition"].unique())).items():
            line = here[here["condition"] == condition]
            axes.plot(line["step"], line["accuracy"], style, color=colour, marker=".", markersize=4)
    handles = [
        Line2D([], [], color=BRAIN, linestyle=style, label=name)
        for name, style in zip(PANELS, ("-", "--", ":"), strict=True)
    ]
    axes.legend(handles=handles, loc="upper center", ncols=3, columnspacing=1, handlelength=1.6)
    axes.axhline(CHANCE, color=FAINT, linestyle=":", linewidth=0.8)
    axes.set(title=f"{model}, by step", xlabel="step", ylabel="accuracy", ylim=(0, 1))


def _errors(axes: Axes, comparison: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    here = comparison[comparison["target"] == INCLUDED]
    people = here[here["prediction"] == PREDICTIONS[-1]].iloc[0]
    axes.axvspan(people["rmse_low"], people["rmse_high"], color=CEILING, linewidth=0)
    axes.axvline(people["rmse"], color=FAINT, linewidth=0.8)
    place, places, names = 0.0, [], []
    for prediction in PREDICTIONS[:-1]:
        for model, row in here[here["prediction"] == prediction].groupby("model", sort=False):
            if prediction == PREDICTIONS[2] and prediction in names:
                continue  # the same for every model
            look = looks[str(model)]
            colour = INK if prediction == PREDICTIONS[2] else look.colour
            one = row.iloc[0]
            errors = [[one["rmse"] - one["rmse_low"]], [one["rmse_high"] - one["rmse"]]]
            axes.errorbar([one["rmse"]], [place], xerr=errors, fmt=look.marker, color=colour, markersize=3.5)
            if prediction not in names:
                places.append(place)
                names.append(prediction)
            place += 1
        place += 0.6
    axes.set_yticks(places, [LINES.get(name, name) for name in names])
    axes.invert_yaxis()
    axes.set(title="error for one observer", xlabel="RMSE (accuracy)", xlim=(0, None))


def _measures(axes: Axes, scores: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """Draw the measures, steps from left to right; models a little apart."""
    order = list(looks)
    for place, metric in enumerate(METRICS):
        for (model, target), rows in scores[scores["metric"] == metric].groupby(["model", "target"], sort=False):
            look, last = looks[str(model)], max(int(scores["step"].max()), 1)
            at = place - 0.4 + 0.6 * rows["step"].to_numpy() / last + 0.06 * order.index(str(model))
            at = at + (0.03 if target == EVERYONE else 0.0)
            value = rows["normalised"].to_numpy()
            errors = [value - rows["normalised_low"].to_numpy(), rows["normalised_high"].to_numpy() - value]
            axes.errorbar(
                at,
                value,
                np.maximum(errors, 0),
                fmt=look.marker,
                color=look.colour,
                markersize=2.8,
                elinewidth=0.6,
                markerfacecolor=look.colour if target == INCLUDED else "white",
            )
    axes.axhline(1, color=FAINT, linewidth=0.8)
    axes.axhline(0, color=INK, linewidth=0.5)
    axes.set_xticks(range(len(METRICS)), list(METRICS.values()))
    axes.set(title="three measures, by step", ylabel="score / ceiling")


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figure from the stage's tables."""
    options = arguments(CAPTION.split(".")[0], "stem of the tables of analysis.speed_accuracy", argv)
    tables = read_parts(options.inputs, COLUMNS)
    with styled():
        save(draw(tables), options.out, joined(tables), CAPTION)


if __name__ == "__main__":
    main()
