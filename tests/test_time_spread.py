"""Tests of recognition times over trainings: Student's intervals, what is missing counted, trainings alike."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import time_spread as spread
from analysis.times_summary import TimesTables
from figures import time_spread as figure

ESTIMATES = {0: 0.10, 1: -0.05, 2: 0.04}


def training(seed, name="cnnf-x", n_steps=2, quick=False, simulated=False):
    """One training's tables: each of the statistics is the seed's estimate, plus its place; two others beside them."""
    rows = [
        {"statistic": statistic, "estimate": ESTIMATES[seed] + 0.1 * place, "low": -0.2, "high": 0.3 + 0.1 * place,
         "ceiling": 0.7, "p": 0.2, "n_used": 300, "n_total": 325, "simulated": simulated}
        for place, statistic in enumerate([*spread.SHOWN, "c_index"])
    ]  # fmt: skip
    rows[1]["estimate"] = np.nan if seed == 2 else rows[1]["estimate"]  # not to be computed in one training
    name = name if seed == 0 else f"{name}-seed{seed}"
    provenance = {"models": [name, "cnn-x"], "n_steps": n_steps, "quick": quick}
    return TimesTables(pd.DataFrame(rows), *[pd.DataFrame()] * 3, provenance)


@pytest.fixture
def table():
    return spread.by_seed([training(seed) for seed in (1, 0, 2)])


def test_each_training_keeps_its_own_interval_and_other_statistics_stay_out(table):
    assert set(table["statistic"]) == set(spread.SHOWN)
    (row,) = table[(table["seed"] == 1) & (table["statistic"] == "rho_model_time")].to_dict("records")
    assert (row["model"], row["estimate"], row["low"], row["high"]) == ("cnnf-x", -0.05, -0.2, 0.3)
    assert len(table) == 3 * len(spread.SHOWN)


def test_the_interval_over_trainings_is_students_and_p_is_corrected_over_the_statistics(table):
    summary = spread.over_seeds(table).set_index("statistic")
    values = np.array([*ESTIMATES.values()]) + 0.2
    row = summary.loc[[*spread.SHOWN][2]]
    half = stats.t.ppf(0.975, 2) * values.std(ddof=1) / np.sqrt(3)
    mean = values.mean()
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((mean, mean - half, mean + half))
    ps = [stats.ttest_1samp(np.array([*ESTIMATES.values()]) + 0.1 * k, 0).pvalue for k in (5, 4, 3, 2)]
    assert row["p"] == pytest.approx(ps[3])
    # The smallest of six first, each later one no smaller than the one before.
    expected = np.maximum.accumulate([6 * ps[0], 5 * ps[1], 4 * ps[2], 3 * ps[3]])
    order = [[*spread.SHOWN][k] for k in (5, 4, 3, 2)]
    assert list(summary.loc[order, "p_holm"]) == pytest.approx(list(expected))


def test_an_estimate_that_is_missing_is_counted(table):
    row = spread.over_seeds(table).iloc[1]
    assert (row["n_seeds"], row["n_total"]) == (2, 3)
    assert row["mean"] == pytest.approx((ESTIMATES[0] + ESTIMATES[1]) / 2 + 0.1)
    cells = spread.as_cells(table, spread.over_seeds(table))
    assert cells.loc[1, "seed 2"] == "missing"
    assert cells.loc[0, "seed 1"] == "−.050 [−.200, .300]"


def test_one_training_has_no_interval():
    summary = spread.over_seeds(spread.by_seed([training(0)]))
    assert summary[["low", "high", "p", "p_holm"]].isna().all(axis=None)


@pytest.mark.parametrize(
    "other",
    [training(1, name="cnnf-y"), training(1, n_steps=5), training(1, quick=True), training(0)],
    ids=["another model", "other steps", "a subsample", "the same seed"],
)
def test_trainings_that_are_not_alike_are_refused(other):
    with pytest.raises(ValueError, match="expected one table of each training of one model, made alike, got cnnf-x, "):
        spread.by_seed([training(0), other])


def test_files_are_read_and_written(tmp_path, capsys):
    for seed in (0, 1):
        one = training(seed, simulated=True)
        stem = one.provenance["models"][0]
        (tmp_path / f"{stem}.json").write_text(json.dumps(one.provenance))
        one.statistics.to_csv(tmp_path / f"{stem}.statistics.csv", index=False)
        for name in ("objects", "stimuli", "exclusions"):
            (tmp_path / f"{stem}.{name}.csv").write_text("a\n")
    spread.main(["--in", str(tmp_path / "cnnf-x"), str(tmp_path / "cnnf-x-seed1"), "--out", str(tmp_path / "times")])
    assert capsys.readouterr().out == (tmp_path / "times.md").read_text()
    assert (tmp_path / "times.tex").read_text().isascii()
    assert pd.read_csv(tmp_path / "times.summary.csv")["simulated"].all()
    figure.main(["--in", str(tmp_path / "times"), "--out", str(tmp_path / "drawn")])
    assert (tmp_path / "drawn.png").stat().st_size > 10_000
    assert "SIMULATED" in (tmp_path / "drawn.svg").read_text()


@pytest.mark.parametrize("quick", [False, True])
def test_a_figure_of_a_subsample_says_so(quick):
    table = spread.by_seed([training(seed, quick=quick) for seed in (0, 1)])
    drawn = figure.draw(table, spread.over_seeds(table))
    assert drawn.get_suptitle().endswith("over 2 trainings: cnnf-x" + (" (quick check)" if quick else ""))


def test_the_figure_shows_each_training_the_mean_and_what_is_missing(table):
    summary = spread.over_seeds(table)
    forest, numbers = figure.draw(table, summary).axes
    points = [line.get_xdata()[0] for line in forest.lines if len(line.get_xdata()) == 1]
    assert set(table["estimate"].dropna().round(9)) <= {round(point, 9) for point in points}
    assert set(summary["mean"].round(9)) <= {round(point, 9) for point in points}
    words = [text.get_text() for text in numbers.texts]
    assert sum(word.endswith("(2/3)") for word in words) == 1
    assert [label.get_text() for label in forest.get_yticklabels()] == list(spread.SHOWN.values())
