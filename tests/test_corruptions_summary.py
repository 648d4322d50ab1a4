"""Paired differences equal slow and other people's versions, hold the truth, and find a gain only where one is."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from analysis import corruptions_summary as summary
from figures import corruptions as figure
from figures.files import beside

CONDITIONS = [("clean", 0.0)] + [(kind, level) for kind in ("noise", "blur") for level in (1.0, 2.0)]


def simulate(accuracies, n=200, seed=0, model="cnnf-x", same=False, data="x"):
    """Draw right answers of a model, step by step; the same ones in all conditions where `same`."""
    rng = np.random.default_rng(seed)
    parts, drawn = [], None
    for kind, level in CONDITIONS:
        if drawn is None or not same:
            drawn = {f"step_{step}": (rng.random(n) < a).astype(int) for step, a in enumerate(accuracies)}
        parts.append(pd.DataFrame({"degradation": kind, "level": level, "image": range(n)} | drawn))
    return pd.concat(parts).assign(model=model, kind=model.split("-")[0], data=data)


def one_row(table, **where):
    """Return the only row that has these values."""
    for column, value in where.items():
        table = table[table[column] == value]
    (row,) = table.to_dict("records")
    return row


@pytest.fixture(scope="module")
def right():
    return pd.concat([simulate([0.5, 0.6, 0.8]), simulate([0.7], seed=1, model="cnn-x")], ignore_index=True)


@pytest.fixture(scope="module")
def table(right):
    return summary.summarise(right)


@pytest.mark.parametrize(("gained", "lost", "n"), [(0, 0, 50), (7, 3, 50), (40, 10, 60), (0, 300, 2000)])
def test_the_interval_is_that_of_the_multinomial_with_half_an_image_more_in_each_cell(gained, lost, n):
    share = (np.array([gained, lost, (n - gained - lost) / 2, (n - gained - lost) / 2]) + 0.5) / (n + 2)
    covariance = (np.diag(share) - np.outer(share, share)) / (n + 2)
    contrast = np.array([1, -1, 0, 0])
    wanted = contrast @ share + norm.ppf([0.025, 0.975]) * np.sqrt(contrast @ covariance @ contrast)
    np.testing.assert_allclose(summary.paired_interval(gained, lost, n), wanted, rtol=1e-12)


@pytest.mark.parametrize("cells", [(0.1, 0.05), (0.01, 0.01), (0.0, 0.0), (0.3, 0.1)])
def test_the_interval_holds_the_truth_as_often_as_it_says(cells):
    drawn = np.random.default_rng(0).multinomial(200, [*cells, 1 - sum(cells)], 2000)
    low, high = np.transpose([summary.paired_interval(gained, lost, 200) for gained, lost, _ in drawn])
    assert np.mean((low <= cells[0] - cells[1]) & (cells[0] - cells[1] <= high)) > 0.935


def test_every_number_of_a_condition_is_that_of_a_slow_count(right, table):
    for (kind, level), part in right.groupby(["degradation", "level"]):
        ours, theirs = (part[part["model"] == name] for name in ("cnnf-x", "cnn-x"))
        for quantity, other in ((summary.GAIN, ours["step_0"]), (summary.OVER_CONTROL, theirs["step_0"])):
            cells = np.zeros((2, 2), int)
            for a, b in zip(ours["step_2"], other, strict=True):
                cells[int(a), int(b)] += 1
            row = one_row(table, model="cnnf-x", degradation=kind, level=level, step=2, quantity=quantity)
            assert (row["n_gained"], row["n_lost"], row["n_images"]) == (cells[1, 0], cells[0, 1], 200)
            assert row["estimate"] == pytest.approx((cells[1, 0] - cells[0, 1]) / 200)
            assert row["p"] == pytest.approx(mcnemar(cells, exact=True).pvalue)
            assert row["p"] <= row["p_holm"] <= min(1, row["p"] * len(CONDITIONS)) + 1e-12
            assert (row["low"], row["high"]) == summary.paired_interval(cells[1, 0], cells[0, 1], 200)
        row = one_row(table, model="cnn-x", degradation=kind, level=level)
        wilson = proportion_confint(theirs["step_0"].sum(), 200, method="wilson")
        np.testing.assert_allclose([row["low"], row["high"]], wilson)
        assert row["quantity"] == summary.ACCURACY


def test_means_are_over_levels_and_then_over_all_corruptions_without_the_clean_images(table):
    means = table[table["level"].isna()]
    assert set(means["degradation"]) == {"noise", "blur", summary.ALL}
    single = table[table["level"].notna() & (table["degradation"] != "clean")]
    keys = ["model", "step", "quantity"]
    for values, part in single.groupby(keys):
        row = one_row(means, degradation=summary.ALL, **dict(zip(keys, values, strict=True)))
        assert row["estimate"] == pytest.approx(part["estimate"].mean())
        assert np.isnan(row["p"])


def test_a_mean_over_conditions_is_as_sure_as_its_images_are_many_not_as_its_pictures():
    """Answers that are the same in all conditions are one answer per image, not four."""
    found = summary.summarise(simulate([0.5, 0.7], n=400, same=True), n_resamples=4000)
    row = one_row(found, degradation=summary.ALL, quantity=summary.GAIN)
    one = one_row(found, degradation="noise", level=1, quantity=summary.GAIN)
    assert row["high"] - row["low"] == pytest.approx(one["high"] - one["low"], rel=0.08)
    apart = summary.summarise(simulate([0.5, 0.7], n=400), n_resamples=4000)
    row = one_row(apart, degradation=summary.ALL, quantity=summary.GAIN)
    assert row["high"] - row["low"] == pytest.approx((one["high"] - one["low"]) / 2, rel=0.12)


def test_a_gain_is_found_and_none_is_not(table):
    last = table[(table["model"] == "cnnf-x") & (table["step"] == 2)]
    gains = last[last["quantity"] == summary.GAIN]
    assert (gains["low"] > 0.1).all()
    assert (gains["p_holm"].dropna() < 0.001).all()
    nothing = summary.summarise(simulate([0.6, 0.6], seed=3))
    nothing = nothing[nothing["quantity"] == summary.GAIN]
    assert (nothing["low"] < 0).all()
    assert (nothing["high"] > 0).all()
    assert (nothing["p_holm"].dropna() > 0.05).all()


def test_a_model_without_a_control_is_compared_with_its_own_first_step_alone():
    found = summary.summarise(simulate([0.6, 0.6]))
    assert set(found["quantity"]) == {summary.ACCURACY, summary.GAIN}


def test_what_cannot_be_compared_is_refused(right):
    with pytest.raises(ValueError, match=r"expected the column\(s\) image, got none. Make the tables again"):
        summary.summarise(right.drop(columns="image"))
    with pytest.raises(ValueError, match=r"x: expected one feedforward control, got cnn-x, cnn-y\. Leave out"):
        summary.summarise(pd.concat([right, simulate([0.5], model="cnn-y")]))
    with pytest.raises(ValueError, match=r"x: expected the conditions and images of cnnf-x, .* for cnn-x"):
        summary.summarise(right[(right["model"] != "cnn-x") | (right["image"] < 100)])


@pytest.mark.filterwarnings("error")
def test_the_summary_is_written_and_drawn_with_every_model(right, tmp_path):
    more = pd.concat([right, simulate([0.4, 0.3, 0.2], model="lateral-x"), simulate([0.5, 0.6], data="y")])
    for model, part in more.groupby("model"):
        part.dropna(axis=1).to_csv(tmp_path / f"{model}.images.csv.gz", index=False)
    inputs = [str(path) for path in sorted(tmp_path.glob("*.csv.gz"))]
    summary.main(["--in", *inputs, "--out", str(tmp_path / "summary.csv")])
    written = pd.read_csv(tmp_path / "summary.csv")
    assert set(written["model"]) == {"cnnf-x", "cnn-x", "lateral-x"}
    figure.main(["--in", str(tmp_path / "summary.csv"), "--out", str(tmp_path / "out" / "fig")])
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".svg", ".pdf", ".png", ".csv", ".txt"}
    svg = beside(tmp_path / "out" / "fig", "svg").read_text()
    for words in ("lateral control", "feedforward control", "n = 200", "noise (SD)", "blur (SD, pixels)"):
        assert words in svg
    assert "SIMULATED" not in svg


def test_a_missing_column_is_named(table, tmp_path):
    table.drop(columns="p_holm").to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(ValueError, match=r"expected rows with the column\(s\) p_holm, got"):
        figure.main(["--in", str(tmp_path / "s.csv"), "--out", str(tmp_path / "fig")])
