"""What steps change: differences of the same images, over trainings, against scipy and statsmodels."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.cells import bounded
from analysis.step_gains import ALL, HEADER, as_cells, by_seed, main, over_seeds

CONDITIONS = [("clean", 0.0), ("noise", 0.1), ("noise", 0.4), ("blur", 1.0)]


def accuracies(seeds=(0, 1, 2), steps=(0, 1, 2)):
    rng = np.random.default_rng(0)
    rows = [
        {"model": model, "seed": seed, "degradation": kind, "level": level, "step": step, "accuracy": rng.uniform()}
        for model, seed, (kind, level), step in itertools.product(("b-x", "a-x"), seeds, CONDITIONS, steps)
    ]
    return pd.DataFrame(rows).assign(n_images=50)


def at(table, model, seed, kind, step):
    part = table[(table["model"] == model) & (table["seed"] == seed) & (table["step"] == step)]
    return part.loc[part["degradation"].isin([kind] if kind != ALL else ["noise", "blur"]), "accuracy"].mean()


def test_gains_are_means_over_levels_less_those_at_step_0():
    table = accuracies()
    result = by_seed(table, 2)
    assert result["condition"].unique().tolist() == ["clean", "noise", "blur", ALL]
    assert result["model"].unique().tolist() == ["b-x", "a-x"]  # in the order given
    assert len(result) == 4 * 2 * 3
    for row in result.itertuples():
        expected = at(table, row.model, row.seed, row.condition, 2) - at(table, row.model, row.seed, row.condition, 0)
        assert row.gain == pytest.approx(expected)
    assert (result["n_images"] == 50).all()


def test_intervals_and_p_values_are_those_of_scipy_and_statsmodels():
    result = by_seed(accuracies(), 2)
    summary = over_seeds(result).set_index(["model", "condition"])
    for model in ("a-x", "b-x"):
        tests = {
            kind: stats.ttest_1samp(result[(result["model"] == model) & (result["condition"] == kind)]["gain"], 0)
            for kind in ("clean", "noise", "blur", ALL)
        }
        for kind, test in tests.items():
            bounds = test.confidence_interval(0.95)
            np.testing.assert_allclose(summary.loc[(model, kind), ["low", "high"]].astype(float), bounds)
        family = multipletests([tests[kind].pvalue for kind in ("clean", "noise", "blur")], method="holm")[1]
        np.testing.assert_allclose(summary.loc[model].loc[["clean", "noise", "blur"], "p_holm"].astype(float), family)
        assert summary.loc[(model, ALL), "p_holm"] == pytest.approx(tests[ALL].pvalue)


def test_a_condition_that_changes_alike_in_all_trainings_counts_in_its_family():
    table = by_seed(accuracies(), 2)
    alike = (table["model"] == "a-x") & (table["condition"] == "noise")
    summary = over_seeds(table.assign(gain=table["gain"].mask(alike, 0.25))).set_index(["model", "condition"])
    assert summary.loc[("a-x", "noise"), ["p", "p_holm"]].isna().all()
    p_values = [*summary.loc["a-x"].loc[["clean", "blur"], "p"], 1.0]
    family = multipletests(p_values, method="holm")[1]
    np.testing.assert_allclose(summary.loc["a-x"].loc[["clean", "blur"], "p_holm"].astype(float), family[:2])


def test_what_has_no_steps_is_left_out_and_a_step_that_is_not_there_is_refused():
    table = accuracies()
    control = table[table["step"] == 0].assign(model="cnn-x")
    assert "cnn-x" not in set(by_seed(pd.concat([table, control]), 1)["model"])
    with pytest.raises(ValueError, match="accuracies: expected those of a recurrent model, got none"):
        by_seed(control, 1)
    with pytest.raises(ValueError, match=r"a-x: expected each condition once at step 0 and step 3, got others"):
        by_seed(table, 3)
    with pytest.raises(ValueError, match="expected each condition once"):
        by_seed(pd.concat([table, table]), 1)


def test_the_last_step_is_taken_where_none_is_named():
    table = accuracies()
    pd.testing.assert_frame_equal(by_seed(table), by_seed(table, 2))


def test_seeds_in_tables_of_one_training_each_are_those_of_their_names(tmp_path):
    paths = []
    for (model, seed), part in accuracies().groupby(["model", "seed"]):
        name = f"{model}-seed{seed}" if seed else model
        paths.append(tmp_path / f"{name}.csv")
        part.drop(columns="seed").assign(model=name).to_csv(paths[-1], index=False)
    main(["--accuracy", *map(str, paths), "--out", str(tmp_path / "gains")])
    order = ["condition", "model", "seed"]
    written = pd.read_csv(tmp_path / "gains.scores.csv").set_index(order)["gain"].sort_index()
    made = by_seed(accuracies(), 2).set_index(order)["gain"].sort_index()
    assert written.index.equals(made.index)
    np.testing.assert_allclose(written, made, rtol=1e-6)


def test_cards_become_a_table_in_points(tmp_path, capsys):
    paths = []
    for model, part in accuracies().groupby("model"):
        paths.append(tmp_path / f"{model}.json")
        card = {"name": model, "data": "x", "accuracy": part.drop(columns="model").to_dict(orient="list")}
        paths[-1].write_text(json.dumps(card))
    main(["--accuracy", *map(str, paths), "--n-steps", "2", "--out", str(tmp_path / "gains")])
    summary = over_seeds(by_seed(accuracies(), 2))
    cells = as_cells(summary)
    assert cells[HEADER].tolist() == ["clean", "noise", "blur", ALL]
    one = summary[(summary["model"] == "a-x") & (summary["condition"] == "clean")].iloc[0]
    assert cells["a-x"].iloc[0].startswith(bounded(100 * one["mean"], 100 * one["low"], 100 * one["high"], 2) + ", p ")
    assert cells["a-x"].iloc[0] in capsys.readouterr().out
    written = pd.read_csv(tmp_path / "gains.scores.csv").set_index(["condition", "model", "seed"])["gain"]
    made = by_seed(accuracies(), 2).set_index(["condition", "model", "seed"])["gain"]
    np.testing.assert_allclose(written.loc[made.index], made, rtol=1e-6)
