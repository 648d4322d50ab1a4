"""The paper's table holds each attack's accuracy at the last step, under the right name."""

import pandas as pd
import pytest

from analysis.robustness_summary import COLUMNS, as_cells, main, paper_table


def rows(kind, n_steps, missing=(), model=None):
    """Accuracies that say where they belong: hundreds the column, tens the readout, ones the step; in per mille."""
    return [
        {"model": model or f"{kind}-x", "kind": kind, "data": "x", "attack": attack, "gradient": gradient}
        | {"readout": readout, "step": step, "epsilon": 0.2 * (attack != "clean")}
        | {"accuracy": (100 * place + 10 * (readout == "average") + step) / 1000}
        | {"n_used": 20 if attack == "spsa" else 200}
        for place, (name, (attack, gradient)) in enumerate(COLUMNS.items())
        if name not in missing
        for readout in ("last", "average")
        for step in range(n_steps + 1)
    ]


@pytest.fixture
def table():
    return pd.DataFrame([*rows("cnnf", 5), *rows("cnn", 0, missing=["transfer"])])


def test_each_cell_is_the_accuracy_of_its_attack_readout_and_last_step(table):
    found = paper_table(table).set_index("model")
    assert list(found.index) == ["CNN", "CNN-F (last)", "CNN-F (average)"]
    for row, shown in (("CNN", 0.0), ("CNN-F (last)", 0.5), ("CNN-F (average)", 1.5)):
        for place, name in enumerate(COLUMNS):
            if (row, name) != ("CNN", "transfer"):
                assert found.loc[row, name] == pytest.approx(10 * place + shown)
    assert found["transfer"].isna().to_list() == [True, False, False]
    assert found["step"].to_list() == [0, 5, 5]
    assert set(found["n"]) == {"200 (SPSA, AutoAttack, any: 20)"}


def test_a_strong_attack_of_fewer_steps_is_called_by_them(table):
    found = paper_table(table.replace({"attack": {"pgd-50": "pgd-20", "pgd-50-smooth": "pgd-20-smooth"}}))
    expected = paper_table(table)
    assert list(found.columns) == [name.replace("PGD-50", "PGD-20") for name in expected.columns]
    assert found["PGD-20 e2e"].to_list() == expected["PGD-50 e2e"].to_list()
    assert "PGD-20 smooth" in as_cells(found)


def test_attacks_without_a_column_and_strong_ones_of_several_numbers_of_steps_are_refused(table):
    with pytest.raises(ValueError, match=r"expected attacks that .* makes, got pgd-9-rough\. Leave"):
        paper_table(table.replace({"attack": {"spsa": "pgd-9-rough"}}))
    with pytest.raises(ValueError, match=r"expected one strong PGD, got pgd-20, pgd-50\. Give"):
        paper_table(pd.concat([table, table.replace({"attack": {"pgd-50": "pgd-20"}})]))
    other = table.replace({"attack": {"pgd-50": "pgd-20"}, "model": {"cnnf-x": "cnnf-y", "cnn-x": "cnn-y"}})
    with pytest.raises(ValueError, match=r"expected one strong PGD, got pgd-20, pgd-50\. Give"):
        paper_table(pd.concat([table, other]))


def test_a_table_given_twice_counts_once_and_two_accuracies_of_one_answer_are_refused(table):
    pd.testing.assert_frame_equal(paper_table(pd.concat([table, table])), paper_table(table))
    other = table.assign(accuracy=table["accuracy"] + 0.001)
    with pytest.raises(ValueError, match=r"expected one accuracy of each answer, got several of cnn-x, cnnf-x\. Give"):
        paper_table(pd.concat([table, other]))


def test_a_table_per_epsilon_shares_what_is_clean(table):
    other = table[table["attack"] != "clean"].assign(epsilon=0.1)
    found = paper_table(pd.concat([table, other]))
    assert found["epsilon"].to_list() == [0.2] * 3 + [0.1] * 3
    assert found["clean"].to_list()[:3] == found["clean"].to_list()[3:]


