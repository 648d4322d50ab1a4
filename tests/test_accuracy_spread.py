"""Accuracies over seeds are those of the last step, of each condition, beside the control of the same seed."""

import numpy as np
import pandas as pd
import pytest

from analysis.accuracy_spread import QUANTITY, accuracies, by_seed, main
from analysis.accuracy_summary import with_means
from analysis.step_gains import by_seed as gains
from figures import averages
from figures import controls as figure

MODELS = {"cnnf-x": 2, "cnnf-x-seed1": 2, "cnn-x": 0, "cnn-x-seed1": 0}
CONDITIONS = {("clean", 0.0): 0.9, ("noise", 0.2): 0.8, ("noise", 0.4): 0.6, ("blur", 1.0): 0.1}


def worse(model, step, n_steps):
    """Take from an accuracy what belongs to the model, and, before the last step, much more."""
    return 0.01 * list(MODELS).index(model) + 0.05 * (n_steps - step)


@pytest.fixture
def by_step():
    return pd.DataFrame(
        {"model": model, "degradation": kind, "level": level, "step": step, "n_images": 900 if kind == "clean" else 100}
        | {"accuracy": accuracy - worse(model, step, n)}
        for model, n in MODELS.items()
        for (kind, level), accuracy in CONDITIONS.items()
        for step in range(n + 1)
    )


@pytest.fixture
def attacked():
    return pd.DataFrame(
        {"model": model, "attack": attack, "gradient": gradient, "readout": readout, "step": step, "n_used": 20}
        | {"epsilon": 0.2 * (attack != "clean"), "accuracy": accuracy - worse(model, step, n) - (readout == "average")}
        for model, n in MODELS.items()
        for (attack, gradient), accuracy in {
            ("clean", "none"): 5.0,
            ("pgd-7", "first"): 0.6,
            ("pgd-7", "e2e"): 0.7,
            ("pgd-50-smooth", "e2e"): 0.4,
            ("spsa", "e2e"): 0.5,
            ("any", "e2e"): 0.3,
            ("any", "any"): 0.2,
        }.items()
        for readout in ("last", "average")
        for step in range(n + 1)
        if model != "cnnf-x-seed1"
    )


PGD, SPSA, NOISE = "PGD-7 (n = 20)", "SPSA (n = 20)", "noise (n = 2 × 100)"
SMOOTH, ANY = "PGD-50, smooth (n = 20)", "any attack (n = 20)"


def test_conditions_are_means_over_levels_and_attacks_at_the_last_step(by_step, attacked):
    found = accuracies(by_step, attacked).set_index(["benchmark", "model"])["accuracy"]
    expected = {"clean (n = 900)": 0.9, NOISE: 0.7, "blur (n = 100)": 0.1, PGD: 0.7, SMOOTH: 0.4, SPSA: 0.5, ANY: 0.3}
    for (benchmark, model), value in found.items():
        assert value == pytest.approx(expected[benchmark] - 0.01 * list(MODELS).index(model))
    assert len(found) == 3 * 4 + 4 * 3


def test_where_fewer_steps_were_attacked_all_is_of_those(by_step, attacked):
    found = accuracies(by_step, attacked[attacked["step"] < 2]).set_index(["benchmark", "model"])["accuracy"]
    assert found["clean (n = 900)", "cnnf-x"] == pytest.approx(0.9 - 0.05)
    assert found[PGD, "cnnf-x"] == pytest.approx(0.7 - 0.05)
    assert found["clean (n = 900)", "cnn-x"] == pytest.approx(0.9 - 0.02)


def test_the_step_may_be_chosen(by_step, attacked):
    chosen = accuracies(by_step, attacked, 1)
    pd.testing.assert_frame_equal(
        chosen, accuracies(by_step[by_step["step"] <= 1], attacked[attacked["step"] <= 1]), check_exact=True
    )
    assert chosen.set_index(["benchmark", "model"])["accuracy"][NOISE, "cnnf-x"] == pytest.approx(0.7 - 0.05)
    pd.testing.assert_frame_equal(accuracies(by_step, attacked, 9), accuracies(by_step, attacked), check_exact=True)


def test_a_model_that_was_attacked_at_later_steps_alone_is_missing_there_and_changes_no_other_step(by_step, attacked):
    last_only = attacked[(attacked["step"] == 2) | attacked["model"].str.startswith("cnn-")]
    found = accuracies(by_step, last_only, 1).set_index(["benchmark", "model"])["accuracy"]
    assert (PGD, "cnnf-x") not in found
    assert found[PGD, "cnn-x"] == pytest.approx(0.7 - 0.02)
    assert found["clean (n = 900)", "cnnf-x"] == pytest.approx(0.9 - 0.05)


def test_each_seed_is_beside_its_control_and_what_was_not_attacked_is_missing(by_step, attacked):
    table = by_seed(accuracies(by_step, attacked), "cnn-x")
    ours = table[table["model"] == "cnnf-x"].set_index(["benchmark", "seed"])
    assert ours["difference"].dropna().to_numpy() == pytest.approx(0.02)
    assert set(ours.loc[ours["score"].isna(), "state"]) == {"missing"}
    assert list(ours.index[ours["score"].isna()]) == [(PGD, 1), (SMOOTH, 1), (SPSA, 1), (ANY, 1)]
    assert len(table) == 7 * 4
    assert set(table["quantity"]) == {"accuracy"}


