"""Tests of mixed models, against statsmodels, dense algebra and simulations."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy.stats import binomtest, multivariate_normal

from analysis.mixed import fit_mixed, held_out_errors, independent, likelihood_ratio


def simulate(seed=0, n_subjects=8, n_objects=20, n=300, effect=0.3, sd=(0.5, 0.4, 1.0)):
    """y = 1 + effect x + subject + object + noise, crossed and unbalanced."""
    rng = np.random.default_rng(seed)
    subject, thing = rng.integers(0, n_subjects, n), rng.integers(0, n_objects, n)
    x = 0.7 * rng.standard_normal(n_objects)[thing] + 0.7 * rng.standard_normal(n)
    u, v = sd[0] * rng.standard_normal(n_subjects), sd[1] * rng.standard_normal(n_objects)
    y = 1 + effect * x + u[subject] + v[thing] + sd[2] * rng.standard_normal(n)
    return y, np.column_stack([np.ones(n), x]), subject, thing


@pytest.mark.parametrize("reml", [False, True])
def test_fits_equal_those_of_statsmodels(reml):
    """Crossed variance components of one group: the same estimates, errors and likelihood."""
    y, x, subject, thing = simulate()
    fit = fit_mixed(y, x, subject, thing, reml)
    frame = pd.DataFrame({"y": y, "x": x[:, 1], "s": subject, "o": thing, "g": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = smf.mixedlm("y ~ x", frame, groups="g", vc_formula={"s": "0 + C(s)", "o": "0 + C(o)"}).fit(
            reml=reml,
            method="powell",  # its default does not converge here, and says so
        )
    np.testing.assert_allclose(fit.coefficients, other.fe_params, atol=1e-4)
    np.testing.assert_allclose(fit.errors, other.bse_fe, rtol=1e-2)
    variances = dict(zip(other.model.exog_vc.names, other.vcomp, strict=True))
    assert fit.subject_variance == pytest.approx(variances["s"], rel=1e-3)
    assert fit.object_variance == pytest.approx(variances["o"], rel=1e-3)
    assert fit.residual_variance == pytest.approx(other.scale, rel=1e-3)
    assert fit.log_likelihood == pytest.approx(other.llf, abs=1e-4)


def test_the_likelihood_is_that_of_the_dense_normal_and_no_nearby_one_is_larger():
    y, x, subject, thing = simulate(3, n=120)
    fit = fit_mixed(y, x, subject, thing)

    def dense(s, o, e):
        same_s, same_o = subject[:, None] == subject, thing[:, None] == thing
        return multivariate_normal(x @ fit.coefficients, s * same_s + o * same_o + e * np.eye(120)).logpdf(y)

    variances = np.array([fit.subject_variance, fit.object_variance, fit.residual_variance])
    assert dense(*variances) == pytest.approx(fit.log_likelihood, abs=1e-6)
    for number in range(3):
        for factor in (0.8, 1.25):
            assert dense(*np.where(np.arange(3) == number, factor * variances, variances)) <= fit.log_likelihood + 1e-6


def test_r2_splits_variance_as_simulated():
    """Much data: shares of variance as they were put in (Nakagawa & Schielzeth 2013)."""
    y, x, subject, thing = simulate(1, 60, 200, 12_000, effect=0.8, sd=(0.5, 0.5, 1.0))
    fit = fit_mixed(y, x, subject, thing)
    fixed = 0.8**2 * x[:, 1].var()
    assert fit.marginal_r2 == pytest.approx(fixed / (fixed + 1.5), abs=0.05)
    assert fit.conditional_r2 == pytest.approx((fixed + 0.5) / (fixed + 1.5), abs=0.06)


def test_an_effect_is_within_its_interval_in_nineteen_of_twenty_studies_and_a_null_is_rejected_in_one():
    """60 simulated studies, binomial error; a covariate of objects alone is the hard case. `analysis.recovery`: 200."""
    held = positive = 0
    for seed in range(60):
        y, x, subject, thing = simulate(seed, 10, 40, 300, effect=0.3)
        fit = fit_mixed(y, x, subject, thing)
        low, high = fit.interval(1)
        held += low < 0.3 < high
        other = np.random.default_rng([seed, 1]).standard_normal(40)[thing]
        larger = fit_mixed(y, np.column_stack([x, other]), subject, thing)
        positive += likelihood_ratio(fit, larger).p < 0.05
    assert binomtest(held, 60, 0.95).pvalue > 0.01
    assert binomtest(positive, 60, 0.05).pvalue > 0.01


def test_absent_random_effects_leave_least_squares():
    y, x, subject, thing = simulate(5, n=200, sd=(0, 0, 1.0))
    y = y - pd.Series(y).groupby(subject).transform("mean") - pd.Series(y).groupby(thing).transform("mean")
    fit = fit_mixed(y, x, subject, thing)
    np.testing.assert_allclose(fit.coefficients, np.linalg.lstsq(x, y, rcond=None)[0], atol=1e-4)


def test_held_out_subjects_are_predicted_better_by_a_true_effect_only():
    y, x, subject, thing = simulate(2, 6, 40, 900, effect=0.5)
    without = held_out_errors(y, x[:, :1], subject, thing)
    with_effect = held_out_errors(y, x, subject, thing)
    assert len(without) == 6
    assert (with_effect < without).mean() > 0.8
    np.testing.assert_allclose(without, pd.Series(y).groupby(subject).var(ddof=0))


def test_what_cannot_be_fitted_is_named():
    y, x, subject, thing = simulate(n=50)
    with pytest.raises(ValueError, match="linearly independent columns, got rank below 3"):
        fit_mixed(y, np.column_stack([x, x[:, 1]]), subject, thing)
    with pytest.raises(ValueError, match="expected finite y"):
        fit_mixed(np.where(y > 1, np.nan, y), x, subject, thing)
    fit = fit_mixed(y, x, subject, thing)
    with pytest.raises(ValueError, match="nested models of the same trials first, got 0 more"):
        likelihood_ratio(fit, fit)


def test_what_happens_to_one_subject_alone_is_predicted_for_nobody_else_and_not_for_that_one():
    rng = np.random.default_rng(3)
    subject, thing = (places.ravel() for places in np.indices((6, 20)))
    x = np.column_stack([np.ones(120), rng.normal(size=120), (subject == 2) * rng.normal(size=120)])
    y = x @ [0.5, 0.3, 2.0] + rng.normal(size=6)[subject] + rng.normal(size=20)[thing] + rng.normal(size=120)
    found = held_out_errors(y, x, subject, thing)
    for one in range(6):
        out, columns = subject == one, [0, 1] if one == 2 else [0, 1, 2]
        fit = fit_mixed(y[~out], x[~out][:, columns], subject[~out], thing[~out])
        left = y[out] - x[out][:, columns] @ fit.coefficients
        assert found[one] == pytest.approx(left.var(), rel=1e-4)


def test_columns_that_others_determine_are_left_out():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30))
    assert independent(np.column_stack([np.ones(30), a, 2 - 3 * a, np.zeros(30), b])).tolist() == [0, 1, 4]
