"""Tests of the figures of readouts, masking and trajectories, from a quick simulated stage; and of the stage itself."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis import comparison_stage
from analysis.comparison_stage import TABLES, masking_tables, simulated_data
from analysis.decoded_study import DecodedStudy
from figures import cleaning, masking, occlusion_levels, time_readouts, trajectories
from neurocnnf.datastore import DataMissing

RAW = {"right_only": False, "standardised": False}
SCRIPTS = {
    "cleaning": cleaning,
    "time_readouts": time_readouts,
    "occlusion_levels": occlusion_levels,
    "masking": masking,
    "trajectories": trajectories,
}


@pytest.fixture(scope="module")
def stem(tmp_path_factory):
    """Run the stage where no study is to be had, with few stimuli."""
    folder, patch = tmp_path_factory.mktemp("stage"), pytest.MonkeyPatch()

    def missing(**_):
        raise DataMissing("tang2018", "not at hand")

    def few(seed, **_):
        trials, objects, occluded = simulated_data(seed)
        keep = occluded.table["object_id"] % 5 < 3
        kept = objects.table["object_id"] % 5 < 3
        trials = trials[trials["object_id"] % 5 < 3].reset_index(drop=True)
        return trials, objects.subset(kept.to_numpy()), occluded.subset(keep.to_numpy())

    patch.setattr(comparison_stage, "real_data", missing)
    patch.setattr(comparison_stage, "simulated_data", few)
    patch.setattr(comparison_stage, "CLEANING", {"as elsewhere": ((0.2, 2.5), {}), "seconds": ((0.2, 2.5), RAW)})
    names = ["cnnf-cifar-gray", "cnn-cifar-gray", "--out", str(folder / "tang2018"), "--n-steps", "2", "--quick"]
    with pytest.raises(DataMissing):
        comparison_stage.stage(names)
    comparison_stage.stage([*names, "--simulate-missing"])
    patch.undo()
    return folder / "simulated"


def test_the_stage_writes_every_table_and_says_simulated_in_each(stem):
    assert not list(stem.parent.glob("tang2018*"))
    for name in TABLES:
        table = pd.read_csv(f"{stem}.{name}.csv")
        assert len(table)
        assert table["simulated"].all()
    note = json.loads(stem.with_name("simulated.json").read_text())
    assert (note["simulated"], note["models"], note["n_steps"]) == (True, ["cnnf-digits", "cnn-digits"], 2)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_figure_is_drawn_from_the_tables_and_says_simulated(name, stem, tmp_path):
    SCRIPTS[name].main(["--in", str(stem), "--out", str(tmp_path / name)])
    assert {p.suffix for p in tmp_path.iterdir()} >= {".svg", ".pdf", ".png", ".csv", ".txt"}
    assert "SIMULATED" in (tmp_path / f"{name}.svg").read_text()


def test_the_latex_table_has_a_row_for_each_of_the_comparison(stem, tmp_path):
    time_readouts.main(["--in", str(stem), "--out", str(tmp_path / "x")])
    text, table = (tmp_path / "x.tex").read_text(), pd.read_csv(f"{stem}.comparison.csv")
    assert text.count("cnnf-digits") + text.count("cnn-digits &") == len(table)
    assert text.startswith("% simulated recordings")


def test_a_column_that_is_missing_is_named(stem, tmp_path):
    pd.read_csv(f"{stem}.comparison.csv").drop(columns="p_holm").to_csv(tmp_path / "y.comparison.csv", index=False)
    with pytest.raises(ValueError, match=r"expected rows with the column\(s\) p_holm"):
        time_readouts.main(["--in", str(tmp_path / "y"), "--out", str(tmp_path / "z")])


def test_masking_of_observers_who_are_the_truncated_model_is_found_and_the_share_of_trials_counted():
    """A model whose accuracy is known, people who follow it at 20 ms a step from 10 ms on: within the intervals."""
    rng = np.random.default_rng(0)
    right = rng.random((6, 2000)) < np.linspace(0.3, 0.8, 6)[:, None]
    decisions = np.stack([right, ~right], axis=2).astype(float)
    table = pd.DataFrame({"stimulus_id": np.arange(2000), "label": 0})
    table.loc[0, "label"] = 1
    duration = rng.choice([0.025, 0.05, 0.075, 0.1, 0.15], 20_000)
    trials = pd.DataFrame({"stimulus_id": rng.integers(0, 2100, 20_000), "soa_s": duration})
    trials = trials.assign(subject=rng.integers(0, 9, 20_000), masked=rng.random(20_000) < 0.5)
    accuracy = np.concatenate([[0.5], right.mean(axis=1)])
    known = np.interp((1000 * duration - 10) / 20, np.arange(7), accuracy)
    trials["correct"] = rng.random(20_000) < np.where(trials["masked"], known, 0.8)
    study = DecodedStudy({"net": decisions}, {}, table, trials, {})
    curves, clocks, shares = masking_tables(study, "net", 20)
    own = curves[curves["fit"] == "masked"].iloc[0]
    assert own["onset_ms_low"] - 2.5 <= 10 <= own["onset_ms_high"] + 2.5
    assert own["ms_per_step_low"] - 2.5 <= 20 <= own["ms_per_step_high"] + 2.5
    assert own["n_used"] < own["n_total"] == 20_000
    flat = curves[(curves["fit"] == "unmasked")].iloc[0]
    assert flat["aic_constant"] < flat["aic"]
    assert set(clocks["fit"]) == {"masked", "unmasked", "one clock"}
    assert shares["share"].iloc[0] > 0.95
