"""The figure of glimpses writes its files, names every way of looking, and a missing column is named."""

import pandas as pd
import pytest

from analysis.glimpses_summary import AVERAGE, LAST
from figures import glimpses
from figures.files import beside

pytestmark = pytest.mark.filterwarnings("error")
WAYS = [("cnnf", "state"), ("cnnf", "nothing"), ("ungated", "state"), ("lateral", "state")]
WAYS += [("cnn", "nothing"), ("cnn", "picture")]


def write_runs(folder, ways=WAYS):
    rows = [
        {"data": "x", "model": model, "carried": carried, "readout": readout, "glimpse": glimpse, "seed": seed}
        for model, carried in ways
        for readout in (LAST, AVERAGE)
        for glimpse in (1, 2, 3)
        for seed in (0, 1)
    ]
    table = pd.DataFrame(rows)
    table["accuracy"] = 0.5 + 0.1 * table["glimpse"] * (table["carried"] != "nothing") + table["seed"] / 50
    table.assign(n_test=100, simulated=False).to_csv(folder / "x.csv", index=False)
    return folder / "x"


@pytest.mark.parametrize("ways", [WAYS, WAYS[:1]])
def test_all_files_are_written_and_every_way_of_looking_is_named(tmp_path, ways):
    glimpses.main(["--in", str(write_runs(tmp_path, ways)), "--out", str(tmp_path / "out" / "fig")])
    assert {p.suffix for p in (tmp_path / "out").iterdir()} == {".svg", ".pdf", ".png", ".csv", ".txt"}
    svg = beside(tmp_path / "out" / "fig", "svg").read_text()
    assert all(f">{name}<" in svg for *_, name in glimpses.STYLES.values())
    assert (">+30.0<" in svg) == (ways == WAYS)  # carried less nothing carried, at the last glimpse
    assert "SIMULATED" not in svg


def test_a_missing_column_is_named(tmp_path):
    stem = write_runs(tmp_path)
    pd.read_csv(tmp_path / "x.csv").drop(columns="carried").to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(ValueError, match=r"expected rows with the column\(s\) carried, got"):
        glimpses.main(["--in", str(stem), "--out", str(tmp_path / "fig")])
