"""Tests of the table of every model and study of time: nothing is chosen after seeing, nothing missing is left out."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from analysis import times_by_study as times
from analysis.model_comparison import GIVEN
from figures import times_by_study as figure

MODELS = ("cnnf-x", "cnn-x")


def suite():
    rows = []
    for benchmark in times.MEASURES:
        here = benchmark in ("maniquet2025.rt", "zhang2011.IT-decoding")
        for k, model in enumerate(MODELS):
            row = {"benchmark": benchmark, "model": model, "state": "scored" if here else "no data here"}
            row |= {"value": 0.5 - 0.1 * k, "low": 0.3, "high": 0.6, "raw": 0.4, "raw_low": 0.2, "raw_high": 0.5}
            row |= {"p": 0.01 if k == 0 else np.nan, "control": "cnn-x" if k == 0 else None}
            row |= {"n_used": 10, "n_total": 12, "simulated": False}
            if not here:
                row |= dict.fromkeys(("value", "low", "high", "raw", "raw_low", "raw_high", "p", "n_used"), np.nan)
            rows.append(row)
    table = pd.DataFrame(rows)
    table.loc[table["benchmark"] == "zhang2011.IT-decoding", ["value", "low", "high"]] = np.nan
    return table


def comparison():
    rows = []
    for given in GIVEN:
        for model in MODELS:
            for k, readout in enumerate(
                ("solution", "entropy", "feedforward") if model == "cnnf-x" else ("feedforward",)
            ):
                row = {"model": model, "readout": readout, "given": given, "partial": 0.1 * (k + 1)}
                row |= {"partial_low": 0.0, "partial_high": 0.9, "partial_ceiling": 0.8, "p": 0.04, "delta_aic": -1.0}
                rows.append(row | {"n_used": 100, "n_total": 130, "simulated": False})
    return pd.DataFrame(rows)


def masking():
    facts = {"fit": "masked", "n_used": 9, "n_total": 9}
    rows = [{"model": "cnnf-x", "aic": 126.0, **facts}] * 2
    rows += [{"model": "cnn-x", "aic": 146.0, **facts}]
    return pd.DataFrame(rows).assign(simulated=False)


def shares():
    rows = [{"model": "cnnf-x", "share": 0.75, "low": 0.6, "high": 0.9, "difference": 0.05, "p": 0.02}]
    return pd.DataFrame([*rows, {"model": "cnn-x", "share": 0.7, "low": 0.5, "high": 0.8}]).assign(simulated=False)


def parts(simulated=False):
    tables = {"comparison": comparison(), "masking": masking(), "masking_shares": shares()}
    return {name: table.assign(simulated=simulated) for name, table in tables.items()}


@pytest.fixture(scope="module")
def table():
    return times.tabulate(suite(), parts())


def test_every_question_has_a_row_for_every_model_also_without_data(table):
    assert len(table) == (len(times.MEASURES) + 2) * len(MODELS)
    assert (table["state"] == "no data here").sum() == (len(times.MEASURES) - 2) * len(MODELS)


def test_one_readout_laid_down_beforehand_is_taken_not_the_best(table):
    here = table[table["measure"] == times.PARTIAL].set_index("model")
    assert here.loc["cnnf-x", "effect"] == pytest.approx(0.1)  # solution; feedforward has .3
    assert here.loc["cnn-x", "effect"] == pytest.approx(0.1)


def test_the_share_of_deviance_is_tested_against_the_controls_and_the_difference_in_aic_is_of_the_fits(table):
    here = table[table["measure"] == times.DEVIANCE].set_index("model")
    assert here.loc["cnnf-x", ["effect", "low", "high", "p"]].tolist() == [0.75, 0.6, 0.9, 0.02]
    assert here.loc["cnnf-x", "against"] == "cnn-x"
    assert np.isnan(here.loc["cnn-x", "p"])
    assert here.loc["cnnf-x", "delta_aic"] == 20
    assert np.isnan(here.loc["cnn-x", "delta_aic"])


def test_without_a_ceiling_the_raw_score_is_shown_and_no_ceiling(table):
    here = table[table["study"] == "Zhang 2011"].iloc[0]
    assert (here["effect"], here["low"]) == (0.4, 0.2)
    assert np.isnan(here["ceiling"])


def test_simulated_observers_do_not_stand_under_the_studys_name():
    found = times.tabulate(suite(), parts(simulated=True))
    assert times.TANG not in set(found["study"])
    assert found[found["study"] == times.STAND_IN]["simulated"].all()


def test_models_of_the_comparison_may_be_others_than_those_of_the_suite():
    """Simulated observers see handwritten digits, and other models."""
    names = {"cnnf-x": "cnnf-digits", "cnn-x": "cnn-digits"}
    found = times.tabulate(suite(), {name: table.replace(names) for name, table in parts(True).items()})
    masked = found[found["measure"] == times.DEVIANCE].set_index("model")
    assert masked.loc["cnnf-digits", ["against", "delta_aic"]].tolist() == ["cnn-digits", 20]


def test_p_values_are_corrected_over_the_whole_table(table):
    tested = table["p"].notna()
    expected = multipletests(table.loc[tested, "p"], method="holm")[1]
    np.testing.assert_allclose(table.loc[tested, "p_holm"], expected)


def test_the_command_writes_what_the_figure_draws(tmp_path, capsys):
    suite().to_csv(tmp_path / "suite.csv", index=False)
    for name, part in parts().items():
        part.to_csv(tmp_path / f"c.{name}.csv", index=False)
    stem = str(tmp_path / "c")
    stems = ["--suite", str(tmp_path / "suite.csv"), "--comparison", stem, "--masking", stem]
    times.main([*stems, "--out", str(tmp_path / "t")])
    shown = capsys.readouterr().out
    assert "no data here" in shown
    assert (tmp_path / "t.tex").read_text().startswith(r"\begin{tabular}")
    figure.main(["--in", str(tmp_path / "t.csv"), "--out", str(tmp_path / "drawn")])
    text = (tmp_path / "drawn.svg").read_text()
    assert "no data here" in text
    assert "SIMULATED" not in text
