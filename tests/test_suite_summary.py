"""The table of all benchmarks says what the scores say, what is missing, and which differences are more than chance."""

import json

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from analysis import suite_summary
from analysis.suite_summary import as_cells, read_suite, tabulate, write
from benchmarks import Score
from benchmarks.bootstrap import count_draws
from benchmarks.resamples import one_number
from benchmarks.resamples import tabulate as tabulate_samples
from benchmarks.statistics import compare_models

NAN = float("nan")
V4, MACAQUE, HUMAN, OST = "c.V4-ridge", "k.macaqueIT-rsa", "k.humanIT-rsa", "kar2019.ost"
MODELS = ("cnnf_x", "cnn_x")


def make(benchmark, model, height, ceiling=0.5, samples=True):
    rng = np.random.default_rng(0)
    images = rng.standard_normal(50)
    weights = np.vstack([np.ones(50), count_draws((np.arange(50),), 300, rng)]) / 50
    own = weights @ (images + 0.1 * np.random.default_rng(len(model)).standard_normal(50) + height)
    low, high = np.quantile(own[1:], [0.025, 0.975])
    has = not np.isnan(ceiling)
    value = (own[0] / ceiling, own[1:] / ceiling) if has else None
    return Score(
        benchmark=benchmark,
        model=model,
        value=own[0] / ceiling,
        raw=own[0],
        ceiling=ceiling,
        ceiling_rule="a rule" if has else "none: no subjects",
        interval=(low / ceiling, high / ceiling),
        raw_interval=(low, high),
        n_used=49,
        n_total=50,
        per_step=pd.DataFrame({"layer": ["low"], "step": [0], "raw": [own[0]]}),
        chosen=pd.DataFrame({"layer": ["low"]}),
        provenance={"seed": 0, "data_sha256": {}},
        samples=tabulate_samples(one_number(0, (own[0], own[1:]), value)) if samples else pd.DataFrame(),
    )


@pytest.fixture
def folder(tmp_path):
    """Write scores of two models; one of them lacks one."""
    for model, heights in zip(MODELS, ((0.9, 0.4, 0.3), (0.2, 0.4, NAN)), strict=True):
        make(V4, model, heights[0]).to_files(tmp_path / f"{model}.{V4}")
        make(MACAQUE, model, heights[1], NAN).to_files(tmp_path / f"{model}.{MACAQUE}")
        if not np.isnan(heights[2]):
            make(HUMAN, model, heights[2]).to_files(tmp_path / f"{model}.{HUMAN}")
    return tmp_path


@pytest.fixture
def scores(folder):
    return read_suite(folder, MODELS, [(V4, True), (MACAQUE, True), (HUMAN, True), (OST, False)])


def row(table, benchmark, model="cnnf_x"):
    return table[(table["benchmark"] == benchmark) & (table["model"] == model)].iloc[0]


def test_every_benchmark_and_model_has_a_row_and_what_is_missing_says_why(scores):
    table = tabulate(scores, "cnn_x")
    assert len(table) == 8
    assert row(table, V4)["state"] == "scored"
    assert row(table, HUMAN, "cnn_x")["state"] == "not scored"
    assert row(table, OST)["state"] == "no data here"
    assert table.loc[table["state"] != "scored", ["value", "raw", "p", "n_used"]].isna().all(axis=None)
    assert row(table, V4)["value"] == pytest.approx(scores[V4, "cnnf_x"].value)
    assert row(table, V4)["layers"] == "low"


