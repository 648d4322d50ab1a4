"""The composite over seeds is the mean of families that every model has, beside the control of the same seed."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.composite_spread import by_seed, main

SCORES = {  # benchmark: value of CNN-F by seed, then of its control
    "a.V4-ridge": ([0.4, 0.5], [0.6, 0.802]),
    "a.V4-pls": ([0.2, 0.3], [0.6, 0.6]),
    "b.humanIT-rsa": ([0.1, 0.1], [0.2, 0.4]),
    "cifar10h.entropy": ([0.9, 0.9], [np.nan, 0.1]),  # not of every model
    "maniquet2025.masking": ([np.nan] * 2, [np.nan] * 2),  # no ceiling
}


@pytest.fixture
def suite():
    rows = [
        {"benchmark": benchmark, "model": f"{kind}-x" + (f"-seed{seed}" if seed else ""), "value": value, "raw": 0.5}
        for benchmark, both in SCORES.items()
        for kind, values in zip(("cnnf", "cnn"), both, strict=True)
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows).assign(low=lambda t: t["value"] - 0.1, high=lambda t: t["value"] + 0.1, simulated=False)


def test_families_and_composite_of_each_seed(suite):
    table = by_seed(suite, "cnn-x")
    assert list(table["benchmark"].unique()) == [
        "V4 (2 benchmarks)", "IT (1 benchmark)", "composite (3 benchmarks)",
    ]  # fmt: skip
    table = table.set_index(["benchmark", "model", "seed"]).sort_index()
    score, difference = table["score"], table["difference"]
    assert score["V4 (2 benchmarks)", "cnnf-x"].tolist() == pytest.approx([0.3, 0.4])
    assert score["composite (3 benchmarks)", "cnnf-x"].tolist() == pytest.approx([0.2, 0.25])
    assert score["composite (3 benchmarks)", "cnn-x"].tolist() == pytest.approx([0.4, 0.5505])
    assert difference["composite (3 benchmarks)", "cnnf-x"].tolist() == pytest.approx([-0.2, -0.3005])
    assert difference.xs("cnn-x", level="model").isna().all()


def test_the_tables_hold_the_difference_over_seeds_with_p_corrected_over_families_and_composite(
    suite, tmp_path, capsys
):
    suite.to_csv(tmp_path / "suite.csv", index=False)
    main(["--suite", str(tmp_path / "suite.csv"), "--control", "cnn-x", "--out", str(tmp_path / "composite")])
    assert capsys.readouterr().out == (tmp_path / "composite.md").read_text()
    found = pd.read_csv(tmp_path / "composite.summary.csv").query("model == 'cnnf-x'")
    differences = np.array([[-0.3, -0.3 - 1e-3], [-0.1, -0.3], [-0.2, -0.3 - 5e-4]])  # V4, IT, composite
    assert found["difference"].tolist() == pytest.approx(differences.mean(axis=1).tolist())
    p = stats.ttest_1samp(differences, 0, axis=1).pvalue
    assert found["p_holm"].tolist() == pytest.approx(multipletests(p, method="holm")[1].tolist())


def test_one_family_is_not_tested_twice(suite):
    table = by_seed(suite[suite["benchmark"].str.contains("V4")], "cnn-x")
    assert set(table["benchmark"]) == {"V4 (2 benchmarks)"}


def test_without_a_benchmark_of_every_model_there_is_no_composite(suite):
    with pytest.raises(ValueError, match="expected a benchmark of some family"):
        by_seed(suite[suite["benchmark"].isin(["cifar10h.entropy", "maniquet2025.masking"])], "cnn-x")


def test_what_was_scored_on_simulated_recordings_says_so(suite):
    suite.loc[(suite["model"] == "cnnf-x-seed1") & (suite["benchmark"] == "a.V4-pls"), "simulated"] = True
    table = by_seed(suite, "cnn-x")
    assert set(table.loc[table["simulated"], "model"]) == {"cnnf-x"}
    assert set(table.loc[table["simulated"], "seed"]) == {1}
