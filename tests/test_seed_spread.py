"""Tests of what several seeds say: pairs are of one seed, intervals are Student's, and what is missing is counted."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import seed_spread as spread
from figures import seed_spread as figure

OURS, CONTROL = {0: 0.50, 1: 0.46, 2: 0.47}, {0: 0.55, 1: 0.53, 2: 0.52}


def suite():
    """A benchmark with ceilings, one without for one model's seed, one of which a seed failed, one without data."""
    rows = []
    for seed in (2, 0, 1):  # in no order
        for model, values in (("cnnf-x", OURS), ("cnn-x", CONTROL)):
            name = model if seed == 0 else f"{model}-seed{seed}"
            row = {"model": name, "state": "scored", "raw": values[seed], "value": values[seed] / 0.8}
            rows.append({"benchmark": "a", **row})
            rows.append({"benchmark": "b", **row, "value": np.nan if name == "cnnf-x" else row["value"]})
            failed = {"state": "not scored", "raw": np.nan, "value": np.nan}
            rows.append({"benchmark": "c", **row, **(failed if name == "cnn-x-seed2" else {})})
            rows.append({"benchmark": "d", **row, **failed, "state": "no data here"})
    return pd.DataFrame(rows).assign(simulated=False)


def summary_of(benchmark, model):
    table = spread.over_seeds(spread.by_seed(suite(), "cnn-x"))
    (row,) = table[(table["benchmark"] == benchmark) & (table["model"] == model)].to_dict("records")
    return row


def test_each_seed_is_compared_with_the_control_of_its_own():
    table = spread.by_seed(suite(), "cnn-x")
    here = table[(table["benchmark"] == "a") & (table["model"] == "cnnf-x")].set_index("seed")
    assert set(here["quantity"]) == {"value"}
    for seed in OURS:
        assert here.loc[seed, "difference"] == pytest.approx((OURS[seed] - CONTROL[seed]) / 0.8)
    assert table.loc[table["model"] == "cnn-x", "difference"].isna().all()


def test_where_one_seed_has_no_ceiling_all_are_raw():
    table = spread.by_seed(suite(), "cnn-x")
    here = table[table["benchmark"] == "b"]
    assert set(here["quantity"]) == {"raw"}
    assert here.loc[here["model"] == "cnnf-x"].set_index("seed")["score"].to_dict() == OURS


def test_the_interval_over_seeds_is_students():
    row = summary_of("a", "cnnf-x")
    differences = np.array([OURS[seed] - CONTROL[seed] for seed in OURS]) / 0.8
    half = stats.t.ppf(0.975, 2) * differences.std(ddof=1) / np.sqrt(3)
    assert row["mean"] == pytest.approx(np.mean([*OURS.values()]) / 0.8)
    assert row["sd"] == pytest.approx(np.std([*OURS.values()], ddof=1) / 0.8)
    assert (row["low"], row["high"]) == pytest.approx((differences.mean() - half, differences.mean() + half))
    paired = stats.ttest_rel([OURS[s] for s in OURS], [CONTROL[s] for s in OURS])
    assert row["p"] == pytest.approx(paired.pvalue)
    assert row["p_holm"] >= row["p"]


def test_seeds_without_a_score_are_counted():
    assert (summary_of("c", "cnn-x")["n_seeds"], summary_of("c", "cnn-x")["n_total"]) == (2, 3)
    row = summary_of("c", "cnnf-x")  # three scores, two pairs
    assert row["n_seeds"] == 3
    assert row["difference"] == pytest.approx(np.mean([OURS[s] - CONTROL[s] for s in (0, 1)]) / 0.8)
    assert summary_of("d", "cnnf-x")["n_seeds"] == 0


def test_without_any_score_the_figure_says_what_is_missing():
    table = spread.by_seed(suite().query("benchmark == 'd'"), "cnn-x")
    with pytest.raises(ValueError, match="NEUROCNNF_DATA"):
        figure.draw(table, spread.over_seeds(table))


def test_a_control_that_was_not_scored_is_an_error():
    with pytest.raises(ValueError, match="expected one of cnnf-x, cnn-x, got 'cnn-y'"):
        spread.by_seed(suite(), "cnn-y")


def test_the_stage_writes_its_tables_and_the_figure_shows_every_benchmark_with_data(tmp_path, capsys):
    suite().to_csv(tmp_path / "suite.csv", index=False)
    spread.main(["--suite", str(tmp_path / "suite.csv"), "--control", "cnn-x", "--out", str(tmp_path / "spread")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| a", "| b (raw)", "| c"]
    assert "2 / 3" in lines[4]
    assert "3 / 3" in lines[2]
    assert (tmp_path / "spread.md").read_text().splitlines() == lines
    figure.main(["--in", str(tmp_path / "spread"), "--out", str(tmp_path / "figure")])
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    drawn = figure.draw(*(pd.read_csv(tmp_path / f"spread.{part}.csv") for part in ("scores", "summary")))
    labels = [one.get_text() for one in drawn.axes[0].get_yticklabels()]
    assert labels == ["a", "b (raw)", "c"]
    # of the three small points of one model and benchmark on the left
    small = [line for line in drawn.axes[0].lines if len(line.get_xdata()) == 3]
    assert sorted(small[0].get_xdata()) == pytest.approx(sorted(value / 0.8 for value in OURS.values()))
