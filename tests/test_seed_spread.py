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
    # Of three tests: a and b have the same p (one is the other, scaled), c the largest.
    assert row["p_holm"] == pytest.approx(3 * paired.pvalue)


def test_what_differs_alike_in_every_seed_counts_in_the_family():
    table = spread.by_seed(suite(), "cnn-x")
    alike = (table["benchmark"] == "b") & (table["model"] == "cnnf-x")
    table.loc[alike, "difference"] = -0.05
    summary = spread.over_seeds(table)
    here = summary[summary["model"] == "cnnf-x"].set_index("benchmark")
    assert here.loc["b", ["p", "p_holm"]].isna().all()
    assert here.loc["a", "p_holm"] == pytest.approx(3 * here.loc["a", "p"])  # of a, b and c
    assert np.isnan(here.loc["d", "p_holm"])  # of which there are no pairs


def test_seeds_without_a_score_are_counted():
    assert (summary_of("c", "cnn-x")["n_seeds"], summary_of("c", "cnn-x")["n_total"]) == (2, 3)
    row = summary_of("c", "cnnf-x")  # three scores, two pairs
    assert (row["n_seeds"], row["n_pairs"], row["state"]) == (3, 2, "scored")
    assert summary_of("c", "cnn-x")["state"] == "not scored"
    assert row["difference"] == pytest.approx(np.mean([OURS[s] - CONTROL[s] for s in (0, 1)]) / 0.8)
    assert (summary_of("d", "cnnf-x")["n_seeds"], summary_of("d", "cnnf-x")["state"]) == (0, "no data here")


def test_a_score_that_came_out_missing_does_not_turn_the_others_raw():
    table = suite()
    table.loc[(table["benchmark"] == "a") & (table["model"] == "cnn-x"), ["raw", "value"]] = np.nan
    found = spread.by_seed(table, "cnn-x").query("benchmark == 'a'")
    assert set(found["quantity"]) == {"value"}
    (row,) = spread.over_seeds(found).query("model == 'cnn-x'").to_dict("records")
    assert (row["n_seeds"], row["state"]) == (2, "missing")


def test_differences_that_differ_by_rounding_alone_have_no_interval():
    table = spread.by_seed(suite(), "cnn-x").query("benchmark == 'a'")
    table = table.assign(difference=table["difference"].notna() * (0.1 + 1e-17 * table["seed"]))
    table.loc[table["seed"] == 1, "difference"] += 3e-17
    row = spread.over_seeds(table[table["model"] == "cnnf-x"]).iloc[0]
    assert row[["low", "high", "p"]].isna().all()


def test_the_rows_of_many_models_lie_within_their_benchmark_and_on_the_page():
    kinds = [f"m{n}" for n in range(7)] + ["cnn"]
    rows = [
        {"benchmark": b, "model": f"{kind}-x", "state": "scored", "raw": 0.5 + 0.1 * n, "value": 0.5 + 0.1 * n}
        for b in "abcdefghij"
        for n, kind in enumerate(kinds)
    ]
    table = spread.by_seed(pd.DataFrame(rows).assign(simulated=False), "cnn-x")
    drawn = figure.draw(table, spread.over_seeds(table))
    low, high = sorted(drawn.axes[0].get_ylim())
    heights = np.array([line.get_ydata()[0] for line in drawn.axes[0].lines if line.get_markersize() == 4])
    assert len(heights) == 80
    assert (heights > low + 0.02).all()
    assert (heights < high - 0.02).all()
    assert (np.abs(heights - np.round(heights)) < 0.45).all()
    assert (np.unique(np.round(heights)) == np.arange(10)).all()
    assert drawn.get_figheight() * 25.4 < 240


def test_without_any_score_the_figure_says_what_is_missing():
    table = spread.by_seed(suite().query("benchmark == 'd'"), "cnn-x")
    with pytest.raises(ValueError, match="NEUROCNNF_DATA"):
        figure.draw(table, spread.over_seeds(table))


@pytest.mark.parametrize(("p", "text"), [(1.0, ", p 1.000"), (0.04, ", p .040"), (0.0004, ", p < .001"), (np.nan, "")])
def test_cells_for_readers(p, text):
    summary = spread.over_seeds(spread.by_seed(suite(), "cnn-x")).assign(p_holm=p)
    cells = spread.as_cells(summary).set_index(spread.HEADER)
    row = summary_of("a", "cnnf-x")
    whole = [
        f"{row[name]:.3f}".replace("0.", ".").replace("-", "−") for name in ("mean", "sd", "difference", "low", "high")
    ]
    assert cells.loc["a", "cnnf-x"] == "{} ± {}; {} [{}, {}]".format(*whole) + text
    assert cells.loc["a", "cnn-x"] == ".667 ± .019"  # the control: no difference from itself
    assert cells.loc["d"].tolist() == ["no data here"] * 2


def test_a_control_that_was_not_scored_is_an_error():
    with pytest.raises(ValueError, match="expected one of cnnf-x, cnn-x, got 'cnn-y'"):
        spread.by_seed(suite(), "cnn-y")


def test_the_stage_writes_its_tables_and_the_figure_shows_every_benchmark_with_data(tmp_path, capsys):
    suite().to_csv(tmp_path / "suite.csv", index=False)
    spread.main(["--suite", str(tmp_path / "suite.csv"), "--control", "cnn-x", "--out", str(tmp_path / "spread")])
    lines = capsys.readouterr().out.splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines]
    assert [row[0] for row in cells[2:]] == ["a", "b (raw)", "c", "d"]
    assert "(2 / 3)" in lines[4]
    assert "(2 pairs)" in lines[4]
    assert "/ 3" not in lines[2]
    assert lines[5].count("no data here") == 2
    assert (tmp_path / "spread.md").read_text().splitlines() == lines
    figure.main(["--in", str(tmp_path / "spread"), "--out", str(tmp_path / "figure")])
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    drawn = figure.draw(*(pd.read_csv(tmp_path / f"spread.{part}.csv") for part in ("scores", "summary")))
    labels = [one.get_text() for one in drawn.axes[0].get_yticklabels()]
    assert labels == ["a", "b (raw)", "c", "d"]
    words = [one.get_text() for one in drawn.axes[1].texts]
    assert (words.count("3/3"), words.count("2/3"), words.count("0/3")) == (5, 1, 2)
    assert [one.get_text() for one in drawn.axes[0].texts] == ["no data here"] * 2
    row = summary_of("a", "cnnf-x")
    assert any(list(line.get_xdata()) == pytest.approx([row["low"], row["high"]]) for line in drawn.axes[1].lines)
    # of the three small points of one model and benchmark on the left
    small = [line for line in drawn.axes[0].lines if len(line.get_xdata()) == 3]
    assert sorted(small[0].get_xdata()) == pytest.approx(sorted(value / 0.8 for value in OURS.values()))
