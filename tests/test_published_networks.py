"""Tests of the place among published networks: ranks, the same function for all, and the figure."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from analysis import published_networks as place
from benchmarks.profiles import off_diagonal
from figures import published_networks as figure

N_NETWORKS, N_SEEDS, N_CONDITIONS, N_CATEGORIES = 3, 5, 9, 4


def study(seed=0):
    """People, one of four with mixed-up keys, and three networks of random profiles."""
    rng = np.random.default_rng(seed)
    accuracy = xr.DataArray(
        rng.random((3, N_CONDITIONS)), {"masking": ["all", "masked", "unmasked"]}, ("masking", "condition")
    )
    confusions = rng.integers(0, 5, (4, N_CATEGORIES, N_CATEGORIES)) + 20 * np.eye(N_CATEGORIES, dtype=int)
    confusions[0] = np.roll(confusions[0], 1, axis=1)
    cells = ("participant", "category", "answer")
    humans = SimpleNamespace(by_condition={"accuracy": accuracy}, confusions=xr.DataArray(confusions, dims=cells))
    coords = {
        "label": ("network", ["A", "B", "C"]),
        "architecture": ("network", ["feedforward", "recurrent", "recurrent"]),
        "n_parameters": ("network", [1, 2, 3]),
    }
    values = rng.random((N_NETWORKS, N_SEEDS, N_CONDITIONS))
    counts = rng.integers(0, 9, (N_NETWORKS, N_SEEDS, N_CATEGORIES, N_CATEGORIES))
    networks = SimpleNamespace(
        accuracy=xr.DataArray(values, coords, ("network", "seed", "condition")),
        confusions=xr.DataArray(counts, dims=("network", "seed_place", "category", "answer")),
    )
    return humans, networks


def score(model="cnnf-stand-in", steps=3, simulated=False, benchmark="maniquet2025.accuracy", targets=("accuracy",)):
    """Give a score's table and summary: two layers, two metrics, of which one of each counts."""
    rows = [
        (benchmark, model, target, metric, layer, step, 0.1 * step + offset, 0.9, simulated, 0.5, 0.8)
        for target in targets
        for metric, layer, offset in (("pearson", "deep", 0.0), ("spearman", "deep", 5.0), ("pearson", "early", 7.0))
        for step in range(steps)
    ]
    columns = ["benchmark", "model", "target", "metric", "layer", "step", "raw", "ceiling", "simulated", "accuracy"]
    table = pd.DataFrame(rows, columns=[*columns, "human_accuracy"])
    table = table.assign(raw_low=table["raw"] - 0.1, raw_high=table["raw"] + 0.1)
    return table, {"benchmark": benchmark, "chosen": [{"layer": "deep"}]}


def test_networks_are_compared_seed_by_seed_as_numpy_does():
    humans, networks = study()
    rows = place.network_rows(humans, networks).set_index(["measure", "name"])
    human = humans.by_condition["accuracy"].sel(masking="masked").to_numpy()
    slow = [np.corrcoef(seed, human)[0, 1] for seed in networks.accuracy.values[1]]
    row = rows.loc[("masked", "B")]
    assert row["value"] == pytest.approx(np.mean(slow))
    assert row["low"] == pytest.approx(np.quantile(slow, 0.025))
    assert row["mean_accuracy"] == pytest.approx(networks.accuracy.values[1].mean())
    assert row["n_seeds"] == N_SEEDS


def test_participants_with_mixed_up_keys_are_left_out_of_one_measure_and_kept_in_the_other():
    humans, _ = study()
    human = place.human_profiles(humans)
    np.testing.assert_array_equal(human["confusions"], off_diagonal(humans.confusions.values[1:].sum(axis=0)))
    np.testing.assert_array_equal(
        human["confusions, all participants"], off_diagonal(humans.confusions.values.sum(axis=0))
    )


def test_a_models_rank_is_the_one_it_would_have_among_the_networks():
    networks = pd.DataFrame(
        {"measure": "accuracy", "kind": "network", "name": list("ABC"), "value": [0.15, 0.05, 0.3], "simulated": False}
    )
    table = place.rank_table(networks, place.model_rows(*score()))
    ranks = table.set_index(table["name"] + table["step"].fillna(-1).astype(int).astype(str))["rank"]
    assert ranks[["A-1", "B-1", "C-1"]].tolist() == [2, 3, 1]
    assert ranks[["cnnf-stand-in0", "cnnf-stand-in1", "cnnf-stand-in2"]].tolist() == [4, 3, 2]
    assert table.loc[table["kind"] == "people", "value"].tolist() == [0.9]
    assert (table.loc[table["kind"] == "model", "n_networks"] == 3).all()


def test_only_the_chosen_layer_and_pearson_correlations_enter():
    rows = place.model_rows(*score(steps=1))
    assert rows["value"].tolist() == [0.0]
    assert rows["architecture"].tolist() == ["feedforward"]


def test_a_score_of_something_else_is_refused():
    table, summary = score()
    with pytest.raises(ValueError, match="expected a score of recognition by condition"):
        place.model_rows(table.assign(target="human IT"), summary)


def test_simulated_people_have_no_published_networks(tmp_path):
    table, summary = score(simulated=True, benchmark="simulated.accuracy")
    summary |= {name: None for name in ("value", "raw", "interval", "raw_interval", "ceiling", "ceiling_rule")}
    summary |= {"model": "cnnf-stand-in", "n_used": 1, "n_total": 1, "simulated": True}
    table.to_csv(tmp_path / "one.csv", index=False)
    (tmp_path / "one.json").write_text(json.dumps(summary))
    place.main([str(tmp_path / "one"), "--out", str(tmp_path / "table")])
    assert not (tmp_path / "table.csv").exists()  # no study's name
    got = pd.read_csv(tmp_path / "simulated.csv")
    assert set(got["kind"]) == {"model", "people"}
    assert got["simulated"].all()
    assert got["rank"].isna().all()
    figure.main(["--in", str(tmp_path / "simulated.csv"), "--out", str(tmp_path / "drawn")])
    assert "SIMULATED" in (tmp_path / "drawn.svg").read_text()
    assert "Maniquet" not in (tmp_path / "drawn.txt").read_text()


def test_the_figure_names_every_network_and_step_with_its_rank(tmp_path):
    humans, networks = study()
    models = [place.model_rows(*score(targets=("accuracy", "confusions"))), place.model_rows(*score("cnn-x", 1))]
    table = place.rank_table(place.network_rows(humans, networks), pd.concat(models, ignore_index=True))
    table.to_csv(tmp_path / "table.csv", index=False)
    figure.main(["--in", str(tmp_path / "table"), "--out", str(tmp_path / "drawn")])
    drawn = (tmp_path / "drawn.svg").read_text()
    for words in ("CNN-F, step 0", "CNN-F, step 2", "control", "published, recurrent", "ceiling", "wrong answers"):
        assert words in drawn
    assert "SIMULATED" not in drawn
    assert {f"drawn.{ending}" for ending in ("svg", "pdf", "png", "csv", "txt")} <= {p.name for p in tmp_path.iterdir()}


def test_a_table_without_ranks_is_refused(tmp_path):
    pd.DataFrame({"measure": ["accuracy"]}).to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(ValueError, match=r"expected rows with the column\(s\) .*rank"):
        figure.main(["--in", str(tmp_path / "table.csv"), "--out", str(tmp_path / "drawn")])
