"""Corruptions over trainings: every number is that of scipy and statsmodels on the same differences."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.corruptions_spread import main, summarise
from analysis.corruptions_summary import ACCURACY, GAIN, OVER_CONTROL
from figures import corruptions as figure
from figures.files import beside

CONDITIONS = [("clean", 0.0), ("noise", 0.1), ("noise", 0.4), ("blur", 1.0)]
MODELS = {"cnnf-x": 3, "lateral-x": 3, "cnn-x": 1, "cnnf-y": 3}  # and the number of their answers


@pytest.fixture(scope="module")
def accuracies():
    rng = np.random.default_rng(0)
    rows = [
        {"model": model, "seed": seed, "degradation": kind, "level": level, "step": step, "accuracy": rng.uniform()}
        for model, n in MODELS.items()
        for seed, (kind, level), step in itertools.product(range(3), CONDITIONS, range(n))
    ]
    return pd.DataFrame(rows).assign(n_images=50)


def values(table, model, place, step):
    keys = ["model", "degradation", "level", "step"]
    return table.set_index([*keys, "seed"])["accuracy"].sort_index().loc[(model, *place, step)].to_numpy()


def test_every_number_is_that_of_a_t_test_of_the_same_differences(accuracies):
    table = summarise(accuracies).set_index(["model", "quantity", "step", "degradation", "level"])
    for model, control in (("cnnf-x", "cnn-x"), ("lateral-x", "cnn-x")):
        for quantity in (ACCURACY, GAIN, OVER_CONTROL):
            p_values = []
            for place in CONDITIONS:
                wanted = values(accuracies, model, place, 2)
                wanted = (
                    wanted
                    - {
                        ACCURACY: 0,
                        GAIN: values(accuracies, model, place, 0),
                        OVER_CONTROL: values(accuracies, control, place, 0),
                    }[quantity]
                )
                test, row = stats.ttest_1samp(wanted, 0), table.loc[(model, quantity, 2, *place)]
                assert row["estimate"] == pytest.approx(wanted.mean())
                np.testing.assert_allclose(row[["low", "high"]].astype(float), test.confidence_interval(0.95))
                assert (row["n_seeds"], row["n_images"]) == (3, 50)
                p_values.append(test.pvalue)
                assert row["p"] == pytest.approx(test.pvalue) if quantity != ACCURACY else np.isnan(row["p"])
            if quantity != ACCURACY:
                found = [table.loc[(model, quantity, 2, *place), "p_holm"] for place in CONDITIONS]
                np.testing.assert_allclose(found, multipletests(p_values, method="holm")[1])


def test_models_are_compared_with_the_control_of_their_own_training_and_up_to_the_step_asked_for(accuracies):
    table = summarise(accuracies, 1)
    assert table["step"].max() == 1
    assert set(table.loc[table["model"] == "cnnf-y", "quantity"]) == {ACCURACY, GAIN}  # which has no control
    assert set(table.loc[table["model"] == "cnn-x", "quantity"]) == {ACCURACY}
    assert table["data"].unique().tolist() == ["x", "y"]


def test_what_cannot_be_compared_is_refused(accuracies):
    few = accuracies.assign(n_images=np.where(accuracies["model"] == "cnn-x", 40, 50))
    with pytest.raises(ValueError, match=r"cnn-x: expected the 4 conditions of the other models of x, and as many"):
        summarise(few)
    with pytest.raises(ValueError, match="expected each condition of a training once, got some twice"):
        summarise(pd.concat([accuracies, accuracies]))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_seeds", [1, 3])
def test_cards_are_summarised_and_drawn(accuracies, tmp_path, n_seeds):
    paths = []
    for model, part in accuracies[accuracies["seed"] < n_seeds].groupby("model", sort=False):
        paths.append(tmp_path / f"{model}.json")
        content = part.drop(columns="model").to_dict(orient="list")
        paths[-1].write_text(json.dumps({"name": model, "data": "x", "accuracy": content}))
    main(["--accuracy", *map(str, paths), "--n-steps", "2", "--out", str(tmp_path / "summary.csv")])
    figure.main(["--in", str(tmp_path / "summary.csv"), "--out", str(tmp_path / "out" / "fig")])
    svg = beside(tmp_path / "out" / "fig", "svg").read_text()
    words = "mean of 3 trainings" if n_seeds == 3 else "one training"
    for text in (words, "lateral control", "feedforward control", "noise (SD)", "blur (SD, pixels)", "n = 50"):
        assert text in svg


def test_answers_of_several_readouts_are_not_pooled(accuracies):
    mixed = accuracies.assign(readout=np.where(accuracies["model"] == "cnnf-x", "average", None))
    with pytest.raises(ValueError, match="accuracies: expected one readout, got average, last"):
        summarise(mixed)