def test_seeds_of_a_training_are_averaged_and_other_trainings_stand_below(table):
    seed = table.assign(model=table["model"] + "-seed1", accuracy=table["accuracy"] + 0.1)
    other = table.assign(model=table["model"] + "-adversarial")
    found = paper_table(pd.concat([other, table, seed], ignore_index=True))
    assert found["training"].to_list() == ["x-adversarial"] * 3 + ["x"] * 3
    assert found["seeds"].to_list() == [1] * 3 + [2] * 3
    assert found["clean sd"].isna().to_list() == [True] * 3 + [False] * 3
    one, two = found.iloc[1], found.iloc[4]
    for name in COLUMNS:
        assert two[name] == pytest.approx(one[name] + 5)
        assert two[f"{name} sd"] == pytest.approx(10 / 2**0.5)
    cells = as_cells(found)
    assert cells.loc[[1, 4], "PGD first"].to_list() == ["10.5", "15.5 ± 7.1"]
    assert list(cells.columns) == [name for name in found.columns if not name.endswith(" sd")]


def test_where_the_last_steps_own_answers_alone_were_attacked_they_stand_alone(table):
    last = table[(table["step"] == table["step"].max()) & (table["readout"] == "last") & (table["kind"] == "cnnf")]
    assert paper_table(last)["model"].to_list() == ["CNN-F (last)"]


def test_other_kinds_follow_and_a_feedforward_one_has_one_readout(table):
    more = pd.DataFrame([*rows("lateral", 2), *rows("wide", 0)])
    found = paper_table(pd.concat([more, table], ignore_index=True))
    names = ["CNN", "CNN-F (last)", "CNN-F (average)", "lateral (last)", "lateral (average)", "wide"]
    assert found["model"].to_list() == names
    assert found["step"].to_list() == [0, 5, 5, 2, 2, 0]


def test_the_trained_step_stands_beside_the_last(table):
    known = table.assign(model=table["kind"] + "-mnist-small-adversarial")  # which a recipe trains for one step
    found = paper_table(known)
    assert found["step"].to_list() == [0, 1, 1, 5, 5]
    assert found["trained"].to_list() == [0, 1, 1, 1, 1]
    assert found["clean"].to_list() == pytest.approx([0.0, 0.1, 1.1, 0.5, 1.5])
    assert paper_table(table)["trained"].isna().all()  # of no recipe


@pytest.mark.parametrize(
    "other",
    [rows("cnnf", 4, model="cnnf-x-seed1"), [row | {"n_used": 9} for row in rows("cnnf", 5, model="cnnf-x-seed1")]],
)
def test_seeds_attacked_with_other_settings_are_refused(table, other):
    with pytest.raises(ValueError, match=r"expected all seeds of cnnf-x attacked alike, .* for seed 1 than for seed 0"):
        paper_table(pd.concat([table, pd.DataFrame(other)], ignore_index=True))


def test_a_table_of_something_else_is_named(table, tmp_path):
    table.drop(columns="gradient").to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(ValueError, match=r"x\.csv: expected a table of `neurocnnf robustness`, got none .* gradient\."):
        main(["--in", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out")])


def test_csv_latex_and_markdown_are_written(table, tmp_path):
    table.to_csv(tmp_path / "x.csv", index=False)
    main(["--in", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out" / "table")])
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out" / "table.csv"), paper_table(table))
    tex = (tmp_path / "out" / "table.tex").read_text()
    assert r"x & x & 0.2 & CNN-F (last) & 5 & -- & 1 & 0.5 & 10.5 & 20.5" in tex
    assert " -- " in tex
    markdown = (tmp_path / "out" / "table.md").read_text()
    assert "| x | x | 0.2 | CNN-F (last) | 5 | -- | 1 | 0.5 | 10.5 | 20.5" in markdown
