"""The paper's table holds each attack's accuracy at the last step, under the right name."""

import pandas as pd
import pytest

from analysis.robustness_summary import COLUMNS, ROWS, main, paper_table


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
    assert list(found.index) == list(ROWS)
    for row, shown in (("CNN", 0.0), ("CNN-F (last)", 0.5), ("CNN-F (average)", 1.5)):
        for place, name in enumerate(COLUMNS):
            if (row, name) != ("CNN", "transfer"):
                assert found.loc[row, name] == pytest.approx(10 * place + shown)
    assert found["transfer"].isna().to_list() == [True, False, False]
    assert found["step"].to_list() == [0, 5, 5]
    assert set(found["n"]) == {"200 (SPSA, AutoAttack: 20)"}


def test_a_table_per_epsilon_shares_what_is_clean(table):
    other = table[table["attack"] != "clean"].assign(epsilon=0.1)
    found = paper_table(pd.concat([table, other]))
    assert found["epsilon"].to_list() == [0.2] * 3 + [0.1] * 3
    assert found["clean"].to_list()[:3] == found["clean"].to_list()[3:]


def test_two_models_of_a_kind_are_refused(table):
    both = pd.concat([table, pd.DataFrame(rows("cnnf", 5, model="cnnf-y"))])
    with pytest.raises(ValueError, match="expected one model per kind and data set, got 2"):
        paper_table(both)


def test_a_missing_column_is_named(table):
    with pytest.raises(ValueError, match=r"expected the column\(s\) gradient, got none"):
        paper_table(table.drop(columns="gradient"))


def test_csv_and_latex_are_written(table, tmp_path):
    table.to_csv(tmp_path / "x.csv", index=False)
    main(["--in", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out" / "table")])
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out" / "table.csv"), paper_table(table))
    tex = (tmp_path / "out" / "table.tex").read_text()
    assert r"x & 0.2 & CNN-F (last) & 5 & 0.5 & 10.5 & 20.5" in tex
    assert " -- " in tex
