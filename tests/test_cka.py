"""Centred kernel alignment against the papers' formulae, written out."""

import numpy as np
import pytest

from benchmarks.cka import cka_matrix, linear_cka, u_centred
from benchmarks.gram import gram


def features(units, seed, n=30):
    return np.random.default_rng(seed).standard_normal((n, units)) + 2


def hsic_1(k, l):  # noqa: E741
    """Song et al. (2012), equation 5."""
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
    one = np.ones(n)
    both = (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
    return (np.trace(k @ l) + both - 2 / (n - 2) * one @ k @ l @ one) / (n * (n - 3))


def hsic_0(k, l):  # noqa: E741
    """Kornblith et al. (2019), equation 3."""
    n = len(k)
    centre = np.eye(n) - 1 / n
    return np.trace(k @ centre @ l @ centre) / (n - 1) ** 2


@pytest.mark.parametrize(("debiased", "hsic"), [(True, hsic_1), (False, hsic_0)])
def test_alignment_is_that_of_the_formula(debiased, hsic):
    x = features(40, 0)
    y = x[:, :5] + features(5, 1)
    k, other = x @ x.T, y @ y.T
    expected = hsic(k, other) / np.sqrt(hsic(k, k) * hsic(other, other))
    assert linear_cka(k, other, debiased=debiased) == pytest.approx(expected, abs=1e-12)
    assert linear_cka(gram(x), gram(y), debiased=debiased) == pytest.approx(expected, abs=1e-10)


def test_inner_products_of_u_centred_matrices_are_hsic_1():
    k, other = (features(8, seed) @ features(8, seed).T for seed in (0, 1))
    found = np.sum(u_centred(k) * u_centred(other)) / (30 * 27)
    assert found == pytest.approx(hsic_1(k, other), rel=1e-10)


def test_brain_scores_cka_is_the_same():
    metric = pytest.importorskip("brainscore_vision.metrics.cka.metric")
    x, y = features(40, 0), features(9, 1)
    assert linear_cka(x @ x.T, y @ y.T) == pytest.approx(metric.unbiased_linear_CKA(x, y), abs=1e-9)
    assert linear_cka(x @ x.T, y @ y.T, debiased=False) == pytest.approx(metric.linear_CKA(x, y), abs=1e-9)


def test_alignment_with_itself_turned_and_scaled_is_1():
    x = features(20, 0)
    turned = 3 * x @ np.linalg.qr(np.random.default_rng(5).standard_normal((20, 20)))[0]
    for debiased in (True, False):
        assert linear_cka(gram(x), gram(turned), debiased=debiased) == pytest.approx(1)


def test_noise_looks_alike_to_the_biased_form_only():
    pairs = [(gram(features(500, 2 * k)), gram(features(500, 2 * k + 1))) for k in range(20)]
    biased, debiased = (np.array([linear_cka(*pair, debiased=flag) for pair in pairs]) for flag in (False, True))
    assert biased.min() > 0.9
    assert abs(debiased.mean()) < 2 * debiased.std() / np.sqrt(20) + 0.01


def test_a_matrix_of_alignments_holds_each_pair():
    ours, theirs = ([gram(features(12, seed)) for seed in seeds] for seeds in ((0, 1), (2, 3, 4)))
    found = cka_matrix(ours, theirs)
    assert found.shape == (2, 3)
    assert found[1, 2] == pytest.approx(linear_cka(ours[1], theirs[2]))


@pytest.mark.parametrize("broken", [np.ones((30, 5)), np.full((30, 5), np.nan)], ids=["constant", "NaN"])
@pytest.mark.parametrize("debiased", [True, False])
def test_what_does_not_vary_or_is_not_known_has_no_alignment(broken, debiased):
    assert np.isnan(linear_cka(gram(broken), gram(features(5, 0)), debiased=debiased))


def test_other_presentations_or_too_few_are_refused():
    with pytest.raises(ValueError, match="Gram matrices of the same 4 or more presentations"):
        linear_cka(np.eye(5), np.eye(6))
    with pytest.raises(ValueError, match="Gram matrices of the same 4 or more presentations"):
        linear_cka(np.eye(3), np.eye(3))