def test_p_is_that_of_the_paired_test_and_corrected_over_the_table(scores):
    table = tabulate(scores, "cnn_x")
    tests = [
        compare_models(scores[V4, "cnnf_x"], scores[V4, "cnn_x"]),
        compare_models(scores[MACAQUE, "cnnf_x"], scores[MACAQUE, "cnn_x"], "raw"),
    ]
    found = table[table["p"].notna()].set_index("benchmark")
    assert found["quantity"].to_dict() == {V4: "value", MACAQUE: "raw"}
    np.testing.assert_allclose(found.loc[[V4, MACAQUE], "p"], [test.p for test in tests])
    corrected = multipletests([test.p for test in tests], method="holm")[1]
    np.testing.assert_allclose(found.loc[[V4, MACAQUE], "p_holm"], corrected)
    assert found.loc[V4, "p_holm"] < 0.05
    assert row(table, HUMAN)["note"] == "no score of cnn_x"
    assert table.loc[table["model"] == "cnn_x", "p"].isna().all()


def test_without_samples_there_is_no_test_and_the_note_says_so(scores):
    scores[V4, "cnn_x"] = make(V4, "cnn_x", 0.2, samples=False)
    found = row(tabulate(scores, "cnn_x"), V4)
    assert np.isnan(found["p"])
    assert found["note"].startswith("no paired test: cnn_x on c.V4-ridge: expected bootstrap samples, got none")


def test_without_a_control_nothing_is_tested(scores):
    table = tabulate(scores, None)
    assert table["p"].isna().all()
    assert set(as_cells(table)["differs (Holm)"]) == {"not tested"}


def test_cells_say_raw_where_there_is_no_ceiling(scores):
    cells = as_cells(tabulate(scores, "cnn_x")).set_index("benchmark")
    assert list(cells) == [*MODELS, "differs (Holm)", "ceiling", "n"]
    value = scores[V4, "cnnf_x"].value
    assert cells.loc[V4, "cnnf_x"].startswith(f"{value:.2f} [")
    assert cells.loc[MACAQUE, "cnnf_x"].startswith("raw ")
    assert cells.loc[MACAQUE, "ceiling"] == "none"
    assert cells.loc[V4, ["ceiling", "n"]].tolist() == ["0.50", "49 / 50"]
    assert cells.loc[OST].tolist() == ["no data here", "no data here", "not tested", "", ""]
    assert cells.loc[HUMAN, "cnn_x"] == "not scored"


def test_a_cell_names_the_models_that_differ_from_the_control_or_the_smallest_p(scores):
    table = tabulate(scores, "cnn_x")
    tested = table["p"].notna()
    table.loc[tested, "p_holm"] = np.where(table.loc[tested, "benchmark"] == V4, 0.03, 0.4)
    cells = as_cells(table).set_index("benchmark")["differs (Holm)"]
    assert cells[V4] == "cnnf_x (p 0.030)"
    assert cells[MACAQUE] == "none (p ≥ 0.40)"


def test_all_tables_are_written_and_twice_the_same(scores, tmp_path):
    out = tmp_path / "out" / "suite"
    paths = write(tabulate(scores, "cnn_x"), out)
    assert [path.name for path in paths] == [f"suite{ending}" for ending in suite_summary.ENDINGS]
    first = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write(tabulate(scores, "cnn_x"), out)] == first
    entries = pd.read_csv(out.with_name("suite.entries.csv")).set_index("benchmark")["state"]
    assert entries.to_dict() == {V4: "enters", MACAQUE: "no ceiling", HUMAN: "not of all models", OST: "no score"}


def test_the_command_reads_the_suite_there_is(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("NEUROCNNF_DATA", str(folder))  # no studies there
    suite_summary.main(["--in", str(folder), "--models", *MODELS, "--out", str(tmp_path / "o" / "s")])
    shown = capsys.readouterr().out
    assert "| kriegeskorte2008.judgement-rsa |" in shown
    assert "simulated" not in shown


def test_a_broken_score_is_named(folder):
    (folder / f"cnn_x.{V4}.json").write_text(json.dumps({"benchmark": V4}))
    with pytest.raises(ValueError, match=r"cnn_x\.c\.V4-ridge\.json: expected a score"):
        read_suite(folder, MODELS, [(V4, True)])
