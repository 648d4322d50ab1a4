"""Lower bounds on leave-one-out errors, against the errors themselves at every penalty."""

import numpy as np
import pytest

from benchmarks.gram import gram
from benchmarks.ridge import RidgeDesign
from benchmarks.ridge_bounds import SolvedFits, Spectrum
from benchmarks.ridge_cv import BRAIN_SCORE_PENALTIES as GRID


def make_design(units, decay, n=80, seed=0):
    rng = np.random.default_rng(seed)
    features = 30 * rng.standard_normal((n, units)) * np.arange(1, units + 1) ** -decay
    responses = features @ rng.standard_normal((units, 5)) + 30 * rng.standard_normal((n, 5))
    part = np.sort(rng.permutation(n)[:8])
    return features, RidgeDesign.decompose(gram(features), responses, (part,))


@pytest.mark.parametrize("units", [10, 80, 500], ids="{} units".format)
@pytest.mark.parametrize("decay", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("solved", [[42], [0, 98], [3, 12, 42, 98], [0, 4, 9, 29, 42, 43, 60, 80, 98], [41, 42, 43]])
def test_no_error_is_lower_than_its_bound(units, decay, solved):
    _, design = make_design(units, decay)
    fits = SolvedFits()
    for index in solved:
        fits.add(index, next(design.leave_out(GRID[index])))
    lowest = fits.lowest_errors(Spectrum.of(design.values).interpolate(GRID[solved], GRID))
    true = np.array([np.square(next(design.leave_out(a)).loo_residuals).sum() for a in GRID])
    assert (lowest <= true).all()
    # and where it was solved, the bound says nearly as much as the solve
    assert lowest[solved] == pytest.approx(true[solved], rel=1e-3)
    assert list(fits.errors) == solved
    assert list(fits.errors.values()) == pytest.approx(true[solved], rel=1e-12)


def test_more_solves_bound_more_tightly():
    _, design = make_design(80, 1.0)
    spectrum = Spectrum.of(design.values)
    true = np.array([np.square(next(design.leave_out(a)).loo_residuals).sum() for a in GRID])
    known = []
    for solved in ([3, 42, 98], [3, 12, 42, 60, 98], [0, 3, 5, 8, 12, 20, 30, 42, 50, 60, 70, 80, 98]):
        fits = SolvedFits()
        for index in solved:
            fits.add(index, next(design.leave_out(GRID[index])))
        known.append(np.median(fits.lowest_errors(spectrum.interpolate(GRID[solved], GRID)) / true))
    assert known == sorted(known)
    assert known[-1] > 0.99


@pytest.mark.parametrize("units", [10, 80, 500], ids="{} units".format)
def test_training_sets_eigenvalues_lie_in_the_spectrum_of_all(units):
    features, design = make_design(units, 1.0)
    spectrum = Spectrum.of(design.values)
    training = np.delete(features, design.held_out[0], axis=0)
    values = np.linalg.svd(training - training.mean(axis=0), compute_uv=False) ** 2
    if units < len(training) - 1:
        assert spectrum.lowest == 0
    else:
        values = values[: len(training) - 1]  # the last is that of ones
    assert spectrum.lowest <= values.min()
    assert values.max() <= spectrum.highest


@pytest.mark.parametrize("range_", [(0.0, 1e6), (1e-3, 1e4), (1e3, 1e9), (50.0, 50.0)])
def test_an_interpolated_function_is_within_its_error_at_every_eigenvalue(range_):
    spectrum = Spectrum(*range_)
    rng = np.random.default_rng(0)
    low = max(spectrum.lowest, 1e-6)
    values = np.concatenate([range_, np.exp(rng.uniform(np.log(low), np.log(spectrum.highest), 4000))])
    functions = GRID / (values[:, None] + GRID)
    for solved in ([10], [0, 50, 98], [3, 20, 40, 41, 42, 70, 98]):
        between = spectrum.interpolate(GRID[solved], GRID)
        off = np.abs(1 - (functions[:, solved] @ between.weights) / functions).max(axis=0)
        assert (off <= between.error).all()
        assert between.error[solved].max() < 1e-4


def test_a_fit_that_rounding_ate_is_kept_but_bounds_nothing():
    _, design = make_design(80, 1.0)
    fits = SolvedFits()
    good = next(design.leave_out(GRID[42]))
    fits.add(42, good)
    fits.add(0, type(good)(good.residuals, np.full_like(good.numerators, np.inf), good.leverages))
    assert fits.sound == [42]
    assert fits.errors[0] == np.inf
