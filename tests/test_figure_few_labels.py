"""The figure of learning curves writes its files, and a missing column is named."""

import pandas as pd
import pytest

from figures import few_labels
from figures.files import beside

pytestmark = pytest.mark.filterwarnings("error")


def write_runs(folder):
    rows = [
        {"data": "x", "input": source, "model": model, "n_per_class": n, "seed": seed, "step": step}
        for source, models in (("pixels", few_labels.STYLES), ("features", few_labels.CLASSICAL))
        for model in models
        for n in (5, 10, 50)
        for seed in (0, 1)
        for step in range(3 if model in ("cnnf", "lateral") else 1)
    ]
    table = pd.DataFrame(rows)
    table["accuracy"] = 0.5 + table["n_per_class"] / 200 + table["seed"] / 50 - table["step"] / 100
    table.assign(n_test=100, simulated=False).to_csv(folder / "x.csv", index=False)
    return folder / "x"


def test_all_files_are_written_and_the_steps_are_named(tmp_path):
    few_labels.main(["--in", str(write_runs(tmp_path)), "--out", str(tmp_path / "out" / "fig")])
    assert {p.suffix for p in (tmp_path / "out").iterdir()} == {".svg", ".pdf", ".png", ".csv", ".txt"}
    svg = beside(tmp_path / "out" / "fig", "svg").read_text()
    assert svg.count(">step 2<") == 2  # of CNN-F and of the lateral control
    assert "SIMULATED" not in svg


def test_a_missing_column_is_named(tmp_path):
    stem = write_runs(tmp_path)
    pd.read_csv(tmp_path / "x.csv").drop(columns="seed").to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(ValueError, match=r"expected rows with the column\(s\) seed, got"):
        few_labels.main(["--in", str(stem), "--out", str(tmp_path / "fig")])