def test_other_conditions_or_images_are_refused_and_one_model_twice(by_step, attacked):
    fewer = by_step[(by_step["model"] != "cnn-x") | (by_step["degradation"] != "blur")]
    with pytest.raises(ValueError, match="expected the conditions and numbers of images of cnn-x, got others"):
        accuracies(fewer, attacked)
    images = attacked.assign(n_used=attacked["n_used"].where(attacked["model"] != "cnnf-x", 9))
    with pytest.raises(ValueError, match="cnnf-x: expected the conditions and numbers of images"):
        accuracies(by_step, images)
    with pytest.raises(ValueError, match="cnn-x: expected one accuracy for each condition, got several"):
        accuracies(by_step, pd.concat([attacked, attacked]))


def test_a_card_with_several_seeds_is_as_a_table_of_each(by_step, attacked):
    card = by_step.assign(
        model=by_step["model"].str.removesuffix("-seed1"), seed=by_step["model"].str.endswith("-seed1").astype(int)
    )
    pd.testing.assert_frame_equal(accuracies(card, attacked), accuracies(by_step, attacked))


def test_either_part_may_be_left_out(by_step, attacked):
    assert list(dict.fromkeys(accuracies(by_step, pd.DataFrame())["benchmark"])) == [
        "clean (n = 900)", NOISE, "blur (n = 100)",
    ]  # fmt: skip
    assert set(accuracies(pd.DataFrame(), attacked)["benchmark"]) == {PGD, SMOOTH, SPSA, ANY}


def test_models_with_other_last_steps_are_refused(by_step, attacked):
    early = attacked[(attacked["model"] != "cnnf-x") | (attacked["step"] < 2)]
    late = attacked[attacked["model"] == "cnnf-x"].assign(model="lateral-x")
    with pytest.raises(ValueError, match=r"expected one last step, got 1, 2\. Name one that all have \(--n-steps\)"):
        accuracies(by_step, pd.concat([early, late]))


def test_attacks_at_a_later_step_than_all_else_are_refused(by_step, attacked):
    with pytest.raises(ValueError, match=r"expected one last step, got 1, 2\. Name one that all have"):
        accuracies(by_step[by_step["step"] < 2], attacked)


def test_attacks_of_several_radii_are_refused(attacked):
    both = pd.concat([attacked, attacked.assign(epsilon=attacked["epsilon"] / 2)])
    with pytest.raises(ValueError, match=r"expected one ε, got 0\.1, 0\.2"):
        accuracies(pd.DataFrame(), both)


def test_the_stage_writes_seeds_and_their_summary(by_step, attacked, tmp_path, capsys):
    for model, part in by_step.groupby("model"):
        part.to_csv(tmp_path / f"{model}.csv", index=False)
    attacked.to_csv(tmp_path / "attacked.csv", index=False)
    files = [str(tmp_path / f"{model}.csv") for model in MODELS]
    where = ["--attacked", str(tmp_path / "attacked.csv"), "--control", "cnn-x", "--out", str(tmp_path / "spread")]
    main(["--accuracy", *files, *where])
    shown = capsys.readouterr().out
    assert f"| {NOISE} | " in shown
    summary = pd.read_csv(tmp_path / "spread.summary.csv").set_index(["benchmark", "model"])
    assert summary.loc[(NOISE, "cnnf-x"), "mean"] == pytest.approx(np.mean([0.7, 0.69]))
    assert summary.loc[(SPSA, "cnnf-x"), ["n_seeds", "n_total", "n_pairs"]].to_list() == [1, 2, 1]
    figure.main(["--in", str(tmp_path / "spread"), "--out", str(tmp_path / "figure")])
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    assert "PGD-7" in (tmp_path / "figure.svg").read_text()
    with pytest.raises(ValueError, match="expected accuracies by the mean over steps, got others"):
        averages.main(["--in", str(tmp_path / "spread"), "--out", str(tmp_path / "averages")])


def test_what_answered_is_kept_and_readouts_are_not_mixed(by_step, attacked, tmp_path):
    by_step = by_step.assign(readout="average")
    for model, part in by_step.groupby("model"):
        part.to_csv(tmp_path / f"{model}.csv", index=False)
    files = [str(tmp_path / f"{model}.csv") for model in MODELS]
    main(["--accuracy", *files, "--control", "cnn-x", "--out", str(tmp_path / "spread")])
    assert set(pd.read_csv(tmp_path / "spread.summary.csv")["quantity"]) == {QUANTITY["average"]}
    averages.main(["--in", str(tmp_path / "spread"), "--out", str(tmp_path / "averages")])
    assert "by the mean over steps" in (tmp_path / "averages.svg").read_text()
    with pytest.raises(ValueError, match="expected the last step's, as attacked, got the average"):
        accuracies(by_step, attacked)
    mixed = by_step.assign(readout=["last", *["average"] * (len(by_step) - 1)])
    for consumer in (lambda: accuracies(mixed, attacked.iloc[:0]), lambda: with_means(mixed), lambda: gains(mixed)):
        with pytest.raises(ValueError, match="accuracies: expected one readout, got last, average"):
            consumer()
