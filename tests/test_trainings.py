"""What several trainings share: names without seeds, Student's t over them, families of p values."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.trainings import check_alike, described, split_seeds, student, within_families


def test_seeds_leave_the_names_and_a_name_without_one_is_seed_0():
    table = split_seeds(pd.DataFrame({"model": ["cnn-x", "cnn-x-seed2", "cnnf-seed-y-seed10"]}))
    assert table["model"].tolist() == ["cnn-x", "cnn-x", "cnnf-seed-y"]
    assert table["seed"].tolist() == [0, 2, 10]


def test_the_interval_of_a_mean_is_students():
    values = pd.Series([0.3, np.nan, -0.1, 0.9])
    found, seen = student(values), values.dropna()
    half = stats.t.ppf(0.975, 2) * stats.sem(seen)
    np.testing.assert_allclose([found["low"], found["high"]], [seen.mean() - half, seen.mean() + half])
    np.testing.assert_allclose(found["p"], 2 * stats.t.sf(abs(seen.mean() / stats.sem(seen)), 2))
    assert described(values) == pytest.approx({"n_seeds": 3, "n_total": 4, "mean": seen.mean(), "sd": seen.std()})


@pytest.mark.parametrize("values", [[], [0.4], [0.4, 0.4, 0.4], [0.4, 0.4 + 1e-15]])
def test_no_interval_is_made_of_one_value_or_of_rounding(values):
    assert all(np.isnan(one) for one in student(pd.Series(values, dtype=float)).values())


def test_p_values_are_corrected_within_families_and_what_differs_alike_counts():
    p = pd.Series([0.01, 0.04, np.nan, 0.02, np.nan])
    family = pd.Series(["a", "a", "a", "b", "b"])
    corrected = within_families(p, pd.Series([3, 3, 3, 3, 1]), family)  # the last one is of one value: no test
    np.testing.assert_allclose(corrected[:2], multipletests([0.01, 0.04, 1.0], method="holm")[1][:2])
    np.testing.assert_allclose(corrected[3], 0.02)
    assert corrected[[2, 4]].isna().all()


def test_trainings_of_two_models_twice_one_seed_or_other_settings_are_refused():
    check_alike(["cnn-x", "cnn-x-seed1"], [(5, False)] * 2)
    for models, settings in (
        (["cnn-x", "cnnf-x"], [(5, False)] * 2),
        (["cnn-x", "cnn-x"], [(5, False)] * 2),
        (["cnn-x", "cnn-x-seed1"], [(5, False), (2, False)]),
    ):
        with pytest.raises(ValueError, match="expected one table of each training of one model, made alike"):
            check_alike(models, settings)
