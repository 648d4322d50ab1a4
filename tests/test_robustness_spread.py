"""Differences under attack: of a seed from its control and from its own step 0; their means, and what is written."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.robustness_spread import HEADER, as_cells, by_seed, main, over_seeds

SEEDS = range(3)


@pytest.fixture
def table():
    """Three seeds of a CNN-F (no recipe: its last step is shown) and of its control, accuracies all different."""
    rng = np.random.default_rng(0)
    attacks = [("clean", "none"), ("pgd-7", "first"), ("pgd-7", "e2e"), ("any", "e2e")]
    rows = []
    for seed, (attack, gradient), readout in product(SEEDS, attacks, ("last", "average")):
        name = f"-seed{seed}" if seed else ""
        for kind, step in [("cnn", 0), *(("cnnf", step) for step in range(3))]:
            rows.append(
                {
                    "model": f"{kind}-x{name}", "kind": kind, "data": "x", "attack": attack, "gradient": gradient,
                    "readout": readout, "step": step, "epsilon": 0.2 * (attack != "clean"),
                    "accuracy": rng.integers(0, 31) / 30, "n_used": 30,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def accuracy(table, model, attack, gradient, readout, step):
    wanted = dict(model=model, attack=attack, gradient=gradient, readout=readout, step=step)
    (row,) = table[(table[list(wanted)] == list(wanted.values())).all(axis=1)].to_dict("records")
    return row["accuracy"]


@pytest.mark.parametrize("against", ["control", "step 0"])
@pytest.mark.parametrize("readout", ["last", "average"])
def test_the_mean_is_of_seeds_less_their_own_control_or_step_0(table, readout, against):
    wanted = []
    for seed in SEEDS:
        name = f"-seed{seed}" if seed else ""
        other = ("cnn-x" if against == "control" else "cnnf-x") + name
        mine = accuracy(table, f"cnnf-x{name}", "pgd-7", "first", readout, 2)
        wanted.append(100 * (mine - accuracy(table, other, "pgd-7", "first", "last", 0)))
    summary = over_seeds(by_seed(table))
    cell = {"model": f"CNN-F ({readout})", "step": 2, "against": against, "attack": "PGD first"}
    (row,) = summary[(summary[list(cell)] == list(cell.values())).all(axis=1)].to_dict("records")
    test = stats.ttest_1samp(wanted, 0)
    low, high = test.confidence_interval(0.95)
    np.testing.assert_allclose(
        [row[k] for k in ("mean", "low", "high", "p")], [np.mean(wanted), low, high, test.pvalue]
    )
    assert (row["n_seeds"], row["n_total"]) == (3, 3)


def test_the_order_of_seeds_and_rows_changes_nothing(table):
    keys = ["model", "step", "against", "attack"]
    one, other = (
        over_seeds(by_seed(t)).sort_values(keys, ignore_index=True)
        for t in (table, table.sample(frac=1, random_state=1))
    )
    pd.testing.assert_frame_equal(one, other)


def test_p_is_corrected_over_the_attacks_of_one_row(table):
    summary = over_seeds(by_seed(table))
    for _, family in summary.groupby(["model", "step", "against"]):
        ranked = family.sort_values("p")
        stepwise = np.maximum.accumulate(ranked["p"] * np.arange(len(ranked), 0, -1)).clip(upper=1)
        np.testing.assert_allclose(ranked["p_holm"], stepwise)


def test_a_seed_without_a_control_is_not_compared_with_another(table):
    table = table[table["model"] != "cnn-x-seed1"]
    summary = over_seeds(by_seed(table))
    assert set(summary[summary["against"] == "control"]["n_seeds"]) == {2}
    assert set(summary[summary["against"] == "step 0"]["n_seeds"]) == {3}
    assert set(summary["n_total"]) == {3}
    cells = as_cells(summary)
    assert cells.loc[cells[HEADER] == "control", "clean"].str.endswith(" (2 of 3 trainings)").all()


def test_one_seed_has_no_interval(table):
    summary = over_seeds(by_seed(table[~table["model"].str.contains("seed")]))
    assert summary[["low", "high", "p", "p_holm"]].isna().all(axis=None)
    assert summary["mean"].notna().all()


def test_transfer_and_any_which_no_control_meets_are_compared_with_step_0_alone(table):
    mine = (table["attack"] == "pgd-7") & (table["gradient"] == "e2e")
    carried = table[mine & (table["kind"] == "cnnf")].assign(attack="transfer-pgd-7", gradient="transfer")
    summary = over_seeds(by_seed(pd.concat([table, carried, table[mine].assign(attack="any", gradient="any")])))
    whole = summary.set_index(["model", "step", "against", "attack"])["mean"]
    for readout, attack in product(["last", "average"], ["transfer", "any"]):
        key = f"CNN-F ({readout})", 2
        assert np.isnan(whole[(*key, "control", attack)])
        assert whole[(*key, "step 0", attack)] == whole[(*key, "step 0", "PGD e2e")]
    cells = as_cells(summary)
    assert (cells["transfer"].eq("--") == cells[HEADER].eq("control")).all()
    assert (cells["any"].eq("--") == cells[HEADER].eq("control")).all()
    assert list(cells)[6:] == ["clean", "PGD first", "PGD e2e", "transfer", "any e2e", "any"]


def test_what_is_clean_counts_once_though_each_epsilon_repeats_it(table):
    both = pd.concat([table, table.assign(epsilon=0.5 * table["epsilon"])], ignore_index=True)
    summary, alone = over_seeds(by_seed(both)), over_seeds(by_seed(table))
    assert set(summary["n_total"]) == {3}
    pd.testing.assert_frame_equal(summary[summary["epsilon"] == 0.2].reset_index(drop=True), alone)


def test_trainings_are_compared_within_themselves(table):
    other = table.assign(model=table["model"].str.replace("-x", "-y"), accuracy=1 - table["accuracy"])
    both = over_seeds(by_seed(pd.concat([table, other])))
    pd.testing.assert_frame_equal(both[both["training"] == "x"].reset_index(drop=True), over_seeds(by_seed(table)))
    flipped = both[both["training"] == "y"].reset_index(drop=True)
    np.testing.assert_allclose(flipped["mean"], -both[both["training"] == "x"]["mean"], atol=1e-12)


def test_a_feedforward_model_besides_the_control_has_one_row(table):
    wide = table[table["kind"] == "cnn"].assign(kind="wide", model=lambda t: t["model"].str.replace("cnn", "wide"))
    summary = over_seeds(by_seed(pd.concat([table[table["kind"] == "cnn"], wide])))
    assert set(zip(summary["model"], summary["step"], summary["against"], strict=True)) == {("wide", 0, "control")}
    assert (summary["mean"] == 0).all()


def test_other_images_are_not_subtracted(table):
    table.loc[table["kind"] == "cnn", "n_used"] = 200
    with pytest.raises(ValueError, match=r"expected cnnf-x and .* on the same images, got other numbers of them under"):
        by_seed(table)


def test_readers_get_the_last_step_and_files_hold_every_one(table, tmp_path, capsys):
    table.to_csv(tmp_path / "x.csv", index=False)
    main(["--in", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert printed == (tmp_path / "out.md").read_text()
    lines = [line.split(" | ") for line in printed.splitlines()[2:]]
    assert {line[4] for line in lines} == {"2"}
    assert {(line[3], line[5]) for line in lines} == set(
        product(["CNN-F (last)", "CNN-F (average)"], ["control", "step 0"])
    )
    assert set(pd.read_csv(tmp_path / "out.summary.csv")["step"]) == {0, 1, 2}
    assert len(pd.read_csv(tmp_path / "out.scores.csv")) == 3 * len(pd.read_csv(tmp_path / "out.summary.csv"))


def test_a_control_alone_is_refused(table, tmp_path):
    table[table["kind"] == "cnn"].to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(ValueError, match=r"expected tables of a model besides the control, got none"):
        main(["--in", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out")])
