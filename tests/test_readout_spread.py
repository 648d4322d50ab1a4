"""Tests of readouts over trainings: Student's intervals of mixed models' effects, what is missing counted."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import readout_spread as spread

BETAS = {"solution": (0.02, -0.01, 0.03), "observer": (np.nan, 0.01, 0.02), "evidence": (0.05, 0.06, 0.055)}


def comparison(seed, name="cnnf-x", n_steps=2, quick=False):
    """One training's table and provenance: the model's rows first, then the control's, whose numbers are larger."""
    rows = []
    for model, more in ((name, 0.0), ("cnn-x", 1.0)):
        for given in ("occlusion", "category"):
            for readout, betas in {**BETAS, "feedforward": (9.0,) * 3}.items():
                row = {"given": given, "readout": readout, "beta": betas[seed] + more, "simulated": False}
                row |= {"beta_low": -1.0, "beta_high": 1.0, "lr_p": 0.1, "lr_p_holm": 0.9 - 0.1 * seed - more / 2}
                rows.append(row | {"model": model if seed == 0 else f"{model}-seed{seed}", "delta_aic": seed - 2.0})
    return pd.DataFrame(rows), {"models": [rows[0]["model"], "cnn-x"], "n_steps": n_steps, "quick": quick}


@pytest.fixture
def table():
    return spread.by_seed([comparison(seed) for seed in (2, 0, 1)])


def test_rows_are_the_recurrent_models_and_the_reading_held_constant_stays_out(table):
    assert set(table["model"]) == {"cnnf-x"}
    assert set(table["readout"]) == set(BETAS)
    here = table[(table["readout"] == "solution") & (table["given"] == "category")].set_index("seed")["beta"]
    assert [here[seed] for seed in range(3)] == list(BETAS["solution"])


def test_effects_have_students_interval_corrected_over_the_readouts_of_a_set(table):
    summary = spread.over_seeds(table)
    assert len(summary) == 6
    for _, one in summary.groupby("given"):
        one = one.set_index("readout")
        for readout, betas in BETAS.items():
            found = np.array([beta for beta in betas if beta == beta])
            test = stats.ttest_1samp(found, 0)
            bounds = test.confidence_interval()
            row = one.loc[readout]
            assert (row["mean"], row["low"], row["high"]) == pytest.approx((found.mean(), bounds.low, bounds.high))
            assert row["p"] == pytest.approx(test.pvalue)
            assert (row["n_seeds"], row["n_total"]) == (len(found), 3)
        smallest = one["p"].min()
        assert smallest == one.loc["evidence", "p"]
        assert one.loc["evidence", "p_holm"] == pytest.approx(3 * smallest)


def test_the_smallest_p_and_the_range_of_aic_are_over_trainings(table):
    row = spread.over_seeds(table).iloc[0]
    assert (row["lr_p_holm"], row["delta_aic_low"], row["delta_aic_high"]) == (pytest.approx(0.7), -2.0, 0.0)


@pytest.mark.parametrize(
    "other",
    [comparison(1, "cnnf-y"), comparison(0), comparison(1, n_steps=5), comparison(1, quick=True)],
    ids=["another model", "the same seed", "other steps", "a subsample"],
)
def test_trainings_that_are_not_alike_are_refused(other):
    with pytest.raises(ValueError, match="expected one table of each training of one model, made alike, got cnnf-x, "):
        spread.by_seed([comparison(0), other])


def test_files_are_read_and_written(tmp_path, capsys):
    for seed, name in ((0, "cnnf-x"), (1, "cnnf-x-seed1")):
        table, note = comparison(seed)
        table.to_csv(tmp_path / f"{name}.comparison.csv", index=False)
        (tmp_path / f"{name}.json").write_text(json.dumps(note))
    stems = [str(tmp_path / name) for name in ("cnnf-x", "cnnf-x-seed1")]
    spread.main(["--in", *stems, "--out", str(tmp_path / "readouts")])
    text = (tmp_path / "readouts.md").read_text()
    assert capsys.readouterr().out == text
    assert (tmp_path / "readouts.tex").read_text().isascii()
    assert "| occlusion | observer | 1/2 | .0100 |  | .800 | −2.0 to −1.0 |" in text
    assert len(pd.read_csv(tmp_path / "readouts.scores.csv")) == 12
